/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>

#include "daemon/loaddir.h"
#include "tests/unit/unit.h"
#include "util/file.h"

static char *root;
static int root_fd;

static void setup(void) {
        root = scratch_new();
        root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(root_fd, 0);
}

static void teardown(void) {
        close(root_fd);
        scratch_free(root);
}

static void put(int dir_fd, const char *name) {
        ck_assert_ok(file_replace_at(dir_fd, name, "x", 1, 0600));
}

static bool exists(const char *path) {
        return faccessat(root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

START_TEST(is_private_and_new) {
        int fd = -EBADF, again = -EBADF;
        struct stat st;

        ck_assert_ok(loaddir_make(root_fd, "7", &fd));
        ck_assert_int_ge(fstatat(root_fd, "run/hotpatch/load/7", &st, 0), 0);
        ck_assert_uint_eq(st.st_mode & 07777, 0700);
        put(fd, "left.ko");
        ck_assert_ok(loaddir_make(root_fd, "7", &again));
        ck_assert(!exists("run/hotpatch/load/7/left.ko"));
        close(fd);
        close(again);
}
END_TEST

START_TEST(is_removed_with_what_is_in_it) {
        int one = -EBADF, two = -EBADF;

        ck_assert_ok(loaddir_make(root_fd, "1", &one));
        ck_assert_ok(loaddir_make(root_fd, "2", &two));
        put(one, "a.ko");
        put(two, "b.ko");
        loaddir_remove(root_fd, "1");
        ck_assert(!exists("run/hotpatch/load/1"));
        ck_assert(exists("run/hotpatch/load/2/b.ko"));
        loaddir_clear(root_fd);
        ck_assert(!exists("run/hotpatch/load/2"));
        ck_assert(exists("run/hotpatch/load"));
        close(one);
        close(two);
}
END_TEST

/* A link in its place is removed, not followed. */
START_TEST(does_not_follow_links) {
        int fd = -EBADF;

        ck_assert_ok(loaddir_make(root_fd, "1", &fd));
        close(fd);
        loaddir_remove(root_fd, "1");
        ck_assert_int_ge(mkdirat(root_fd, "precious", 0700), 0);
        ck_assert_int_ge(symlinkat("../../../precious", root_fd, "run/hotpatch/load/1"), 0);
        fd = openat(root_fd, "precious", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        put(fd, "file");
        close(fd);
        loaddir_clear(root_fd);
        ck_assert(!exists("run/hotpatch/load/1"));
        ck_assert(exists("precious/file"));
}
END_TEST

START_TEST(names_the_module_for_libkmod) {
        _cleanup_free_ char *below = loaddir_module_path("/tmp/x", "3", "hp_a");
        _cleanup_free_ char *real = loaddir_module_path("/", "3", "hp_a");

        ck_assert_str_eq(below, "/tmp/x/run/hotpatch/load/3/hp_a.ko");
        ck_assert_str_eq(real, "/run/hotpatch/load/3/hp_a.ko");
}
END_TEST

START_TEST(numbers_outlive_the_daemon) {
        ck_assert_uint_eq(loaddir_next_number(root_fd, 0), 1);
        ck_assert_uint_eq(loaddir_next_number(root_fd, 1), 2);
        ck_assert_uint_eq(loaddir_next_number(root_fd, 0), 3);
        /* a damaged file costs at most the uniqueness */
        ck_assert_ok(file_replace_at(root_fd, "x", "x", 1, 0600));
        ck_assert_int_ge(renameat(root_fd, "x", root_fd, "run/hotpatch/last-job"), 0);
        ck_assert_uint_eq(loaddir_next_number(root_fd, 9), 10);
        ck_assert_uint_eq(loaddir_next_number(root_fd, 0), 11);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("loaddir");
        TCase *t = tcase_create("loaddir");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, is_private_and_new);
        tcase_add_test(t, is_removed_with_what_is_in_it);
        tcase_add_test(t, does_not_follow_links);
        tcase_add_test(t, names_the_module_for_libkmod);
        tcase_add_test(t, numbers_outlive_the_daemon);
        suite_add_tcase(s, t);
        return s;
}
UNIT_MAIN(suite)
