/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config/config.h"
#include "eligibility/rows.h"
#include "livepatch/symbols.h"
#include "tests/unit/tree.h"
#include "util/limits.h"
#include "util/strv.h"

static Tree tree;
static EligibilityFacts facts;
static EligibilityTable table;
static Config policy;

/* A machine on which nothing speaks against hotpatches, and which has every posture. */
static void setup(void) {
        static const char notes[] = "\4\0\0\0\4\0\0\0\3\0\0\0GNU\0abcd";

        tree = tree_new();
        tree_bytes(&tree, "sys/kernel/notes", notes, sizeof(notes) - 1);
        tree_file(&tree, "proc/sys/kernel/osrelease", "6.1.0-50-cloud-amd64\n");
        tree_file(&tree, "proc/sys/kernel/arch", "x86_64\n");
        tree_file(&tree, "proc/sys/kernel/ftrace_enabled", "1\n");
        tree_file(&tree, "proc/cmdline", "quiet\n");
        tree_file(&tree, "proc/meminfo", "MemTotal:         507904 kB\nMemFree:  1 kB\n");
        tree_file(&tree, "proc/kallsyms", "ffffffff81000000 T _text\nffffffff81000010 T stack_trace_save_tsk_reliable\n");
        tree_directory(&tree, "sys/kernel/livepatch");
        tree_file(&tree, "sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
        tree_bytes(&tree, "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\6\0\0\0\1", 5);
        tree_bytes(&tree, "sys/firmware/efi/efivars/SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\6\0\0\0\0", 5);
        tree_file(&tree, "sys/class/tpm/tpm0/tpm_version_major", "2\n");
        tree_file(&tree, "sys/class/dmi/id/product_name", "Model 1\n");
        tree_file(&tree, "proc/cpuinfo", "flags\t: fpu hypervisors hv\n");
        policy = (Config) { 0 };
}

static void teardown(void) {
        policy.preview_architectures = strv_free(policy.preview_architectures);
        eligibility_table_done(&table);
        eligibility_facts_done(&facts);
        tree_free(&tree);
}

static void look(void) {
        eligibility_table_done(&table);
        eligibility_facts_done(&facts);
        ck_assert_ok(eligibility_probe(tree.kernel, &facts));
        ck_assert_ok(eligibility_probe_stacks(tree.kernel, &facts.stack_traces));
        facts.n_anchors = 1;
        facts.baseline = POSSESSION_YES;
        facts.baseline_found = strdup("2026.10");
        ck_assert_ok(eligibility_judge(&facts, &policy, &table));
}

static void drop(const char *path) {
        _cleanup_free_ char *full = tree_path(&tree, path);

        ck_assert_int_eq(remove(full), 0);
}

START_TEST(a_good_machine) {
        _cleanup_free_ char *reason = NULL;

        policy.require = ((1U << _CHECK_MAX) - 1);
        look();
        for (EligibilityCheck i = 0; i < _CHECK_MAX; i++) {
                ck_assert_msg(table.rows[i].verdict == ELIGIBILITY_OK, "%s: %s", eligibility_check_to_string(i),
                        table.rows[i].found);
                ck_assert_int_eq(table.rows[i].check, i);
                ck_assert(table.rows[i].required && !table.rows[i].blocks);
                ck_assert_str_eq(table.rows[i].remedy, "");
                ck_assert(*table.rows[i].needed);
        }
        ck_assert_ptr_null(eligibility_first_blocker(&table));
        ck_assert_ok(eligibility_reason(&table, true, &reason));
        ck_assert_ptr_null(reason);
}
END_TEST

/* What a plan found in this boot is not looked for again; that of another boot is. */
START_TEST(stacks_are_looked_for_once) {
        SymbolFacts function = { .object = "vmlinux", .name = "_text" };
        Possession found;

        tree_file(&tree, "proc/sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555\n");
        tree_file(&tree, "sys/kernel/tracing/available_filter_functions", "_text\n");
        tree_file(&tree, "sys/kernel/tracing/enabled_functions", "");
        tree_directory(&tree, "run/hotpatch");
        ck_assert_ok(symbols_look_up(tree.kernel, &function, 1));
        drop("proc/kallsyms");
        ck_assert_ok(eligibility_probe_stacks(tree.kernel, &found));
        ck_assert_int_eq(found, POSSESSION_YES);

        tree_file(&tree, "proc/sys/kernel/random/boot_id", "22222222-2222-3333-4444-555555555555\n");
        ck_assert_ok(eligibility_probe_stacks(tree.kernel, &found));
        ck_assert_int_eq(found, POSSESSION_UNKNOWN);

        tree_file(&tree, "proc/kallsyms", "0 T _text\n");
        ck_assert_ok(symbols_look_up(tree.kernel, &function, 1));
        drop("proc/kallsyms");
        ck_assert_ok(eligibility_probe_stacks(tree.kernel, &found));
        ck_assert_int_eq(found, POSSESSION_NO);
}
END_TEST

/* --- one thing is different --- */

static void no_livepatch(void) {
        drop("sys/kernel/livepatch");
}
static void no_stacks(void) {
        tree_file(&tree, "proc/kallsyms", "0 T _text\n0 t stack_trace_save_tsk_reliable_not\n"
                "0 t stack_trace_save_tsk_reliable\t[mod]\n");
}
static void no_kallsyms(void) {
        drop("proc/kallsyms");
}
static void empty_kallsyms(void) {
        tree_file(&tree, "proc/kallsyms", "");
}
static void arm(void) {
        tree_file(&tree, "proc/sys/kernel/arch", "aarch64\n");
}
static void arm_wanted(void) {
        arm();
        ck_assert_ok(strv_extend(&policy.preview_architectures, "aarch64"));
}
static void ftrace_off(void) {
        tree_file(&tree, "proc/sys/kernel/ftrace_enabled", "0\n");
}
static void little_memory(void) {
        tree_file(&tree, "proc/meminfo", "MemTotal:         190000 kB\n");
}
static void enough_memory(void) {
        tree_file(&tree, "proc/meminfo", "MemTotal:         196608 kB\n");
}
static void odd_memory(void) {
        tree_file(&tree, "proc/meminfo", "MemTotal: lots\n");
}
static void no_uefi(void) {
        drop("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c");
        drop("sys/firmware/efi/efivars/SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c");
        drop("sys/firmware/efi/efivars");
        drop("sys/firmware/efi");
}
static void secure_boot_off(void) {
        tree_bytes(&tree, "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\6\0\0\0\0", 5);
}
static void setup_mode(void) {
        secure_boot_off();
        tree_bytes(&tree, "sys/firmware/efi/efivars/SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\6\0\0\0\1", 5);
}
static void no_secure_boot(void) {
        drop("sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c");
}
static void no_efivarfs(void) {
        no_secure_boot();
        drop("sys/firmware/efi/efivars/SetupMode-8be4df61-93ca-11d2-aa0d-00e098032b8c");
}
static void odd_secure_boot(void) {
        tree_bytes(&tree, "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\6\0\0\0", 4);
}
static void long_secure_boot(void) {
        tree_bytes(&tree, "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "\6\0\0\0\1\1", 6);
}
static void no_lockdown(void) {
        tree_file(&tree, "sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
}
static void no_lockdown_file(void) {
        drop("sys/kernel/security/lockdown");
}
static void no_tpm(void) {
        drop("sys/class/tpm/tpm0/tpm_version_major");
        drop("sys/class/tpm/tpm0");
        drop("sys/class/tpm");
}
static void tpm_without_chip(void) {
        drop("sys/class/tpm/tpm0/tpm_version_major");
        drop("sys/class/tpm/tpm0");
}
static void old_tpm(void) {
        tree_file(&tree, "sys/class/tpm/tpm0/tpm_version_major", "1\n");
}
static void two_tpms(void) {
        old_tpm();
        tree_file(&tree, "sys/class/tpm/tpm1/tpm_version_major", "2\n");
}
static void in_nspawn(void) {
        tree_file(&tree, "run/systemd/container", "systemd-nspawn");
}
static void in_docker(void) {
        tree_file(&tree, ".dockerenv", "");
        tree_file(&tree, "sys/class/dmi/id/sys_vendor", "QEMU\n");
}
static void in_qemu(void) {
        tree_file(&tree, "sys/class/dmi/id/sys_vendor", "QEMU\n");
}
static void in_xen(void) {
        tree_file(&tree, "sys/hypervisor/type", "xen\n");
        tree_file(&tree, "proc/xen/capabilities", "\n");
}
static void dom0(void) {
        in_xen();
        tree_file(&tree, "proc/xen/capabilities", "control_d\n");
}
static void in_something(void) {
        tree_file(&tree, "proc/cpuinfo", "flags\t: fpu hypervisor lahf_lm\n");
}

static const struct {
        const char *name;
        void (*change)(void);
        EligibilityCheck check;
        EligibilityVerdict verdict;
        const char *found;
        bool blocks;        /* without being required by policy */
        bool blocks_wanted; /* when it is */
} changes[] = {
        { "no livepatch", no_livepatch, CHECK_LIVEPATCH, ELIGIBILITY_MISSING, "not supported", true, true },
        { "no stacks", no_stacks, CHECK_STACK_TRACES, ELIGIBILITY_MISSING, "not reliable", true, true },
        { "no kallsyms", no_kallsyms, CHECK_STACK_TRACES, ELIGIBILITY_UNKNOWN, "unknown", false, true },
        { "empty kallsyms", empty_kallsyms, CHECK_STACK_TRACES, ELIGIBILITY_UNKNOWN, "unknown", false, true },
        { "arm", arm, CHECK_ARCHITECTURE, ELIGIBILITY_MISSING, "aarch64, not supported yet", true, true },
        { "arm wanted", arm_wanted, CHECK_ARCHITECTURE, ELIGIBILITY_OK, "aarch64, wanted as a preview", false, false },
        { "ftrace off", ftrace_off, CHECK_FTRACE, ELIGIBILITY_MISSING, "off", true, true },
        { "little memory", little_memory, CHECK_MEMORY, ELIGIBILITY_MISSING, "185 MiB", false, true },
        { "enough memory", enough_memory, CHECK_MEMORY, ELIGIBILITY_OK, "192 MiB", false, false },
        { "odd memory", odd_memory, CHECK_MEMORY, ELIGIBILITY_UNKNOWN, "unknown", false, true },
        { "no uefi", no_uefi, CHECK_SECURE_BOOT, ELIGIBILITY_MISSING, "off: not started by UEFI", false, true },
        { "secure boot off", secure_boot_off, CHECK_SECURE_BOOT, ELIGIBILITY_MISSING, "off", false, true },
        { "setup mode", setup_mode, CHECK_SECURE_BOOT, ELIGIBILITY_MISSING, "off: setup mode, no platform key", false, true },
        { "no such variable", no_secure_boot, CHECK_SECURE_BOOT, ELIGIBILITY_MISSING, "off", false, true },
        { "no efivarfs", no_efivarfs, CHECK_SECURE_BOOT, ELIGIBILITY_UNKNOWN,
          "unknown: the firmware's variables cannot be read", false, true },
        { "short variable", odd_secure_boot, CHECK_SECURE_BOOT, ELIGIBILITY_UNKNOWN,
          "unknown: the firmware's variables cannot be read", false, true },
        { "long variable", long_secure_boot, CHECK_SECURE_BOOT, ELIGIBILITY_UNKNOWN,
          "unknown: the firmware's variables cannot be read", false, true },
        { "no lockdown", no_lockdown, CHECK_LOCKDOWN, ELIGIBILITY_MISSING, "none", false, true },
        { "no lockdown file", no_lockdown_file, CHECK_LOCKDOWN, ELIGIBILITY_MISSING, "none", false, true },
        { "signatures not required", no_lockdown, CHECK_MODULE_SIGNATURES, ELIGIBILITY_MISSING, "not required", false, true },
        { "no tpm", no_tpm, CHECK_TPM2, ELIGIBILITY_MISSING, "none", false, true },
        { "no tpm chip", tpm_without_chip, CHECK_TPM2, ELIGIBILITY_MISSING, "none", false, true },
        { "old tpm", old_tpm, CHECK_TPM2, ELIGIBILITY_MISSING, "1.2", false, true },
        { "two tpms", two_tpms, CHECK_TPM2, ELIGIBILITY_OK, "2.0", false, false },
        { "nspawn", in_nspawn, CHECK_VIRTUALIZATION, ELIGIBILITY_MISSING, "container: systemd-nspawn", true, true },
        { "docker in a machine", in_docker, CHECK_VIRTUALIZATION, ELIGIBILITY_MISSING, "container: docker", true, true },
        { "qemu", in_qemu, CHECK_VIRTUALIZATION, ELIGIBILITY_OK, "qemu", false, false },
        { "xen", in_xen, CHECK_VIRTUALIZATION, ELIGIBILITY_OK, "xen", false, false },
        { "dom0", dom0, CHECK_VIRTUALIZATION, ELIGIBILITY_OK, "none", false, false },
        { "another hypervisor", in_something, CHECK_VIRTUALIZATION, ELIGIBILITY_OK, "vm-other", false, false },
};

START_TEST(one_thing_is_different) {
        const EligibilityRow *row = &table.rows[changes[_i].check];

        changes[_i].change();
        look();
        ck_assert_msg(row->verdict == changes[_i].verdict, "%s: %d", changes[_i].name, row->verdict);
        ck_assert_str_eq(row->found, changes[_i].found);
        ck_assert_msg(row->blocks == changes[_i].blocks, "%s", changes[_i].name);
        ck_assert_msg(!!*row->remedy == (row->verdict != ELIGIBILITY_OK), "%s", changes[_i].name);
        ck_assert(!eligibility_first_blocker(&table) == !changes[_i].blocks);

        policy.require |= 1U << changes[_i].check;
        look();
        ck_assert(row->required);
        ck_assert_msg(row->blocks == changes[_i].blocks_wanted, "%s", changes[_i].name);
        if (row->blocks) {
                _cleanup_free_ char *reason = NULL;

                ck_assert_ptr_eq(eligibility_first_blocker(&table), row);
                ck_assert_ok(eligibility_reason(&table, true, &reason));
                ck_assert_ptr_nonnull(strstr(reason, changes[_i].found));
                ck_assert_ptr_eq(strstr(reason, eligibility_check_to_string(changes[_i].check)), reason);
        }
}
END_TEST

/* --- what other rooms say --- */

static void judge_again(void) {
        eligibility_table_done(&table);
        ck_assert_ok(eligibility_judge(&facts, &policy, &table));
}

START_TEST(what_others_say) {
        _cleanup_free_ char *with = NULL, *without = NULL;

        look();
        facts.n_anchors = 0;
        facts.denied = strdup("'Hotpatch=no' is set at /etc/x:1");
        judge_again();
        ck_assert(table.rows[CHECK_ENROLMENT].blocks && table.rows[CHECK_POLICY].blocks);
        ck_assert_ok(eligibility_reason(&table, true, &with));
        ck_assert_ok(eligibility_reason(&table, false, &without));
        ck_assert_str_eq(with, "policy: 'Hotpatch=no' is set at /etc/x:1, needed: allowed; "
                "enrolment: nobody is trusted, needed: a trust anchor");
        ck_assert_str_eq(without, "enrolment: nobody is trusted, needed: a trust anchor");

        facts.n_anchors = 3;
        facts.anchors_error = strdup("'x.pem' cannot be read");
        judge_again();
        ck_assert_str_eq(table.rows[CHECK_ENROLMENT].found, "'x.pem' cannot be read");
        ck_assert(table.rows[CHECK_ENROLMENT].blocks);
}
END_TEST

START_TEST(baselines) {
        look();
        ck_assert_str_eq(table.rows[CHECK_BASELINE].found, "2026.10");
        facts.baseline = POSSESSION_NO;
        facts.baseline_needed = strdup("2027.01");
        judge_again();
        ck_assert_str_eq(table.rows[CHECK_BASELINE].found, "2026.10, and 2027.01 was due");
        ck_assert(!table.rows[CHECK_BASELINE].blocks);
        policy.require = 1U << CHECK_BASELINE;
        judge_again();
        ck_assert(table.rows[CHECK_BASELINE].blocks);
        facts.baseline = POSSESSION_UNKNOWN;
        judge_again();
        ck_assert(table.rows[CHECK_BASELINE].blocks);
}
END_TEST

static Suite *eligibility_suite(void) {
        Suite *s = suite_create("eligibility");
        TCase *c = tcase_create("eligibility");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, a_good_machine);
        tcase_add_test(c, stacks_are_looked_for_once);
        tcase_add_loop_test(c, one_thing_is_different, 0, ELEMENTSOF(changes));
        tcase_add_test(c, what_others_say);
        tcase_add_test(c, baselines);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(eligibility_suite)
