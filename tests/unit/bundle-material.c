/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/mman.h>

#include "bundle/digest.h"
#include "tests/unit/bundle-material.h"
#include "util/file.h"
#include "util/hex.h"

void bytes_append(Bytes *b, const void *data, size_t size) {
        b->data = realloc(b->data, b->size + size + 1);
        ck_assert_ptr_nonnull(b->data);
        if (size > 0)
                memcpy(b->data + b->size, data, size);
        b->size += size;
}

void bytes_done(Bytes *b) {
        free(b->data);
        *b = (Bytes) { 0 };
}

/* A file of these bytes, at position 0. */
int bytes_fd(const Bytes *b) {
        int fd = memfd_create("bundle", MFD_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_ok(file_write_all(fd, b->data, b->size));
        ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
        return fd;
}

void raw_header(Bytes *b, const char *name, uint64_t size) {
        uint8_t header[ARCHIVE_BLOCK];

        ck_assert_ok(archive_header_format(name, size, NOW / USEC_PER_SEC, header));
        bytes_append(b, header, sizeof(header));
}

void raw_member(Bytes *b, const char *name, const void *data, size_t size) {
        static const uint8_t zeros[ARCHIVE_BLOCK];

        raw_header(b, name, size);
        bytes_append(b, data, size);
        bytes_append(b, zeros, -size & (ARCHIVE_BLOCK - 1));
}

void raw_end(Bytes *b) {
        static const uint8_t zeros[2 * ARCHIVE_BLOCK];

        bytes_append(b, zeros, sizeof(zeros));
}

/* Change a field of the header at @header and make its checksum right again (offset 148, pax(1)). */
void raw_patch(Bytes *b, size_t header, size_t offset, const void *data, size_t size) {
        uint8_t *h = b->data + header;
        unsigned sum = 0;

        memcpy(h + offset, data, size);
        memset(h + 148, ' ', 8);
        for (size_t i = 0; i < ARCHIVE_BLOCK; i++)
                sum += h[i];
        snprintf((char *) h + 148, 7, "%06o", sum);
}

Identity *identity_make(const char *key, bool ca, const char *usage, const Identity *issuer) {
        static unsigned serial;
        char name[64];
        Identity *i;

        snprintf(name, sizeof(name), "TEST ONLY %u", ++serial);
        ck_assert_ok(identity_new(
                &(IdentityTemplate) {
                        .name = name, .key = key, .ca = ca, .usage = usage,
                        .not_before_usec = NOW - 100 * DAY, .not_after_usec = NOW + 100 * DAY,
                },
                issuer, &i, NULL));
        return i;
}

void pki_make(Pki *p, const char *key) {
        _cleanup_free_ char *leaf = NULL, *intermediate = NULL;

        p->root = identity_make(key, true, NULL, NULL);
        p->intermediate = identity_make(key, true, HOTPATCH_EKU_OID, p->root);
        p->signer = identity_make(key, false, HOTPATCH_EKU_OID, p->intermediate);
        ck_assert_ok(identity_certificate_pem(p->root, &p->root_pem));
        ck_assert_ok(identity_certificate_pem(p->intermediate, &intermediate));
        ck_assert_ok(identity_certificate_pem(p->signer, &leaf));
        ck_assert_ok(identity_key_pem(p->signer, &p->key_pem));
        ck_assert_int_gt(asprintf(&p->chain_pem, "%s%s", leaf, intermediate), 0);
}

void pki_done(Pki *p) {
        identity_free(p->root);
        identity_free(p->intermediate);
        identity_free(p->signer);
        free(p->root_pem);
        free(p->chain_pem);
        free(p->key_pem);
        *p = (Pki) { 0 };
}

void sign_good(const Pki *p, const void *data, size_t size, Bytes *ret) {
        void *der;

        ck_assert_ok(sign_bytes(
                &(SigningKey) { p->chain_pem, strlen(p->chain_pem), p->key_pem, strlen(p->key_pem) }, NOW,
                data, size, &der, &ret->size, NULL));
        ret->data = der;
}

SignatureStore *store_of(const char *anchors, const char *crls) {
        SignatureStore *s;

        ck_assert_ok(signature_store_new(&s));
        if (anchors)
                ck_assert_ok(signature_store_add_anchors(s, "root.pem", anchors, strlen(anchors), NULL));
        if (crls)
                ck_assert_ok(signature_store_add_crls(s, "x.crl", crls, strlen(crls), NULL));
        return s;
}

/* A manifest with one target; free it. */
char *manifest_text(const char *name, const void *payload, size_t size) {
        _cleanup_free_ char *hex = NULL;
        uint8_t digest[DIGEST_SIZE];
        char *text;

        ck_assert_ok(digest_bytes(payload, size, digest));
        hex = hex_encode(digest, sizeof(digest));
        ck_assert_int_gt(asprintf(&text,
                "{\"type\":\"org.hotpatch.bundle\",\"format\":1,\"id\":\"hp-test\",\"title\":\"Test\","
                "\"severity\":\"low\",\"kind\":\"hotpatch\",\"stream\":\"test\",\"sequence\":1,"
                "\"created\":\"2027-01-15T08:00:00Z\",\"targets\":[{\"arch\":\"x86_64\","
                "\"release\":\"6.1.0-50-cloud-amd64\",\"build_id\":\"0123456789abcdef0123\","
                "\"member\":\"%1$s\",\"module\":\"hp_test\",\"objects\":[{\"name\":\"vmlinux\","
                "\"functions\":[\"f\"]}]}],\"members\":[{\"name\":\"%1$s\",\"size\":%2$zu,"
                "\"sha256\":\"%3$s\",\"role\":\"patch-module\"}]}\n", name, size, hex), 0);
        return text;
}

void bundle_make(const Pki *p, const char *manifest, const char *name, const void *payload, size_t size, Bytes *ret) {
        Bytes signature = { 0 };

        sign_good(p, manifest, strlen(manifest), &signature);
        *ret = (Bytes) { 0 };
        raw_member(ret, ARCHIVE_MANIFEST, manifest, strlen(manifest));
        raw_member(ret, ARCHIVE_MANIFEST ".p7s", signature.data, signature.size);
        raw_member(ret, name, payload, size);
        raw_end(ret);
        bytes_done(&signature);
}
