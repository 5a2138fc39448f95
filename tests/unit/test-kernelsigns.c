/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Logs of stock kernels, captured while tests/data/patches/trial misbehaved in every way it can: "CAPTURE way"
 * comes before each.
 */

#include <fcntl.h>

#include "livepatch/kernelsigns.h"
#include "tests/unit/unit.h"
#include "util/file.h"

#define SIGNS_MAX 32

typedef struct Signs {
        KernelSign sign[SIGNS_MAX];
        char way[SIGNS_MAX][16]; /* of the CAPTURE before it */
        size_t n;
} Signs;

static void signs_done(Signs *s) {
        for (size_t i = 0; i < s->n; i++)
                kernel_sign_done(&s->sign[i]);
}

static void signs_add(Signs *s, KernelSign *sign, const char *way) {
        ck_assert_uint_lt(s->n, SIGNS_MAX);
        (void) snprintf(s->way[s->n], sizeof(s->way[0]), "%s", way);
        s->sign[s->n++] = *sign;
}

static void read_log(char *text, Signs *s) {
        _cleanup_(kernel_signs_done) KernelSigns collector = {};
        char way[16] = "";
        KernelRecord record;
        KernelSign sign;
        int r;

        while (kernel_record_next(&text, &record) > 0) {
                const char *mark = startswith(record.text, "CAPTURE ");

                r = kernel_signs_feed(&collector, &record, &sign);
                ck_assert_ok(r);
                if (r > 0)
                        signs_add(s, &sign, way);
                if (mark && kernel_signs_flush(&collector, &sign) > 0)
                        signs_add(s, &sign, way);
                if (mark)
                        (void) snprintf(way, sizeof(way), "%s", mark);
        }
        if (kernel_signs_flush(&collector, &sign) > 0)
                signs_add(s, &sign, way);
}

static void read_captured(const char *name, Signs *s) {
        _cleanup_free_ char *path = NULL;
        _cleanup_free_ void *data = NULL;
        size_t size;

        ck_assert_int_ge(asprintf(&path, HOTPATCH_SOURCE_ROOT "/tests/data/kernel-log/%s", name), 0);
        ck_assert_ok(file_read_at(AT_FDCWD, path, 1024 * 1024, &data, &size));
        read_log(data, s);
}

static const KernelSign *find(const Signs *s, const char *way) {
        for (size_t i = 0; i < s->n; i++)
                if (streq(s->way[i], way))
                        return &s->sign[i];
        ck_abort_msg("no sign of '%s'", way);
}

static const char *const logs[] = { "6.1.txt", "6.12.txt" };

static const struct {
        const char *way;
        KernelSignKind kind;
        const char *function; /* that must be named */
        const char *words;    /* in the description */
} ways[] = {
        { "warn", KERNEL_SIGN_WARNING, "bad_warn",
          "warning in bad_warn [hp_trial]: trial: a warning of the patch" },
        { "refcount", KERNEL_SIGN_WARNING, "trial_version_show",
          "warning in refcount_warn_saturate: refcount_t: addition on 0; use-after-free." },
        { "sleep", KERNEL_SIGN_HUNG, "bad_sleep", "hung task in __schedule: INFO: task trial:" },
        { "fault", KERNEL_SIGN_OOPS, "bad_oops", "oops in bad_oops [hp_trial]: " },
        { "bug", KERNEL_SIGN_OOPS, "bad_bug", "oops in bad_bug [hp_trial]: kernel BUG at " },
        { "oops", KERNEL_SIGN_OOPS, "bad_oops",
          "oops in bad_oops [hp_trial]: BUG: kernel NULL pointer dereference" },
        { "atomic", KERNEL_SIGN_BUG, "bad_atomic", "bug in dump_stack_lvl: BUG: scheduling while atomic" },
};

START_TEST(what_stock_kernels_say) {
        _cleanup_(signs_done) Signs s = {};
        bool lockup = false, stall = false;

        read_captured(logs[_i], &s);
        for (size_t i = 0; i < ELEMENTSOF(ways); i++) {
                const KernelSign *sign = find(&s, ways[i].way);
                _cleanup_free_ char *text = NULL;

                ck_assert_ok(kernel_sign_describe(sign, &text));
                ck_assert_msg(sign->kind == ways[i].kind, "%s: %s", ways[i].way, text);
                ck_assert_msg(strstr(text, ways[i].words) == text, "%s", text);
                ck_assert(kernel_sign_names_module(sign, "hp_trial"));
                ck_assert(kernel_sign_names_function(sign, "hp_trial", ways[i].function));
                ck_assert(!kernel_sign_names_function(sign, "vmlinux", ways[i].function));
                /* "Modules linked in:" */
                ck_assert(!kernel_sign_names_module(sign, "loop"));
        }
        for (size_t i = 0; i < s.n; i++) {
                ck_assert(kernel_sign_names_module(&s.sign[i], "hp_trial") || streq(s.way[i], "atomic"));
                if (!streq(s.way[i], "spin"))
                        continue;
                lockup = lockup || s.sign[i].kind == KERNEL_SIGN_LOCKUP;
                stall = stall || s.sign[i].kind == KERNEL_SIGN_STALL;
        }
        ck_assert(lockup && stall);
}
END_TEST

START_TEST(a_whole_report_is_one_sign) {
        _cleanup_(signs_done) Signs s = {};
        unsigned n[ELEMENTSOF(ways)] = {};

        read_captured(logs[_i], &s);
        for (size_t i = 0; i < s.n; i++)
                for (size_t w = 0; w < ELEMENTSOF(ways); w++)
                        n[w] += streq(s.way[i], ways[w].way);
        for (size_t w = 0; w < ELEMENTSOF(ways); w++)
                if (!streq(ways[w].way, "sleep") && !streq(ways[w].way, "atomic"))
                        ck_assert_msg(n[w] == 1, "%s: %u", ways[w].way, n[w]);
}
END_TEST

/* Lines of the kernel, each a record a microsecond after the one before. */
static void read_lines(const char *lines, unsigned priority, Signs *s) {
        _cleanup_free_ char *copy = strdup(lines), *log = calloc(1, strlen(lines) * 16 + 1);
        char *rest = copy, *line, *p = log;
        unsigned n = 0;

        ck_assert_ptr_nonnull(copy);
        ck_assert_ptr_nonnull(log);
        for (; (line = strsep(&rest, "\n")); n++)
                p += sprintf(p, "%u,%u,%u,-;%s\n", priority, n, n, line);
        read_log(log, s);
}

static const char *const complaints[] = {
        "BUG: sleeping function called from invalid context at a.c:1",
        "BUG kmalloc-64 (Tainted: G    B): Redzone overwritten",
        "BUG: KASAN: use-after-free in f+0x1/0x2",
        "WARNING: possible circular locking dependency detected",
        "WARNING: suspicious RCU usage",
        "Unpatched return thunk in use. This should not happen!",
        "divide error: 0000 [#1] PREEMPT SMP NOPTI",
        "int3: 0000 [#1] PREEMPT SMP",
        "Oops: general protection fault, probably for non-canonical address 0x1: 0000 [#1] SMP",
        "general protection fault: 0000 [#1] SMP",
        "Kernel panic - not syncing: Fatal exception",
        "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [a:1]",
        "watchdog: CPU2: Watchdog detected hard LOCKUP on cpu 2",
        "NMI watchdog: Watchdog detected hard LOCKUP on cpu 2",
        "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
        "rcu: INFO: rcu_preempt self-detected stall on CPU",
        "INFO: task a:1 blocked for more than 120 seconds.",
        "usercopy: Kernel memory exposure attempt detected from SLUB object 'a' (offset 1, size 2)!",
        "UBSAN: array-index-out-of-bounds in a.c:1:2",
        "list_del corruption. prev->next should be 1, but was 2",
        "kernel tried to execute NX-protected page - exploit attempt? (uid: 0)",
};

START_TEST(each_complaint_is_seen) {
        _cleanup_(signs_done) Signs s = {};

        read_lines(complaints[_i], 4, &s);
        ck_assert_uint_eq(s.n, 1);
        ck_assert_str_eq(s.sign[0].text, complaints[_i]);
        ck_assert_uint_eq(s.sign[0].n_frames, 0);
}
END_TEST

START_TEST(a_program_cannot_write_one) {
        _cleanup_(signs_done) Signs s = {};

        read_lines(complaints[_i], 12, &s);
        ck_assert_uint_eq(s.n, 0);
}
END_TEST

static const char *const harmless[] = {
        /* processes with such names */
        "BUG: x[312]: segfault at 0 ip 000055d0 sp 00007ffd error 4 in a.out[55d0+1000]",
        "a: 0000 [#1] x[312]: segfault at 0 ip 000055d0 sp 00007ffd error 4 in a.out[55d0+1000]",
        "INFO: rcu_stall[312]: segfault at 0 ip 000055d0 sp 00007ffd error 4",
        "BUG: invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        "BUG: 0123456789: page allocation failure: order:10, mode:0xdc0(GFP_KERNEL|__GFP_ZERO)",
        "Oops: x (312): Uses something obsolete",
        "traps: a.out[1] general protection fault ip:1 sp:2 error:0 in a.out[3+4]",
        "a.out[1]: segfault at 0 ip 0 sp 0 error 4 in a.out",
        "usb 1-1: Product: BUG: WARNING: CPU: Oops",
        "hotpatch: hp_x: BUG: x",
        "device\\x0aBUG: unable to handle",
        "INFO: lines: task a blocked",
        "note: trial[224] exited with irqs disabled",
        "systemd[1]: WARNING: CPU: 0",
        "rcu: Hierarchical RCU implementation.",
        "------------[ cut here ]------------",
        "---[ end trace 0000000000000000 ]---",
        "RIP: 0010:f+0x1/0x2 [hp_x]",
        "WARNING without a colon",
        "EXT4-fs (/a: 0000 [#1] b): mounted",
        "device x: 00 [#1] y",
        "livepatch: 'hp_x': patching complete",
};

START_TEST(these_are_no_complaints) {
        _cleanup_(signs_done) Signs s = {};

        read_lines(harmless[_i], 4, &s);
        ck_assert_msg(s.n == 0, "%s", harmless[_i]);
}
END_TEST

START_TEST(names_that_anybody_chooses_do_not_count) {
        _cleanup_(signs_done) Signs s = {};

        read_lines("BUG: scheduling while atomic: x+0x1/0x1 [hp_a]/1/0x00000002\n"
                   "Modules linked in: hp_b(OEK)\n"
                   "CPU: 0 PID: 1 Comm: x+0x1/0x1 [hp_c] Tainted: G\n"
                   "Call Trace:\n"
                   " <TASK>\n"
                   " ? x+0x1/0x1 [hp_d]\n"
                   " schedule+0x1/0x1\n"
                   " odd +0x1/0x2 [hp_f]\n"
                   " odd+0x1/0x2 [hp_g\n"
                   " odd+0x/0x2 [hp_h]\n"
                   " </TASK>\n"
                   "comm x+0x1/0x1 [hp_e]\n", 4, &s);
        ck_assert_uint_eq(s.n, 1);
        ck_assert_uint_eq(s.sign[0].n_frames, 2);
        ck_assert_str_eq(s.sign[0].frames[0].function, "schedule");
        ck_assert_str_eq(s.sign[0].frames[1].function, "odd");
        ck_assert_ptr_null(s.sign[0].frames[1].module);
}
END_TEST

START_TEST(functions_of_modules_and_of_the_kernel) {
        _cleanup_(signs_done) Signs s = {};

        read_lines("------------[ cut here ]------------\n"
                   "WARNING: CPU: 0 PID: 1 at a.c:1 one.isra.0+0x1/0x1 [hp_a 0123456789abcdef]\n"
                   "RIP: 0010:one.isra.0+0x1/0x1 [hp_a 0123456789abcdef]\n"
                   "Call Trace:\n"
                   " <IRQ>\n"
                   " two+0x1/0x1\n"
                   " three+0xdead/0xbeef [other]\n"
                   "RIP: 0033:0x7f\n"
                   "---[ end trace 0000000000000000 ]---\n"
                   "RIP: 0010:four+0x1/0x1 [hp_b]\n", 4, &s);
        ck_assert_uint_eq(s.n, 1);
        ck_assert_uint_eq(s.sign[0].n_frames, 3);
        ck_assert(kernel_sign_names_function(&s.sign[0], "hp_a", "one.isra.0"));
        ck_assert(kernel_sign_names_function(&s.sign[0], "vmlinux", "two"));
        ck_assert(kernel_sign_names_function(&s.sign[0], "other", "three"));
        ck_assert(!kernel_sign_names_function(&s.sign[0], "vmlinux", "three"));
        ck_assert(!kernel_sign_names_module(&s.sign[0], "hp_b"));
}
END_TEST

START_TEST(reports_follow_each_other) {
        _cleanup_(signs_done) Signs s = {};

        read_lines("BUG: scheduling while atomic: a/1/0x2\n"
                   "Call Trace:\n"
                   " one+0x1/0x1 [hp_a]\n"
                   "------------[ cut here ]------------\n"
                   "WARNING: CPU: 0 PID: 1 at a.c:1 two+0x1/0x1 [hp_b]\n", 4, &s);
        ck_assert_uint_eq(s.n, 2);
        ck_assert(kernel_sign_names_module(&s.sign[0], "hp_a"));
        ck_assert(!kernel_sign_names_module(&s.sign[0], "hp_b"));
        ck_assert(kernel_sign_names_module(&s.sign[1], "hp_b"));
        ck_assert_uint_eq(s.sign[1].sequence, 3);
}
END_TEST

START_TEST(a_report_without_end_ends) {
        _cleanup_(signs_done) Signs s = {};
        _cleanup_free_ char *log = calloc(1, 64 * 1024);
        char *p = log;

        p += sprintf(p, "4,0,0,-;BUG: it begins\n4,1,0,-;Call Trace:\n");
        for (unsigned i = 0; i < 1000; i++)
                p += sprintf(p, "4,%u,0,-; f%u+0x1/0x1 [m]\n", i + 2, i);
        /* long after */
        (void) sprintf(p, "4,2000,9000000,-; late+0x1/0x1 [hp_late]\n");
        read_log(log, &s);
        ck_assert_uint_eq(s.n, 1);
        ck_assert_uint_eq(s.sign[0].n_frames, HOTPATCH_KERNEL_SIGN_NAMES);
        ck_assert(!kernel_sign_names_module(&s.sign[0], "hp_late"));
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("kernelsigns");
        TCase *t = tcase_create("kernelsigns");

        tcase_add_loop_test(t, what_stock_kernels_say, 0, ELEMENTSOF(logs));
        tcase_add_loop_test(t, a_whole_report_is_one_sign, 0, ELEMENTSOF(logs));
        tcase_add_loop_test(t, each_complaint_is_seen, 0, ELEMENTSOF(complaints));
        tcase_add_loop_test(t, a_program_cannot_write_one, 0, ELEMENTSOF(complaints));
        tcase_add_loop_test(t, these_are_no_complaints, 0, ELEMENTSOF(harmless));
        tcase_add_test(t, names_that_anybody_chooses_do_not_count);
        tcase_add_test(t, functions_of_modules_and_of_the_kernel);
        tcase_add_test(t, reports_follow_each_other);
        tcase_add_test(t, a_report_without_end_ends);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
