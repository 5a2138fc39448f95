/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "ctl/blockers.h"
#include "tests/unit/unit.h"
#include "util/strv.h"

#define TASK(id, name, of, why, where, what)                                                           \
        { .pid = (id), .tid = (id), .command = (char *) (name), .unit = (char *) (of),                 \
          .reason = (char *) (why), .function = (char *) (where), .advice = (char *) (what) }

START_TEST(tasks_of_a_unit_are_one_line) {
        BlockerInfo tasks[] = {
                TASK(200, "sshd", "ssh.service", "", "", "wait"),
                TASK(300, "web", "web.service", "sleeping", "vfs_read", "restart it"),
                TASK(301, "web", "web.service", "running", "", "restart it"),
                TASK(302, "helper", "web.service", "sleeping", "vfs_read", "restart it"),
                TASK(5, "stray", "", "unreliable-stack", "", "end it"),
                TASK(6, "kt", "kernel thread", "sleeping", "fn", "wait"),
                TASK(7, "kt", "kernel thread", "sleeping", "fn", "wait"),
        };
        BlockerList l = { .items = tasks, .n = ELEMENTSOF(tasks) };
        _cleanup_strv_free_ char **lines = NULL;

        ck_assert_ok(blocker_list_lines(&l, "no stacks", &lines));
        ck_assert_uint_eq(strv_length(lines), 7);
        ck_assert_str_eq(lines[0], "ssh.service, sshd 200: wait");
        ck_assert_str_eq(lines[1], "web.service, 2 tasks (web 300 and others) in vfs_read: restart it");
        ck_assert_str_eq(lines[2], "web.service, web 301, running: restart it");
        ck_assert_str_eq(lines[3], "no unit, stray 5, with a stack that the kernel cannot read: end it");
        ck_assert_str_eq(lines[4], "kernel thread, kt 6 in fn: wait");
        ck_assert_str_eq(lines[5], "kernel thread, kt 7 in fn: wait");
        ck_assert_str_eq(lines[6], "(no stacks)");
}
END_TEST

START_TEST(nobody_is_no_line) {
        BlockerList none = { 0 };
        char **lines = NULL;

        ck_assert_ok(blocker_list_lines(&none, "a note", &lines));
        ck_assert_ptr_null(lines);
}
END_TEST

START_TEST(a_screen_is_enough) {
        BlockerInfo tasks[40];
        BlockerList l = { .items = tasks, .n = ELEMENTSOF(tasks) };
        _cleanup_strv_free_ char **lines = NULL;

        for (size_t i = 0; i < ELEMENTSOF(tasks); i++)
                tasks[i] = (BlockerInfo) TASK((uint32_t) i, "kt", "kernel thread", "", "", "wait");
        ck_assert_ok(blocker_list_lines(&l, NULL, &lines));
        ck_assert_uint_eq(strv_length(lines), 13);
        ck_assert_str_eq(lines[12], "and 28 more");
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("ctl-blockers");
        TCase *tc = tcase_create("ctl-blockers");

        tcase_add_test(tc, tasks_of_a_unit_are_one_line);
        tcase_add_test(tc, nobody_is_no_line);
        tcase_add_test(tc, a_screen_is_enough);
        suite_add_tcase(s, tc);
        return s;
}

UNIT_MAIN(suite)
