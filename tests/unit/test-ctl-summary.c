/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "ctl/summary.h"
#include "tests/unit/unit.h"
#include "util/strv.h"

#define MANAGER { .release = (char *) "6.1.0-50", .disabled = (char *) "", .denied = (char *) "", .ineligible = (char *) "", \
        .ineligible_remedy = (char *) "", .baseline_state = (char *) "idle", .baseline_text = (char *) "", .supported = true }
#define PATCH(patch_id, patch_state, ...)                                                         \
        { .id = (char *) (patch_id), .state = (char *) (patch_state), .module = (char *) "hp",    \
          .severity = (char *) "low", __VA_ARGS__ }

/* Time in these tests. */
#define NOW (UINT64_C(1800000000) * USEC_PER_SEC)

static Summary *summary(ManagerInfo manager, PatchInfo *patches, size_t n_patches, JobInfo *jobs, size_t n_jobs) {
        Snapshot s = { .now_usec = NOW, .manager = manager, .patches = patches, .n_patches = n_patches,
                .jobs = jobs, .n_jobs = n_jobs };
        Summary *result;

        ck_assert_ok(summary_make(&s, &result));
        ck_assert_ptr_nonnull(result->safety);
        ck_assert_ptr_nonnull(result->running);
        return result;
}

#define expect_in(text, part) ck_assert_msg(strstr(text, part), "'%s' is not in '%s'", part, text)

START_TEST(an_empty_machine_has_nothing_to_do) {
        Summary *s = summary((ManagerInfo) MANAGER, NULL, 0, NULL, 0);

        ck_assert_int_eq(s->level, LEVEL_OK);
        expect_in(s->safety, "No hotpatch is applied");
        expect_in(s->running, "6.1.0-50 as it was started");
        ck_assert_uint_eq(strv_length(s->todo), 0);
        summary_free(s);
}
END_TEST

START_TEST(active_patches_count_their_fixes_but_not_other_peoples) {
        char *fixes[] = { (char *) "CVE-1", (char *) "CVE-2", NULL };
        PatchInfo patches[] = {
                PATCH("hp-a", "active", .fixes = fixes), PATCH("hp-b", "active"),
                PATCH("kpatch", "active", .foreign = true),
        };
        Summary *s = summary((ManagerInfo) MANAGER, patches, 3, NULL, 0);

        ck_assert_int_eq(s->level, LEVEL_OK);
        expect_in(s->safety, "2 known hotpatches are in force, with 2 fixes");
        expect_in(s->running, "with hp-a, hp-b");
        ck_assert_ptr_null(strstr(s->running, "kpatch"));
        ck_assert_uint_eq(strv_length(s->todo), 0);
        summary_free(s);
}
END_TEST

START_TEST(a_staged_patch_waits_only_if_it_fits_this_kernel) {
        PatchInfo patches[] = { PATCH("hp-a", "staged"), PATCH("hp-b", "staged"), PATCH("hp-c", "staged") };
        Summary *s;

        patches[2].module = (char *) "";
        s = summary((ManagerInfo) MANAGER, patches, 3, NULL, 0);
        ck_assert_int_eq(s->level, LEVEL_ATTENTION);
        ck_assert_uint_eq(strv_length(s->todo), 1);
        ck_assert_str_eq(s->todo[0], "Apply what waits: hotpatchctl apply hp-a hp-b");
        summary_free(s);
}
END_TEST

START_TEST(findings_are_said_by_their_severity) {
        FindingInfo items[] = {
                { .severity = (char *) "alert", .sentence = (char *) "It is gone", .remedy = (char *) "Apply it." },
                { .severity = (char *) "attention", .sentence = (char *) "It is odd", .remedy = (char *) "Look." },
                { .severity = (char *) "attention", .sentence = (char *) "It is odd too", .remedy = (char *) "Look." },
                { .severity = (char *) "info", .sentence = (char *) "By the way", .remedy = (char *) "Nothing." },
        };
        ManagerInfo manager = MANAGER;
        Summary *s;

        manager.findings = (FindingList) { items, 4 };
        s = summary(manager, NULL, 0, NULL, 0);
        ck_assert_int_eq(s->level, LEVEL_ALERT);
        ck_assert_str_eq(s->safety, "ALERT: It is gone");
        ck_assert_uint_eq(strv_length(s->todo), 2); /* the same remedy once, and none for what is only good to know */
        ck_assert_str_eq(s->todo[0], "Apply it.");
        summary_free(s);
        manager.findings = (FindingList) { items + 1, 1 };
        s = summary(manager, NULL, 0, NULL, 0);
        ck_assert_int_eq(s->level, LEVEL_ATTENTION);
        ck_assert_str_eq(s->safety, "It is odd");
        summary_free(s);
        manager.findings = (FindingList) { items + 3, 1 };
        s = summary(manager, NULL, 0, NULL, 0);
        ck_assert_int_eq(s->level, LEVEL_OK);
        summary_free(s);
}
END_TEST

START_TEST(what_hotpatchd_puts_back_is_waited_for) {
        PatchInfo patches[] = {
                PATCH("hp-good", "active", .wanted = true),
                PATCH("hp-late", "staged", .wanted = true, .restore_result = (char *) "postponed"),
        };
        ManagerInfo manager = MANAGER;
        Summary *s = summary(manager, patches, 2, NULL, 0);

        ck_assert_int_eq(s->level, LEVEL_ATTENTION);
        expect_in(s->safety, "another transition has not ended: hp-late");
        ck_assert_uint_eq(strv_length(s->todo), 1);
        expect_in(s->todo[0], "hotpatchd puts back hp-late");
        summary_free(s);
}
END_TEST

START_TEST(what_is_wanted_and_not_in_force_is_told_apart) {
        char *strikes[] = { (char *) "It went down", (char *) "Again", NULL };
        PatchInfo patches[] = {
                PATCH("hp-gone", "staged", .wanted = true, .restore_result = (char *) "failed"),
                PATCH("hp-bad", "staged", .wanted = true, .quarantined = true, .strikes = strikes),
                PATCH("hp-other", "staged", .wanted = true, .restore_result = (char *) "other-kernel"),
                PATCH("hp-new", "staged", .strikes = strikes),
                PATCH("hp-good", "active", .wanted = true),
                PATCH("hp-mm", "staged", .wanted = true, .restore_result = (char *) "forbidden"),
        };
        ManagerInfo manager = MANAGER;
        Summary *s = summary(manager, patches, 6, NULL, 0);

        ck_assert_int_eq(s->level, LEVEL_ALERT);
        expect_in(s->safety, "Wanted, but not in force: hp-gone");
        ck_assert_uint_eq(strv_length(s->todo), 5);
        expect_in(s->todo[0], "hotpatchctl apply hp-gone'");
        expect_in(s->todo[1], "hotpatchctl remove hp-mm'");
        expect_in(s->todo[2], "hotpatchctl release hp-bad'");
        expect_in(s->todo[3], "show hp-new' and 'journalctl -b -1 -k -e' before");
        expect_in(s->todo[4], "hp-other");
        summary_free(s);

        /* Where it is switched off, nothing is missing. */
        manager.disabled = (char *) "hotpatch=off";
        s = summary(manager, patches, 1, NULL, 0);
        ck_assert_int_eq(s->level, LEVEL_ATTENTION);
        ck_assert_uint_eq(strv_length(s->todo), 1);
        expect_in(s->todo[0], "/etc/hotpatch/disable");
        summary_free(s);

        /* Nor where it is not allowed; and there the first line says which file says so. */
        manager.disabled = (char *) "";
        manager.denied = (char *) "'Hotpatch=no' is set at /etc/x.conf:3";
        s = summary(manager, patches, 1, NULL, 0);
        ck_assert_int_eq(s->level, LEVEL_ATTENTION);
        expect_in(s->safety, "not allowed on this machine: 'Hotpatch=no' is set at /etc/x.conf:3");
        ck_assert_uint_eq(strv_length(s->todo), 1);
        expect_in(s->todo[0], "hotpatchctl policy reload");
        summary_free(s);
}
END_TEST

/* Where hotpatches come no more, nothing that is in force makes up for it. */
START_TEST(a_machine_that_fell_off_its_year) {
        PatchInfo patches[] = { PATCH("hp-a", "active", .wanted = true) };
        ManagerInfo manager = MANAGER;
        Summary *s;

        manager.covered_until_usec = NOW + 1;
        s = summary(manager, patches, 1, NULL, 0);
        ck_assert(s->level == LEVEL_OK && !s->behind);
        summary_free(s);

        manager.covered_until_usec = NOW;
        s = summary(manager, patches, 1, NULL, 0);
        ck_assert(s->level == LEVEL_ALERT && s->behind);
        expect_in(s->safety, "have ended");
        ck_assert_uint_eq(strv_length(s->todo), 1);
        expect_in(s->todo[0], "baseline install");
        summary_free(s);

        manager.covered_until_usec = 0;
        manager.baseline_state = (char *) "old-kernel-returned";
        manager.baseline_text = (char *) "Baseline 2026.10: '6.1.0-50' runs again";
        s = summary(manager, patches, 1, NULL, 0);
        ck_assert(s->level == LEVEL_ALERT && s->behind);
        expect_in(s->safety, "ALERT: Baseline 2026.10: '6.1.0-50' runs again");
        expect_in(s->todo[0], "boot loader");
        summary_free(s);

        /* A machine that takes no hotpatches has nothing else. */
        manager.ineligible = (char *) "secure-boot: off";
        manager.ineligible_remedy = (char *) "Switch Secure Boot on";
        s = summary(manager, patches, 1, NULL, 0);
        ck_assert(s->level == LEVEL_ALERT && s->behind);
        expect_in(s->safety, "ALERT: Baseline 2026.10: '6.1.0-50' runs again");
        expect_in(s->todo[0], "boot loader");
        expect_in(s->todo[1], "Secure Boot");
        summary_free(s);
        manager.ineligible = manager.ineligible_remedy = (char *) "";

        /* To install is no remedy for everything. */
        manager.baseline_state = (char *) "interrupted";
        s = summary(manager, patches, 1, NULL, 0);
        expect_in(s->todo[0], "hotpatchctl baseline mend");
        summary_free(s);

        /* As the manual says: these two end with it, or with the next baseline. */
        manager.baseline_state = (char *) "boot-check-failed";
        s = summary(manager, patches, 1, NULL, 0);
        ck_assert(s->level == LEVEL_ALERT && s->behind);
        expect_in(s->todo[0], "apply the patch again");
        expect_in(s->todo[0], "'hotpatchctl baseline install'");
        summary_free(s);
        manager.baseline_state = (char *) "crashed-in-trial";
        s = summary(manager, patches, 1, NULL, 0);
        ck_assert(s->level == LEVEL_ALERT && s->behind);
        expect_in(s->todo[0], "journalctl -b -1");
        expect_in(s->todo[0], "'hotpatchctl baseline install'");
        summary_free(s);

        manager.baseline_state = (char *) "downloaded";
        s = summary(manager, patches, 1, NULL, 0);
        ck_assert(s->level == LEVEL_OK && !s->behind);
        summary_free(s);
}
END_TEST

START_TEST(when_it_restarts) {
        RebootInfo reasons[] = { { (char *) "baseline", (char *) "Baseline 2026.10 is installed" } };
        PatchInfo patches[] = { PATCH("hp-a", "active") };
        ManagerInfo manager = MANAGER;
        Summary *s;

        manager.reboot = (RebootList) { reasons, 1 };
        s = summary(manager, patches, 1, NULL, 0);
        expect_in(s->todo[0], "when it suits");
        summary_free(s);
        manager.restart_usec = 1792497600ULL * USEC_PER_SEC; /* 2026-10-20 12:00 UTC */
        s = summary(manager, patches, 1, NULL, 0);
        expect_in(s->todo[0], "planned for 2026-10-20");
        summary_free(s);
        /* What is installed already is not to be installed. */
        manager.covered_until_usec = NOW;
        manager.baseline_state = (char *) "scheduled";
        s = summary(manager, patches, 1, NULL, 0);
        ck_assert_uint_eq(strv_length(s->todo), 1);
        ck_assert(s->level == LEVEL_ALERT && s->behind);
        summary_free(s);
}
END_TEST

START_TEST(what_is_not_current) {
        PatchInfo patches[] = { PATCH("hp-a", "staged"), PATCH("hp-b", "active", .tripped = 1) };
        ManagerInfo manager = MANAGER;
        Summary *s = summary(manager, patches, 1, NULL, 0);

        ck_assert(s->behind);
        summary_free(s);
        /* Somebody tried; the fix held. */
        s = summary(manager, patches + 1, 1, NULL, 0);
        ck_assert(s->level == LEVEL_ALERT && !s->behind);
        summary_free(s);
        manager.ineligible = (char *) "enrolment: nobody is trusted, needed: a trust anchor";
        manager.ineligible_remedy = (char *) "Put it there.";
        s = summary(manager, NULL, 0, NULL, 0);
        ck_assert(s->behind);
        expect_in(s->safety, "enrolment: nobody is trusted");
        ck_assert_str_eq(s->todo[0], "Put it there.");
        summary_free(s);
}
END_TEST

START_TEST(a_tripwire_comes_before_everything) {
        char *fixes[] = { (char *) "CVE-1", NULL };
        PatchInfo patches[] = {
                PATCH("hp-a", "failed"), PATCH("hp-b", "active", .fixes = fixes, .tripped = 3),
        };
        ManagerInfo manager = MANAGER;
        Summary *s;

        manager.disabled = (char *) "hotpatch=off";
        s = summary(manager, patches, 2, NULL, 0);
        ck_assert_int_eq(s->level, LEVEL_ALERT);
        ck_assert_ptr_eq(startswith(s->safety, "ALERT: "), s->safety + 7);
        expect_in(s->safety, "'hp-b' fixes (CVE-1), 3 times");
        ck_assert_uint_eq(strv_length(s->todo), 3);
        expect_in(s->todo[0], "Find out who");
        expect_in(s->todo[1], "/etc/hotpatch/disable");
        expect_in(s->todo[2], "hp-a");
        summary_free(s);
}
END_TEST

START_TEST(a_rollback_is_told_first_and_not_to_be_repeated) {
        RollbackInfo rollback = { (char *) "hp-a", 1, (char *) "the kernel reported an oops" };
        PatchInfo patches[] = {
                PATCH("hp-a", "staged", .rolled_back = true), PATCH("hp-b", "active", .trial_until_usec = 1),
        };
        ManagerInfo manager = MANAGER;
        Summary *s;

        manager.rolled_back = (RollbackList) { &rollback, 1 };
        s = summary(manager, patches, 2, NULL, 0);
        ck_assert_int_eq(s->level, LEVEL_ALERT);
        ck_assert_str_eq(s->safety, "ALERT: 'hp-a' was taken out again, because the kernel reported an oops");
        ck_assert_uint_eq(strv_length(s->todo), 1);
        expect_in(s->todo[0], "Do not apply 'hp-a' again");
        summary_free(s);
        s = summary((ManagerInfo) MANAGER, patches + 1, 1, NULL, 0);
        ck_assert_int_eq(s->level, LEVEL_OK);
        expect_in(s->safety, "it is on trial");
        summary_free(s);
}
END_TEST

START_TEST(a_kernel_without_livepatch_is_no_safe_place) {
        ManagerInfo manager = MANAGER;
        Summary *s;

        manager.supported = false;
        s = summary(manager, NULL, 0, NULL, 0);
        ck_assert_int_eq(s->level, LEVEL_ALERT);
        expect_in(s->safety, "cannot be hotpatched");
        summary_free(s);
}
END_TEST

START_TEST(running_jobs_are_told_and_ended_ones_not) {
        JobInfo jobs[] = {
                { .id = 1, .state = (char *) "finished", .result = (char *) "failed" },
                { .id = 2, .state = (char *) "transition", .result = (char *) "", .progress = 0.5 },
        };
        BlockerInfo blockers[] = {
                { 7, 7, (char *) "nginx", (char *) "nginx.service", (char *) "sleeping", (char *) "f", (char *) "Wait" },
                { 8, 8, (char *) "kworker", (char *) "kernel thread", (char *) "running", (char *) "f", (char *) "Wait" },
        };
        Summary *s = summary((ManagerInfo) MANAGER, NULL, 0, jobs, 2);

        ck_assert_int_eq(s->level, LEVEL_ATTENTION);
        expect_in(s->safety, "job 2, transition, 50 %");
        ck_assert_uint_eq(strv_length(s->todo), 1);
        expect_in(s->todo[0], "hotpatchctl cancel 2");
        summary_free(s);
        jobs[1].blockers = (BlockerList) { blockers, ELEMENTSOF(blockers) };
        s = summary((ManagerInfo) MANAGER, NULL, 0, jobs, 2);
        expect_in(s->safety, "job 2 (transition, 50 %) waits for nginx.service, nginx 7 in f: Wait, and others");
        summary_free(s);
        s = summary((ManagerInfo) MANAGER, NULL, 0, jobs, 1);
        ck_assert_int_eq(s->level, LEVEL_OK);
        summary_free(s);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("ctl-summary");
        TCase *t = tcase_create("ctl-summary");

        tcase_add_test(t, an_empty_machine_has_nothing_to_do);
        tcase_add_test(t, active_patches_count_their_fixes_but_not_other_peoples);
        tcase_add_test(t, a_staged_patch_waits_only_if_it_fits_this_kernel);
        tcase_add_test(t, findings_are_said_by_their_severity);
        tcase_add_test(t, what_hotpatchd_puts_back_is_waited_for);
        tcase_add_test(t, what_is_wanted_and_not_in_force_is_told_apart);
        tcase_add_test(t, a_machine_that_fell_off_its_year);
        tcase_add_test(t, when_it_restarts);
        tcase_add_test(t, what_is_not_current);
        tcase_add_test(t, a_tripwire_comes_before_everything);
        tcase_add_test(t, a_rollback_is_told_first_and_not_to_be_repeated);
        tcase_add_test(t, a_kernel_without_livepatch_is_no_safe_place);
        tcase_add_test(t, running_jobs_are_told_and_ended_ones_not);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
