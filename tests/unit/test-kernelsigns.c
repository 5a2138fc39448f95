/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Logs of stock kernels, captured while tests/data/patches/trial misbehaved in every way it can: "CAPTURE way"
 * comes before each.
 */

#include <fcntl.h>

#include "livepatch/headline.h"
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
        "WARNING: CPU: 1 PID: 2 at a.c:1 f+0x1/0x2 [m]",
        "WARNING: CPU: 1 PID: 2 at f+0x1/0x2",
        "WARNING: a/b.c:1 at f+0x1/0x2, CPU#0: x/1",
        "WARNING: a/b.c:1 at f+0x1/0x2 [m], CPU#0: x/1",
        "kernel BUG at a.c:1!",
        "BUG: kernel NULL pointer dereference, address: 0000000000000000",
        "BUG: unable to handle page fault for address: ffff800000000000",
        "BUG: scheduling while atomic: a/b:c/1/0x00000002",
        "BUG: using smp_processor_id() in preemptible [00000000] code: a/1",
        "BUG: Bad page state in process a  pfn:12345",
        "BUG: Bad rss-counter state mm:(____ptrval____) type:MM_ANONPAGES val:1",
        "BUG: KFENCE: use-after-free read in f+0x1/0x2",
        "BUG: workqueue lockup - pool cpus=1 node=0 flags=0x0 nice=0 stuck for 30s!",
        "BUG: TASK stack guard page was hit at 0000000000000000 (stack is 1..2)",
        "refcount_t: underflow; use-after-free.",
        "Oops: 0002 [#1] PREEMPT SMP NOPTI",
        "Oops: Oops: 0002 [#3] PREEMPT SMP NOPTI",
        "Oops: invalid opcode: 0000 [#2] PREEMPT SMP NOPTI",
        "general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] PREEMPT SMP",
        "Internal error: Oops: 0000000096000004 [#1] SMP",
        "Oops: Kernel access of bad area, sig: 11 [#1]",
        "illegal operation: 0001 ilc:1 [#1] SMP",
        "traps: PANIC: double fault, error_code: 0x0",
        "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-.... } 21 jiffies s: 1 root: 0x2/.",
        "rcu: INFO: rcu_tasks_trace detected stalls on tasks:",
        "INFO: task kworker/u4:1:17 blocked for more than 241 seconds.",
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
}
END_TEST

START_TEST(a_program_cannot_write_one) {
        _cleanup_(signs_done) Signs s = {};

        read_lines(complaints[_i], 12, &s);
        ck_assert_uint_eq(s.n, 0);
}
END_TEST

static const char *const harmless[] = {
        /* what was enough to be one, before there were exact forms */
        "BUG: x", "WARNING: x", "WARNING: CPU: x", "Oops: x", "UBSAN: x", "refcount_t: x", "kernel BUG at x",
        "general protection fault in x", "watchdog: x lockup", "INFO: rcu_x stall", "BUG (x): y",
        /* a bridge in a namespace of an ordinary user: net/bridge/br_fdb.c */
        "BUG: received packet on Oops with own address as source address (addr:02:00:00:00:00:01, vlan:0)",
        "WARNING: received packet on CPU with own address as source address (addr:02:00:00:00:00:01, vlan:0)",
        /* processes with such names */
        "BUG: x[312]: segfault at 0 ip 000055d0 sp 00007ffd error 4 in a.out[55d0+1000]",
        "a: 0000 [#1] x[312]: segfault at 0 ip 000055d0 sp 00007ffd error 4 in a.out[55d0+1000]",
        "INFO: rcu_stall[312]: segfault at 0 ip 000055d0 sp 00007ffd error 4",
        "BUG: invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        "UBSAN: a in b:1 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        "UBSAN: a in b:1: page allocation failure: order:10, mode:0xdc0(GFP_KERNEL|__GFP_ZERO)",
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

/* What the kernel says behind a name that somebody chose: of a process (arch/x86/mm/fault.c, arch/x86/kernel/signal.c,
 * arch/x86/entry/vsyscall/vsyscall_64.c, mm/oom_kill.c, mm/page_alloc.c, mm/mmap.c and others) or of a network
 * interface. Some of it ends in another name: of a file, of a cgroup. */
static const char *const followers[] = {
        "[312]: segfault at 0 ip 000055d0 sp 00007ffd error 4 in ",
        "[312] bad frame in rt_sigreturn frame:00007ffd ip:1 sp:2 orax:3 in ",
        "[312] vsyscall attempted with vsyscall=none ip:ffffffffff600000 cs:33 sp:1 ax:2 si:3 di:4 ",
        "[312] general protection fault ip:1 sp:2 error:0 in ",
        "[312]: ",
        " (312): drop_caches: 3 ",
        " (312): VmData 1 exceed data ulimit 2. Update limits or use boot option ignore_rlimit_data. ",
        " (312): ",
        " invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0 ",
        ": page allocation failure: order:0, mode:0xcc0(GFP_KERNEL), nodemask=(null),cpuset=",
        ": vmalloc error: size 4096, page order 0, failed to allocate pages, mode:0xcc0(GFP_KERNEL),nodemask=(null),cpuset=",
        ": attempt to access beyond end of device ",
        ": received packet on ",
        ": entered promiscuous mode ",
        " uses obsolete (PF_INET,SOCK_PACKET) ",
};

static bool is_sign(const char *line) {
        Signs s = {};
        bool found;

        /* The worst that it could be printed with. */
        read_lines(line, 0, &s);
        found = s.n > 0;
        signs_done(&s);
        return found;
}

/* Of the free places in a form each takes at least one byte. A form that is as short as a name must say how its line ends,
 * or the kernel's words behind a name could follow. */
START_TEST(no_form_fits_into_a_name) {
        const char *form;
        size_t i = 0;

        for (; (form = kernel_headline_form(i)); i++) {
                bool anchored = endswith(form, "$");
                size_t shortest = strlen(form) - anchored;

                for (const char *p = strchr(form, '%'); p; p = strchr(p + 2, '%'))
                        shortest--;
                ck_assert_msg(anchored || shortest > 15, "%s", form);
        }
        ck_assert_uint_gt(i, 50);
}
END_TEST

/* Every headline, cut where a name may end, the kernel's words behind it, and then the rest, or all, of the headline. */
START_TEST(no_name_makes_a_headline) {
        const char *headline = complaints[_i];

        for (size_t n = 0; n <= 15 && n <= strlen(headline); n++)
                for (size_t f = 0; f < ELEMENTSOF(followers); f++)
                        for (size_t rest = 0; rest <= strlen(headline); rest++) {
                                _cleanup_free_ char *line = NULL;

                                ck_assert_int_ge(asprintf(&line, "%.*s%s%s", (int) n, headline, followers[f],
                                                headline + rest), 0);
                                ck_assert_msg(!is_sign(line), "%s", line);
                        }
}
END_TEST

/* In a report that is open, a name with the kernel's words behind it names no function. */
START_TEST(no_name_makes_a_frame) {
        static const char *const frames[] = {
                "RIP: x+0x1/0x1", "RIP: 0010:x+0x1", " x+0x1/0x1 [m]", " x+0x1/0x1", "x+0x1/0x1", " x+0x1/0x1 ",
                "Call Trace:", " [<1>] x+0x1/0x", "([<1>] x+0x1/0x",
        };

        for (size_t f = 0; f < ELEMENTSOF(followers); f++) {
                _cleanup_(signs_done) Signs s = {};
                _cleanup_free_ char *lines = NULL;

                ck_assert_int_ge(asprintf(&lines, "Oops: 0002 [#1] SMP\nCall Trace:\n good+0x1/0x2 [m]\n%.15s%s%s\n",
                                frames[_i], followers[f], frames[_i]), 0);
                read_lines(lines, 4, &s);
                ck_assert_uint_eq(s.n, 1);
                ck_assert_msg(s.sign[0].n_frames == 1, "%s", lines);
                ck_assert_str_eq(s.sign[0].frames[0].function, "good");
        }
}
END_TEST

/* Said about a process, at the level of such words, what looks like a report is none. */
START_TEST(the_level_counts) {
        ck_assert(is_sign("BUG: Bad page state in process a  pfn:1"));
        for (unsigned level = 5; level < 8; level++) {
                _cleanup_(signs_done) Signs s = {};

                read_lines("BUG: Bad page state in process a  pfn:1", level, &s);
                ck_assert_uint_eq(s.n, 0);
        }
}
END_TEST

START_TEST(traces_of_other_machines) {
        _cleanup_(signs_done) Signs s = {};

        read_lines("Unable to handle kernel pointer dereference in virtual kernel address space\n"
                   "Call Trace:\n"
                   " [<000003ff80123456>] one+0x12/0x34 [hp_a] \n"
                   "([<000003ff80123456>] two+0x12/0x34)\n"
                   " [c0000000012345a0] [c0000000000abcde] three+0x12/0x34\n"
                   " [c0000000012345a0] [c0000000000abcde] four+0x12/0x34 (unreliable)\n", 1, &s);
        ck_assert_uint_eq(s.n, 1);
        ck_assert(kernel_sign_names_function(&s.sign[0], "hp_a", "one"));
        ck_assert(kernel_sign_names_function(&s.sign[0], "vmlinux", "three"));
        ck_assert(!kernel_sign_names_function(&s.sign[0], "vmlinux", "four"));
}
END_TEST

START_TEST(names_that_anybody_chooses_do_not_count) {
        _cleanup_(signs_done) Signs s = {};

        read_lines("BUG: scheduling while atomic: x+0x1/0x1 [h_a]/1/0x00000002\n"
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
        ck_assert_uint_eq(s.sign[0].n_frames, 1);
        ck_assert_str_eq(s.sign[0].frames[0].function, "schedule");
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

        p += sprintf(p, "4,0,0,-;BUG: Bad page state in process it  pfn:1\n4,1,0,-;Call Trace:\n");
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
        tcase_add_test(t, no_form_fits_into_a_name);
        tcase_add_loop_test(t, no_name_makes_a_headline, 0, ELEMENTSOF(complaints));
        tcase_add_loop_test(t, no_name_makes_a_frame, 0, 9);
        tcase_add_test(t, the_level_counts);
        tcase_add_test(t, traces_of_other_machines);
        tcase_add_test(t, names_that_anybody_chooses_do_not_count);
        tcase_add_test(t, functions_of_modules_and_of_the_kernel);
        tcase_add_test(t, reports_follow_each_other);
        tcase_add_test(t, a_report_without_end_ends);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
