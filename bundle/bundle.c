/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A bundle, first unverified, then signed, then verified.
 *
 * Order of reading: size limits, archive headers, CMS over the exact manifest bytes, JSON, member
 * digests. The manifest is read into memory once and that copy is what gets verified, parsed and
 * shown; a payload is hashed while it is copied, and only the copy may be used. So a file that is
 * rewritten meanwhile gives a refusal and never a mixture.
 *
 * Signatures are counted by public key. A signature member that is not good is as one that is not
 * there, because who could spoil it could also remove it; its reason is kept for the message.
 */

#include <fcntl.h>

#include "bundle/archive.h"
#include "bundle/bundle.h"
#include "bundle/digest.h"
#include "bundle/signature.h"
#include "bundle/trust-internal.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/hex.h"

/* No machine runs this code before it was written, whatever its clock says; see meson.build. */
#ifndef HOTPATCH_BUILD_EPOCH
#  error "HOTPATCH_BUILD_EPOCH is not defined"
#endif

#define COPY_BLOCK ((size_t) 256 * 1024)

struct Bundle {
        int fd;
        Archive archive;
};

struct Signed {
        Bundle *bundle;
        char *text; /* the manifest's bytes */
        size_t text_size;
        Signer *signers;
        size_t n_signers;
};

struct Verified {
        Signed *source;
        Manifest *manifest;
        char *digest;
};

/** bundle_free() - close and free; accepts NULL. Returns NULL. */
Bundle *bundle_free(Bundle *b) {
        if (b)
                safe_close(b->fd);
        free(b);
        return NULL;
}

/**
 * bundle_open() - find the parts of a bundle; nothing is verified
 * @fd: a regular file open for reading; stays the caller's
 * @ret: free with bundle_free()
 * @error: as archive_read()
 *
 * Return: 0 or a negative errno.
 */
int bundle_open(int fd, Bundle **ret, sd_bus_error *error) {
        _cleanup_bundle_free_ Bundle *b = calloc(1, sizeof(*b));
        int r;

        if (!b)
                return -ENOMEM;
        b->fd = -EBADF;
        r = archive_read(fd, &b->archive, error);
        if (r < 0)
                return r;
        b->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (b->fd < 0)
                return -errno;
        *ret = TAKE_PTR(b);
        return 0;
}

static const ArchiveMember *member_find(const Bundle *b, const char *name) {
        for (size_t i = 0; i < b->archive.n_members; i++)
                if (streq(b->archive.members[i].name, name))
                        return &b->archive.members[i];
        return NULL;
}

static int unreadable(const char *name, int r, sd_bus_error *error) {
        return sd_bus_error_setf(error,
                r == -ENODATA ? HOTPATCH_ERROR("BundleTruncated") : HOTPATCH_ERROR("BundleUnreadable"),
                "Member '%s' of the bundle cannot be read: %s", name,
                r == -ENODATA ? "the file became shorter" : strerror(-r));
}

static int member_read(const Bundle *b, const ArchiveMember *m, void **ret, sd_bus_error *error) {
        _cleanup_free_ uint8_t *buf = malloc(m->size + 1);
        int r;

        if (!buf)
                return -ENOMEM;
        r = file_pread_all(b->fd, buf, m->size, m->offset);
        if (r < 0)
                return unreadable(m->name, r, error);
        buf[m->size] = 0;
        *ret = TAKE_PTR(buf);
        return 0;
}

/**
 * bundle_unverified_members() - names of the members, in order; nobody vouches for them
 * @ret_names: room for @n_names; the names are @b's
 *
 * Return: the number of members, which may be more than @n_names.
 */
size_t bundle_unverified_members(const Bundle *b, const char **ret_names, size_t n_names) {
        for (size_t i = 0; i < b->archive.n_members && i < n_names; i++)
                ret_names[i] = b->archive.members[i].name;
        return b->archive.n_members;
}

/**
 * bundle_unverified_read() - read a member that nobody vouches for
 * @max: most bytes to accept
 * @ret: the bytes and a NUL after them; to be freed
 * @error: BundleInvalid when there is no such member, BundleTooLarge, BundleTruncated,
 *   BundleUnreadable
 *
 * Return: 0 or a negative errno.
 */
int bundle_unverified_read(const Bundle *b, const char *name, size_t max, void **ret, size_t *ret_size,
                sd_bus_error *error) {
        const ArchiveMember *m = member_find(b, name);
        int r;

        if (!m)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleInvalid"),
                        "The bundle has no member '%s'", name);
        if (m->size > max)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTooLarge"),
                        "Member '%s' of the bundle has %llu bytes, %zu are allowed", name,
                        (unsigned long long) m->size, max);
        r = member_read(b, m, ret, error);
        if (r >= 0)
                *ret_size = m->size;
        return r;
}

/* Copy and hash in one pass: what is written is what is hashed. @fd_out < 0: hash only. */
static int member_copy(
                const Bundle *b, const ArchiveMember *m, int fd_out, uint8_t ret_digest[static DIGEST_SIZE],
                sd_bus_error *error) {
        _cleanup_free_ uint8_t *buf = malloc(COPY_BLOCK);
        _cleanup_digest_free_ Digest *digest = NULL;
        int r = buf ? digest_new(&digest) : -ENOMEM;

        for (uint64_t done = 0; r >= 0 && done < m->size;) {
                size_t n = m->size - done < COPY_BLOCK ? m->size - done : COPY_BLOCK;

                r = file_pread_all(b->fd, buf, n, m->offset + done);
                if (r < 0)
                        return unreadable(m->name, r, error);
                r = digest_update(digest, buf, n);
                if (r >= 0 && fd_out >= 0)
                        r = file_write_all(fd_out, buf, n);
                done += n;
        }
        return r < 0 ? r : digest_finish(digest, ret_digest);
}

/**
 * bundle_unverified_copy() - copy a member that nobody vouches for
 * @fd_out: open for writing
 *
 * Return: 0 or a negative errno.
 */
int bundle_unverified_copy(const Bundle *b, const char *name, int fd_out, sd_bus_error *error) {
        const ArchiveMember *m = member_find(b, name);
        uint8_t digest[DIGEST_SIZE];

        if (!m)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleInvalid"),
                        "The bundle has no member '%s'", name);
        return member_copy(b, m, fd_out, digest, error);
}

/** signed_free() - close and free; accepts NULL. Returns NULL. */
Signed *signed_free(Signed *s) {
        if (!s)
                return NULL;
        bundle_free(s->bundle);
        free(s->text);
        for (size_t i = 0; i < s->n_signers; i++)
                signer_done(&s->signers[i]);
        free(s->signers);
        free(s);
        return NULL;
}

/** verified_free() - close and free; accepts NULL. Returns NULL. */
Verified *verified_free(Verified *v) {
        if (!v)
                return NULL;
        signed_free(v->source);
        manifest_free(v->manifest);
        free(v->digest);
        free(v);
        return NULL;
}

/* A second signature with the same key does not make a second signer. */
static void signer_add(Signed *s, Signer *signer) {
        for (size_t i = 0; i < s->n_signers; i++)
                if (streq(s->signers[i].spki_sha256, signer->spki_sha256)) {
                        signer_done(signer);
                        return;
                }
        s->signers[s->n_signers++] = *signer;
}

/* What a verdict is asked about: without a signature, or with nobody to believe, there is none. */
static int check_judgeable(const Bundle *b, const Trust *trust, sd_bus_error *error) {
        if (b->archive.n_signatures == 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignatureMissing"),
                        "The bundle is not signed");
        if (signature_store_anchors(trust->store) == 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NoTrustAnchors"),
                        "There is no root certificate that bundles could be verified with");
        return 0;
}

/* Of several bad signatures the first one's reason is told. Return: 0, or what is no verdict. */
static int keep_first(int r, sd_bus_error *e, int *first_r, sd_bus_error *first) {
        if (!sd_bus_error_is_set(e))
                return r;
        if (!sd_bus_error_is_set(first)) {
                *first_r = r;
                (void) sd_bus_error_move(first, e);
        }
        return 0;
}

static int check_signatures(
                Signed *s, const Bundle *b, const Trust *trust, uint64_t now_usec, sd_bus_error *error) {
        _cleanup_(sd_bus_error_free) sd_bus_error first = SD_BUS_ERROR_NULL;
        int r, first_r = 0;

        s->signers = calloc(HOTPATCH_SIGNATURES_MAX, sizeof(Signer));
        if (!s->signers)
                return -ENOMEM;
        for (size_t i = 1; i <= b->archive.n_signatures; i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
                const ArchiveMember *m = &b->archive.members[i];
                _cleanup_free_ void *signature = NULL;
                Signer signer;

                r = member_read(b, m, &signature, error);
                if (r < 0)
                        return r;
                r = signature_verify(trust->store,
                        &(SignatureInput) { m->name, signature, m->size, s->text, s->text_size },
                        now_usec, trust->policy.require_crl, &signer, &e);
                if (r >= 0)
                        signer_add(s, &signer);
                else
                        r = keep_first(r, &e, &first_r, &first);
                if (r < 0)
                        return r;
        }
        if (s->n_signers >= trust->policy.signatures_min)
                return 0;
        if (s->n_signers == 0) {
                sd_bus_error_move(error, &first);
                return first_r;
        }
        return sd_bus_error_setf(error, HOTPATCH_ERROR("SignaturesTooFew"),
                "The bundle has good signatures of %zu different signers, %u are demanded%s%s",
                s->n_signers, trust->policy.signatures_min, first.message ? "; " : "",
                strempty(first.message));
}

/**
 * bundle_rehearse() - go through all that bundle_check_signatures() will parse, without the arithmetic of keys
 * @trust, @now_usec: as bundle_check_signatures()
 * @error: as bundle_check_signatures(), as far as it shows without
 *
 * For a process that may die of a stranger's bytes. It makes nothing that anybody could take for a verdict: 0 only
 * says that nothing speaks against asking for one.
 *
 * Return: 0 or a negative errno.
 */
int bundle_rehearse(const Bundle *b, const Trust *trust, uint64_t now_usec, sd_bus_error *error) {
        _cleanup_(sd_bus_error_free) sd_bus_error first = SD_BUS_ERROR_NULL;
        _cleanup_free_ void *text = NULL;
        int r = check_judgeable(b, trust, error), first_r = 0;
        size_t n_passed = 0;

        if (r >= 0)
                r = member_read(b, &b->archive.members[0], &text, error);
        for (size_t i = 1; r >= 0 && i <= b->archive.n_signatures; i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
                const ArchiveMember *m = &b->archive.members[i];
                _cleanup_free_ void *signature = NULL;

                r = member_read(b, m, &signature, error);
                if (r < 0)
                        return r;
                r = signature_rehearse(trust->store,
                        &(SignatureInput) { m->name, signature, m->size, text, b->archive.members[0].size },
                        now_usec, trust->policy.require_crl, &e);
                if (r >= 0)
                        n_passed++;
                else
                        r = keep_first(r, &e, &first_r, &first);
        }
        if (r < 0 || n_passed > 0)
                return r;
        sd_bus_error_move(error, &first);
        return first_r;
}

/* The payloads are those of the manifest, in its order and with its sizes. */
static int check_layout(const Verified *v, const Archive *a, sd_bus_error *error) {
        const ArchiveMember *payloads = a->members + 1 + a->n_signatures;
        size_t n = a->n_members - 1 - a->n_signatures;

        if (n != v->manifest->n_members)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleMemberOrder"),
                        "The bundle has %zu payloads, its manifest lists %zu", n, v->manifest->n_members);
        for (size_t i = 0; i < n; i++) {
                const ManifestMember *m = &v->manifest->members[i];

                if (!streq(payloads[i].name, m->name))
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleMemberOrder"),
                                "The bundle has the member '%s' where its manifest lists '%s'",
                                payloads[i].name, m->name);
                if (payloads[i].size != m->size)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("PayloadMismatch"),
                                "Member '%s' of the bundle has %llu bytes, its manifest says %llu", m->name,
                                (unsigned long long) payloads[i].size, (unsigned long long) m->size);
        }
        return 0;
}

/**
 * bundle_present() - the present as certificates are to see it
 * @clock_usec: CLOCK_REALTIME
 *
 * A clock that was set back, or a machine that lost it, must not make an old certificate good: it is never
 * earlier than the build of this code.
 */
uint64_t bundle_present(uint64_t clock_usec) {
        const uint64_t built = HOTPATCH_BUILD_EPOCH * USEC_PER_SEC;

        return clock_usec < built ? built : clock_usec;
}

/**
 * bundle_check_signatures() - turn a Bundle into a Signed, or refuse
 * @b: taken over on success, and set to NULL; stays the caller's on failure
 * @trust: needed for this call only
 * @now_usec: microseconds since 1970 at which certificates must be valid: bundle_present(), or what
 *   that was on admission for a bundle that is restored
 * @ret: free with signed_free()
 * @error: SignatureMissing, NoTrustAnchors, SignaturesTooFew, those of signature_verify(), BundleUnreadable
 *
 * The manifest is in memory from here on and is not parsed yet.
 *
 * Return: 0 or a negative errno.
 */
int bundle_check_signatures(
                Bundle **b, const Trust *trust, uint64_t now_usec, Signed **ret, sd_bus_error *error) {
        _cleanup_signed_free_ Signed *s = NULL;
        void *text;
        int r = check_judgeable(*b, trust, error);

        if (r < 0)
                return r;
        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        r = member_read(*b, &(*b)->archive.members[0], &text, error);
        if (r < 0)
                return r;
        s->text = text;
        s->text_size = (*b)->archive.members[0].size;
        r = check_signatures(s, *b, trust, now_usec, error);
        if (r < 0)
                return r;
        s->bundle = TAKE_PTR(*b);
        *ret = TAKE_PTR(s);
        return 0;
}

/**
 * signed_parse() - turn a Signed into a Verified, or refuse
 * @s: taken over on success, and set to NULL; stays the caller's on failure
 * @ret: free with verified_free()
 * @error: those of manifest_parse(), BundleMemberOrder, PayloadMismatch
 *
 * Payloads are not read yet, see verified_copy_member() and verified_check_members(). Whether the
 * bundle itself has expired (Manifest.expires_usec) is for the plan to judge.
 *
 * Return: 0 or a negative errno.
 */
int signed_parse(Signed **s, Verified **ret, sd_bus_error *error) {
        _cleanup_verified_free_ Verified *v = calloc(1, sizeof(*v));
        uint8_t digest[DIGEST_SIZE];
        int r;

        if (!v)
                return -ENOMEM;
        r = manifest_parse((*s)->text, (*s)->text_size, &v->manifest, error);
        if (r >= 0)
                r = digest_bytes((*s)->text, (*s)->text_size, digest);
        if (r < 0)
                return r;
        v->digest = hex_encode(digest, sizeof(digest));
        if (!v->digest)
                return -ENOMEM;
        r = check_layout(v, &(*s)->bundle->archive, error);
        if (r < 0)
                return r;
        v->source = TAKE_PTR(*s);
        *ret = TAKE_PTR(v);
        return 0;
}

/**
 * bundle_verify() - turn a Bundle into a Verified, or refuse: both steps at once
 * @b: taken over on success, and set to NULL; stays the caller's on failure
 * @trust, @now_usec: as bundle_check_signatures()
 * @ret: free with verified_free()
 * @error: those of bundle_check_signatures() and signed_parse()
 *
 * Return: 0 or a negative errno.
 */
int bundle_verify(Bundle **b, const Trust *trust, uint64_t now_usec, Verified **ret, sd_bus_error *error) {
        _cleanup_signed_free_ Signed *s = NULL;
        int r = bundle_check_signatures(b, trust, now_usec, &s, error);

        if (r < 0)
                return r;
        r = signed_parse(&s, ret, error);
        if (r < 0)
                *b = TAKE_PTR(s->bundle);
        return r;
}

/** verified_manifest() - the manifest; lives as long as @v */
const Manifest *verified_manifest(const Verified *v) {
        return v->manifest;
}

/** verified_manifest_text() - the manifest's signed bytes, a NUL after them; lives as long as @v */
const char *verified_manifest_text(const Verified *v, size_t *ret_size) {
        *ret_size = v->source->text_size;
        return v->source->text;
}

/**
 * verified_digest() - SHA-256 of the manifest, lower-case hexadecimal; lives as long as @v
 *
 * Names the bundle's content: it stays the same when a signature is added.
 */
const char *verified_digest(const Verified *v) {
        return v->digest;
}

/** verified_signers() - the good signers, one for each public key; live as long as @v */
const Signer *verified_signers(const Verified *v, size_t *ret_n) {
        *ret_n = v->source->n_signers;
        return v->source->signers;
}

static int copy_and_compare(
                const Verified *v, const ManifestMember *m, int fd_out, sd_bus_error *error) {
        uint8_t digest[DIGEST_SIZE];
        int r = member_copy(v->source->bundle, member_find(v->source->bundle, m->name), fd_out, digest, error);

        if (r < 0)
                return r;
        if (memcmp(digest, m->sha256, sizeof(digest)) != 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("PayloadMismatch"),
                        "Member '%s' of the bundle does not have the digest that its manifest says", m->name);
        return 0;
}

/**
 * verified_check_members() - do all payloads have the digests of the manifest?
 * @error: PayloadMismatch, BundleTruncated, BundleUnreadable
 *
 * For showing and refusing early; who uses a payload uses the copy of verified_copy_member().
 *
 * Return: 0 or a negative errno.
 */
int verified_check_members(const Verified *v, sd_bus_error *error) {
        for (size_t i = 0; i < v->manifest->n_members; i++) {
                int r = copy_and_compare(v, &v->manifest->members[i], -EBADF, error);

                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * verified_copy_member() - copy a payload and check its digest on the way
 * @name: as the manifest lists it
 * @fd_out: open for writing, at the place where the payload shall begin
 * @error: PayloadMismatch, BundleTruncated, BundleUnreadable; then what was written must be thrown
 *   away
 *
 * Return: 0, -ENOENT when the manifest lists no such member, or another negative errno.
 */
int verified_copy_member(const Verified *v, const char *name, int fd_out, sd_bus_error *error) {
        for (size_t i = 0; i < v->manifest->n_members; i++)
                if (streq(v->manifest->members[i].name, name))
                        return copy_and_compare(v, &v->manifest->members[i], fd_out, error);
        return -ENOENT;
}
