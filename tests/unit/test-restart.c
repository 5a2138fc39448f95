/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "baseline/restart.h"
#include "tests/unit/unit.h"

static CalendarPolicy policy;

static uint64_t at(int day, int hour, int minute) {
        Civil c = { .year = 2026, .month = 7, .day = day, .hour = hour, .minute = minute };

        return (uint64_t) civil_seconds(&c) * USEC_PER_SEC;
}

static void setup(void) {
        policy = (CalendarPolicy) {
                .months = 0x249, .window_length_usec = 4 * 60 * USEC_PER_MINUTE, .deadline_usec = 14 * USEC_PER_DAY,
        };
        ck_assert_ok(day_rule_parse("third Tue", &policy.day));
        ck_assert_ok(calendar_window_parse("22:00 UTC", &policy.window));
}

static void decides(RestartFacts f, RestartAction action, uint64_t restart_usec, const char *text) {
        RestartDecision d;

        ck_assert_ok(restart_decide(&policy, &f, &d));
        ck_assert_int_eq(d.action, action);
        ck_assert_uint_eq(d.restart_usec, restart_usec);
        if (action == RESTART_DROP)
                ck_assert_uint_eq(d.wake_usec, 0);
        else
                ck_assert_uint_gt(d.wake_usec, f.now_usec);
        if (text)
                ck_assert_msg(d.text && strstr(d.text, text), "'%s' has no '%s'", strempty(d.text), text);
        else
                ck_assert_msg(!d.text, "%s", strempty(d.text));
        free(d.text);
}

START_TEST(test_handed_over_shortly_before) {
        RestartFacts f = { .now_usec = at(21, 12, 0), .restart_usec = at(21, 22, 0), .user = "alice" };

        /* Long before, nobody is asked. */
        decides(f, RESTART_WAIT, at(21, 22, 0), NULL);
        f.user = NULL;
        f.now_usec = at(21, 21, 55);
        decides(f, RESTART_HAND_OVER, at(21, 22, 0), NULL);
        f.ours = true;
        decides(f, RESTART_WAIT, at(21, 22, 0), NULL);
        /* Somewhat late: people have their notice all the same. */
        f.ours = false;
        f.now_usec = at(21, 22, 3);
        decides(f, RESTART_HAND_OVER, at(21, 22, 8), NULL);
}
END_TEST

START_TEST(test_busy) {
        RestartFacts f = { .now_usec = at(21, 21, 55), .restart_usec = at(21, 22, 0), .deadline_usec = at(23, 0, 0) };

        f.user = "'alice'";
        decides(f, RESTART_POSTPONE, at(21, 22, 5), "'alice' is logged in");
        f.user = NULL;
        f.battery = true;
        decides(f, RESTART_POSTPONE, at(21, 22, 5), "external power");
        f.inhibitor = "'dpkg'";
        decides(f, RESTART_POSTPONE, at(21, 22, 5), "waits for 'dpkg'");
        /* Out of the window, into the next. */
        f.now_usec = at(22, 1, 52);
        f.restart_usec = at(22, 1, 55);
        decides(f, RESTART_POSTPONE, at(22, 22, 0), "dpkg");
        /* Once logind has it, it is taken back. */
        f.now_usec = at(21, 21, 58);
        f.restart_usec = at(21, 22, 0);
        f.ours = true;
        decides(f, RESTART_TAKE_BACK, at(21, 22, 8), "dpkg");
}
END_TEST

/* Not into our own installation, whoever named the time and however late it is. */
START_TEST(test_installing) {
        RestartFacts f = { .now_usec = at(21, 21, 55), .restart_usec = at(21, 22, 0), .installing = true };

        decides(f, RESTART_POSTPONE, at(21, 22, 5), "packages are being installed");
        f.deadline_usec = at(21, 0, 0);
        decides(f, RESTART_POSTPONE, at(21, 22, 5), "packages are being installed");
        f.firm = f.ours = true;
        f.now_usec = at(21, 12, 0);
        f.restart_usec = at(21, 12, 3);
        decides(f, RESTART_TAKE_BACK, at(21, 12, 10), "packages are being installed");
}
END_TEST

START_TEST(test_nothing_holds_it_up_for_ever) {
        RestartFacts f = { .now_usec = at(21, 21, 55), .restart_usec = at(21, 22, 0), .inhibitor = "x", .user = "y" };

        f.deadline_usec = at(21, 21, 55);
        decides(f, RESTART_HAND_OVER, at(21, 22, 0), NULL);
        f.deadline_usec = at(30, 0, 0);
        f.firm = true;
        decides(f, RESTART_HAND_OVER, at(21, 22, 0), NULL);
}
END_TEST

START_TEST(test_somebody_elses) {
        RestartFacts f = { .now_usec = at(21, 21, 55), .restart_usec = at(21, 22, 0), .theirs_usec = at(21, 23, 0),
                           .firm = true, .deadline_usec = at(20, 0, 0) };

        decides(f, RESTART_WAIT, at(21, 22, 0), "Somebody else");
}
END_TEST

/* Calling it off is worth a deferral, and costs one. */
START_TEST(test_called_off) {
        RestartBudget budget = { .max_times = 2, .max_usec = USEC_PER_DAY, .times = 1, .first_usec = at(21, 22, 0),
                                 .restart_usec = at(21, 22, 0), .deadline_usec = at(28, 0, 0) };
        RestartFacts f = { .now_usec = at(21, 21, 57), .restart_usec = at(21, 22, 0), .called_off = true, .budget = &budget,
                           .deadline_usec = at(28, 0, 0), .user = "alice" };
        RestartDecision d;

        ck_assert_ok(restart_decide(&policy, &f, &d));
        ck_assert_int_eq(d.action, RESTART_PUT_OFF);
        ck_assert_uint_eq(d.restart_usec, at(22, 2, 0));
        ck_assert_str_eq(d.text, "The restart was called off, as 'shutdown -c' does");
        free(d.text);
        /* The budget is spent: who works is asked as before, and nobody else. */
        budget.times = 2;
        decides(f, RESTART_POSTPONE, at(21, 22, 7), "alice");
        f.user = NULL;
        decides(f, RESTART_HAND_OVER, at(21, 22, 2), "comes all the same: The restart was put off 2 times");
        /* Nor is there any other way beyond the deadline. */
        budget.times = 0;
        budget.deadline_usec = f.deadline_usec = at(21, 12, 0);
        decides(f, RESTART_HAND_OVER, at(21, 22, 2), "comes all the same: No window");
        /* What an administrator named has no budget, whoever called it off. */
        f.firm = true;
        ck_assert_ok(restart_decide(&policy, &f, &d));
        ck_assert_int_eq(d.action, RESTART_PUT_OFF);
        free(d.text);
        f.needless = true;
        decides(f, RESTART_DROP, 0, NULL);
}
END_TEST

START_TEST(test_time_went_by) {
        RestartFacts f = { .now_usec = at(22, 9, 0), .restart_usec = at(21, 22, 0) };

        decides(f, RESTART_POSTPONE, at(22, 22, 0), NULL);
        f.now_usec = at(22, 0, 0); /* the window is still open */
        decides(f, RESTART_HAND_OVER, at(22, 0, 5), NULL);
        f.now_usec = at(22, 9, 0);
        f.firm = true;
        decides(f, RESTART_HAND_OVER, at(22, 9, 5), NULL);
        /* and a clock that is set back makes it wait */
        f.now_usec = at(20, 9, 0);
        decides(f, RESTART_WAIT, at(21, 22, 0), NULL);
}
END_TEST

START_TEST(test_another_policy) {
        RestartFacts f = { .now_usec = at(21, 12, 0), .restart_usec = at(21, 22, 0), .disabled = true };

        decides(f, RESTART_DROP, 0, NULL);
        f.ours = true;
        decides(f, RESTART_DROP, 0, NULL);
        /* What a person named does not ask the calendar. */
        f.firm = true;
        decides(f, RESTART_WAIT, at(21, 22, 0), NULL);
        f = (RestartFacts) { .now_usec = at(21, 12, 0), .restart_usec = at(21, 15, 0) };
        decides(f, RESTART_DROP, 0, NULL);
        f.firm = true;
        decides(f, RESTART_WAIT, at(21, 15, 0), NULL);
}
END_TEST

START_TEST(test_nothing_needs_it) {
        RestartFacts f = { .now_usec = at(21, 12, 0), .restart_usec = at(21, 22, 0), .firm = true, .needless = true };

        /* Until its time comes something may need it again. */
        decides(f, RESTART_WAIT, at(21, 22, 0), NULL);
        f.now_usec = at(21, 21, 55);
        decides(f, RESTART_DROP, 0, NULL);
        f.ours = true;
        decides(f, RESTART_DROP, 0, NULL);
        /* as after a boot, for a time that is past */
        f.ours = false;
        f.now_usec = at(23, 9, 0);
        decides(f, RESTART_DROP, 0, NULL);
}
END_TEST

START_TEST(test_not_after_the_window) {
        RestartFacts f = { .now_usec = at(22, 1, 57), .restart_usec = at(22, 1, 57) };

        /* With people's notice it would be 02:02. */
        decides(f, RESTART_POSTPONE, at(22, 22, 0), NULL);
        f.firm = true;
        decides(f, RESTART_HAND_OVER, at(22, 2, 2), NULL);
}
END_TEST

/* It was planned for 22:00 of the 21st first, and is now for @planned. */
static void may(bool yes, unsigned times, uint64_t planned, uint64_t until, uint64_t deadline) {
        RestartBudget budget = { .max_times = 3, .max_usec = USEC_PER_DAY, .times = times, .first_usec = at(21, 22, 0),
                                 .restart_usec = planned, .deadline_usec = deadline };
        _cleanup_free_ char *why = NULL;

        ck_assert_ok(restart_may_defer(&policy, &budget, at(21, 21, 0), until, &why));
        ck_assert_msg(!why == yes, "%s", strempty(why));
}

START_TEST(test_budget) {
        uint64_t first = at(21, 22, 0);

        may(true, 0, first, at(22, 12, 0), at(30, 0, 0));
        may(true, 2, first, at(22, 22, 0), at(30, 0, 0));
        may(false, 3, first, at(22, 12, 0), at(30, 0, 0));
        may(false, 0, first, at(22, 22, 1), at(30, 0, 0));
        may(false, 0, first, at(21, 21, 0), at(30, 0, 0));
        may(false, 0, first, at(20, 12, 0), at(30, 0, 0));
        may(false, 0, first, at(22, 12, 0), at(22, 22, 0));
        may(true, 0, first, at(22, 12, 0), at(22, 22, 1));
        may(true, 0, first, at(22, 12, 0), 0);
        /* All in all, not each time; and not to before it is planned. */
        may(false, 1, at(22, 22, 0), at(23, 12, 0), at(30, 0, 0));
        may(false, 1, at(22, 22, 0), at(22, 12, 0), at(30, 0, 0));
        may(false, 0, first, at(21, 21, 30), at(30, 0, 0));
}
END_TEST

static Suite *restart_suite(void) {
        Suite *s = suite_create("restart");
        TCase *t = tcase_create("restart");

        tcase_add_checked_fixture(t, setup, NULL);
        tcase_add_test(t, test_handed_over_shortly_before);
        tcase_add_test(t, test_called_off);
        tcase_add_test(t, test_busy);
        tcase_add_test(t, test_installing);
        tcase_add_test(t, test_nothing_holds_it_up_for_ever);
        tcase_add_test(t, test_somebody_elses);
        tcase_add_test(t, test_time_went_by);
        tcase_add_test(t, test_another_policy);
        tcase_add_test(t, test_nothing_needs_it);
        tcase_add_test(t, test_not_after_the_window);
        tcase_add_test(t, test_budget);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(restart_suite)
