/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writing bundles.
 *
 * The bytes follow from the manifest and the payloads alone: members in the manifest's order, the
 * time of every header is the manifest's `created`. So the same input gives the same file anywhere,
 * and a signature that was made elsewhere can be put into it later.
 */

#include <sys/stat.h>

#include "bundle/archive.h"
#include "bundle/digest.h"
#include "bundle/pack.h"
#include "dbus/errors.h"
#include "util/file.h"

#define COPY_BLOCK ((size_t) 256 * 1024)

static const uint8_t zeros[2 * ARCHIVE_BLOCK];

static int write_padding(int fd, uint64_t size) {
        return file_write_all(fd, zeros, (size_t) (-size & (ARCHIVE_BLOCK - 1)));
}

static int write_header(int fd, const char *name, uint64_t size, uint64_t mtime) {
        uint8_t header[ARCHIVE_BLOCK];
        int r = archive_header_format(name, size, mtime, header);

        return r < 0 ? r : file_write_all(fd, header, sizeof(header));
}

static int write_bytes(int fd, const char *name, uint64_t mtime, const void *data, size_t size) {
        int r = write_header(fd, name, size, mtime);

        if (r >= 0)
                r = file_write_all(fd, data, size);
        return r < 0 ? r : write_padding(fd, size);
}

/* Copy @size bytes from @offset on, to nowhere when @fd_out is negative; hash them when asked to. */
static int copy_range(
                int fd_in, uint64_t offset, uint64_t size, int fd_out, uint8_t *ret_digest) {
        _cleanup_free_ uint8_t *buf = malloc(COPY_BLOCK);
        _cleanup_digest_free_ Digest *digest = NULL;
        int r = buf ? digest_new(&digest) : -ENOMEM;

        while (r >= 0 && size > 0) {
                size_t n = size < COPY_BLOCK ? size : COPY_BLOCK;

                r = file_pread_all(fd_in, buf, n, offset);
                if (r >= 0)
                        r = digest_update(digest, buf, n);
                if (r >= 0 && fd_out >= 0)
                        r = file_write_all(fd_out, buf, n);
                offset += n;
                size -= n;
        }
        if (r < 0 || !ret_digest)
                return r;
        return digest_finish(digest, ret_digest);
}

/**
 * pack_describe() - fill in size and digest of a payload
 * @fd: the payload, a regular file open for reading
 * @m: `size` and `sha256` are set on success
 * @error: BundleTooLarge, BundleUnreadable
 *
 * Return: 0 or a negative errno.
 */
int pack_describe(int fd, ManifestMember *m, sd_bus_error *error) {
        uint8_t sha256[DIGEST_SIZE];
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size == 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleUnreadable"),
                        "'%s' is not a regular file with content", m->name);
        if ((uint64_t) st.st_size > HOTPATCH_BUNDLE_MAX)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTooLarge"),
                        "'%s' has %llu bytes, %llu are allowed", m->name,
                        (unsigned long long) st.st_size, (unsigned long long) HOTPATCH_BUNDLE_MAX);
        r = copy_range(fd, 0, (uint64_t) st.st_size, -EBADF, sha256);
        if (r < 0)
                return r;
        m->size = (uint64_t) st.st_size;
        memcpy(m->sha256, sha256, sizeof(sha256));
        return 0;
}

static int write_payload(
                int fd_out, const ManifestMember *m, int fd, uint64_t mtime, sd_bus_error *error) {
        uint8_t digest[DIGEST_SIZE];
        int r = write_header(fd_out, m->name, m->size, mtime);

        if (r >= 0)
                r = copy_range(fd, 0, m->size, fd_out, digest);
        if (r == -ENODATA || (r >= 0 && memcmp(digest, m->sha256, sizeof(digest)) != 0))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("PayloadMismatch"),
                        "'%s' changed while it was packed", m->name);
        return r < 0 ? r : write_padding(fd_out, m->size);
}

/**
 * pack_write() - write an unsigned bundle
 * @fd_out: empty, open for writing; the caller throws it away on failure
 * @member_fds: the payloads in the order of m->members, open for reading
 * @error: ManifestInvalid, PayloadMismatch, BundleTooLarge
 *
 * Return: 0 or a negative errno.
 */
int pack_write(int fd_out, const Manifest *m, const int *member_fds, sd_bus_error *error) {
        _cleanup_manifest_free_ Manifest *again = NULL;
        _cleanup_free_ char *text = NULL;
        uint64_t mtime = m->created_usec / USEC_PER_SEC, total = 0;
        size_t size;
        int r = manifest_format(m, &text, &size);

        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ManifestInvalid"),
                        "The manifest holds text that is not UTF-8, or a number out of range");
        /* Never write what would be refused. */
        r = manifest_parse(text, size, &again, error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < m->n_members; i++)
                total += m->members[i].size + 2 * ARCHIVE_BLOCK;
        if (total + size + 4 * ARCHIVE_BLOCK + HOTPATCH_SIGNATURE_MAX > HOTPATCH_BUNDLE_MAX)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTooLarge"),
                        "The bundle would have more than %llu bytes", (unsigned long long) HOTPATCH_BUNDLE_MAX);
        r = write_bytes(fd_out, ARCHIVE_MANIFEST, mtime, text, size);
        for (size_t i = 0; r >= 0 && i < m->n_members; i++)
                r = write_payload(fd_out, &m->members[i], member_fds[i], mtime, error);
        return r < 0 ? r : file_write_all(fd_out, zeros, sizeof(zeros));
}

static int copy_member(int fd_in, const ArchiveMember *m, uint64_t mtime, int fd_out) {
        int r = write_header(fd_out, m->name, m->size, mtime);

        if (r >= 0)
                r = copy_range(fd_in, m->offset, m->size, fd_out, NULL);
        return r < 0 ? r : write_padding(fd_out, m->size);
}

/**
 * pack_add_signature() - copy a bundle with one more signature, behind those it has
 * @fd_in: the bundle
 * @signature: a detached CMS over its manifest, in DER form; not checked here
 * @fd_out: empty, open for writing; the caller throws it away on failure
 * @error: as archive_read(); BundleTooLarge
 *
 * Return: 0 or a negative errno.
 */
int pack_add_signature(
                int fd_in, const void *signature, size_t size, int fd_out, sd_bus_error *error) {
        char name[HOTPATCH_MEMBER_NAME_MAX + 1];
        Archive a;
        int r = archive_read(fd_in, &a, error);

        if (r < 0)
                return r;
        if (size > HOTPATCH_SIGNATURE_MAX || a.n_signatures == HOTPATCH_SIGNATURES_MAX ||
            a.n_members == HOTPATCH_MEMBERS_MAX)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTooLarge"),
                        "The bundle has no room for one more signature");
        archive_signature_name(a.n_signatures + 1, name);
        for (size_t i = 0; r >= 0 && i <= a.n_signatures; i++)
                r = copy_member(fd_in, &a.members[i], a.mtime, fd_out);
        if (r >= 0)
                r = write_bytes(fd_out, name, a.mtime, signature, size);
        for (size_t i = a.n_signatures + 1; r >= 0 && i < a.n_members; i++)
                r = copy_member(fd_in, &a.members[i], a.mtime, fd_out);
        return r < 0 ? r : file_write_all(fd_out, zeros, sizeof(zeros));
}
