/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "livepatch/state.h"
#include "tests/unit/note-maker.h"
#include "tests/unit/tree.h"
#include "util/strv.h"

/* The table of livepatch/state.c. */
static const struct {
        const char *name, *enabled, *transition, *refcnt;
        LivepatchState state;
} states[] = {
        { "patching", "1\n", "1\n", "1\n", LIVEPATCH_PATCHING },
        { "patched", "1\n", "0\n", "1\n", LIVEPATCH_PATCHED },
        { "unpatching", "0\n", "1\n", "1\n", LIVEPATCH_UNPATCHING },
        { "leaving", "0\n", "0\n", "1\n", LIVEPATCH_UNPATCHING },
        { "inactive", NULL, NULL, "0\n", LIVEPATCH_INACTIVE },
        { "held", NULL, NULL, "1\n", LIVEPATCH_HELD },
};

START_TEST(every_row_of_the_table) {
        _cleanup_(tree_free) Tree t = tree_new();
        LivepatchState s;

        tree_livepatch(&t, states[_i].name, states[_i].enabled, states[_i].transition,
                        states[_i].refcnt);
        ck_assert_ok(livepatch_state(t.kernel, states[_i].name, &s));
        ck_assert_str_eq(livepatch_state_to_string(s), livepatch_state_to_string(states[_i].state));
}
END_TEST

/* Between the making of the directory and the end of klp_enable_patch(). */
START_TEST(on_its_way_in) {
        _cleanup_(tree_free) Tree t = tree_new();
        LivepatchState s;

        tree_livepatch(&t, "hp_x", "0\n", "0\n", "1\n");
        tree_file(&t, "sys/module/hp_x/initstate", "coming\n");
        ck_assert_ok(livepatch_state(t.kernel, "hp_x", &s));
        ck_assert_int_eq(s, LIVEPATCH_PATCHING);
        ck_assert_int_eq(livepatch_is_coming(t.kernel, "hp_x"), 1);
        tree_file(&t, "sys/kernel/livepatch/hp_x/transition", "1\n");
        ck_assert_ok(livepatch_state(t.kernel, "hp_x", &s));
        ck_assert_int_eq(s, LIVEPATCH_PATCHING);
        tree_file(&t, "sys/module/hp_x/initstate", "live\n");
        ck_assert_int_eq(livepatch_is_coming(t.kernel, "hp_x"), 0);
        ck_assert_int_eq(livepatch_is_coming(t.kernel, "hp_y"), 0);
}
END_TEST

/* No module that has no exit function is ever unloaded. */
START_TEST(without_an_exit_function) {
        _cleanup_(tree_free) Tree t = tree_new();
        LivepatchState s;

        tree_livepatch(&t, "hp_x", NULL, NULL, "0\n");
        tree_file(&t, "proc/modules",
                        "hp_xy 16384 0 [permanent], Live 0x0000000000000000 (OEK)\n"
                        "hp_x 16384 0 - Live 0x0000000000000000 (OEK)\n");
        ck_assert_ok(livepatch_state(t.kernel, "hp_x", &s));
        ck_assert_int_eq(s, LIVEPATCH_INACTIVE);
        tree_file(&t, "proc/modules", "hp_x 16384 0 [permanent], Live 0x0000000000000000 (OEK)\n");
        ck_assert_ok(livepatch_state(t.kernel, "hp_x", &s));
        ck_assert_int_eq(s, LIVEPATCH_HELD);
        tree_file(&t, "proc/modules", "hp_x\n");
        ck_assert_ok(livepatch_state(t.kernel, "hp_x", &s));
        ck_assert_int_eq(s, LIVEPATCH_INACTIVE);
        /* In force it is as good as any other. */
        tree_livepatch(&t, "hp_x", "1\n", "0\n", "1\n");
        ck_assert_ok(livepatch_state(t.kernel, "hp_x", &s));
        ck_assert_int_eq(s, LIVEPATCH_PATCHED);
}
END_TEST

START_TEST(absent_and_not_a_name) {
        _cleanup_(tree_free) Tree t = tree_new();
        LivepatchState s = LIVEPATCH_HELD;

        ck_assert_int_eq(livepatch_state(t.kernel, "../../etc", &s), -EINVAL);
        ck_assert_int_eq(s, LIVEPATCH_HELD);
        ck_assert_ok(livepatch_state(t.kernel, "hp_x", &s));
        ck_assert_int_eq(s, LIVEPATCH_ABSENT);
        ck_assert_ptr_null(livepatch_state_to_string(_LIVEPATCH_STATE_INVALID));
}
END_TEST

START_TEST(list_and_transition) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_strv_free_ char **names = NULL, **none = NULL;
        _cleanup_free_ char *moving = NULL;

        ck_assert_ok(livepatch_list(t.kernel, &none));
        ck_assert_uint_eq(strv_length(none), 0);
        ck_assert_int_eq(livepatch_transition_running(t.kernel, &moving), 0);
        tree_livepatch(&t, "kpatch_b", "1\n", "0\n", "1\n");
        tree_livepatch(&t, "hp_a", "1\n", "0\n", "1\n");
        tree_livepatch(&t, "hp_gone", NULL, NULL, "0\n");
        ck_assert_ok(livepatch_list(t.kernel, &names));
        ck_assert_uint_eq(strv_length(names), 2);
        ck_assert_str_eq(names[0], "hp_a");
        ck_assert_str_eq(names[1], "kpatch_b");
        ck_assert_int_eq(livepatch_transition_running(t.kernel, &moving), 0);
        ck_assert_ptr_null(moving);
        tree_livepatch(&t, "kpatch_b", "0\n", "1\n", "1\n");
        ck_assert_int_eq(livepatch_transition_running(t.kernel, NULL), 1);
        ck_assert_int_eq(livepatch_transition_running(t.kernel, &moving), 1);
        ck_assert_str_eq(moving, "kpatch_b");
}
END_TEST

START_TEST(enabling_writes_one_digit) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_free_ void *written = NULL;

        ck_assert_int_eq(livepatch_set_enabled(t.kernel, "hp_a", false), -ENOENT);
        ck_assert_int_eq(livepatch_set_enabled(t.kernel, "a/b", false), -EINVAL);
        tree_livepatch(&t, "hp_a", "1", "0", "1");
        ck_assert_ok(livepatch_set_enabled(t.kernel, "hp_a", false));
        ck_assert_ok(file_read_at(t.fd, "sys/kernel/livepatch/hp_a/enabled", 10, &written, NULL));
        ck_assert_str_eq(written, "0");
}
END_TEST

START_TEST(progress_counts_threads) {
        _cleanup_(tree_free) Tree t = tree_new();
        unsigned done = 9, total = 9;

        tree_file(&t, "proc/1/task/1/patch_state", "1\n");
        tree_file(&t, "proc/20/task/20/patch_state", "0\n");
        tree_file(&t, "proc/20/task/21/patch_state", "1\n");
        tree_file(&t, "proc/20/task/22/patch_state", "-1\n");
        /* Vanished between the listing and the reading, and no process at all. */
        tree_directory(&t, "proc/20/task/23");
        tree_directory(&t, "proc/30");
        tree_directory(&t, "proc/sys/task/1");
        ck_assert_ok(livepatch_progress(t.kernel, true, &done, &total));
        ck_assert_uint_eq(total, 4);
        ck_assert_uint_eq(done, 3);
        ck_assert_ok(livepatch_progress(t.kernel, false, &done, &total));
        ck_assert_uint_eq(total, 4);
        ck_assert_uint_eq(done, 2);
}
END_TEST

START_TEST(note_of_a_loaded_module) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_(patch_note_done) PatchNote n = {};
        NoteBuffer b = {};

        ck_assert_int_eq(livepatch_note(t.kernel, "hp_a", &n), -ENOENT);
        note_add_patch(&b, "hp-2026-11-a", 7, "vmlinux f 0 g\n");
        tree_bytes(&t, "sys/module/hp_a/notes/.note.hotpatch", b.data, b.size);
        ck_assert_ok(livepatch_note(t.kernel, "hp_a", &n));
        ck_assert_str_eq(n.bundle_id, "hp-2026-11-a");
        ck_assert_uint_eq(n.sequence, 7);
        tree_bytes(&t, "sys/module/hp_b/notes/.note.hotpatch", b.data, b.size - 4);
        ck_assert_int_eq(livepatch_note(t.kernel, "hp_b", &n), -EBADMSG);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("state");
        TCase *t = tcase_create("state");

        tcase_add_loop_test(t, every_row_of_the_table, 0, ELEMENTSOF(states));
        tcase_add_test(t, on_its_way_in);
        tcase_add_test(t, without_an_exit_function);
        tcase_add_test(t, absent_and_not_a_name);
        tcase_add_test(t, list_and_transition);
        tcase_add_test(t, enabling_writes_one_digit);
        tcase_add_test(t, progress_counts_threads);
        tcase_add_test(t, note_of_a_loaded_module);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
