/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <sys/mman.h>

#include "bundle/bundle.h"
#include "bundle/pack.h"
#include "tests/unit/bundle-material.h"
#include "util/file.h"

static const char payload[] = "\177ELF is what a patch module begins with; a bundle does not look into it";
#define PAYLOAD_SIZE (sizeof(payload) - 1)

static Pki pki, site;
static char *scratch;

static void setup(void) {
        pki_make(&pki, "P-256");
        pki_make(&site, "P-256");
        scratch = scratch_new();
}

static void teardown(void) {
        pki_done(&pki);
        pki_done(&site);
        scratch_free(scratch);
}

static void write_scratch(const char *name, const char *content) {
        _cleanup_close_ int dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        ck_assert_ok(file_replace_at(dir, name, content, strlen(content), 0600));
}

/* Anchors: one PEM, or two. */
static Trust *trust_of(const char *a, const char *b, unsigned signatures_min) {
        char path_a[256], path_b[256], *files[] = { path_a, b ? path_b : NULL, NULL };
        Trust *t;

        snprintf(path_a, sizeof(path_a), "%s/a.pem", scratch);
        snprintf(path_b, sizeof(path_b), "%s/b.pem", scratch);
        write_scratch("a.pem", a);
        write_scratch("b.pem", strempty(b));
        ck_assert_ok(trust_load_files(files, &(TrustPolicy) { .signatures_min = signatures_min }, &t, NULL));
        return t;
}

static int open_bytes(const Bytes *b, Bundle **ret, sd_bus_error *error) {
        _cleanup_close_ int fd = bytes_fd(b);

        return bundle_open(fd, ret, error);
}

/* Opens, verifies and checks members; outputs must be untouched when that fails. */
static int verify(const Bytes *b, const Trust *trust, sd_bus_error *error) {
        _cleanup_bundle_free_ Bundle *bundle = NULL;
        Verified *v = (Verified *) 1;
        Bundle *before;
        int r, rehearsed;

        ck_assert_ok(open_bytes(b, &bundle, error));
        before = bundle;
        /* What is rehearsed is not refused when it is good; see the end. */
        rehearsed = bundle_rehearse(bundle, trust, NOW, NULL);
        r = bundle_verify(&bundle, trust, NOW, &v, error);
        if (r < 0) {
                ck_assert_ptr_eq(v, (Verified *) 1);
                ck_assert_ptr_eq(bundle, before);
                return r;
        }
        ck_assert_ptr_null(bundle);
        ck_assert_ok(rehearsed);
        r = verified_check_members(v, error);
        verified_free(v);
        return r;
}

static Bytes sample(void) {
        _cleanup_free_ char *manifest = manifest_text("hp.ko", payload, PAYLOAD_SIZE);
        Bytes b;

        bundle_make(&pki, manifest, "hp.ko", payload, PAYLOAD_SIZE, &b);
        return b;
}

START_TEST(a_good_bundle_is_verified) {
        Bytes b = sample();
        Trust *trust = trust_of(pki.root_pem, NULL, 1);
        _cleanup_bundle_free_ Bundle *bundle = NULL;
        _cleanup_verified_free_ Verified *v = NULL;
        char copy[PAYLOAD_SIZE + 1] = "";
        size_t n;
        int fd = memfd_create("copy", MFD_CLOEXEC);

        ck_assert_ok(open_bytes(&b, &bundle, NULL));
        ck_assert_ok(bundle_verify(&bundle, trust, NOW, &v, NULL));
        ck_assert_str_eq(verified_manifest(v)->id, "hp-test");
        ck_assert_uint_eq(strlen(verified_digest(v)), 64);
        verified_signers(v, &n);
        ck_assert_uint_eq(n, 1);
        ck_assert_ok(verified_check_members(v, NULL));
        ck_assert_ok(verified_copy_member(v, "hp.ko", fd, NULL));
        ck_assert_ok(file_pread_all(fd, copy, PAYLOAD_SIZE, 0));
        ck_assert_mem_eq(copy, payload, PAYLOAD_SIZE);
        ck_assert_int_eq(verified_copy_member(v, "manifest.json", fd, NULL), -ENOENT);
        close(fd);
        trust_free(trust);
        bytes_done(&b);
}
END_TEST

START_TEST(unsigned_bundles_and_empty_trust_are_refused) {
        _cleanup_free_ char *manifest = manifest_text("hp.ko", payload, PAYLOAD_SIZE);
        Trust *trust = trust_of(pki.root_pem, NULL, 1), *nobody;
        Bytes b = { 0 }, good = sample();

        raw_member(&b, "manifest.json", manifest, strlen(manifest));
        raw_member(&b, "hp.ko", payload, PAYLOAD_SIZE);
        raw_end(&b);
        ck_assert_refused(verify(&b, trust, &error), "SignatureMissing");
        ck_assert_ok(trust_load_files((char *[]) { NULL }, &(TrustPolicy) { 1, false }, &nobody, NULL));
        ck_assert_refused(verify(&good, nobody, &error), "NoTrustAnchors");
        trust_free(nobody);
        trust_free(trust);
        bytes_done(&b);
        bytes_done(&good);
}
END_TEST

START_TEST(every_changed_bit_is_refused) {
        Trust *trust = trust_of(pki.root_pem, NULL, 1);
        Bytes b = sample();
        size_t manifest = 512, signature, hp;
        _cleanup_free_ char *text = manifest_text("hp.ko", payload, PAYLOAD_SIZE);

        signature = manifest + ((strlen(text) + 511) & ~(size_t) 511) + 512;
        hp = b.size - 1024 - 512;
        ck_assert_mem_eq(b.data + hp, payload, PAYLOAD_SIZE);
        for (size_t i = 0; i < strlen(text); i += 7) {
                b.data[manifest + i] ^= 0x10;
                ck_assert_refused(verify(&b, trust, &error), "SignatureInvalid");
                b.data[manifest + i] ^= 0x10;
        }
        for (size_t i = 0; i < PAYLOAD_SIZE; i++) {
                b.data[hp + i] ^= 0x10;
                ck_assert_refused(verify(&b, trust, &error), "PayloadMismatch");
                b.data[hp + i] ^= 0x10;
        }
        b.data[signature + 40] ^= 1;
        ck_assert_int_lt(verify(&b, trust, NULL), 0);
        trust_free(trust);
        bytes_done(&b);
}
END_TEST

/* Signed by a trusted signer, and still not what the manifest says */
START_TEST(payloads_are_those_of_the_manifest) {
        Trust *trust = trust_of(pki.root_pem, NULL, 1);
        _cleanup_free_ char *manifest = manifest_text("hp.ko", payload, PAYLOAD_SIZE);
        Bytes b;

        bundle_make(&pki, manifest, "other.ko", payload, PAYLOAD_SIZE, &b);
        ck_assert_refused(verify(&b, trust, &error), "BundleMemberOrder");
        bytes_done(&b);
        bundle_make(&pki, manifest, "hp.ko", payload, PAYLOAD_SIZE - 1, &b);
        ck_assert_refused(verify(&b, trust, &error), "PayloadMismatch");
        bytes_done(&b);
        bundle_make(&pki, manifest, "hp.ko", payload, PAYLOAD_SIZE, &b);
        b.size -= 1024;
        raw_member(&b, "more.ko", payload, PAYLOAD_SIZE);
        raw_end(&b);
        ck_assert_refused(verify(&b, trust, &error), "BundleMemberOrder");
        b.size -= 3 * 1024;
        raw_end(&b);
        ck_assert_refused(verify(&b, trust, &error), "BundleMemberOrder");
        bytes_done(&b);
        bundle_make(&pki, "{\"id\":1}", "hp.ko", payload, PAYLOAD_SIZE, &b);
        ck_assert_refused(verify(&b, trust, &error), "ManifestInvalid");
        bytes_done(&b);
        trust_free(trust);
}
END_TEST

/* Without a good signature, not even the form of the manifest is told. */
START_TEST(an_unverified_manifest_is_not_parsed) {
        Trust *trust = trust_of(site.root_pem, NULL, 1);
        Bytes b;

        bundle_make(&pki, "{{{", "hp.ko", payload, PAYLOAD_SIZE, &b);
        ck_assert_refused(verify(&b, trust, &error), "SignerNotTrusted");
        bytes_done(&b);
        trust_free(trust);
}
END_TEST

/* In the process that gives the verdict nothing is parsed before, and not by the verdict. */
START_TEST(a_verdict_does_not_parse) {
        Trust *trust = trust_of(pki.root_pem, NULL, 1), *other = trust_of(site.root_pem, NULL, 1);
        _cleanup_bundle_free_ Bundle *bundle = NULL;
        _cleanup_signed_free_ Signed *s = NULL, *before;
        Verified *v = (Verified *) 1;
        Bytes b;

        bundle_make(&pki, "{{{", "hp.ko", payload, PAYLOAD_SIZE, &b);
        ck_assert_ok(open_bytes(&b, &bundle, NULL));
        ck_assert_refused(bundle_rehearse(bundle, other, NOW, &error), "SignerNotTrusted");
        ck_assert_ok(bundle_rehearse(bundle, trust, NOW, NULL));
        ck_assert_refused(bundle_check_signatures(&bundle, other, NOW, &s, &error), "SignerNotTrusted");
        ck_assert_ptr_nonnull(bundle);
        ck_assert_ok(bundle_check_signatures(&bundle, trust, NOW, &s, NULL));
        ck_assert_ptr_null(bundle);
        before = s;
        ck_assert_refused(signed_parse(&s, &v, &error), "ManifestInvalid");
        ck_assert_ptr_eq(s, before);
        before = NULL;
        ck_assert_ptr_eq(v, (Verified *) 1);
        bytes_done(&b);
        trust_free(trust);
        trust_free(other);
}
END_TEST

static Bytes with_signature(const Bytes *b, const void *signature, size_t size) {
        _cleanup_close_ int in = bytes_fd(b), out = memfd_create("out", MFD_CLOEXEC);
        Bytes signed_bundle = { 0 };
        void *data;

        ck_assert_ok(pack_add_signature(in, signature, size, out, NULL));
        signed_bundle.size = (size_t) lseek(out, 0, SEEK_END);
        data = malloc(signed_bundle.size);
        ck_assert_ok(file_pread_all(out, data, signed_bundle.size, 0));
        signed_bundle.data = data;
        return signed_bundle;
}

START_TEST(signers_are_counted_by_key) {
        _cleanup_free_ char *manifest = manifest_text("hp.ko", payload, PAYLOAD_SIZE);
        Trust *two = trust_of(pki.root_pem, site.root_pem, 2), *only_vendor = trust_of(pki.root_pem, NULL, 1);
        Trust *only_site = trust_of(site.root_pem, NULL, 1), *vendor_twice = trust_of(pki.root_pem, NULL, 2);
        Bytes one = sample(), again, approval, both, same;

        ck_assert_refused(verify(&one, two, &error), "SignaturesTooFew");
        sign_good(&pki, manifest, strlen(manifest), &again);
        same = with_signature(&one, again.data, again.size);
        ck_assert_refused(verify(&same, two, &error), "SignaturesTooFew");
        ck_assert_ok(verify(&same, only_vendor, NULL));
        sign_good(&site, manifest, strlen(manifest), &approval);
        both = with_signature(&one, approval.data, approval.size);
        ck_assert_ok(verify(&both, two, NULL));
        ck_assert_ok(verify(&both, only_vendor, NULL));
        ck_assert_ok(verify(&both, only_site, NULL));
        ck_assert_refused(verify(&both, vendor_twice, &error), "SignaturesTooFew");
        bytes_done(&one);
        bytes_done(&again);
        bytes_done(&approval);
        bytes_done(&both);
        bytes_done(&same);
        trust_free(two);
        trust_free(only_vendor);
        trust_free(only_site);
        trust_free(vendor_twice);
}
END_TEST

/* What an attacker can spoil he can also leave out: a bad one more neither helps nor harms. */
START_TEST(a_bad_signature_is_as_none) {
        Trust *trust = trust_of(pki.root_pem, NULL, 1);
        Bytes one = sample(), both = with_signature(&one, "nonsense", 8);

        ck_assert_ok(verify(&both, trust, NULL));
        bytes_done(&one);
        bytes_done(&both);
        trust_free(trust);
}
END_TEST

/* The file is rewritten between opening, verifying and copying. */
START_TEST(a_file_that_changes_gives_no_mixture) {
        Trust *trust = trust_of(pki.root_pem, NULL, 1);
        Bytes b = sample();
        int fd = bytes_fd(&b), out = memfd_create("out", MFD_CLOEXEC);
        Verified *v = NULL;
        Bundle *bundle = NULL;

        ck_assert_ok(bundle_open(fd, &bundle, NULL));
        ck_assert_ok(bundle_verify(&bundle, trust, NOW, &v, NULL));
        ck_assert_int_eq(pwrite(fd, "evil", 4, (off_t) b.size - 1024 - 512), 4);
        ck_assert_refused(verified_copy_member(v, "hp.ko", out, &error), "PayloadMismatch");
        ck_assert_int_eq(ftruncate(fd, (off_t) b.size - 1024 - 512), 0);
        ck_assert_refused(verified_copy_member(v, "hp.ko", out, &error), "BundleTruncated");
        verified_free(v);
        close(fd);
        fd = bytes_fd(&b);
        ck_assert_ok(bundle_open(fd, &bundle, NULL));
        ck_assert_int_eq(pwrite(fd, " ", 1, 512), 1);
        ck_assert_refused(bundle_verify(&bundle, trust, NOW, &v, &error), "SignatureInvalid");
        bundle_free(bundle);
        close(fd);
        close(out);
        bytes_done(&b);
        trust_free(trust);
}
END_TEST

/* ---- writing ---- */

static Bytes pack(sd_bus_error *error, int *ret_r) {
        _cleanup_free_ char *text = manifest_text("hp.ko", payload, PAYLOAD_SIZE);
        _cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC), in = memfd_create("in", MFD_CLOEXEC);
        _cleanup_manifest_free_ Manifest *m = NULL;
        Bytes b = { 0 };

        ck_assert_ok(file_write_all(in, payload, PAYLOAD_SIZE));
        ck_assert_ok(manifest_parse(text, strlen(text), &m, NULL));
        ck_assert_ok(pack_describe(in, &m->members[0], NULL));
        *ret_r = pack_write(out, m, &in, error);
        b.size = (size_t) lseek(out, 0, SEEK_END);
        b.data = malloc(b.size + 1);
        ck_assert_ok(file_pread_all(out, b.data, b.size, 0));
        return b;
}

START_TEST(packing_is_reproducible_and_read_again) {
        int r;
        Bytes a = pack(NULL, &r), b = pack(NULL, &r), signature, complete;
        Trust *trust = trust_of(pki.root_pem, NULL, 1);
        _cleanup_bundle_free_ Bundle *bundle = NULL;
        _cleanup_free_ void *manifest = NULL;
        size_t size;

        ck_assert_ok(r);
        ck_assert_uint_eq(a.size, b.size);
        ck_assert_mem_eq(a.data, b.data, a.size);
        ck_assert_ok(open_bytes(&a, &bundle, NULL));
        ck_assert_ok(bundle_unverified_read(bundle, "manifest.json", HOTPATCH_MANIFEST_MAX, &manifest, &size, NULL));
        sign_good(&pki, manifest, size, &signature);
        complete = with_signature(&a, signature.data, signature.size);
        ck_assert_ok(verify(&complete, trust, NULL));
        bytes_done(&a);
        bytes_done(&b);
        bytes_done(&signature);
        bytes_done(&complete);
        trust_free(trust);
}
END_TEST

START_TEST(a_payload_that_changes_is_not_packed) {
        _cleanup_free_ char *text = manifest_text("hp.ko", payload, PAYLOAD_SIZE);
        _cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC), in = memfd_create("in", MFD_CLOEXEC);
        _cleanup_manifest_free_ Manifest *m = NULL;

        ck_assert_ok(manifest_parse(text, strlen(text), &m, NULL));
        ck_assert_ok(file_write_all(in, payload, PAYLOAD_SIZE - 1));
        ck_assert_refused(pack_write(out, m, &in, &error), "PayloadMismatch");
        ck_assert_ok(file_write_all(in, "!", 1));
        ck_assert_refused(pack_write(out, m, &in, &error), "PayloadMismatch");
}
END_TEST

START_TEST(signatures_have_their_limit) {
        Bytes b = sample();

        for (unsigned i = 1; i < HOTPATCH_SIGNATURES_MAX; i++) {
                Bytes more = with_signature(&b, "x", 1);

                bytes_done(&b);
                b = more;
        }
        {
                _cleanup_close_ int in = bytes_fd(&b), out = memfd_create("out", MFD_CLOEXEC);

                ck_assert_refused(pack_add_signature(in, "x", 1, out, &error), "BundleTooLarge");
        }
        bytes_done(&b);
}
END_TEST

/* ---- trust directories ---- */

static int load_trust(const char *root, Trust **ret, sd_bus_error *error) {
        _cleanup_close_ int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return trust_load(fd, &(TrustPolicy) { 1, false }, ret, error);
}

static void put(const char *root, const char *path, const char *content) {
        _cleanup_free_ char *full = NULL;
        FILE *f;

        ck_assert_int_gt(asprintf(&full, "%s/%s", root, path), 0);
        f = fopen(full, "w");
        ck_assert_ptr_nonnull(f);
        fputs(content, f);
        fclose(f);
}

static void make_root(const char *root) {
        _cleanup_free_ char *command = NULL;

        ck_assert_int_gt(asprintf(&command, "mkdir -p %s/usr/lib/hotpatch/trust.d %s/etc/hotpatch/trust.d", root, root), 0);
        ck_assert_int_eq(system(command), 0);
}

static void check_trust(const char *root, const char *refusal) {
        Bytes b = sample();
        Trust *t;

        ck_assert_ok(load_trust(root, &t, NULL));
        if (refusal) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

                ck_assert_int_lt(verify(&b, t, &error), 0);
                ck_assert_str_eq(error.name, refusal);
        } else
                ck_assert_ok(verify(&b, t, NULL));
        trust_free(t);
        bytes_done(&b);
}

START_TEST(directories_hide_each_other_by_name) {
        _cleanup_free_ char *link = NULL, *crl = NULL;

        check_trust(scratch, HOTPATCH_ERROR("NoTrustAnchors"));
        make_root(scratch);
        check_trust(scratch, HOTPATCH_ERROR("NoTrustAnchors"));
        put(scratch, "usr/lib/hotpatch/trust.d/README", "not a certificate");
        put(scratch, "usr/lib/hotpatch/trust.d/vendor.pem", pki.root_pem);
        check_trust(scratch, NULL);
        put(scratch, "etc/hotpatch/trust.d/vendor.pem", site.root_pem);
        check_trust(scratch, HOTPATCH_ERROR("SignerNotTrusted"));
        ck_assert_int_gt(asprintf(&link, "%s/etc/hotpatch/trust.d/vendor.pem", scratch), 0);
        ck_assert_int_eq(unlink(link), 0);
        ck_assert_int_eq(symlink("/dev/null", link), 0);
        check_trust(scratch, HOTPATCH_ERROR("NoTrustAnchors"));
        ck_assert_int_eq(unlink(link), 0);
        ck_assert_ok(identity_crl_pem(pki.intermediate, pki.signer, NOW - DAY, NOW + DAY, &crl));
        put(scratch, "etc/hotpatch/trust.d/vendor.crl", crl);
        check_trust(scratch, HOTPATCH_ERROR("SignerRevoked"));
}
END_TEST

START_TEST(a_bad_file_stops_all) {
        _cleanup_free_ char *link = NULL;
        Trust *t = (Trust *) 1;

        make_root(scratch);
        put(scratch, "etc/hotpatch/trust.d/a.pem", pki.root_pem);
        put(scratch, "etc/hotpatch/trust.d/b.crl", "-----BEGIN X509 CRL-----\n");
        ck_assert_refused(load_trust(scratch, &t, &error), "TrustStoreInvalid");
        put(scratch, "etc/hotpatch/trust.d/b.crl", "");
        ck_assert_refused(load_trust(scratch, &t, &error), "TrustStoreInvalid");
        ck_assert_int_gt(asprintf(&link, "%s/etc/hotpatch/trust.d/b.crl", scratch), 0);
        ck_assert_int_eq(unlink(link), 0);
        ck_assert_int_eq(symlink("a.pem", link), 0);
        ck_assert_refused(load_trust(scratch, &t, &error), "TrustStoreInvalid");
        ck_assert_ptr_eq(t, (Trust *) 1);
}
END_TEST

/* ---- keys ---- */

START_TEST(generated_keys_sign_and_are_not_overwritten) {
        static const char *const keys[] = { "root.key", "intermediate.key", "signer.key" };
        _cleanup_close_ int dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ void *certificate = NULL, *key = NULL, *root = NULL, *crl = NULL, *der = NULL, *again = NULL;
        size_t n_certificate, n_key, n_der;
        SignatureStore *s;
        Signer signer;

        ck_assert_ok(pki_generate(dir, "TEST ONLY", "P-384", NOW, NULL));
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                struct stat st;

                ck_assert_int_eq(fstatat(dir, keys[i], &st, 0), 0);
                ck_assert_uint_eq(st.st_mode & 07777, 0600);
        }
        ck_assert_ok(file_read_at(dir, "signer.pem", 65536, &certificate, &n_certificate));
        ck_assert_ok(file_read_at(dir, "signer.key", 65536, &key, &n_key));
        ck_assert_ok(file_read_at(dir, "root.pem", 65536, &root, NULL));
        ck_assert_ok(file_read_at(dir, "revocation.crl", 65536, &crl, NULL));
        ck_assert_ok(sign_bytes(&(SigningKey) { certificate, n_certificate, key, n_key }, NOW, "x", 1, &der, &n_der, NULL));
        s = store_of(root, crl);
        ck_assert_ok(signature_verify(s, &(SignatureInput) { "m", der, n_der, "x", 1 }, NOW, true, &signer, NULL));
        ck_assert_str_eq(signer.subject, "CN=TEST ONLY signer");
        ck_assert_uint_eq(signer.signing_time_usec, NOW);
        signer_done(&signer);
        signature_store_free(s);
        ck_assert_int_eq(pki_generate(dir, "TEST ONLY", "P-384", NOW, NULL), -EEXIST);
        ck_assert_ok(file_read_at(dir, "signer.key", 65536, &again, NULL));
        ck_assert_str_eq(again, key);
        ck_assert_int_eq(unlinkat(dir, "root.key", 0), 0);
        ck_assert_int_eq(pki_generate(dir, "TEST ONLY", "P-384", NOW, NULL), -EEXIST);
        ck_assert_int_ne(faccessat(dir, "root.key", F_OK, 0), 0);
}
END_TEST

START_TEST(key_and_certificate_must_belong_together) {
        void *der;
        size_t n;

        ck_assert_int_lt(sign_bytes(&(SigningKey) { pki.chain_pem, strlen(pki.chain_pem), site.key_pem, strlen(site.key_pem) },
                                 NOW, "x", 1, &der, &n, NULL), 0);
        ck_assert_int_lt(sign_bytes(&(SigningKey) { "", 0, site.key_pem, strlen(site.key_pem) }, NOW, "x", 1, &der, &n, NULL), 0);
        ck_assert_int_lt(sign_bytes(&(SigningKey) { pki.chain_pem, strlen(pki.chain_pem), "", 0 }, NOW, "x", 1, &der, &n, NULL), 0);
}
END_TEST

/* A clock that was set back makes no old certificate good. */
START_TEST(test_present) {
        ck_assert_uint_eq(bundle_present(NOW), NOW);
        ck_assert_uint_gt(bundle_present(0), UINT64_C(1577836800) * USEC_PER_SEC);
        ck_assert_uint_eq(bundle_present(bundle_present(0)), bundle_present(0));
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("bundle");
        TCase *t = tcase_create("bundle");

        hotpatch_errors_register();
        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, a_good_bundle_is_verified);
        tcase_add_test(t, unsigned_bundles_and_empty_trust_are_refused);
        tcase_add_test(t, every_changed_bit_is_refused);
        tcase_add_test(t, payloads_are_those_of_the_manifest);
        tcase_add_test(t, an_unverified_manifest_is_not_parsed);
        tcase_add_test(t, a_verdict_does_not_parse);
        tcase_add_test(t, signers_are_counted_by_key);
        tcase_add_test(t, a_bad_signature_is_as_none);
        tcase_add_test(t, a_file_that_changes_gives_no_mixture);
        tcase_add_test(t, packing_is_reproducible_and_read_again);
        tcase_add_test(t, a_payload_that_changes_is_not_packed);
        tcase_add_test(t, signatures_have_their_limit);
        tcase_add_test(t, directories_hide_each_other_by_name);
        tcase_add_test(t, a_bad_file_stops_all);
        tcase_add_test(t, generated_keys_sign_and_are_not_overwritten);
        tcase_add_test(t, key_and_certificate_must_belong_together);
        tcase_add_test(t, test_present);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
