/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "livepatch/blockers.h"
#include "livepatch/functions.h"
#include "tests/unit/tree.h"
#include "util/limits.h"
#include "util/strv.h"

static void add_task(const Tree *t, unsigned pid, unsigned tid, const char *comm, char state, unsigned flags,
                const char *cgroup, const char *patch_state) {
        char path[128], text[256];

        (void) snprintf(path, sizeof(path), "proc/%u/task/%u/patch_state", pid, tid);
        tree_file(t, path, patch_state);
        (void) snprintf(path, sizeof(path), "proc/%u/task/%u/stat", pid, tid);
        (void) snprintf(text, sizeof(text), "%u (%s) %c 1 %u %u 0 -1 %u 0 0 0\n", tid, comm, state, pid, pid,
                flags);
        tree_file(t, path, text);
        (void) snprintf(path, sizeof(path), "proc/%u/task/%u/cgroup", pid, tid);
        tree_file(t, path, cgroup);
}

static void add_stack(const Tree *t, unsigned pid, unsigned tid, const char *stack) {
        char path[128];

        (void) snprintf(path, sizeof(path), "proc/%u/task/%u/stack", pid, tid);
        tree_file(t, path, stack);
}

#define PF_KTHREAD_AND_MORE 0x00208040U

/* As it looked while a transition waited: two threads of a service, a kernel thread, a shell. */
static Tree machine(void) {
        Tree t = tree_new();

        add_task(&t, 1, 1, "systemd", 'S', 0x400100, "0::/init.scope\n", "1\n");
        add_task(&t, 300, 300, "web", 'S', 0x400000, "0::/system.slice/web.service\n", "0\n");
        add_task(&t, 300, 301, "web worker", 'D', 0x400040, "0::/system.slice/web.service\n", "0\n");
        add_task(&t, 300, 302, "web idle", 'S', 0x400040, "0::/system.slice/web.service\n", "-1\n");
        add_task(&t, 17, 17, "kworker/0:1) R 1 (x", 'I', PF_KTHREAD_AND_MORE, "0::/\n", "0\n");
        add_task(&t, 200, 200, "db", 'R', 0x400000, "0::/system.slice/db.service/worker\n", "0\n");
        add_task(&t, 400, 400, "b\033[31m\nsh", 'S', 0x400000, "0::/\n", "0\n");
        tree_file(&t, "proc/meminfo", "MemTotal: 1 kB\n");
        return t;
}

START_TEST(blockers_are_named_by_unit) {
        _cleanup_(tree_free) Tree t = machine();
        _cleanup_(blockers_done) Blockers b = {};

        ck_assert_ok(blockers_read(t.kernel, true, &b));
        ck_assert_uint_eq(b.n, 5);
        ck_assert_uint_eq(b.n_more, 0);
        ck_assert_uint_eq(b.done, 2);
        ck_assert_uint_eq(b.total, 7);
        ck_assert_str_eq(b.items[0].unit, "db.service");
        ck_assert_int_eq(b.items[0].state, 'R');
        ck_assert_str_eq(b.items[1].unit, "web.service");
        ck_assert_uint_eq(b.items[1].tid, 300);
        ck_assert_uint_eq(b.items[2].pid, 300);
        ck_assert_uint_eq(b.items[2].tid, 301);
        ck_assert_str_eq(b.items[2].command, "web worker");
        ck_assert_ptr_null(b.items[3].unit);
        ck_assert_str_eq(b.items[3].command, "b?[31m?sh");
        ck_assert(!b.items[3].kernel_thread);
        /* A name may look like the end of itself. */
        ck_assert(b.items[4].kernel_thread);
        ck_assert_ptr_null(b.items[4].unit);
        ck_assert_str_eq(b.items[4].command, "kworker/0:1) R 1 (x");
        ck_assert_int_eq(b.items[4].state, 'I');
}
END_TEST

START_TEST(the_direction_counts) {
        _cleanup_(tree_free) Tree t = machine();
        _cleanup_(blockers_done) Blockers b = {};

        ck_assert_ok(blockers_read(t.kernel, false, &b));
        ck_assert_uint_eq(b.n, 1);
        ck_assert_str_eq(b.items[0].unit, "init.scope");
        ck_assert_uint_eq(b.done, 6);
}
END_TEST

START_TEST(many_are_counted) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_(blockers_done) Blockers b = {};

        for (unsigned i = 1; i <= HOTPATCH_BLOCKERS_MAX + 3; i++)
                add_task(&t, 10, i, "many", 'S', 0, "0::/system.slice/a.service\n", "0\n");
        ck_assert_ok(blockers_read(t.kernel, true, &b));
        ck_assert_uint_eq(b.n, HOTPATCH_BLOCKERS_MAX);
        ck_assert_uint_eq(b.n_more, 3);
        ck_assert_uint_eq(b.total, HOTPATCH_BLOCKERS_MAX + 3);
}
END_TEST

static const struct {
        const char *cgroup, *unit;
} cgroups[] = {
        { "0::/system.slice/ssh.service\n", "ssh.service" },
        { "0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service" },
        { "0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope" },
        { "0::/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service\n", "user@1000.service" },
        { "0::/system.slice/docker-0a.scope/system.slice/foo.service\n", "docker-0a.scope" },
        { "0::/system.slice/_cpu.service\n", "cpu.service" },
        { "4:cpu:/x\n1:name=systemd:/system.slice/old.service\n0::/\n", "old.service" },
        { "0::/\n1:name=systemd:/system.slice/old.service\n", "old.service" },
        { "0::/\n", NULL },
        { "0::/system.slice\n", NULL },
        { "0::/docker/0a\n", NULL },
        { "0::/system.slice/.service\n", NULL },
        { "0::/system.slice/a\tb.service\n", NULL },
        { "0::/../../x.service\n", NULL },
        { "", NULL },
        { ":::\n\n0", NULL },
};

START_TEST(units_of_cgroups) {
        _cleanup_free_ char *unit = NULL;
        int r = blocker_unit_from_cgroup(cgroups[_i].cgroup, &unit);

        if (!cgroups[_i].unit) {
                ck_assert_int_eq(r, -ENOENT);
                return;
        }
        ck_assert_ok(r);
        ck_assert_str_eq(unit, cgroups[_i].unit);
}
END_TEST

static const char web_stack[] =
        "[<0>] hp_wait+0x12/0x40 [hp_test]\n"
        "[<0>] vfs_read+0x9c/0x1b0\n"
        "[<0>] ksys_read+0x5a/0xd0\n";

START_TEST(stacks_tell_the_function) {
        _cleanup_(tree_free) Tree t = machine();
        _cleanup_(blockers_done) Blockers b = {};
        _cleanup_strv_free_ char **functions = NULL;

        add_stack(&t, 300, 300, web_stack);
        add_stack(&t, 300, 301, "[<0>] something_else+0x1/0x2\nnonsense\n[<0>\n[<0>] no_offset\n");
        tree_directory(&t, "sys/kernel/livepatch/hp_x/vmlinux/vfs_read,1");
        tree_directory(&t, "sys/kernel/livepatch/hp_x/loop/lo_open,2");
        tree_file(&t, "sys/kernel/livepatch/hp_x/enabled", "1\n");
        ck_assert_ok(livepatch_function_names(t.kernel, "hp_x", &functions));
        ck_assert_uint_eq(strv_length(functions), 2);
        ck_assert(strv_contains(functions, "lo_open"));
        ck_assert_ok(blockers_read(t.kernel, true, &b));
        ck_assert_int_eq(blockers_read_stacks(t.kernel, &b), 2);
        ck_assert_ok(blockers_explain(&b, "hp_x", true, functions));
        ck_assert_str_eq(blockers_find(&b, 300)->stack[0], "hp_wait [hp_test]");
        ck_assert_str_eq(blockers_find(&b, 300)->stack[1], "vfs_read");
        ck_assert_str_eq(blockers_find(&b, 300)->function, "vfs_read");
        ck_assert_int_eq(blockers_find(&b, 300)->reason, BLOCKER_SLEEPING);
        ck_assert_uint_eq(strv_length(blockers_find(&b, 301)->stack), 2);
        ck_assert_str_eq(blockers_find(&b, 301)->stack[1], "no_offset");
        ck_assert_ptr_null(blockers_find(&b, 301)->function);
        ck_assert_int_eq(blockers_find(&b, 301)->reason, BLOCKER_UNKNOWN);
        /* It runs; nobody can look at its stack. */
        ck_assert_int_eq(blockers_find(&b, 200)->reason, BLOCKER_RUNNING);
        ck_assert_ptr_null(blockers_find(&b, 9999));
}
END_TEST

START_TEST(unpatching_waits_for_the_module) {
        _cleanup_(blockers_done) Blockers b = {};
        _cleanup_(tree_free) Tree t = tree_new();

        add_task(&t, 5, 5, "x", 'S', 0, "0::/\n", "1\n");
        add_stack(&t, 5, 5, web_stack);
        ck_assert_ok(blockers_read(t.kernel, false, &b));
        ck_assert_int_eq(blockers_read_stacks(t.kernel, &b), 1);
        ck_assert_ok(blockers_explain(&b, "hp_tes", false, NULL));
        ck_assert_ptr_null(b.items[0].function);
        ck_assert_ok(blockers_explain(&b, "hp_test", false, NULL));
        ck_assert_str_eq(b.items[0].function, "hp_wait");
}
END_TEST

START_TEST(the_kernels_own_words_count) {
        _cleanup_(blockers_done) Blockers b = {};
        _cleanup_(tree_free) Tree t = machine();
#define TRY "livepatch: klp_try_switch_task: "

        ck_assert_ok(blockers_read(t.kernel, true, &b));
        ck_assert_ok(blockers_take_log(&b, TRY "web:300 is sleeping on function vfs_read"));
        ck_assert_ok(blockers_take_log(&b, TRY "web worker:301 has an unreliable stack"));
        ck_assert_ok(blockers_take_log(&b, TRY "kworker/0:1:17 is running"));
        /* Somebody calls himself "a:200 is running", or "x:200 is sleeping on function f". */
        ck_assert_ok(blockers_take_log(&b, TRY "a:200 is running:9 has an unreliable stack"));
        ck_assert_ok(blockers_take_log(&b, TRY "x:200 is sleeping on function f:9 is sleeping on function g"));
        ck_assert_ok(blockers_take_log(&b, TRY "x:9 is sleeping on function f y:200 is running x"));
        ck_assert_ok(blockers_take_log(&b, "user: " TRY "db:200 is running"));
        ck_assert_ok(blockers_take_log(&b, TRY ":200 is running of a kind"));
        ck_assert_ok(blockers_take_log(&b, TRY "200 is running"));
        ck_assert_ok(blockers_take_log(&b, TRY "99999999999200 is running"));
        ck_assert_ok(blockers_take_log(&b, TRY " is running"));
        ck_assert_ok(blockers_take_log(&b, ""));
        ck_assert_int_eq(blockers_find(&b, 300)->reason, BLOCKER_SLEEPING);
        ck_assert_str_eq(blockers_find(&b, 300)->function, "vfs_read");
        ck_assert_int_eq(blockers_find(&b, 301)->reason, BLOCKER_UNRELIABLE);
        ck_assert_int_eq(blockers_find(&b, 17)->reason, BLOCKER_RUNNING);
        ck_assert_int_eq(blockers_find(&b, 200)->reason, BLOCKER_UNKNOWN);
        /* What the stack shows adds to it. */
        ck_assert_ok(blockers_explain(&b, "hp_x", true, NULL));
        ck_assert_int_eq(blockers_find(&b, 301)->reason, BLOCKER_UNRELIABLE);
        ck_assert_int_eq(blockers_find(&b, 200)->reason, BLOCKER_RUNNING);
}
END_TEST

/* The kernel names the function that is replaced; the task is in the replacement. */
START_TEST(on_the_way_back_the_stack_counts_more) {
        _cleanup_(blockers_done) Blockers b = {};
        _cleanup_(tree_free) Tree t = tree_new();

        add_task(&t, 5, 5, "x", 'S', 0, "0::/\n", "1\n");
        ck_assert_ok(blockers_read(t.kernel, false, &b));
        ck_assert_ok(blockers_take_log(&b, TRY "x:5 is sleeping on function vfs_read"));
        ck_assert_ok(blockers_explain(&b, "hp_test", false, NULL));
        ck_assert_str_eq(b.items[0].function, "vfs_read");
        add_stack(&t, 5, 5, web_stack);
        ck_assert_int_eq(blockers_read_stacks(t.kernel, &b), 1);
        ck_assert_ok(blockers_explain(&b, "hp_test", false, NULL));
        ck_assert_str_eq(b.items[0].function, "hp_wait");
        ck_assert_ok(blockers_take_log(&b, TRY "x:5 is sleeping on function vfs_read"));
        ck_assert_ok(blockers_explain(&b, "hp_test", false, NULL));
        ck_assert_str_eq(b.items[0].function, "hp_wait");
}
END_TEST

START_TEST(who_ran_and_sleeps_now_sleeps) {
        _cleanup_(blockers_done) Blockers b = {};
        _cleanup_(tree_free) Tree t = tree_new();

        add_task(&t, 5, 5, "x", 'R', 0, "0::/\n", "1\n");
        add_stack(&t, 5, 5, web_stack);
        ck_assert_ok(blockers_read(t.kernel, false, &b));
        ck_assert_ok(blockers_take_log(&b, TRY "x:5 is running"));
        ck_assert_ok(blockers_explain(&b, "hp_test", false, NULL));
        ck_assert_int_eq(b.items[0].reason, BLOCKER_RUNNING);
        b.items[0].state = 'D';
        ck_assert_ok(blockers_explain(&b, "hp_test", false, NULL));
        ck_assert_int_eq(b.items[0].reason, BLOCKER_UNKNOWN);
        ck_assert_int_eq(blockers_read_stacks(t.kernel, &b), 1);
        ck_assert_ok(blockers_explain(&b, "hp_test", false, NULL));
        ck_assert_int_eq(b.items[0].reason, BLOCKER_SLEEPING);
        ck_assert_str_eq(b.items[0].function, "hp_wait");
}
END_TEST

START_TEST(frames_have_limits) {
        _cleanup_free_ char *text = calloc(1, 4000);
        Blocker b = {};

        memset(text, 'x', 3999);
        for (unsigned i = 0; i < HOTPATCH_FRAMES_MAX + 5; i++)
                ck_assert_ok(blocker_add_frame(&b, text, 3999));
        ck_assert_uint_eq(strv_length(b.stack), HOTPATCH_FRAMES_MAX);
        ck_assert_uint_eq(strlen(b.stack[0]), HOTPATCH_FRAME_MAX);
        strv_free(b.stack);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("blockers");
        TCase *tc = tcase_create("blockers");

        tcase_add_test(tc, blockers_are_named_by_unit);
        tcase_add_test(tc, the_direction_counts);
        tcase_add_test(tc, many_are_counted);
        tcase_add_loop_test(tc, units_of_cgroups, 0, ELEMENTSOF(cgroups));
        tcase_add_test(tc, stacks_tell_the_function);
        tcase_add_test(tc, unpatching_waits_for_the_module);
        tcase_add_test(tc, the_kernels_own_words_count);
        tcase_add_test(tc, on_the_way_back_the_stack_counts_more);
        tcase_add_test(tc, who_ran_and_sleeps_now_sleeps);
        tcase_add_test(tc, frames_have_limits);
        suite_add_tcase(s, tc);
        return s;
}

UNIT_MAIN(suite)
