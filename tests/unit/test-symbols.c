/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "livepatch/symbols.h"
#include "tests/unit/tree.h"

#define KALLSYMS                                                \
        "0000000000000000 D __per_cpu_start\n"                  \
        "0000000000000000 T cmdline_proc_show\n"                \
        "0000000000000000 t cmdline_proc_show.part.0\n"         \
        "0000000000000000 t cmdline_proc_show_more\n"           \
        "0000000000000000 t state_show\n"                       \
        "0000000000000000 t state_show\n"                       \
        "0000000000000000 d state_show\n"                       \
        "0000000000000000 d only_data\n"                        \
        "0000000000000000 W weak_function\n"                    \
        "0000000000000000 t answer\t[hptarget]\n"               \
        "0000000000000000 t state_show\t[hptarget]\n"           \
        "0000000000000000 t cmdline_proc_show\t[hp_old]\n"

#define TRACEABLE                                               \
        "cmdline_proc_show\n"                                   \
        "state_show\n"                                          \
        "answer [hptarget]\n"

#define ENABLED                                                                                         \
        "weak_function (1) R I     \ttramp: 0xffffffffc0000000 (other_handler+0x0/0x10)"                \
        "->ftrace_regs_caller+0x0/0x70\n"                                                               \
        "cmdline_proc_show (1)   I     \ttramp: 0xffffffffc0401000 (klp_ftrace_handler+0x0/0x2a0)"      \
        "->ftrace_regs_caller+0x0/0x70\n"                                                               \
        "state_show (1)             \ttramp: 0xffffffffc0000000 (function_trace_call+0x0/0x10)"         \
        "->I_am_no_flag+0x0/0x70\n"                                                                     \
        "answer [hptarget] (2) R I   M \n"

static Tree kernel_with(const char *place) {
        Tree t = tree_new();
        char path[256];

        tree_file(&t, "proc/kallsyms", KALLSYMS);
        tree_file(&t, "sys/module/hptarget/initstate", "live\n");
        (void) snprintf(path, sizeof(path), "%s/available_filter_functions", place);
        tree_file(&t, path, TRACEABLE);
        (void) snprintf(path, sizeof(path), "%s/enabled_functions", place);
        tree_file(&t, path, ENABLED);
        return t;
}

static const struct {
        SymbolFacts facts;
} expected[] = {
        { { "vmlinux", "cmdline_proc_show", 1, true, true, false, true } },
        /* Two functions and a variable: the kernel would count three. */
        { { "vmlinux", "state_show", 3, true, true, false, false } },
        { { "hptarget", "state_show", 1, true, false, false, false } },
        { { "hptarget", "answer", 1, true, true, true, false } },
        { { "vmlinux", "answer", 0, true, false, false, false } },
        { { "vmlinux", "only_data", 0, true, false, false, false } },
        { { "vmlinux", "weak_function", 1, true, false, true, false } },
        { { "vmlinux", "missing", 0, true, false, false, false } },
        { { "absent", "answer", 0, false, false, false, false } },
        { { "vmlinux", "cmdline_proc", 0, true, false, false, false } },
        { { "vmlinux", "cmdline_proc_show.part.0", 1, true, false, false, false } },
};

static void check_all(const char *place) {
        _cleanup_(tree_free) Tree t = kernel_with(place);
        SymbolFacts facts[ELEMENTSOF(expected)];

        for (size_t i = 0; i < ELEMENTSOF(expected); i++)
                facts[i] = (SymbolFacts) {
                        .object = expected[i].facts.object,
                        .name = expected[i].facts.name,
                        .matches = 77,
                        .busy = true,
                };
        ck_assert_ok(symbols_look_up(t.kernel, facts, ELEMENTSOF(facts)));
        for (size_t i = 0; i < ELEMENTSOF(expected); i++) {
                const SymbolFacts *f = &facts[i], *e = &expected[i].facts;

                ck_assert_str_eq(f->name, e->name);
                ck_assert_msg(f->matches == e->matches, "%s: %u matches", f->name, f->matches);
                ck_assert_msg(f->object_loaded == e->object_loaded, "%s: loaded", f->name);
                ck_assert_msg(f->traceable == e->traceable, "%s: traceable", f->name);
                ck_assert_msg(f->busy == e->busy, "%s: busy", f->name);
                ck_assert_msg(f->livepatched == e->livepatched, "%s: livepatched", f->name);
        }
}

START_TEST(tracefs_of_its_own) {
        check_all("sys/kernel/tracing");
}
END_TEST

START_TEST(tracefs_below_debugfs) {
        check_all("sys/kernel/debug/tracing");
}
END_TEST

/* With two users of a function the line need not name livepatch; its directory does. */
START_TEST(shared_function_is_livepatchs_own) {
        _cleanup_(tree_free) Tree t = kernel_with("sys/kernel/tracing");
        SymbolFacts f = { .object = "hptarget", .name = "answer" };

        tree_livepatch(&t, "hp_a", "1\n", "0\n", "1\n");
        tree_directory(&t, "sys/kernel/livepatch/hp_a/hptarget/answer_other,1");
        ck_assert_ok(symbols_look_up(t.kernel, &f, 1));
        ck_assert(f.busy && !f.livepatched);
        tree_directory(&t, "sys/kernel/livepatch/hp_a/hptarget/answer,1");
        ck_assert_ok(symbols_look_up(t.kernel, &f, 1));
        ck_assert(!f.busy && f.livepatched);
}
END_TEST

START_TEST(without_tracefs_nothing_is_claimed) {
        _cleanup_(tree_free) Tree t = tree_new();
        SymbolFacts f = { .object = "vmlinux", .name = "cmdline_proc_show" };

        ck_assert_int_eq(symbols_look_up(t.kernel, &f, 1), -ENOENT);
        tree_file(&t, "proc/kallsyms", KALLSYMS);
        ck_assert_int_eq(symbols_look_up(t.kernel, &f, 1), -ENOENT);
        f.object = "../x";
        ck_assert_int_eq(symbols_look_up(t.kernel, &f, 1), -EINVAL);
        ck_assert_int_eq(symbols_look_up(t.kernel, &f, 0), 0);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("symbols");
        TCase *t = tcase_create("symbols");

        tcase_add_test(t, tracefs_of_its_own);
        tcase_add_test(t, tracefs_below_debugfs);
        tcase_add_test(t, shared_function_is_livepatchs_own);
        tcase_add_test(t, without_tracefs_nothing_is_claimed);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
