/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* In a made-up sysfs; with a kernel behind it, tests/vm/trial.sh. */

#include "livepatch/selftest.h"
#include "tests/unit/tree.h"

#define FOLDER "sys/module/hp_x/hotpatch/"

static char *path_in(const Tree *t, const char *name) {
        char *path;

        ck_assert_int_ge(asprintf(&path, "%s/%s", t->root, name), 0);
        return path;
}

START_TEST(it_answers) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_free_ char *reason = NULL;

        tree_file(&t, FOLDER "self_test", "");
        tree_file(&t, FOLDER "tripwires", "CVE-1 3\nCVE-2 0\n");
        ck_assert_int_eq(livepatch_self_test(t.kernel, "hp_x", &reason), 1);
        ck_assert_ptr_null(reason);
}
END_TEST

START_TEST(there_is_none) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_free_ char *reason = NULL;

        ck_assert_int_eq(livepatch_self_test(t.kernel, "hp_x", &reason), 0);
        tree_file(&t, FOLDER "tripwires", "CVE-1 3\n");
        ck_assert_int_eq(livepatch_self_test(t.kernel, "hp_x", &reason), 0);
        ck_assert_int_eq(livepatch_self_test(t.kernel, "../x", &reason), -EINVAL);
        ck_assert_ptr_null(reason);
}
END_TEST

START_TEST(it_refuses) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_free_ char *reason = NULL;

        tree_directory(&t, FOLDER "self_test");
        ck_assert_int_eq(livepatch_self_test(t.kernel, "hp_x", &reason), -EISDIR);
        ck_assert_str_eq(reason, "the self-test of module 'hp_x' failed: Is a directory");
}
END_TEST

/* The write lands in the file of the counts: what comes back is not what was there. */
START_TEST(the_counts_must_stay) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_free_ char *reason = NULL, *from = path_in(&t, FOLDER "tripwires"), *to = path_in(&t, FOLDER "self_test");

        tree_file(&t, FOLDER "tripwires", "CVE-1 3\n");
        ck_assert_int_eq(link(from, to), 0);
        ck_assert_int_eq(livepatch_self_test(t.kernel, "hp_x", &reason), -EBADMSG);
        ck_assert_str_eq(reason, "the tripwires of module 'hp_x' do not count");
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("selftest");
        TCase *tc = tcase_create("selftest");

        tcase_add_test(tc, it_answers);
        tcase_add_test(tc, there_is_none);
        tcase_add_test(tc, it_refuses);
        tcase_add_test(tc, the_counts_must_stay);
        suite_add_tcase(s, tc);
        return s;
}

UNIT_MAIN(suite)
