/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "blockers/reader.h"
#include "tests/unit/tree.h"

#define CONTROL "proc/dynamic_debug/control"

static const char control_off[] =
        "# filename:lineno [module]function flags format\n"
        "kernel/livepatch/transition.c:361 [livepatch]klp_try_switch_task =_ \"%s: %s:%d is running\\n\"\n"
        "kernel/livepatch/transition.c:366 [livepatch]klp_try_switch_task =_ \"unreliable\\n\"\n";
static const char control_on[] =
        "# filename:lineno [module]function flags format\n"
        "kernel/livepatch/transition.c:361 [livepatch]klp_try_switch_task =pmf \"is running\\n\"\n";

typedef struct Fixture {
        Tree t;
        int run_fd;
} Fixture;

static Fixture fixture(const char *control) {
        Fixture f = { .t = tree_new() };

        tree_livepatch(&f.t, "hp_x", "1\n", "1\n", "1\n");
        tree_file(&f.t, "proc/9/task/9/patch_state", "0\n");
        tree_file(&f.t, "proc/9/task/9/stat", "9 (x) S 1 9 9 0 -1 0 0\n");
        tree_file(&f.t, "proc/9/task/9/stack", "[<0>] fn\"\\+0x1/0x2 [m]\n[<0>] vfs_read+0x1/0x2\n");
        tree_file(&f.t, "proc/10/task/10/patch_state", "0\n");
        tree_file(&f.t, "proc/10/task/10/stat", "10 (no stack) S 1 9 9 0 -1 0 0\n");
        if (control)
                tree_file(&f.t, CONTROL, control);
        tree_directory(&f.t, "run");
        f.run_fd = openat(f.t.fd, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(f.run_fd, 0);
        return f;
}

static void fixture_done(Fixture *f) {
        close(f->run_fd);
        tree_free(&f->t);
}

static void expect_file(const Fixture *f, const char *path, const char *wanted) {
        _cleanup_free_ void *text = NULL;
        int r = file_read_at(f->t.fd, path, 65536, &text, NULL);

        if (!wanted) {
                ck_assert_int_eq(r, -ENOENT);
                return;
        }
        ck_assert_ok(r);
        ck_assert_msg(strstr(text, wanted), "'%s' is not in: %s", wanted, (char *) text);
}

START_TEST(stacks_are_told_and_messages_are_off_again) {
        _cleanup_(fixture_done) Fixture f = fixture(control_off);

        ck_assert_ok(reader_run(f.t.kernel, f.run_fd, 0));
        expect_file(&f, "run/" BLOCKERS_RESULT,
                "{\"debug\":\"on\",\"tasks\":[{\"tid\":9,\"stack\":[\"fn?? [m]\",\"vfs_read\"]}]}\n");
        /* A captured control file keeps what was written last. */
        expect_file(&f, CONTROL, "func klp_try_switch_task -p");
        expect_file(&f, "run/" BLOCKERS_DEBUG_MARK, NULL);
}
END_TEST

START_TEST(what_somebody_else_switched_on_stays) {
        _cleanup_(fixture_done) Fixture f = fixture(control_on);

        ck_assert_ok(reader_run(f.t.kernel, f.run_fd, 0));
        expect_file(&f, "run/" BLOCKERS_RESULT, "\"debug\":\"on\"");
        expect_file(&f, CONTROL, "# filename");
        expect_file(&f, "run/" BLOCKERS_DEBUG_MARK, NULL);
}
END_TEST

START_TEST(without_messages_the_stacks_are_told) {
        _cleanup_(fixture_done) Fixture f = fixture(NULL);

        ck_assert_ok(reader_run(f.t.kernel, f.run_fd, 3600 * USEC_PER_SEC));
        expect_file(&f, "run/" BLOCKERS_RESULT, "\"debug\":\"the kernel has no dynamic debug\"");
        expect_file(&f, "run/" BLOCKERS_RESULT, "vfs_read");
        expect_file(&f, "run/" BLOCKERS_DEBUG_MARK, NULL);
}
END_TEST

START_TEST(a_killed_run_is_cleaned_up) {
        _cleanup_(fixture_done) Fixture f = fixture(control_on);

        ck_assert_ok(reader_debug_off(f.t.kernel, f.run_fd));
        expect_file(&f, CONTROL, "# filename");
        tree_file(&f.t, "run/" BLOCKERS_DEBUG_MARK, "");
        ck_assert_ok(reader_debug_off(f.t.kernel, f.run_fd));
        expect_file(&f, CONTROL, "func klp_try_switch_task -p");
        expect_file(&f, "run/" BLOCKERS_DEBUG_MARK, NULL);
}
END_TEST

START_TEST(no_transition_no_tasks) {
        _cleanup_(fixture_done) Fixture f = fixture(control_off);

        tree_livepatch(&f.t, "hp_x", "1\n", "0\n", "1\n");
        ck_assert_ok(reader_run(f.t.kernel, f.run_fd, 3600 * USEC_PER_SEC));
        expect_file(&f, "run/" BLOCKERS_RESULT, "\"tasks\":[]");
        expect_file(&f, CONTROL, "# filename");
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("blockers-reader");
        TCase *tc = tcase_create("blockers-reader");

        tcase_add_test(tc, stacks_are_told_and_messages_are_off_again);
        tcase_add_test(tc, what_somebody_else_switched_on_stays);
        tcase_add_test(tc, without_messages_the_stacks_are_told);
        tcase_add_test(tc, a_killed_run_is_cleaned_up);
        tcase_add_test(tc, no_transition_no_tasks);
        suite_add_tcase(s, tc);
        return s;
}

UNIT_MAIN(suite)
