/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "livepatch/symbols.h"
#include "tests/unit/note-maker.h"
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

#define ENABLED                                                                                    \
        "weak_function (1) R I     \ttramp: 0xffffffffc0000000 (other_handler+0x0/0x10 [other])"   \
        "->ftrace_regs_caller+0x0/0x70\n"                                                          \
        "cmdline_proc_show (1)   I     \ttramp: 0xffffffffc0401000 (klp_ftrace_handler+0x0/0x2a0)" \
        "->ftrace_regs_caller+0x0/0x70\n"                                                          \
        "state_show (1)             \ttramp: 0xffffffffc0000000 (function_trace_call+0x0/0x10)"    \
        "->I_am_no_flag+0x0/0x70\n"                                                                \
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
        { { "vmlinux", "cmdline_proc_show", 1, true, true, false, true, "" } },
        /* Two functions and a variable: the kernel would count three. */
        { { "vmlinux", "state_show", 3, true, true, false, false, "" } },
        { { "hptarget", "state_show", 1, true, false, false, false, "" } },
        { { "hptarget", "answer", 1, true, true, true, false, "" } },
        { { "vmlinux", "answer", 0, true, false, false, false, "" } },
        { { "vmlinux", "only_data", 0, true, false, false, false, "" } },
        { { "vmlinux", "weak_function", 1, true, false, true, false, "other_handler [other]" } },
        { { "vmlinux", "missing", 0, true, false, false, false, "" } },
        { { "absent", "answer", 0, false, false, false, false, "" } },
        { { "vmlinux", "cmdline_proc", 0, true, false, false, false, "" } },
        { { "vmlinux", "cmdline_proc_show.part.0", 1, true, false, false, false, "" } },
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
                ck_assert_str_eq(f->owner, e->owner);
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

static unsigned matches(const Tree *t, const char *object, const char *name) {
        SymbolFacts f = { .object = object, .name = name };

        ck_assert_ok(symbols_look_up(t->kernel, &f, 1));
        return f.matches;
}

static void build_id_write(const Tree *t, const char *id) {
        NoteBuffer b = {};

        note_add_gnu_build_id(&b, id, strlen(id));
        tree_bytes(t, "sys/module/hptarget/notes/.note.gnu.build-id", b.data, b.size);
}

/* What does not change until the next boot is read once; a changed list is not noticed. */
START_TEST(lists_are_read_once_in_a_boot) {
        _cleanup_(tree_free) Tree t = kernel_with("sys/kernel/tracing");
        struct stat st;

        tree_file(&t, "proc/sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555\n");
        tree_file(&t, "proc/modules", "hptarget 16384 1 - Live 0x0000000000000000 (OE)\n"
                "coming 16384 1 - Loading 0x0000000000000000\n");
        build_id_write(&t, "one");
        /* Nothing to keep it in: read every time. */
        ck_assert_uint_eq(matches(&t, "vmlinux", "weak_function"), 1);
        tree_file(&t, "proc/kallsyms", KALLSYMS "0000000000000000 t weak_function\n");
        ck_assert_uint_eq(matches(&t, "vmlinux", "weak_function"), 2);

        tree_directory(&t, "run/hotpatch");
        ck_assert_uint_eq(matches(&t, "hptarget", "answer"), 1);
        ck_assert_int_eq(fstatat(t.fd, "run/hotpatch/symbols", &st, 0), 0);
        ck_assert_int_eq(st.st_mode & 07777, 0600);
        tree_file(&t, "proc/kallsyms", "");
        ck_assert_uint_eq(matches(&t, "vmlinux", "weak_function"), 2);
        ck_assert_uint_eq(matches(&t, "hptarget", "answer"), 1);
        ck_assert_uint_eq(matches(&t, "vmlinux", "missing"), 0);
        /* What changes at any moment is read each time. */
        tree_file(&t, "sys/kernel/tracing/enabled_functions", "weak_function (1) R I M\n");
        {
                SymbolFacts f = { .object = "vmlinux", .name = "weak_function" };

                ck_assert_ok(symbols_look_up(t.kernel, &f, 1));
                ck_assert(f.busy);
        }
        /* Another build of the module, or another boot, is another matter. */
        build_id_write(&t, "two");
        ck_assert_uint_eq(matches(&t, "vmlinux", "weak_function"), 2);
        ck_assert_uint_eq(matches(&t, "hptarget", "answer"), 0);
        ck_assert_uint_eq(matches(&t, "vmlinux", "weak_function"), 0);
        tree_file(&t, "proc/kallsyms", KALLSYMS);
        ck_assert_uint_eq(matches(&t, "vmlinux", "weak_function"), 0);
        tree_file(&t, "proc/sys/kernel/random/boot_id", "22222222-2222-3333-4444-555555555555\n");
        ck_assert_uint_eq(matches(&t, "vmlinux", "weak_function"), 1);
        /* A module that was not there when the lists were read. */
        tree_file(&t, "sys/module/hp_old/initstate", "live\n");
        tree_file(&t, "proc/kallsyms", KALLSYMS "0000000000000000 t cmdline_proc_show\t[hp_old]\n");
        ck_assert_uint_eq(matches(&t, "hp_old", "cmdline_proc_show"), 2);
}
END_TEST

/* Unloaded after /proc/modules was read: without its symbols it must not count as known. */
START_TEST(module_that_goes_meanwhile_is_not_covered) {
        _cleanup_(tree_free) Tree t = kernel_with("sys/kernel/tracing");
        pid_t child;

        tree_file(&t, "proc/sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555\n");
        tree_file(&t, "proc/modules", "hptarget 16384 1 - Live 0x0000000000000000 (OE)\n");
        tree_directory(&t, "run/hotpatch");
        build_id_write(&t, "one");
        ck_assert_int_eq(unlinkat(t.fd, "proc/kallsyms", 0), 0);
        ck_assert_int_eq(mkfifoat(t.fd, "proc/kallsyms", 0600), 0);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
                static const char text[] = "0000000000000000 W weak_function\n";
                int fd = openat(t.fd, "proc/kallsyms", O_WRONLY | O_CLOEXEC);
                bool good = fd >= 0 &&
                        unlinkat(t.fd, "sys/module/hptarget/notes/.note.gnu.build-id", 0) >= 0 &&
                        write(fd, text, sizeof(text) - 1) == (ssize_t) sizeof(text) - 1;

                _exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
        }
        ck_assert_uint_eq(matches(&t, "vmlinux", "weak_function"), 1);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        /* Here it is again, the same build. */
        build_id_write(&t, "one");
        ck_assert_int_eq(unlinkat(t.fd, "proc/kallsyms", 0), 0);
        tree_file(&t, "proc/kallsyms", KALLSYMS);
        ck_assert_uint_eq(matches(&t, "hptarget", "answer"), 1);
}
END_TEST

START_TEST(damaged_index_is_made_again) {
        _cleanup_(tree_free) Tree t = kernel_with("sys/kernel/tracing");
        _cleanup_free_ void *good = NULL;
        size_t size;

        tree_file(&t, "proc/sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555\n");
        tree_directory(&t, "run/hotpatch");
        ck_assert_uint_eq(matches(&t, "vmlinux", "weak_function"), 1);
        ck_assert_ok(file_read_at(t.fd, "run/hotpatch/symbols", 1 << 20, &good, &size));
        for (size_t cut = 0; cut < size; cut += 37) {
                tree_bytes(&t, "run/hotpatch/symbols", good, cut);
                ck_assert_uint_eq(matches(&t, "vmlinux", "weak_function"), 1);
        }
        for (size_t at = 0; at < 64; at += 5) {
                ((uint8_t *) good)[at] ^= 0xff;
                tree_bytes(&t, "run/hotpatch/symbols", good, size);
                ck_assert_uint_eq(matches(&t, "vmlinux", "weak_function"), 1);
                ((uint8_t *) good)[at] ^= 0xff;
        }
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

        tcase_set_timeout(t, 60);
        tcase_add_test(t, tracefs_of_its_own);
        tcase_add_test(t, tracefs_below_debugfs);
        tcase_add_test(t, shared_function_is_livepatchs_own);
        tcase_add_test(t, lists_are_read_once_in_a_boot);
        tcase_add_test(t, module_that_goes_meanwhile_is_not_covered);
        tcase_add_test(t, damaged_index_is_made_again);
        tcase_add_test(t, without_tracefs_nothing_is_claimed);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
