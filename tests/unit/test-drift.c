/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Drift on captured trees and a real store; findings as data. */

#include "daemon/drift.h"
#include "dbus/errors.h"
#include "livepatch/hooks.h"
#include "livepatch/patched.h"
#include "tests/unit/note-maker.h"
#include "tests/unit/tree.h"

#define DIGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static Tree tree;
static Store *store;
static FindingSet found;

static void setup(void) {
        ck_assert_ok(hotpatch_errors_register());
        tree = tree_new();
        tree_directory(&tree, "sys/kernel/livepatch");
        tree_directory(&tree, "sys/module");
        tree_file(&tree, "sys/kernel/tracing/enabled_functions", "");
        ck_assert_ok(store_open(tree.root, &store, NULL));
}

static void teardown(void) {
        finding_set_done(&found);
        store_free(store);
        tree_free(&tree);
}

static void admit(const char *release, const char *build_id) {
        _cleanup_close_ int fd = store_tmpfile(store, NULL);

        ck_assert_ok(store_admitted_commit(store, fd, &(AdmittedRecord) {
                .id = (char *) "hp-a", .title = (char *) "t", .severity = (char *) "low", .stream = (char *) "s",
                .sequence = 3, .digest = (char *) DIGEST, .module = (char *) "hp_a",
                .module_build_id = (char *) build_id, .release = (char *) release, .order = 7,
        }, NULL));
}

static void note(const char *module, const char *id) {
        NoteBuffer b = { 0 };
        char path[256];

        note_add_patch(&b, id, 3, "vmlinux f 0 new_f\n");
        (void) snprintf(path, sizeof(path), "sys/module/%s/notes/.note.hotpatch", module);
        tree_bytes(&tree, path, b.data, b.size);
}

static void look(bool off) {
        finding_set_done(&found);
        ck_assert_ok(drift_look(&(DriftQuestion) {
                .kernel = tree.kernel, .store = store, .release = "6.1", .off = off,
        }, &found));
        finding_set_sort(&found);
}

static void expect(FindingKind kind, const char *patch, const char *object) {
        ck_assert_uint_eq(found.n, 1);
        ck_assert_str_eq(finding_kind_to_string(found.items[0].kind), finding_kind_to_string(kind));
        ck_assert_str_eq(found.items[0].patch, patch);
        ck_assert_str_eq(found.items[0].object, object);
        ck_assert_ptr_nonnull(strchr(found.items[0].sentence, '\''));
}

START_TEST(nothing_is_found_where_all_agree) {
        look(false);
        ck_assert_uint_eq(found.n, 0);
        admit("6.1", NULL);
        tree_livepatch(&tree, "hp_a", "1\n", "0\n", "1\n");
        tree_file(&tree, "sys/kernel/livepatch/hp_a/vmlinux/patched", "1\n");
        tree_directory(&tree, "sys/kernel/livepatch/hp_a/vmlinux/f,1");
        look(false);
        ck_assert_uint_eq(found.n, 0);
}
END_TEST

START_TEST(what_is_wanted_is_missed) {
        admit("6.1", NULL);
        look(false);
        expect(FINDING_NOT_LOADED, "hp-a", "hp_a");
        ck_assert(finding_is_drift(&found.items[0]));
        /* Not where hotpatching is off: then nobody expects it. */
        look(true);
        ck_assert_uint_eq(found.n, 0);
        tree_livepatch(&tree, "hp_a", NULL, NULL, "0\n");
        look(false);
        expect(FINDING_NOT_IN_FORCE, "hp-a", "hp_a");
}
END_TEST

START_TEST(another_module_of_that_name_is_altered) {
        admit("6.1", "aabb");
        tree_livepatch(&tree, "hp_a", "1\n", "0\n", "1\n");
        look(false);
        expect(FINDING_ALTERED, "hp-a", "hp_a"); /* it has no build-id at all */
        note("hp_a", "hp-b");
        look(false);
        expect(FINDING_ALTERED, "hp-a", "hp_a");
}
END_TEST

START_TEST(another_kernel_is_no_drift) {
        admit("6.12", NULL);
        look(false);
        expect(FINDING_OTHER_KERNEL, "hp-a", "6.12");
        ck_assert(!finding_is_drift(&found.items[0]));
}
END_TEST

START_TEST(a_livepatch_without_a_record_is_ours_by_its_note) {
        tree_livepatch(&tree, "hp_a", "1\n", "0\n", "1\n");
        look(false);
        expect(FINDING_FOREIGN, "hp_a", "hp_a");
        note("hp_a", "hp-a");
        look(false);
        expect(FINDING_UNRECORDED, "hp-a", "hp_a");
        /* A note that no bundle of ours can have is nobody's. */
        note("hp_a", "HP-A+");
        look(false);
        expect(FINDING_FOREIGN, "hp_a", "hp_a");
        tree_bytes(&tree, "sys/module/hp_a/notes/.note.hotpatch", "garbage", 7);
        look(false);
        expect(FINDING_FOREIGN, "hp_a", "hp_a");
}
END_TEST

START_TEST(a_loaded_module_that_is_not_patched_is_named) {
        admit("6.1", NULL);
        tree_livepatch(&tree, "hp_a", "1\n", "0\n", "1\n");
        tree_directory(&tree, "sys/kernel/livepatch/hp_a/ext4/f,1");
        tree_file(&tree, "sys/kernel/livepatch/hp_a/ext4/patched", "0\n");
        look(false); /* not loaded: it waits */
        ck_assert_uint_eq(found.n, 0);
        tree_file(&tree, "sys/module/ext4/initstate", "live\n");
        look(false);
        expect(FINDING_TARGET_UNPATCHED, "hp-a", "ext4");
        tree_file(&tree, "sys/kernel/livepatch/hp_a/ext4/patched", "1\n");
        look(false);
        ck_assert_uint_eq(found.n, 0);
}
END_TEST

START_TEST(objects_are_told_one_by_one) {
        PatchedObject *objects;
        size_t n;

        tree_livepatch(&tree, "hp_a", "1\n", "0\n", "1\n");
        tree_directory(&tree, "sys/kernel/livepatch/hp_a/ext4/f,1");
        tree_directory(&tree, "sys/kernel/livepatch/hp_a/vmlinux/g,1");
        ck_assert_ok(livepatch_patched(tree.kernel, "hp_a", &objects, &n));
        ck_assert_uint_eq(n, 2); /* no attribute, as before 6.1: loaded is patched */
        ck_assert_str_eq(objects[0].name, "ext4");
        ck_assert_int_eq(objects[0].state, PATCHED_WAITING);
        ck_assert_int_eq(objects[1].state, PATCHED_YES);
        patched_objects_free(objects, n);
        ck_assert_int_eq(livepatch_patched(tree.kernel, "other", &objects, &n), -ENOENT);
}
END_TEST

/* As 6.1 (two of them) and 6.12 print them. */
#define ENABLED                                                                                                       \
        "ping_rcv (1)   I     \ttramp: 0xffffffffc0401000 (kprobe_ftrace_handler+0x0/0x1c0) ->ftrace_ops_assist\n"    \
        "version_proc_show (1)   I     \ttramp: 0xffffffffc0402000 (klp_ftrace_handler+0x0/0x2a0) ->klp_ftrace\n"     \
        "state_show (1)             \ttramp: 0xffffffffc0000000 (function_trace_call+0x0/0x10)\n"                     \
        "cmdline_proc_show (2)   I   M \t->arch_ftrace_ops_list_func+0x0/0x20\n"                                      \
        "pgctrl_show [pktgen] (1) R I     \ttramp: 0xffffffffc0404000 (rootkit_thunk [bad]+0x0/0x10) ->x\n"           \
        "I (1)             \t->arch_ftrace_ops_list_func\n"

START_TEST(hooks_of_others_are_named_with_their_handler) {
        FunctionHook *hooks;
        size_t n;

        tree_file(&tree, "sys/kernel/tracing/enabled_functions", ENABLED);
        tree_livepatch(&tree, "hp_a", "1\n", "0\n", "1\n");
        note("hp_a", "hp-a");
        tree_directory(&tree, "sys/kernel/livepatch/hp_a/vmlinux/cmdline_proc_show,1");
        ck_assert_ok(function_hooks_list(tree.kernel, &hooks, &n));
        ck_assert_uint_eq(n, 2);
        ck_assert_str_eq(hooks[0].function, "ping_rcv");
        ck_assert_str_eq(hooks[0].object, "vmlinux");
        ck_assert_str_eq(hooks[0].handler, "kprobe_ftrace_handler");
        ck_assert_str_eq(hooks[1].function, "pgctrl_show");
        ck_assert_str_eq(hooks[1].object, "pktgen");
        ck_assert_str_eq(hooks[1].handler, "rootkit_thunk");
        function_hooks_free(hooks, n);
        look(false);
        ck_assert_uint_eq(found.n, 3);
        ck_assert_int_eq(found.items[0].kind, FINDING_UNRECORDED);
        ck_assert_int_eq(found.items[2].kind, FINDING_HOOK);
        ck_assert_str_eq(found.items[2].sentence, "The function 'ping_rcv' of 'vmlinux' is redirected by "
                        "'kprobe_ftrace_handler', which is not a livepatch");
}
END_TEST

START_TEST(damaged_files_are_named_harmlessly) {
        tree_file(&tree, "var/lib/hotpatch/streams/a\tb", "x");
        look(false);
        expect(FINDING_DAMAGED, "", "streams/a?b");
}
END_TEST

START_TEST(sets_travel_between_processes) {
        FindingSet a = { 0 }, b = { 0 };
        _cleanup_free_ void *data = NULL;
        size_t n;

        ck_assert_ok(finding_set_add(&a, FINDING_HOOK, NULL, "f", "The %s", "hook"));
        ck_assert_ok(finding_set_add(&a, FINDING_ALTERED, "hp-a", "hp_a", "It's altered"));
        ck_assert_ok(finding_set_add(&a, FINDING_ALTERED, "hp-a", "hp_a", "It's altered"));
        finding_set_sort(&a);
        ck_assert_uint_eq(a.n, 2);
        ck_assert_int_eq(a.items[0].kind, FINDING_ALTERED); /* the worse comes first */
        ck_assert_ok(finding_set_write(&a, &data, &n));
        ck_assert_ok(finding_set_read(&b, data, n));
        ck_assert(finding_set_equal(&a, &b));
        ck_assert_int_eq(b.items[1].kind, FINDING_HOOK);
        ck_assert_str_eq(b.items[1].patch, "");
        for (size_t cut = 1; cut < n; cut++) {
                FindingSet c = { 0 };
                int r = finding_set_read(&c, data, cut);

                /* Only between two findings may it end. */
                ck_assert(r == -EBADMSG || (r == 0 && c.n == 1));
                finding_set_done(&c);
        }
        ck_assert_int_eq(finding_set_read(&b, "x\0y\0z\0s", 8), -EBADMSG);
        finding_set_done(&a);
        finding_set_done(&b);
}
END_TEST

START_TEST(every_kind_has_its_words) {
        for (FindingKind k = 0; k < _FINDING_KIND_MAX; k++) {
                const char *remedy = finding_remedy(k);

                ck_assert_ptr_nonnull(finding_kind_to_string(k));
                ck_assert_int_eq(remedy[strlen(remedy) - 1], '.');
                /* Sorted by kind is sorted by severity. */
                if (k > 0)
                        ck_assert_int_le(finding_severity(k), finding_severity(k - 1));
        }
}
END_TEST

START_TEST(a_set_has_an_end) {
        for (unsigned i = 0; i < FINDINGS_MAX + 10; i++)
                ck_assert_ok(finding_set_add(&found, FINDING_HOOK, NULL, NULL, "%u", i));
        ck_assert_uint_eq(found.n, FINDINGS_MAX);
}
END_TEST

static Suite *drift_suite(void) {
        Suite *s = suite_create("drift");
        TCase *c = tcase_create("drift");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, nothing_is_found_where_all_agree);
        tcase_add_test(c, what_is_wanted_is_missed);
        tcase_add_test(c, another_module_of_that_name_is_altered);
        tcase_add_test(c, another_kernel_is_no_drift);
        tcase_add_test(c, a_livepatch_without_a_record_is_ours_by_its_note);
        tcase_add_test(c, a_loaded_module_that_is_not_patched_is_named);
        tcase_add_test(c, objects_are_told_one_by_one);
        tcase_add_test(c, hooks_of_others_are_named_with_their_handler);
        tcase_add_test(c, damaged_files_are_named_harmlessly);
        tcase_add_test(c, sets_travel_between_processes);
        tcase_add_test(c, every_kind_has_its_words);
        tcase_add_test(c, a_set_has_an_end);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(drift_suite)
