/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Each step of a baseline, decided and carried over, as hotpatchd would go through them. */

#include "baseline/state.h"
#include "tests/unit/unit.h"
#include "util/limits.h"
#include "util/strv.h"

#define BOOT SD_ID128_MAKE(00, 11, 22, 33, 44, 55, 66, 77, 88, 99, aa, bb, cc, dd, ee, ff)
#define NEXT_BOOT SD_ID128_MAKE(ff, 11, 22, 33, 44, 55, 66, 77, 88, 99, aa, bb, cc, dd, ee, ff)
#define OLD "6.1.0-50-cloud-amd64"
#define NEW "6.1.0-56-cloud-amd64"

static CalendarPolicy policy;
static BaselineState state;
static BaselineFacts facts;
static bool enabled;

static uint64_t at(int year, int month, int day, int hour, int minute) {
        Civil c = { .year = year, .month = month, .day = day, .hour = hour, .minute = minute };

        return (uint64_t) civil_seconds(&c) * USEC_PER_SEC;
}

static void setup(void) {
        /* Baseline days of 2026: 20 January, 21 April, 21 July, 20 October. */
        policy = (CalendarPolicy) {
                .months = 0x249, .window_length_usec = 4 * 60 * USEC_PER_MINUTE, .deadline_usec = 14 * USEC_PER_DAY,
        };
        ck_assert_ok(day_rule_parse("third Tue", &policy.day));
        ck_assert_ok(calendar_window_parse("22:00 UTC", &policy.window));
        state = (BaselineState) { .since_usec = at(2026, 5, 6, 0, 0) };
        facts = (BaselineFacts) {
                .now_usec = at(2026, 7, 21, 10, 0), .uptime_usec = 30 * USEC_PER_DAY,
                .trial_usec = 10 * USEC_PER_MINUTE, .boot_id = BOOT, .release = OLD,
        };
        enabled = true;
}

static void teardown(void) {
        baseline_state_done(&state);
}

/* One step: what is decided, what the sentence has, and the state goes on. */
static BaselineDecision step(BaselineAction action, BaselinePhase phase, const char *text) {
        BaselineDecision d;

        ck_assert_ok(baseline_decide(&policy, enabled ? NULL : "Enable=no", &state, &facts, &d));
        ck_assert_msg(d.action == action && d.phase == phase, "%s: action %d, wanted %d; '%s', wanted '%s'",
                        strempty(d.text), d.action, action, baseline_phase_to_string(d.phase), baseline_phase_to_string(phase));
        ck_assert_ptr_nonnull(d.text);
        ck_assert_msg(strstr(d.text, text), "'%s' has no '%s'", d.text, text);
        ck_assert_ok(baseline_enter(&state, &d, &facts));
        ck_assert_int_eq(state.phase, phase);
        baseline_decision_done(&d);
        d.text = state.text;
        facts.run = BASELINE_RUN_NONE;
        return d;
}

static void waits(BaselinePhase phase, uint64_t wake_usec, const char *text) {
        BaselineDecision d = step(BASELINE_WAIT, phase, text);

        ck_assert_uint_eq(d.wake_usec, wake_usec);
}

static void run(BaselineRun how, const char *kernel) {
        facts.run_boot_id = facts.boot_id;
        facts.run = how;
        facts.run_kernel = kernel;
        facts.run_restart = kernel;
        facts.run_text = how == BASELINE_RUN_FAILED ? "there is no space in /boot" : NULL;
}

static void go_to_downloaded(void) {
        step(BASELINE_ENTER, BASELINE_DUE, "2026.07 is due since 2026-07-21");
        ck_assert_str_eq(state.name, "2026.07");
        step(BASELINE_PLAN, BASELINE_DUE, "");
        run(BASELINE_RUN_RUNNING, NULL);
        waits(BASELINE_DUE, facts.now_usec + 10 * USEC_PER_MINUTE, "is being planned");
        run(BASELINE_RUN_DONE, NEW);
        step(BASELINE_ENTER, BASELINE_PLANNED, "");
        step(BASELINE_DOWNLOAD, BASELINE_PLANNED, "");
        run(BASELINE_RUN_DONE, NULL);
        step(BASELINE_ENTER, BASELINE_DOWNLOADED, "");
}

static void go_to_installing(void) {
        go_to_downloaded();
        waits(BASELINE_DOWNLOADED, at(2026, 7, 21, 22, 0), "waits for its window");
        facts.now_usec = at(2026, 7, 21, 22, 0);
        step(BASELINE_INSTALL, BASELINE_INSTALLING, "being installed");
}

static void go_to_installed(void) {
        go_to_installing();
        run(BASELINE_RUN_RUNNING, NULL);
        waits(BASELINE_INSTALLING, facts.now_usec + 10 * USEC_PER_MINUTE, "");
        facts.now_usec = at(2026, 7, 21, 22, 30);
        run(BASELINE_RUN_DONE, NEW);
        step(BASELINE_ENTER, BASELINE_INSTALLED, "has to restart");
        ck_assert_str_eq(state.kernel, NEW);
}

static void go_to_verifying(const char *release) {
        go_to_installed();
        step(BASELINE_ENTER, BASELINE_SCHEDULED, "scheduled");
        facts.now_usec += 10 * USEC_PER_MINUTE;
        facts.boot_id = NEXT_BOOT;
        facts.uptime_usec = USEC_PER_MINUTE;
        facts.release = release;
        step(BASELINE_ENTER, BASELINE_VERIFYING, "was restarted");
        ck_assert(sd_id128_equal(state.boot_id, NEXT_BOOT));
}

static void assert_failed(BaselineCause cause, const char *line) {
        ck_assert_int_eq(state.cause, cause);
        ck_assert_ptr_nonnull(baseline_history_find(&state, "2026.07"));
        ck_assert_msg(startswith(baseline_history_find(&state, "2026.07"), line), "%s",
                        baseline_history_find(&state, "2026.07"));
        /* Not tried again by itself, whatever time passes before the next one. */
        facts.now_usec += 3 * USEC_PER_DAY;
        step(BASELINE_WAIT, BASELINE_FAILED, "2026.07");
        facts.now_usec = at(2026, 10, 19, 23, 59);
        waits(BASELINE_FAILED, at(2026, 10, 20, 0, 0), "2026.07");
        facts.now_usec = at(2026, 10, 20, 0, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2026.10");
        ck_assert_str_eq(state.name, "2026.10");
        ck_assert_ptr_null(state.kernel);
}

START_TEST(test_a_baseline_is_reached) {
        facts.now_usec = at(2026, 7, 1, 0, 0);
        waits(BASELINE_IDLE, at(2026, 7, 21, 0, 0), "The next baseline is 2026.07");
        facts.now_usec = at(2026, 7, 21, 10, 0);
        go_to_verifying(NEW);
        waits(BASELINE_VERIFYING, facts.now_usec + 9 * USEC_PER_MINUTE, "on trial");
        facts.uptime_usec = 10 * USEC_PER_MINUTE;
        step(BASELINE_ENTER, BASELINE_REACHED, "");
        ck_assert_str_eq(state.reached, "2026.07");
        ck_assert_str_eq(state.reached_kernel, NEW);
        ck_assert(startswith(baseline_history_find(&state, "2026.07"), "reached "));
        waits(BASELINE_REACHED, at(2026, 10, 20, 0, 0), "2026.10");
        ck_assert_uint_eq(baseline_covered_until(&state, &policy, facts.now_usec), at(2026, 11, 3, 0, 0));
        facts.now_usec = at(2026, 10, 20, 9, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2026.10");
        ck_assert_str_eq(state.reached, "2026.07");
}
END_TEST

START_TEST(test_nothing_to_install) {
        step(BASELINE_ENTER, BASELINE_DUE, "");
        step(BASELINE_PLAN, BASELINE_DUE, "");
        run(BASELINE_RUN_DONE, NULL);
        step(BASELINE_ENTER, BASELINE_VERIFYING, "nothing");
        step(BASELINE_ENTER, BASELINE_REACHED, "");
        ck_assert_str_eq(state.reached_kernel, OLD);
}
END_TEST

#define FORCED "the transition of module 'hp_one' was forced"

/* 2026.07 was reached; in August a transition is forced. */
static void go_to_forced(void) {
        state.phase = BASELINE_REACHED;
        state.name = strdup("2026.07");
        state.bundle = strdup("base-2026-07");
        state.reached = strdup("2026.07");
        state.reached_usec = at(2026, 7, 22, 0, 0);
        ck_assert_ok(strv_extend(&state.history, "2026.07 reached 1784671200"));
        facts.now_usec = at(2026, 8, 18, 10, 0);
        facts.forced = FORCED;
        step(BASELINE_ENTER, BASELINE_DUE, "Baseline 2026.07 is due (out of turn: " FORCED ")");
        ck_assert(state.forced);
        ck_assert_ptr_null(state.bundle);
        ck_assert_uint_eq(baseline_deadline(&state, &policy), at(2026, 9, 1, 10, 0));
        step(BASELINE_PLAN, BASELINE_DUE, "out of turn");
}

START_TEST(test_forced_and_nothing_to_install) {
        go_to_forced();
        run(BASELINE_RUN_DONE, NULL);
        step(BASELINE_ENTER, BASELINE_INSTALLED, "the machine only has to restart (out of turn: " FORCED ")");
        step(BASELINE_ENTER, BASELINE_SCHEDULED, FORCED);
        ck_assert_uint_eq(state.restart_usec, at(2026, 8, 18, 22, 0));
        facts.now_usec = at(2026, 8, 18, 22, 10);
        facts.boot_id = NEXT_BOOT;
        facts.forced = NULL;
        step(BASELINE_ENTER, BASELINE_VERIFYING, "was restarted");
        step(BASELINE_ENTER, BASELINE_REACHED, "");
        ck_assert_str_eq(state.reached, "2026.07");
        /* Once. */
        waits(BASELINE_REACHED, at(2026, 10, 20, 0, 0), "2026.10");
}
END_TEST

START_TEST(test_forced_and_something_to_install) {
        go_to_forced();
        run(BASELINE_RUN_DONE, NEW);
        step(BASELINE_ENTER, BASELINE_PLANNED, FORCED);
        step(BASELINE_DOWNLOAD, BASELINE_PLANNED, FORCED);
        run(BASELINE_RUN_DONE, NULL);
        step(BASELINE_ENTER, BASELINE_DOWNLOADED, FORCED);
        waits(BASELINE_DOWNLOADED, at(2026, 8, 18, 22, 0), "waits for its window (out of turn: " FORCED ")");
        facts.now_usec = at(2026, 8, 18, 22, 0);
        step(BASELINE_INSTALL, BASELINE_INSTALLING, FORCED);
        run(BASELINE_RUN_DONE, NULL); /* and no new kernel */
        step(BASELINE_ENTER, BASELINE_INSTALLED, FORCED);
        facts.now_usec = at(2026, 8, 18, 22, 10);
        step(BASELINE_ENTER, BASELINE_SCHEDULED, FORCED);
}
END_TEST

/* By somebody, before it was installed: that was all it was for. */
START_TEST(test_forced_and_restarted_meanwhile) {
        go_to_forced();
        facts.boot_id = NEXT_BOOT;
        facts.forced = NULL;
        step(BASELINE_ENTER, BASELINE_IDLE, "not due any more: the machine was restarted");
        ck_assert(!state.forced);
        ck_assert_uint_eq(baseline_deadline(&state, &policy), 0);
        waits(BASELINE_IDLE, at(2026, 10, 20, 0, 0), "2026.10");
        ck_assert(startswith(baseline_history_find(&state, "2026.07"), "reached "));
}
END_TEST

/* In the same boot: it still has to end. */
START_TEST(test_forced_and_the_record_is_lost) {
        go_to_forced();
        facts.forced = NULL;
        step(BASELINE_PLAN, BASELINE_DUE, "is being planned");
        ck_assert(state.forced);
        run(BASELINE_RUN_DONE, NULL);
        step(BASELINE_ENTER, BASELINE_INSTALLED, "the machine only has to restart");
}
END_TEST

START_TEST(test_forced_and_the_record_is_lost_after_the_download) {
        go_to_forced();
        run(BASELINE_RUN_DONE, NEW);
        step(BASELINE_ENTER, BASELINE_PLANNED, "");
        facts.forced = NULL;
        step(BASELINE_DOWNLOAD, BASELINE_PLANNED, "");
        run(BASELINE_RUN_DONE, NULL);
        step(BASELINE_ENTER, BASELINE_DOWNLOADED, "");
        facts.now_usec = at(2026, 8, 18, 22, 0);
        step(BASELINE_INSTALL, BASELINE_INSTALLING, "");
        run(BASELINE_RUN_DONE, NULL); /* and no new kernel */
        step(BASELINE_ENTER, BASELINE_INSTALLED, "has to restart");
}
END_TEST

START_TEST(test_forced_in_the_middle_of_a_baseline) {
        step(BASELINE_ENTER, BASELINE_DUE, "2026.07");
        facts.forced = FORCED;
        step(BASELINE_PLAN, BASELINE_DUE, "");
        ck_assert(!state.forced);
        run(BASELINE_RUN_DONE, NULL);
        step(BASELINE_ENTER, BASELINE_INSTALLED, "the machine only has to restart (needed anyway: " FORCED ")");
        step(BASELINE_ENTER, BASELINE_SCHEDULED, FORCED);
}
END_TEST

START_TEST(test_forced_and_too_late) {
        go_to_forced();
        facts.now_usec = at(2026, 9, 1, 10, 0);
        step(BASELINE_ENTER, BASELINE_FAILED, "could not be installed again in time; the machine still has to restart");
        ck_assert(startswith(baseline_history_find(&state, "2026.07"), "reached "));
        facts.now_usec += USEC_PER_DAY;
        step(BASELINE_WAIT, BASELINE_FAILED, "could not be installed again");
}
END_TEST

START_TEST(test_forced_and_the_next_one_is_due) {
        go_to_forced();
        policy.deadline_usec = 90 * USEC_PER_DAY;
        state.deadline_usec = at(2026, 11, 1, 0, 0);
        facts.now_usec = at(2026, 10, 20, 10, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2026.10 is due since");
        ck_assert(!state.forced && state.deadline_usec == 0);
        ck_assert(startswith(baseline_history_find(&state, "2026.07"), "reached "));
}
END_TEST

START_TEST(test_forced_where_nothing_is_booked) {
        facts.forced = FORCED;
        facts.now_usec = at(2026, 6, 1, 0, 0);
        enabled = false;
        waits(BASELINE_IDLE, at(2026, 7, 21, 0, 0), "Enable=no");
        enabled = true;
        facts.now_usec = at(2026, 7, 21, 10, 0);
        facts.forced = NULL;
        go_to_installing();
        run(BASELINE_RUN_FAILED, NULL);
        step(BASELINE_ENTER, BASELINE_FAILED, "no space in /boot");
        /* What is half done has to be looked at first. */
        facts.forced = FORCED;
        step(BASELINE_WAIT, BASELINE_FAILED, "no space in /boot");
}
END_TEST

START_TEST(test_not_enabled) {
        enabled = false;
        step(BASELINE_ENTER, BASELINE_DUE, "");
        waits(BASELINE_DUE, 0, "Enable=no");
        /* Who does not plan it misses nothing, */
        facts.now_usec = at(2026, 8, 4, 0, 0);
        waits(BASELINE_DUE, 0, "'Enable=yes' in [Baseline] of hotpatchd.conf");
        facts.now_usec = at(2026, 10, 20, 0, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2026.10");
        ck_assert_ptr_null(baseline_history_find(&state, "2026.07"));
        /* and from then on who does. */
        enabled = true;
        facts.now_usec = at(2027, 1, 19, 0, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2027.01");
        ck_assert(startswith(baseline_history_find(&state, "2026.10"), "missed "));
}
END_TEST

START_TEST(test_not_enabled_says_so) {
        enabled = false;
        facts.now_usec = at(2026, 6, 1, 0, 0);
        waits(BASELINE_IDLE, at(2026, 7, 21, 0, 0), "Baselines are not planned on this machine (Enable=no)");
}
END_TEST

/* The clock went back: what was reached in the future counts for nothing, what was reached before does. */
START_TEST(test_coverage_and_the_clock) {
        static const char *const lines[] = { "2026.07 reached 1784671200", "2026.04 missed 1784671200", "2026.10 reached 1792537200" };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                ck_assert_ok(strv_extend(&state.history, lines[i]));
        state.reached = strdup("2026.10");
        state.reached_usec = 1792537200 * USEC_PER_SEC; /* 20 October, 23:00 UTC */
        ck_assert_uint_eq(baseline_covered_until(&state, &policy, at(2026, 10, 20, 23, 0)), at(2027, 2, 2, 0, 0));
        ck_assert_uint_eq(baseline_covered_until(&state, &policy, at(2026, 10, 20, 22, 0)), at(2026, 11, 3, 0, 0));
        ck_assert_uint_eq(baseline_covered_until(&state, &policy, at(2026, 7, 1, 0, 0)), at(2026, 8, 4, 0, 0));
}
END_TEST

/* A kernel that is newer than the promised one keeps the promise. */
START_TEST(test_newer_kernel_than_promised) {
        step(BASELINE_ENTER, BASELINE_DUE, "");
        facts.release = NEW;
        step(BASELINE_PLAN, BASELINE_DUE, "");
        run(BASELINE_RUN_DONE, OLD);
        facts.run_restart = false;
        step(BASELINE_ENTER, BASELINE_VERIFYING, "nothing");
}
END_TEST

START_TEST(test_not_enabled_and_installed_by_hand) {
        go_to_installed();
        enabled = false;
        waits(BASELINE_INSTALLED, 0, "reboot schedule");
        enabled = true;
        step(BASELINE_ENTER, BASELINE_SCHEDULED, "");
}
END_TEST

START_TEST(test_plan_and_download_are_tried_again) {
        step(BASELINE_ENTER, BASELINE_DUE, "");
        run(BASELINE_RUN_FAILED, NULL);
        waits(BASELINE_DUE, facts.now_usec + USEC_PER_DAY, "no space in /boot");
        step(BASELINE_PLAN, BASELINE_DUE, "");
        run(BASELINE_RUN_INTERRUPTED, NULL);
        step(BASELINE_PLAN, BASELINE_DUE, "");
        run(BASELINE_RUN_DONE, NEW);
        step(BASELINE_ENTER, BASELINE_PLANNED, "");
        run(BASELINE_RUN_FAILED, NULL);
        waits(BASELINE_PLANNED, facts.now_usec + USEC_PER_DAY, "no space in /boot");
}
END_TEST

START_TEST(test_missed_in_words) {
        state.reached = strdup("2026.04");
        go_to_downloaded();
        facts.now_usec = at(2026, 8, 4, 0, 0);
        step(BASELINE_ENTER, BASELINE_FAILED,
             "Baseline 2026.07 was missed: hotpatches end with baseline 2026.04, install 2026.07 to go on");
        ck_assert_uint_eq(baseline_covered_until(&state, &policy, facts.now_usec), at(2026, 8, 4, 0, 0));
        assert_failed(BASELINE_MISSED, "missed ");
}
END_TEST

START_TEST(test_missed_in_the_middle_of_a_window) {
        policy.deadline_usec = 23 * 60 * USEC_PER_MINUTE;
        go_to_downloaded();
        facts.now_usec = at(2026, 7, 21, 23, 0);
        step(BASELINE_ENTER, BASELINE_FAILED, "missed");
}
END_TEST

START_TEST(test_install_failed) {
        go_to_installing();
        run(BASELINE_RUN_FAILED, NULL);
        step(BASELINE_ENTER, BASELINE_FAILED, "no space in /boot");
        assert_failed(BASELINE_INSTALL_FAILED, "install-failed ");
}
END_TEST

START_TEST(test_power_cut_while_installing) {
        go_to_installing();
        facts.boot_id = NEXT_BOOT;
        run(BASELINE_RUN_INTERRUPTED, NULL);
        step(BASELINE_ENTER, BASELINE_FAILED, "did not end");
        assert_failed(BASELINE_INTERRUPTED, "interrupted ");
}
END_TEST

START_TEST(test_power_cut_before_the_backend_ran) {
        go_to_installing();
        facts.boot_id = NEXT_BOOT;
        step(BASELINE_ENTER, BASELINE_FAILED, "did not end");
        ck_assert_int_eq(state.cause, BASELINE_INTERRUPTED);
}
END_TEST

/* The run was over before the machine went down; nobody was there to see it. */
START_TEST(test_shut_down_while_installing) {
        go_to_installing();
        run(BASELINE_RUN_DONE, NEW);
        facts.boot_id = NEXT_BOOT;
        facts.release = NEW;
        facts.uptime_usec = USEC_PER_MINUTE;
        step(BASELINE_ENTER, BASELINE_VERIFYING, "was restarted");
        ck_assert_str_eq(state.kernel, NEW);
        waits(BASELINE_VERIFYING, facts.now_usec + 9 * USEC_PER_MINUTE, "on trial");
}
END_TEST

START_TEST(test_shut_down_while_installing_and_the_old_kernel) {
        go_to_installing();
        run(BASELINE_RUN_DONE, NEW);
        facts.boot_id = NEXT_BOOT;
        step(BASELINE_ENTER, BASELINE_VERIFYING, "was restarted");
        step(BASELINE_ENTER, BASELINE_FAILED, "'" OLD "' runs");
        ck_assert_int_eq(state.cause, BASELINE_OLD_KERNEL_RETURNED);
}
END_TEST

/* The kernel is there and does not run: that is not a baseline that is reached, whatever the backend says. */
START_TEST(test_nothing_to_install_but_the_old_kernel_runs) {
        step(BASELINE_ENTER, BASELINE_DUE, "");
        state.bundle = strdup("base-2026-07");
        state.kernel = strdup(NEW);
        step(BASELINE_PLAN, BASELINE_DUE, "");
        run(BASELINE_RUN_DONE, NULL);
        step(BASELINE_ENTER, BASELINE_PLANNED, "");
        step(BASELINE_DOWNLOAD, BASELINE_PLANNED, "");
        run(BASELINE_RUN_DONE, NULL);
        step(BASELINE_ENTER, BASELINE_DOWNLOADED, "");
        facts.now_usec = at(2026, 7, 21, 22, 0);
        step(BASELINE_INSTALL, BASELINE_INSTALLING, "");
        run(BASELINE_RUN_DONE, NULL);
        step(BASELINE_ENTER, BASELINE_INSTALLED, "has to restart");
        ck_assert_str_eq(state.kernel, NEW);
}
END_TEST

START_TEST(test_what_may_pass_is_tried_again) {
        go_to_installing();
        run(BASELINE_RUN_FAILED, NULL);
        facts.run_retry = true;
        step(BASELINE_ENTER, BASELINE_DOWNLOADED, "tried again");
        facts.run_retry = false;
        facts.now_usec += 20 * USEC_PER_MINUTE;
        waits(BASELINE_DOWNLOADED, at(2026, 7, 21, 23, 0), "tried again");
        facts.now_usec = at(2026, 7, 21, 23, 0);
        step(BASELINE_INSTALL, BASELINE_INSTALLING, "");
        /* Out of the window, into the next; past the deadline, no more. */
        facts.now_usec = at(2026, 7, 22, 1, 30);
        run(BASELINE_RUN_FAILED, NULL);
        facts.run_retry = true;
        step(BASELINE_ENTER, BASELINE_DOWNLOADED, "tried again");
        facts.now_usec = at(2026, 7, 22, 2, 30);
        waits(BASELINE_DOWNLOADED, at(2026, 7, 22, 22, 0), "waits for its window");
        facts.now_usec = at(2026, 8, 4, 0, 0);
        step(BASELINE_ENTER, BASELINE_FAILED, "missed");
}
END_TEST

/* Not all machines ask at midnight; and none so late that the first window is lost. */
START_TEST(test_spread) {
        facts.now_usec = at(2026, 7, 21, 0, 0);
        facts.spread_usec = 30 * USEC_PER_MINUTE;
        step(BASELINE_ENTER, BASELINE_DUE, "");
        waits(BASELINE_DUE, at(2026, 7, 21, 0, 30), "later on its day");
        facts.now_usec = at(2026, 7, 21, 0, 30);
        step(BASELINE_PLAN, BASELINE_DUE, "");
        /* From 22:00 of the day before to 2:00 */
        facts.now_usec = at(2026, 7, 21, 0, 0);
        facts.spread_usec = 11 * 60 * USEC_PER_MINUTE;
        waits(BASELINE_DUE, at(2026, 7, 21, 1, 0), "later on its day");
        ck_assert_ok(calendar_window_parse("04:00 UTC", &policy.window));
        waits(BASELINE_DUE, at(2026, 7, 21, 7, 0), "later on its day");
        state.deadline_usec = at(2026, 9, 1, 0, 0);
        step(BASELINE_PLAN, BASELINE_DUE, "");
}
END_TEST

START_TEST(test_old_kernel_returned) {
        go_to_verifying(OLD);
        step(BASELINE_ENTER, BASELINE_FAILED, "'" NEW "' was installed, but '" OLD "' runs");
        assert_failed(BASELINE_OLD_KERNEL_RETURNED, "old-kernel-returned ");
}
END_TEST

/* The boot loader was seen to: nothing has to be installed again. */
START_TEST(test_old_kernel_returned_and_went) {
        go_to_verifying(OLD);
        step(BASELINE_ENTER, BASELINE_FAILED, "runs after the restart");
        facts.now_usec += USEC_PER_DAY;
        step(BASELINE_WAIT, BASELINE_FAILED, "runs after the restart");
        facts.boot_id = BOOT;
        facts.release = NEW;
        step(BASELINE_ENTER, BASELINE_VERIFYING, "runs after all");
        ck_assert(sd_id128_equal(state.boot_id, BOOT));
        facts.uptime_usec = 10 * USEC_PER_MINUTE;
        step(BASELINE_ENTER, BASELINE_REACHED, "");
        ck_assert_str_eq(state.reached, "2026.07");
        ck_assert(startswith(baseline_history_find(&state, "2026.07"), "reached "));
}
END_TEST

START_TEST(test_a_later_kernel_runs) {
        go_to_verifying("6.1.0-100-cloud-amd64");
        step(BASELINE_WAIT, BASELINE_VERIFYING, "on trial");
        facts.uptime_usec = 10 * USEC_PER_MINUTE;
        step(BASELINE_ENTER, BASELINE_REACHED, "");
        ck_assert_str_eq(state.reached_kernel, "6.1.0-100-cloud-amd64");
}
END_TEST

static void fail_installation(void) {
        go_to_installing();
        run(BASELINE_RUN_FAILED, NULL);
        step(BASELINE_ENTER, BASELINE_FAILED, "no space in /boot");
}

/* Whatever takes its place meanwhile. */
START_TEST(test_failed_is_not_tried_again_after_another) {
        fail_installation();
        state.phase = BASELINE_REACHED;
        state.cause = BASELINE_CAUSE_NONE;
        free(state.name);
        state.name = strdup("2026.06");
        state.reached = strdup("2026.06");
        state.reached_usec = facts.now_usec;
        waits(BASELINE_REACHED, at(2026, 10, 20, 0, 0), "2026.10");
}
END_TEST

START_TEST(test_failed_is_not_tried_again_after_other_months) {
        fail_installation();
        facts.now_usec = at(2026, 8, 18, 1, 0);
        policy.months = CALENDAR_ALL_MONTHS;
        step(BASELINE_ENTER, BASELINE_DUE, "2026.08");
        policy.months = 0x249;
        step(BASELINE_ENTER, BASELINE_IDLE, "not in the calendar");
        waits(BASELINE_IDLE, at(2026, 10, 20, 0, 0), "2026.10");
}
END_TEST

START_TEST(test_failed_is_not_tried_again_when_the_clock_goes_to_and_fro) {
        fail_installation();
        facts.now_usec = at(2026, 10, 20, 1, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2026.10");
        facts.now_usec = at(2026, 7, 22, 1, 0);
        step(BASELINE_ENTER, BASELINE_IDLE, "set back");
        waits(BASELINE_IDLE, at(2026, 10, 20, 0, 0), "2026.10");
}
END_TEST

START_TEST(test_months_that_passed) {
        policy.months = CALENDAR_ALL_MONTHS;
        facts.now_usec = at(2026, 6, 16, 1, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2026.06");
        step(BASELINE_PLAN, BASELINE_DUE, "");
        policy.months = 0x249;
        step(BASELINE_ENTER, BASELINE_IDLE, "2026.06 is not in the calendar");
        ck_assert_ptr_null(state.name);
}
END_TEST

START_TEST(test_reached_by_a_wrong_clock) {
        state.reached = strdup("2031.04");
        state.reached_usec = at(2031, 4, 20, 0, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2026.07");
        step(BASELINE_PLAN, BASELINE_DUE, "");
        run(BASELINE_RUN_DONE, NULL);
        step(BASELINE_ENTER, BASELINE_VERIFYING, "");
        step(BASELINE_ENTER, BASELINE_REACHED, "");
        ck_assert_str_eq(state.reached, "2026.07");
}
END_TEST

START_TEST(test_reached_goes_forward_only) {
        state.reached = strdup("2026.10");
        state.reached_usec = at(2026, 7, 1, 0, 0);
        state.phase = BASELINE_VERIFYING;
        state.boot_id = BOOT;
        state.name = strdup("2026.07");
        step(BASELINE_ENTER, BASELINE_REACHED, "");
        ck_assert_str_eq(state.reached, "2026.10");
        ck_assert_ptr_nonnull(baseline_history_find(&state, "2026.07"));
}
END_TEST

START_TEST(test_boot_check_failed) {
        go_to_verifying(NEW);
        facts.boot_check_failed = "patch 'hp-x' was not restored";
        step(BASELINE_ENTER, BASELINE_FAILED, "hp-x");
        facts.boot_check_failed = NULL;
        assert_failed(BASELINE_BOOT_CHECK_FAILED, "boot-check-failed ");
}
END_TEST

START_TEST(test_crashed_in_trial) {
        go_to_verifying(NEW);
        facts.boot_id = BOOT;
        facts.unclean = true;
        step(BASELINE_ENTER, BASELINE_FAILED, "went down");
        assert_failed(BASELINE_CRASHED_IN_TRIAL, "crashed-in-trial ");
}
END_TEST

START_TEST(test_restarted_in_order_while_in_trial) {
        go_to_verifying(NEW);
        facts.boot_id = BOOT;
        facts.uptime_usec = 11 * USEC_PER_MINUTE;
        step(BASELINE_ENTER, BASELINE_REACHED, "");
}
END_TEST

START_TEST(test_restart_is_in_the_window) {
        BaselineDecision d;

        go_to_installed();
        /* 22:30, the window is open: as soon as people had their notice. */
        d = step(BASELINE_ENTER, BASELINE_SCHEDULED, "");
        ck_assert_uint_eq(d.restart_usec, at(2026, 7, 21, 22, 35));
        ck_assert_uint_eq(state.restart_usec, at(2026, 7, 21, 22, 35));
        /* Its time is watched by the restart; a time that is past must not wake us again and again. */
        waits(BASELINE_SCHEDULED, 0, "scheduled");
        facts.now_usec = at(2026, 7, 21, 22, 36);
        waits(BASELINE_SCHEDULED, 0, "scheduled");
}
END_TEST

START_TEST(test_restart_after_the_window) {
        go_to_installed();
        facts.now_usec = at(2026, 7, 22, 1, 56);
        step(BASELINE_ENTER, BASELINE_SCHEDULED, "");
        ck_assert_uint_eq(state.restart_usec, at(2026, 7, 22, 22, 0));
}
END_TEST

/* A time that an administrator named outlives what the calendar does meanwhile, until the machine was restarted. */
START_TEST(test_a_firm_restart_stays) {
        state.restart_usec = at(2026, 7, 25, 12, 0);
        state.restart_firm = true;
        state.restart_boot = BOOT;
        go_to_installed();
        step(BASELINE_ENTER, BASELINE_SCHEDULED, "");
        ck_assert_uint_eq(state.restart_usec, at(2026, 7, 25, 12, 0));
        ck_assert(state.restart_firm);
        facts.boot_id = NEXT_BOOT;
        step(BASELINE_ENTER, BASELINE_VERIFYING, "was restarted");
        ck_assert_uint_eq(state.restart_usec, 0);
        ck_assert(!state.restart_firm);
}
END_TEST

START_TEST(test_deferred) {
        go_to_installed();
        state.deferred_until_usec = at(2026, 7, 22, 10, 0);
        step(BASELINE_ENTER, BASELINE_SCHEDULED, "");
        ck_assert_uint_eq(state.restart_usec, at(2026, 7, 22, 22, 0));
}
END_TEST

START_TEST(test_restarted_by_somebody_else) {
        go_to_installed();
        facts.boot_id = NEXT_BOOT;
        facts.release = NEW;
        step(BASELINE_ENTER, BASELINE_VERIFYING, "was restarted");
}
END_TEST

/* The next baseline waits until the one before has run. */
START_TEST(test_installed_goes_on_past_the_next) {
        go_to_installed();
        facts.now_usec = at(2026, 10, 20, 22, 10);
        step(BASELINE_ENTER, BASELINE_SCHEDULED, "2026.07");
        facts.boot_id = NEXT_BOOT;
        facts.release = NEW;
        step(BASELINE_ENTER, BASELINE_VERIFYING, "2026.07");
        step(BASELINE_ENTER, BASELINE_REACHED, "2026.07");
        step(BASELINE_ENTER, BASELINE_DUE, "2026.10");
}
END_TEST

START_TEST(test_machine_that_joins_later) {
        state.since_usec = at(2026, 11, 21, 0, 0);
        facts.now_usec = at(2026, 11, 21, 0, 0);
        waits(BASELINE_IDLE, at(2027, 1, 19, 0, 0), "2027.01");
        ck_assert_uint_eq(baseline_covered_until(&state, &policy, facts.now_usec), at(2027, 2, 2, 0, 0));
        /* from its day on, also while the one before is still open */
        state.since_usec = facts.now_usec = at(2026, 10, 21, 0, 0);
        waits(BASELINE_IDLE, at(2027, 1, 19, 0, 0), "2027.01");
        state.since_usec = at(2026, 10, 20, 0, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2026.10");
}
END_TEST

START_TEST(test_clock_set_back) {
        facts.now_usec = at(2036, 2, 1, 0, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2036.01");
        facts.now_usec = at(2026, 7, 21, 10, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2026.07");
        ck_assert_str_eq(state.name, "2026.07");
        ck_assert_ptr_null(state.history);
}
END_TEST

START_TEST(test_clock_set_back_before_anything_is_due) {
        facts.now_usec = at(2036, 2, 1, 0, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2036.01");
        facts.now_usec = at(2036, 2, 12, 0, 0);
        step(BASELINE_ENTER, BASELINE_FAILED, "2036.01 was missed");
        ck_assert_ptr_nonnull(baseline_history_find(&state, "2036.01"));
        state.since_usec = at(2026, 3, 1, 0, 0);
        facts.now_usec = at(2026, 5, 2, 0, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2026.04");
        facts.now_usec = at(2026, 3, 2, 0, 0);
        step(BASELINE_ENTER, BASELINE_IDLE, "set back");
        waits(BASELINE_IDLE, at(2026, 4, 21, 0, 0), "2026.04");
}
END_TEST

START_TEST(test_clock_set_back_forgets_what_was_missed) {
        facts.now_usec = at(2036, 2, 12, 0, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2036.01");
        step(BASELINE_ENTER, BASELINE_FAILED, "2036.01 was missed");
        state.since_usec = facts.now_usec = at(2026, 5, 6, 0, 0);
        step(BASELINE_ENTER, BASELINE_IDLE, "set back");
        ck_assert_ptr_null(baseline_history_find(&state, "2036.01"));
        ck_assert_ptr_null(state.name);
}
END_TEST

/* What was done is not undone by a clock. */
START_TEST(test_clock_set_back_after_a_failure) {
        fail_installation();
        waits(BASELINE_FAILED, at(2026, 10, 20, 0, 0), "2026.07");
        facts.now_usec = at(2026, 7, 1, 12, 0);
        step(BASELINE_WAIT, BASELINE_FAILED, "2026.07");
        facts.now_usec = at(2026, 10, 20, 1, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2026.10");
}
END_TEST

START_TEST(test_clock_set_back_while_installed) {
        go_to_installed();
        facts.now_usec = at(2026, 1, 1, 12, 0);
        step(BASELINE_ENTER, BASELINE_SCHEDULED, "");
        ck_assert_uint_eq(state.restart_usec, at(2026, 1, 1, 22, 0));
        facts.boot_id = NEXT_BOOT;
        facts.release = NEW;
        step(BASELINE_ENTER, BASELINE_VERIFYING, "");
        step(BASELINE_ENTER, BASELINE_REACHED, "");
        waits(BASELINE_REACHED, at(2026, 1, 20, 0, 0), "2026.01");
        facts.now_usec = at(2026, 1, 21, 0, 0);
        waits(BASELINE_REACHED, at(2026, 4, 21, 0, 0), "2026.04");
}
END_TEST

START_TEST(test_clock_jumps_over_years) {
        go_to_downloaded();
        facts.now_usec = at(2031, 5, 1, 0, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2031.04");
        ck_assert_ptr_nonnull(baseline_history_find(&state, "2026.07"));
        ck_assert(startswith(baseline_history_find(&state, "2026.07"), "missed "));
        facts.now_usec = at(2300, 1, 1, 0, 0);
        step(BASELINE_ENTER, BASELINE_DUE, "2199.10");
        step(BASELINE_ENTER, BASELINE_FAILED, "missed");
        waits(BASELINE_FAILED, 0, "missed");
}
END_TEST

START_TEST(test_unplanned_is_not_replaced) {
        CalendarMonth m;

        ck_assert_ok(calendar_baseline_after(&policy, facts.now_usec, &m));
        state.name = strdup("2026.06");
        state.bundle = strdup("base-urgent");
        state.phase = BASELINE_PLANNED;
        state.deadline_usec = at(2026, 7, 25, 0, 0);
        step(BASELINE_DOWNLOAD, BASELINE_PLANNED, "2026.06");
        facts.now_usec = state.deadline_usec;
        step(BASELINE_ENTER, BASELINE_FAILED, "2026.06 was missed");
        step(BASELINE_ENTER, BASELINE_DUE, "2026.07");
        ck_assert_ptr_null(state.bundle);
        ck_assert_uint_eq(state.deadline_usec, 0);
}
END_TEST

START_TEST(test_history_is_bounded) {
        BaselineDecision d = { .action = BASELINE_ENTER, .phase = BASELINE_DUE, .text = (char *) "x" };

        for (int i = 0; i < 40; i++) {
                (void) snprintf(d.name, sizeof(d.name), "%04d.%02d", 2030 + i / 12, 1 + i % 12);
                state.phase = BASELINE_PLANNED;
                ck_assert_ok(baseline_enter(&state, &d, &facts));
        }
        ck_assert_uint_eq(strv_length(state.history), HOTPATCH_BASELINE_HISTORY_MAX);
        ck_assert_ptr_null(baseline_history_find(&state, "2030.01"));
        ck_assert_ptr_nonnull(baseline_history_find(&state, "2033.03"));
}
END_TEST

START_TEST(test_copy) {
        _cleanup_(baseline_state_done) BaselineState copy = { 0 };

        go_to_verifying(NEW);
        facts.uptime_usec = 10 * USEC_PER_MINUTE;
        step(BASELINE_ENTER, BASELINE_REACHED, "");
        ck_assert_ok(baseline_ask(&state, "base-2026-07", NEW, 7));
        ck_assert_ok(baseline_state_copy(&state, &copy));
        baseline_state_done(&state);
        ck_assert_str_eq(copy.name, "2026.07");
        ck_assert_str_eq(copy.bundle, "base-2026-07");
        ck_assert_str_eq(copy.kernel, NEW);
        ck_assert_str_eq(copy.text, "Baseline 2026.07 is reached");
        ck_assert_str_eq(copy.reached, "2026.07");
        ck_assert_str_eq(copy.reached_kernel, NEW);
        ck_assert_uint_eq(copy.deadline_usec, 7);
        ck_assert_uint_eq(strv_length(copy.history), 1);
}
END_TEST

/* What is written must be readable again, whatever a backend has to say. */
START_TEST(test_long_text) {
        _cleanup_free_ char *text = malloc(2 * HOTPATCH_BASELINE_TEXT_MAX);

        memset(text, 'x', 2 * HOTPATCH_BASELINE_TEXT_MAX - 1);
        text[2 * HOTPATCH_BASELINE_TEXT_MAX - 1] = '\0';
        step(BASELINE_ENTER, BASELINE_DUE, "");
        run(BASELINE_RUN_FAILED, NULL);
        facts.run_text = text;
        step(BASELINE_WAIT, BASELINE_DUE, "xxx");
        ck_assert_uint_eq(strlen(state.text), HOTPATCH_BASELINE_TEXT_MAX);
}
END_TEST

START_TEST(test_words) {
        for (int i = 0; i < _BASELINE_PHASE_MAX; i++)
                ck_assert_int_eq(baseline_phase_from_string(baseline_phase_to_string(i)), i);
        for (int i = 0; i < _BASELINE_CAUSE_MAX; i++)
                ck_assert_int_eq(baseline_cause_from_string(baseline_cause_to_string(i)), i);
        ck_assert_int_eq(baseline_phase_from_string("none"), _BASELINE_PHASE_INVALID);
}
END_TEST

static Suite *baseline_suite(void) {
        Suite *s = suite_create("baseline");
        TCase *t = tcase_create("baseline");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, test_a_baseline_is_reached);
        tcase_add_test(t, test_nothing_to_install);
        tcase_add_test(t, test_forced_and_nothing_to_install);
        tcase_add_test(t, test_forced_and_something_to_install);
        tcase_add_test(t, test_forced_and_restarted_meanwhile);
        tcase_add_test(t, test_forced_and_the_record_is_lost);
        tcase_add_test(t, test_forced_and_the_record_is_lost_after_the_download);
        tcase_add_test(t, test_forced_in_the_middle_of_a_baseline);
        tcase_add_test(t, test_forced_and_too_late);
        tcase_add_test(t, test_forced_and_the_next_one_is_due);
        tcase_add_test(t, test_forced_where_nothing_is_booked);
        tcase_add_test(t, test_not_enabled);
        tcase_add_test(t, test_not_enabled_says_so);
        tcase_add_test(t, test_coverage_and_the_clock);
        tcase_add_test(t, test_newer_kernel_than_promised);
        tcase_add_test(t, test_not_enabled_and_installed_by_hand);
        tcase_add_test(t, test_plan_and_download_are_tried_again);
        tcase_add_test(t, test_missed_in_words);
        tcase_add_test(t, test_missed_in_the_middle_of_a_window);
        tcase_add_test(t, test_install_failed);
        tcase_add_test(t, test_power_cut_while_installing);
        tcase_add_test(t, test_power_cut_before_the_backend_ran);
        tcase_add_test(t, test_shut_down_while_installing);
        tcase_add_test(t, test_shut_down_while_installing_and_the_old_kernel);
        tcase_add_test(t, test_nothing_to_install_but_the_old_kernel_runs);
        tcase_add_test(t, test_what_may_pass_is_tried_again);
        tcase_add_test(t, test_spread);
        tcase_add_test(t, test_old_kernel_returned);
        tcase_add_test(t, test_old_kernel_returned_and_went);
        tcase_add_test(t, test_a_later_kernel_runs);
        tcase_add_test(t, test_failed_is_not_tried_again_after_another);
        tcase_add_test(t, test_failed_is_not_tried_again_after_other_months);
        tcase_add_test(t, test_failed_is_not_tried_again_when_the_clock_goes_to_and_fro);
        tcase_add_test(t, test_months_that_passed);
        tcase_add_test(t, test_reached_by_a_wrong_clock);
        tcase_add_test(t, test_reached_goes_forward_only);
        tcase_add_test(t, test_boot_check_failed);
        tcase_add_test(t, test_crashed_in_trial);
        tcase_add_test(t, test_restarted_in_order_while_in_trial);
        tcase_add_test(t, test_restart_is_in_the_window);
        tcase_add_test(t, test_restart_after_the_window);
        tcase_add_test(t, test_a_firm_restart_stays);
        tcase_add_test(t, test_deferred);
        tcase_add_test(t, test_restarted_by_somebody_else);
        tcase_add_test(t, test_installed_goes_on_past_the_next);
        tcase_add_test(t, test_machine_that_joins_later);
        tcase_add_test(t, test_clock_set_back);
        tcase_add_test(t, test_clock_set_back_before_anything_is_due);
        tcase_add_test(t, test_clock_set_back_forgets_what_was_missed);
        tcase_add_test(t, test_clock_set_back_after_a_failure);
        tcase_add_test(t, test_clock_set_back_while_installed);
        tcase_add_test(t, test_clock_jumps_over_years);
        tcase_add_test(t, test_unplanned_is_not_replaced);
        tcase_add_test(t, test_history_is_bounded);
        tcase_add_test(t, test_copy);
        tcase_add_test(t, test_long_text);
        tcase_add_test(t, test_words);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(baseline_suite)
