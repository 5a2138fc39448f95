/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <sys/stat.h>
#include <wchar.h>

#include "tests/unit/unit.h"
#include "util/cve.h"
#include "util/file.h"
#include "util/hex.h"
#include "util/str.h"
#include "util/strv.h"

START_TEST(hex_round_trip_and_refusals) {
        uint8_t out[3] = { 7, 7, 7 };
        _cleanup_free_ char *s = hex_encode("\x00\xab\xff", 3);

        ck_assert_str_eq(s, "00abff");
        ck_assert_ok(hex_decode(s, out, 3));
        ck_assert_mem_eq(out, "\x00\xab\xff", 3);
        ck_assert_int_eq(hex_decode("00abf", out, 3), -EINVAL);
        ck_assert_int_eq(hex_decode("00ABff", out, 3), -EINVAL);
        ck_assert_mem_eq(out, "\x00\xab\xff", 3);
}
END_TEST

START_TEST(a_text_is_made_or_left_alone) {
        _cleanup_free_ char *made = NULL;
        char *untouched = (char *) "untouched";

        ck_assert_ok(str_printf(&made, "%s-%u", "c", 7U));
        ck_assert_str_eq(made, "c-7");
        /* No character of a locale's multibyte encoding: printf(3) says EILSEQ. */
        ck_assert_int_lt(str_printf(&untouched, "%lc", (wint_t) 0x7fffffff), 0);
        ck_assert_str_eq(untouched, "untouched");
        ck_assert_ok(str_extendf(&made, ", %s", "d"));
        ck_assert_str_eq(made, "c-7, d");
        free(made);
        made = NULL;
        ck_assert_ok(str_extendf(&made, "%u", 1U));
        ck_assert_str_eq(made, "1");
}
END_TEST

START_TEST(strv_grows_and_copies) {
        _cleanup_strv_free_ char **v = NULL, **w = NULL;

        ck_assert_uint_eq(strv_length(v), 0);
        ck_assert_ok(strv_extend(&v, "a"));
        ck_assert_ok(strv_extend(&v, "b"));
        ck_assert_ok(strv_copy(v, &w));
        ck_assert_uint_eq(strv_length(w), 2);
        ck_assert(strv_contains(w, "b"));
        ck_assert(!strv_contains(w, "c"));
        ck_assert_ok(strv_extendf(&w, "%s-%u", "c", 7U));
        ck_assert_uint_eq(strv_length(w), 3);
        ck_assert_str_eq(w[2], "c-7");
}
END_TEST

START_TEST(strv_is_quoted) {
        char *two[] = { (char *) "a", (char *) "b", NULL };
        _cleanup_free_ char *none = NULL, *both = NULL;

        ck_assert_ok(strv_quote(NULL, &none));
        ck_assert_ok(strv_quote(two, &both));
        ck_assert_str_eq(none, "");
        ck_assert_str_eq(both, "'a', 'b'");
}
END_TEST

START_TEST(strings_end_and_paths_join) {
        _cleanup_free_ char *path = path_join("/a", "b.c");

        ck_assert_str_eq(path, "/a/b.c");
        ck_assert(endswith(path, ".c"));
        ck_assert(endswith(".c", ".c"));
        ck_assert(!endswith("c", ".c"));
        ck_assert(!endswith("b.cc", ".c"));
}
END_TEST

START_TEST(file_limits_and_replacement) {
        char *scratch = scratch_new();
        int dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ void *content = NULL;
        void *untouched = (void *) 1;
        size_t size;

        ck_assert_int_ge(dir, 0);
        ck_assert_ok(file_replace_at(dir, "f", "12345", 5, 0600));
        ck_assert_ok(file_replace_at(dir, "f", "123456", 6, 0600));
        ck_assert_ok(file_read_at(dir, "f", 6, &content, &size));
        ck_assert_uint_eq(size, 6);
        ck_assert_str_eq(content, "123456");
        ck_assert_int_eq(file_read_at(dir, "f", 5, &untouched, NULL), -EFBIG);
        ck_assert_int_eq(file_read_at(dir, "missing", 5, &untouched, NULL), -ENOENT);
        ck_assert_ptr_eq(untouched, (void *) 1);
        ck_assert_int_lt(faccessat(dir, ".#f", F_OK, 0), 0);
        free(content);
        ck_assert_ok(mkfifoat(dir, "fifo", 0600));
        ck_assert_ok(file_read_at(dir, "fifo", 5, &content, &size));
        ck_assert_uint_eq(size, 0);
        close(dir);
        scratch_free(scratch);
}
END_TEST

START_TEST(cve_numbers_are_told_by_their_form) {
        static const char *const good[] = { "CVE-2026-0001", "CVE-1999-1234567" };
        static const char *const bad[] = { "", "CVE-", "CVE-2026", "CVE-2026-", "CVE-2026-001", "CVE-26-0001", "CVE-20260-0001",
                "CVE-2026-0001x", "CVE-2026-0001\n", "cve-2026-0001", " CVE-2026-0001", "GHSA-2026-0001" };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                ck_assert(cve_id_is_valid(good[i]));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ck_assert_msg(!cve_id_is_valid(bad[i]), "%s", bad[i]);
}
END_TEST

/* Whoever owns the folder lays out what he likes; nothing of it is opened. */
START_TEST(what_is_published_is_a_file_of_its_own) {
        char *scratch = scratch_new();
        int dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ void *content = NULL, *victim = NULL;
        struct stat st, old;

        ck_assert_ok(file_replace_at(dir, "victim", "mine", 4, 0600));
        ck_assert_ok(linkat(dir, "victim", dir, ".#f~", 0));
        ck_assert_ok(linkat(dir, "victim", dir, "f", 0));
        ck_assert_ok(fstatat(dir, "victim", &old, 0));
        ck_assert_ok(file_publish_at(dir, "f", "new", 3, 0644));
        ck_assert_ok(file_read_at(dir, "f", 9, &content, NULL));
        ck_assert_str_eq(content, "new");
        ck_assert_ok(file_read_at(dir, "victim", 9, &victim, NULL));
        ck_assert_str_eq(victim, "mine");
        ck_assert_ok(fstatat(dir, "f", &st, 0));
        ck_assert_uint_eq(st.st_mode & 07777, 0644);
        ck_assert_uint_ne(st.st_ino, old.st_ino);
        close(dir);
        scratch_free(scratch);
}
END_TEST

START_TEST(folders_are_walked) {
        char *scratch = scratch_new();
        int dir = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *untouched = (DIR *) 1, *d;
        const char *name;
        unsigned n = 0;

        ck_assert_ok(mkdirat(dir, "one", 0700));
        ck_assert_ok(mkdirat(dir, "two", 0700));
        ck_assert_ok(mkdirat(dir, ".hidden", 0700));
        ck_assert_ok(file_replace_at(dir, "file", "", 0, 0600));
        ck_assert_ok(symlinkat("one", dir, "link"));
        ck_assert_int_eq(directory_open_at(dir, "missing", 0, &untouched), -ENOENT);
        ck_assert_int_eq(directory_open_at(dir, "file", 0, &untouched), -ENOTDIR);
        ck_assert_int_eq(directory_open_at(dir, "link", O_NOFOLLOW, &untouched), -ENOTDIR);
        ck_assert_ptr_eq(untouched, (DIR *) 1);
        ck_assert_ok(directory_open_at(dir, "link", 0, &d));
        ck_assert_int_eq(directory_next_folder(d, &name), 0);
        closedir(d);
        ck_assert_ok(directory_open_at(dir, ".", 0, &d));
        for (; directory_next_folder(d, &name) > 0; n++)
                ck_assert(streq(name, "one") || streq(name, "two"));
        ck_assert_uint_eq(n, 2);
        closedir(d);
        close(dir);
        scratch_free(scratch);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("util");
        TCase *t = tcase_create("util");

        tcase_add_test(t, hex_round_trip_and_refusals);
        tcase_add_test(t, a_text_is_made_or_left_alone);
        tcase_add_test(t, strv_grows_and_copies);
        tcase_add_test(t, strv_is_quoted);
        tcase_add_test(t, strings_end_and_paths_join);
        tcase_add_test(t, file_limits_and_replacement);
        tcase_add_test(t, cve_numbers_are_told_by_their_form);
        tcase_add_test(t, what_is_published_is_a_file_of_its_own);
        tcase_add_test(t, folders_are_walked);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
