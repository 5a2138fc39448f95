/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The container.
 *
 * A bundle is a tar file, so that anybody can take it apart with tools that every system has. Our
 * reader sees bytes that nobody has vouched for, and so it accepts far less than tar does: plain
 * files with flat names, one fixed owner, mode and number format. It reads name, size and time out
 * of a header, writes the header that these three must have, and compares all 512 bytes. What GNU
 * tar makes with `--format=ustar --numeric-owner --owner=0 --group=0 --mode=0644 -b1` passes.
 *
 * It reads headers and padding only, by pread(2), never a member's content, and allocates nothing:
 * the cost of refusing is bounded by HOTPATCH_MEMBERS_MAX blocks, whatever sizes are claimed.
 *
 * The format: pax(1) of POSIX.1-2017, "ustar Interchange Format".
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "bundle/archive.h"
#include "dbus/errors.h"
#include "util/file.h"

typedef struct UstarHeader {
        char name[100];
        char mode[8];
        char uid[8];
        char gid[8];
        char size[12];
        char mtime[12];
        char chksum[8];
        char typeflag;
        char linkname[100];
        char magic[6];
        char version[2];
        char uname[32];
        char gname[32];
        char devmajor[8];
        char devminor[8];
        char prefix[155];
        char pad[12];
} UstarHeader;
_Static_assert(sizeof(UstarHeader) == ARCHIVE_BLOCK, "a ustar header is one block");

/* Eleven octal digits: the largest number that the size and mtime fields hold. */
#define USTAR_NUMBER_MAX ((UINT64_C(1) << 33) - 1)

static const uint8_t zero_block[ARCHIVE_BLOCK];

/**
 * archive_name_is_valid() - may a member have this name?
 *
 * Lower-case letters, digits, `.`, `_`, `-` and `+` (kernel releases have it), first a letter or a
 * digit: never a path, never an option, the same file on every file system.
 */
bool archive_name_is_valid(const char *name) {
        static const char alnum[] = "abcdefghijklmnopqrstuvwxyz0123456789";
        size_t n = strlen(name);

        return n > 0 && n <= HOTPATCH_MEMBER_NAME_MAX && strchr(alnum, name[0]) &&
                strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-+") == n;
}

/** archive_signature_name() - name of the @n-th signature member, counted from 1 */
void archive_signature_name(size_t n, char ret[static HOTPATCH_MEMBER_NAME_MAX + 1]) {
        if (n == 1)
                snprintf(ret, HOTPATCH_MEMBER_NAME_MAX + 1, ARCHIVE_MANIFEST ".p7s");
        else
                snprintf(ret, HOTPATCH_MEMBER_NAME_MAX + 1, ARCHIVE_MANIFEST ".%zu.p7s", n);
}

/**
 * archive_header_format() - the one header that a member can have
 * @mtime: seconds since 1970
 *
 * Return: 0, -EINVAL for a bad name, or -ERANGE for a number that the format cannot hold.
 */
int archive_header_format(
                const char *name, uint64_t size, uint64_t mtime, uint8_t ret[static ARCHIVE_BLOCK]) {
        UstarHeader h = {
                .mode = "0000644", .uid = "0000000", .gid = "0000000", .typeflag = '0',
                .magic = "ustar", .version = { '0', '0' }, .devmajor = "0000000", .devminor = "0000000",
        };
        const uint8_t *bytes = (const uint8_t *) &h;
        unsigned sum = 0;

        if (!archive_name_is_valid(name))
                return -EINVAL;
        if (size > USTAR_NUMBER_MAX || mtime > USTAR_NUMBER_MAX)
                return -ERANGE;
        memcpy(h.name, name, strlen(name));
        snprintf(h.size, sizeof(h.size), "%011llo", (unsigned long long) size);
        snprintf(h.mtime, sizeof(h.mtime), "%011llo", (unsigned long long) mtime);
        memset(h.chksum, ' ', sizeof(h.chksum));
        for (size_t i = 0; i < sizeof(h); i++)
                sum += bytes[i];
        snprintf(h.chksum, sizeof(h.chksum) - 1, "%06o", sum);
        memcpy(ret, &h, sizeof(h));
        return 0;
}

static int octal_parse(const char field[static 12], uint64_t *ret) {
        uint64_t value = 0;

        for (size_t i = 0; i < 11; i++) {
                if (field[i] < '0' || field[i] > '7')
                        return -EINVAL;
                value = value << 3 | (uint64_t) (field[i] - '0');
        }
        if (field[11] != 0)
                return -EINVAL;
        *ret = value;
        return 0;
}

/* The file may grow while it is read: what lies after its first size does not exist. */
typedef struct Source {
        int fd;
        uint64_t size;
} Source;

static int read_block(const Source *s, uint64_t offset, void *buf, size_t size, sd_bus_error *error) {
        int r = offset + size > s->size ? -ENODATA : file_pread_all(s->fd, buf, size, offset);

        if (r == -ENODATA)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTruncated"),
                        "The bundle ends at or after byte %llu, in the middle of its members",
                        (unsigned long long) offset);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleUnreadable"),
                        "The bundle cannot be read at byte %llu: %s",
                        (unsigned long long) offset, strerror(-r));
        return 0;
}

static int name_parse(const UstarHeader *h, size_t index, ArchiveMember *m, sd_bus_error *error) {
        if (h->prefix[0] || memchr(h->name, 0, sizeof(h->name)) == NULL)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleMemberName"),
                        "The name of member %zu of the bundle is too long", index);
        if (strlen(h->name) > HOTPATCH_MEMBER_NAME_MAX)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleMemberName"),
                        "The name of member %zu of the bundle has %zu bytes, %u are allowed",
                        index, strlen(h->name), HOTPATCH_MEMBER_NAME_MAX);
        if (!archive_name_is_valid(h->name))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleMemberName"),
                        "The name of member %zu of the bundle is not a plain lower-case file name",
                        index);
        memcpy(m->name, h->name, strlen(h->name) + 1);
        return 0;
}

static int header_parse(
                const UstarHeader *h, size_t index, ArchiveMember *m, uint64_t *mtime, sd_bus_error *error) {
        uint8_t canonical[ARCHIVE_BLOCK];
        int r;

        if (memcmp(h->magic, "ustar\0" "00", 8) != 0)
                return index == 0
                        ? sd_bus_error_setf(error, HOTPATCH_ERROR("NotABundle"),
                                "The file is not a bundle: it does not begin with a ustar header")
                        : sd_bus_error_setf(error, HOTPATCH_ERROR("BundleInvalid"),
                                "The header of member %zu of the bundle is damaged", index);
        if (h->typeflag != '0' || h->linkname[0])
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleMemberType"),
                        "Member %zu of the bundle is not a regular file", index);
        r = name_parse(h, index, m, error);
        if (r < 0)
                return r;
        if (octal_parse(h->size, &m->size) < 0 || octal_parse(h->mtime, mtime) < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleInvalid"),
                        "Size or time of member '%s' of the bundle is not an octal number", m->name);
        r = archive_header_format(m->name, m->size, *mtime, canonical);
        if (r < 0 || memcmp(h, canonical, sizeof(canonical)) != 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleInvalid"),
                        "The header of member '%s' of the bundle is not as hotpatch writes it", m->name);
        if (index == 0 && !streq(m->name, ARCHIVE_MANIFEST))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleMemberOrder"),
                        "The first member of the bundle is '%s', not '" ARCHIVE_MANIFEST "'", m->name);
        return 0;
}

/* Names that begin like the manifest's are reserved: manifest, then signatures by number, then no more. */
static int member_check_place(Archive *a, const ArchiveMember *m, sd_bus_error *error) {
        char expected[HOTPATCH_MEMBER_NAME_MAX + 1];
        uint64_t max = HOTPATCH_BUNDLE_MAX;

        for (size_t i = 0; i < a->n_members; i++)
                if (streq(a->members[i].name, m->name))
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleMemberDuplicate"),
                                "The bundle has the member '%s' twice", m->name);
        if (a->n_members == 0)
                max = HOTPATCH_MANIFEST_MAX;
        else if (startswith(m->name, ARCHIVE_MANIFEST)) {
                archive_signature_name(a->n_signatures + 1, expected);
                if (a->n_members != a->n_signatures + 1 || !streq(m->name, expected))
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleMemberOrder"),
                                "Member %zu of the bundle must not be '%s'", a->n_members, m->name);
                if (a->n_signatures == HOTPATCH_SIGNATURES_MAX)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTooLarge"),
                                "The bundle has more than %u signatures", HOTPATCH_SIGNATURES_MAX);
                max = HOTPATCH_SIGNATURE_MAX;
                a->n_signatures++;
        }
        if (m->size > max)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTooLarge"),
                        "Member '%s' of the bundle has %llu bytes, %llu are allowed", m->name,
                        (unsigned long long) m->size, (unsigned long long) max);
        return 0;
}

/* The end: two zero blocks and nothing after them. */
static int end_check(const Source *s, uint64_t offset, sd_bus_error *error) {
        uint8_t block[ARCHIVE_BLOCK];
        int r = read_block(s, offset + ARCHIVE_BLOCK, block, sizeof(block), error);

        if (r < 0)
                return r;
        if (memcmp(block, zero_block, sizeof(block)) != 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleInvalid"),
                        "The end mark of the bundle is damaged");
        if (s->size != offset + 2 * ARCHIVE_BLOCK)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTrailingData"),
                        "The bundle has %llu bytes after its end",
                        (unsigned long long) (s->size - offset - 2 * ARCHIVE_BLOCK));
        return 0;
}

static int member_check_extent(const Source *s, const ArchiveMember *m, sd_bus_error *error) {
        uint8_t padding[ARCHIVE_BLOCK];
        size_t n = (size_t) (-m->size & (ARCHIVE_BLOCK - 1));
        int r;

        if (m->size + n > s->size - m->offset)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTruncated"),
                        "The bundle ends within its member '%s'", m->name);
        r = read_block(s, m->offset + m->size, padding, n, error);
        if (r < 0)
                return r;
        if (memcmp(padding, zero_block, n) != 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleInvalid"),
                        "The bytes that fill up the last block of member '%s' are not zero", m->name);
        return 0;
}

static int source_open(int fd, Source *ret, sd_bus_error *error) {
        struct stat st;
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fstat(fd, &st) < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleUnreadable"),
                        "The bundle cannot be read: %s", strerror(errno));
        if (!S_ISREG(st.st_mode) || (flags & O_ACCMODE) == O_WRONLY || (flags & O_PATH))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleUnreadable"),
                        "The bundle is not a regular file that is open for reading");
        if ((uint64_t) st.st_size > HOTPATCH_BUNDLE_MAX)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTooLarge"),
                        "The bundle has %llu bytes, %llu are allowed",
                        (unsigned long long) st.st_size, (unsigned long long) HOTPATCH_BUNDLE_MAX);
        if (st.st_size < (off_t) ARCHIVE_BLOCK)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NotABundle"),
                        "The file is not a bundle: it has only %lld bytes", (long long) st.st_size);
        *ret = (Source) { fd, (uint64_t) st.st_size };
        return 0;
}

/**
 * archive_read() - find the members of an unverified bundle
 * @fd: a regular file open for reading; its position is neither used nor changed
 * @ret: filled only on success; every extent lies inside the file as it was then
 * @error: NotABundle, BundleUnreadable, BundleTooLarge, BundleTruncated, BundleTrailingData,
 *   BundleInvalid, BundleMemberOrder, BundleMemberDuplicate, BundleMemberName, BundleMemberType
 *
 * A manifest without any signature member is accepted here; bundle_verify() is who insists.
 *
 * Return: 0 or a negative errno.
 */
int archive_read(int fd, Archive *ret, sd_bus_error *error) {
        Archive a = { 0 };
        Source s = { 0 };
        uint64_t offset = 0, mtime = 0;
        int r = source_open(fd, &s, error);

        if (r < 0)
                return r;
        for (;;) {
                ArchiveMember m = { 0 };
                UstarHeader h;

                r = read_block(&s, offset, &h, sizeof(h), error);
                if (r < 0)
                        return r;
                if (a.n_members > 0 && memcmp(&h, zero_block, sizeof(h)) == 0)
                        break;
                r = header_parse(&h, a.n_members, &m, &mtime, error);
                if (r < 0)
                        return r;
                if (a.n_members == HOTPATCH_MEMBERS_MAX)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTooLarge"),
                                "The bundle has more than %u members", HOTPATCH_MEMBERS_MAX);
                m.offset = offset + ARCHIVE_BLOCK;
                r = member_check_place(&a, &m, error);
                if (r >= 0)
                        r = member_check_extent(&s, &m, error);
                if (r < 0)
                        return r;
                if (a.n_members == 0)
                        a.mtime = mtime;
                a.members[a.n_members++] = m;
                offset = m.offset + ((m.size + ARCHIVE_BLOCK - 1) & ~(uint64_t) (ARCHIVE_BLOCK - 1));
        }
        r = end_check(&s, offset, error);
        if (r < 0)
                return r;
        *ret = a;
        return 0;
}
