/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/unit/bundle-material.h"

static int read_fd(int fd, Archive *ret, sd_bus_error *error) {
        Archive before;
        int r;

        memset(ret, 0xaa, sizeof(*ret));
        before = *ret;
        r = archive_read(fd, ret, error);
        if (r < 0)
                ck_assert_mem_eq(ret, &before, sizeof(before));
        close(fd);
        return r;
}

static int read_bytes(const Bytes *b, sd_bus_error *error) {
        Archive a;

        return read_fd(bytes_fd(b), &a, error);
}

/* manifest.json (700 bytes), one signature (300), a.ko (1000), b.ko (512): headers at these offsets */
enum { MANIFEST = 0, SIGNATURE = 1536, A_KO = 2560, B_KO = 4096, END = 5120, SIZE = 6144 };

static Bytes sample(void) {
        uint8_t content[1000];
        Bytes b = { 0 };

        memset(content, 'x', sizeof(content));
        raw_member(&b, "manifest.json", content, 700);
        raw_member(&b, "manifest.json.p7s", content, 300);
        raw_member(&b, "a.ko", content, 1000);
        raw_member(&b, "b.ko", content, 512);
        raw_end(&b);
        ck_assert_uint_eq(b.size, SIZE);
        return b;
}

START_TEST(good_archive_is_read) {
        Bytes b = sample();
        Archive a;

        ck_assert_ok(read_fd(bytes_fd(&b), &a, NULL));
        ck_assert_uint_eq(a.n_members, 4);
        ck_assert_uint_eq(a.n_signatures, 1);
        ck_assert_str_eq(a.members[2].name, "a.ko");
        ck_assert_uint_eq(a.members[2].offset, A_KO + 512);
        ck_assert_uint_eq(a.members[2].size, 1000);
        ck_assert_uint_eq(a.mtime, NOW / USEC_PER_SEC);
        bytes_done(&b);
}
END_TEST

START_TEST(truncation_is_told_at_every_block) {
        Bytes b = sample();

        for (size_t n = 512; n < SIZE; n += 512) {
                Bytes part = { b.data, n };

                ck_assert_refused(read_bytes(&part, &error), "BundleTruncated");
        }
        bytes_done(&b);
}
END_TEST

START_TEST(truncation_is_told_at_every_byte) {
        Bytes b = sample();

        for (size_t n = 0; n < SIZE; n++) {
                Bytes part = { b.data, n };

                if (n < 512)
                        ck_assert_refused(read_bytes(&part, &error), "NotABundle");
                else
                        ck_assert_refused(read_bytes(&part, &error), "BundleTruncated");
        }
        bytes_done(&b);
}
END_TEST

START_TEST(trailing_bytes_are_refused) {
        static const size_t sizes[] = { 1, 511, 512, 513, 1024, 10240 };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                Bytes b = sample();
                _cleanup_free_ void *more = calloc(1, sizes[i]);

                bytes_append(&b, more, sizes[i]);
                ck_assert_refused(read_bytes(&b, &error), "BundleTrailingData");
                bytes_done(&b);
        }
}
END_TEST

START_TEST(other_files_are_not_bundles) {
        static const char elf[4096] = "\177ELF\2\1\1";
        static const uint8_t zeros[4096];
        Bytes b = { 0 };

        bytes_append(&b, elf, sizeof(elf));
        ck_assert_refused(read_bytes(&b, &error), "NotABundle");
        memcpy(b.data, zeros, sizeof(zeros));
        ck_assert_refused(read_bytes(&b, &error), "NotABundle");
        bytes_done(&b);
}
END_TEST

/* Each bit of each header and of all padding counts: there is one encoding. */
START_TEST(every_changed_bit_outside_of_content_is_refused) {
        Bytes b = sample();

        for (size_t at = 0; at < SIZE; at++) {
                bool content = (at >= 512 && at < 1212) || (at >= 2048 && at < 2348) ||
                        (at >= 3072 && at < 4072) || (at >= 4608 && at < 5120);

                if (content)
                        continue;
                for (int bit = 0; bit < 8; bit++) {
                        b.data[at] ^= (uint8_t) (1 << bit);
                        ck_assert_msg(read_bytes(&b, NULL) < 0, "byte %zu bit %d", at, bit);
                        b.data[at] ^= (uint8_t) (1 << bit);
                }
        }
        ck_assert_ok(read_bytes(&b, NULL));
        bytes_done(&b);
}
END_TEST

/* With the right checksum, so that the field itself is what is refused. */
static const struct {
        const char *what;
        size_t header, offset, size;
        const char *data;
        const char *refusal;
} fields[] = {
        { "directory", A_KO, 156, 1, "5", "BundleMemberType" },
        { "hard link", A_KO, 156, 1, "1", "BundleMemberType" },
        { "symbolic link", A_KO, 156, 1, "2", "BundleMemberType" },
        { "character device", A_KO, 156, 1, "3", "BundleMemberType" },
        { "block device", A_KO, 156, 1, "4", "BundleMemberType" },
        { "fifo", A_KO, 156, 1, "6", "BundleMemberType" },
        { "old regular file", A_KO, 156, 1, "\0", "BundleMemberType" },
        { "pax header", A_KO, 156, 1, "x", "BundleMemberType" },
        { "GNU long name", A_KO, 156, 1, "L", "BundleMemberType" },
        { "GNU sparse", A_KO, 156, 1, "S", "BundleMemberType" },
        { "link name", A_KO, 157, 4, "b.ko", "BundleMemberType" },
        { "absolute", A_KO, 0, 5, "/a.ko", "BundleMemberName" },
        { "parent", A_KO, 0, 7, "../a.ko", "BundleMemberName" },
        { "folder", A_KO, 0, 5, "d/.ko", "BundleMemberName" },
        { "hidden", A_KO, 0, 5, ".a.ko", "BundleMemberName" },
        { "option", A_KO, 0, 5, "-a.ko", "BundleMemberName" },
        { "upper case", A_KO, 0, 4, "A.ko", "BundleMemberName" },
        { "control character", A_KO, 0, 4, "a\nko", "BundleMemberName" },
        { "not ASCII", A_KO, 0, 4, "\xc3\xa4ko", "BundleMemberName" },
        { "no name", A_KO, 0, 4, "\0\0\0\0", "BundleMemberName" },
        { "prefix", A_KO, 345, 3, "usr", "BundleMemberName" },
        { "97 bytes", A_KO, 0, 97, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "BundleMemberName" },
        { "100 bytes", A_KO, 0, 100,
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "BundleMemberName" },
        { "bytes after the name", A_KO, 6, 1, "x", "BundleInvalid" },
        { "same name", A_KO, 0, 4, "b.ko", "BundleMemberDuplicate" },
        { "two manifests", A_KO, 0, 13, "manifest.json", "BundleMemberDuplicate" },
        { "two first signatures", A_KO, 0, 17, "manifest.json.p7s", "BundleMemberDuplicate" },
        { "third signature", SIGNATURE, 0, 19, "manifest.json.3.p7s", "BundleMemberOrder" },
        { "signature behind payload", B_KO, 0, 19, "manifest.json.2.p7s", "BundleMemberOrder" },
        { "payload before signature", SIGNATURE, 0, 17, "c.ko\0\0\0\0\0\0\0\0\0\0\0\0\0", NULL },
        { "payload first", MANIFEST, 0, 13, "c.ko\0\0\0\0\0\0\0\0\0", "BundleMemberOrder" },
        { "reserved name", A_KO, 0, 15, "manifest.json.x", "BundleMemberOrder" },
        { "mode", A_KO, 100, 7, "0000755", "BundleInvalid" },
        { "owner", A_KO, 108, 7, "0001750", "BundleInvalid" },
        { "owner name", A_KO, 265, 4, "root", "BundleInvalid" },
        { "device", A_KO, 329, 7, "0000001", "BundleInvalid" },
        { "blanks in size", A_KO, 124, 11, "       1750", "BundleInvalid" },
        { "base-256 size", A_KO, 124, 12, "\x80\0\0\0\0\0\0\0\0\0\3\xe8", "BundleInvalid" },
        { "octal without NUL", A_KO, 124, 12, "000000001750", "BundleInvalid" },
        { "GNU magic", A_KO, 257, 8, "ustar  ", "BundleInvalid" },
        { "no magic", MANIFEST, 257, 5, "\0\0\0\0\0", "NotABundle" },
        { "manifest of the limit and one", MANIFEST, 124, 11, "00001000001", "BundleTooLarge" },
        { "manifest of the limit", MANIFEST, 124, 11, "00001000000", "BundleTruncated" },
        { "signature of the limit and one", SIGNATURE, 124, 11, "00000200001", "BundleTooLarge" },
        { "signature of the limit", SIGNATURE, 124, 11, "00000200000", "BundleTruncated" },
        { "payload of the limit and one", A_KO, 124, 11, "00400000001", "BundleTooLarge" },
        { "payload of the limit", A_KO, 124, 11, "00400000000", "BundleTruncated" },
        { "2^31 - 1", A_KO, 124, 11, "17777777777", "BundleTooLarge" },
        { "2^31", A_KO, 124, 11, "20000000000", "BundleTooLarge" },
        { "2^31 + 1", A_KO, 124, 11, "20000000001", "BundleTooLarge" },
        { "2^32 + 512", A_KO, 124, 11, "40000001000", "BundleTooLarge" },
        { "largest", A_KO, 124, 11, "77777777777", "BundleTooLarge" },
};

START_TEST(header_fields_have_their_refusals) {
        Bytes b = sample();
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        raw_patch(&b, fields[_i].header, fields[_i].offset, fields[_i].data, fields[_i].size);
        r = read_bytes(&b, &error);
        if (fields[_i].refusal) {
                ck_assert_int_lt(r, 0);
                ck_assert_msg(streq(startswith(error.name, HOTPATCH_ERROR("")), fields[_i].refusal),
                        "%s: %s (%s)", fields[_i].what, error.name, error.message);
        } else
                ck_assert_ok(r);
        bytes_done(&b);
}
END_TEST

START_TEST(signatures_behind_payloads_are_out_of_order) {
        Bytes b = { 0 };

        raw_member(&b, "manifest.json", "x", 1);
        raw_member(&b, "a.ko", "x", 1);
        raw_member(&b, "manifest.json.p7s", "x", 1);
        raw_end(&b);
        ck_assert_refused(read_bytes(&b, &error), "BundleMemberOrder");
        bytes_done(&b);
}
END_TEST

START_TEST(members_and_signatures_are_limited) {
        char name[HOTPATCH_MEMBER_NAME_MAX + 1];
        Bytes b = { 0 };

        raw_member(&b, "manifest.json", "x", 1);
        for (size_t i = 1; i <= HOTPATCH_SIGNATURES_MAX; i++) {
                archive_signature_name(i, name);
                raw_member(&b, name, "x", 1);
        }
        for (size_t i = 1 + HOTPATCH_SIGNATURES_MAX; i < HOTPATCH_MEMBERS_MAX; i++) {
                snprintf(name, sizeof(name), "m%zu.ko", i);
                raw_member(&b, name, "x", 1);
        }
        raw_end(&b);
        ck_assert_ok(read_bytes(&b, NULL));
        b.size -= 1024;
        raw_member(&b, "more.ko", "x", 1);
        raw_end(&b);
        ck_assert_refused(read_bytes(&b, &error), "BundleTooLarge");
        b.size = (1 + HOTPATCH_SIGNATURES_MAX) * 1024;
        archive_signature_name(HOTPATCH_SIGNATURES_MAX + 1, name);
        raw_member(&b, name, "x", 1);
        raw_end(&b);
        ck_assert_refused(read_bytes(&b, &error), "BundleTooLarge");
        bytes_done(&b);
}
END_TEST

static int sparse(uint64_t size) {
        Bytes b = { 0 };
        int fd;

        raw_member(&b, "manifest.json", "x", 1);
        fd = bytes_fd(&b);
        ck_assert_int_eq(ftruncate(fd, (off_t) size), 0);
        bytes_done(&b);
        return fd;
}

/* Milliseconds and flat memory: nothing of the file is read beyond its first blocks. */
START_TEST(huge_sparse_files_cost_nothing) {
        static const uint64_t sizes[] = {
                HOTPATCH_BUNDLE_MAX + 1, (UINT64_C(1) << 31) - 1, UINT64_C(1) << 31, (UINT64_C(1) << 31) + 1,
                (UINT64_C(1) << 32) + 512, UINT64_C(1) << 40,
        };
        struct timespec begin, end;
        struct rusage before, after;
        Archive a;

        clock_gettime(CLOCK_MONOTONIC, &begin);
        getrusage(RUSAGE_SELF, &before);
        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                ck_assert_refused(read_fd(sparse(sizes[i]), &a, &error), "BundleTooLarge");
        getrusage(RUSAGE_SELF, &after);
        clock_gettime(CLOCK_MONOTONIC, &end);
        ck_assert_int_lt(end.tv_sec - begin.tv_sec, 2);
        ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 4096);
        /* Within the limits, the file is looked at: its second block begins no member but the end. */
        ck_assert_refused(read_fd(sparse(HOTPATCH_BUNDLE_MAX), &a, &error), "BundleTrailingData");
        ck_assert_refused(read_fd(sparse(HOTPATCH_BUNDLE_MAX - 1), &a, &error), "BundleTrailingData");
}
END_TEST

START_TEST(only_readable_regular_files_are_read) {
        Archive a;
        int fds[2];

        ck_assert_int_eq(pipe(fds), 0);
        ck_assert_refused(read_fd(fds[0], &a, &error), "BundleUnreadable");
        close(fds[1]);
        ck_assert_refused(read_fd(open("/", O_RDONLY | O_DIRECTORY), &a, &error), "BundleUnreadable");
        ck_assert_refused(read_fd(open("/dev/null", O_RDONLY), &a, &error), "BundleUnreadable");
        ck_assert_refused(read_fd(open("/bin/sh", O_PATH), &a, &error), "BundleUnreadable");
        ck_assert_refused(read_fd(-EBADF, &a, &error), "BundleUnreadable");
}
END_TEST

START_TEST(names_are_plain) {
        ck_assert(archive_name_is_valid("hp_x-6.12.117+deb12-cloud-amd64.ko"));
        ck_assert(archive_name_is_valid("0"));
        ck_assert(!archive_name_is_valid(""));
        ck_assert(!archive_name_is_valid("_x"));
        ck_assert(!archive_name_is_valid("a b"));
        ck_assert(!archive_name_is_valid("a/b"));
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("archive");
        TCase *t = tcase_create("archive");

        hotpatch_errors_register();
        tcase_set_timeout(t, 60);
        tcase_add_test(t, good_archive_is_read);
        tcase_add_test(t, truncation_is_told_at_every_block);
        tcase_add_test(t, truncation_is_told_at_every_byte);
        tcase_add_test(t, trailing_bytes_are_refused);
        tcase_add_test(t, other_files_are_not_bundles);
        tcase_add_test(t, every_changed_bit_outside_of_content_is_refused);
        tcase_add_loop_test(t, header_fields_have_their_refusals, 0, ELEMENTSOF(fields));
        tcase_add_test(t, signatures_behind_payloads_are_out_of_order);
        tcase_add_test(t, members_and_signatures_are_limited);
        tcase_add_test(t, huge_sparse_files_cost_nothing);
        tcase_add_test(t, only_readable_regular_files_are_read);
        tcase_add_test(t, names_are_plain);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
