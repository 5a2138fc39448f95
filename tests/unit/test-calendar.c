/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The calendar's own rules. That events elapse when systemd says and that days are where Python finds them is
 * in check-calendar.
 */

#include "calendar/year.h"
#include "calendar/zone.h"
#include "tests/unit/unit.h"

static uint64_t at(int year, int month, int day, int hour, int minute) {
        Civil c = { .year = year, .month = month, .day = day, .hour = hour, .minute = minute };

        return (uint64_t) civil_seconds(&c) * USEC_PER_SEC;
}

#define QUARTERS 0x249U

static CalendarPolicy policy(unsigned months, const char *day, const char *window) {
        CalendarPolicy p = {
                .months = months,
                .window_length_usec = 4 * 60 * USEC_PER_MINUTE,
                .deadline_usec = 14 * USEC_PER_DAY,
        };

        ck_assert_ok(day_rule_parse(day, &p.day));
        ck_assert_ok(calendar_window_parse(window, &p.window));
        return p;
}

START_TEST(test_day_rules) {
        static const struct {
                const char *text;
                const char *formatted; /* NULL: refused */
        } cases[] = {
                { "third Tue", "third Tue" }, { "LAST sunday", "last Sun" }, { "28", "28" },
                { " second  Tue  +7d ", "second Tue +7d" }, { "1 +27d", "1 +27d" }, { "5 +0d", "5" },
                { "", NULL }, { "0", NULL }, { "29", NULL }, { "fifth Tue", NULL }, { "third", NULL },
                { "third 3", NULL }, { "Tue", NULL }, { "1 +28d", NULL }, { "1 +d", NULL }, { "1 7d", NULL },
                { "1 +7d x", NULL }, { "1 +-1d", NULL }, { "1 +7", NULL }, { "third Tue third", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *text = NULL;
                DayRule rule = { .day = 77 };
                int r = day_rule_parse(cases[i].text, &rule);

                ck_assert_msg((r >= 0) == (cases[i].formatted != NULL), "'%s'", cases[i].text);
                if (r < 0) {
                        ck_assert_int_eq(rule.day, 77);
                        continue;
                }
                ck_assert_ok(day_rule_format(&rule, &text));
                ck_assert_str_eq(text, cases[i].formatted);
        }
}
END_TEST

START_TEST(test_windows_must_come_often) {
        CalendarExpression e = { .from_end = true };

        ck_assert_ok(calendar_window_parse("22:00", &e));
        ck_assert_ok(calendar_window_parse("Sat 01:00", &e));
        ck_assert_int_eq(calendar_window_parse("*-*-31..28 22:00", &e), -EINVAL);
        ck_assert_ok(calendar_window_parse("*-*~1 22:00", &e));
        ck_assert_str_eq(e.text, "*-*~1 22:00");
        ck_assert_int_eq(calendar_window_parse("*-1,4,7,10-15 22:00", &e), -ENOENT);
        ck_assert_int_eq(calendar_window_parse("*-*-31 22:00", &e), -ENOENT);
        ck_assert_int_eq(calendar_window_parse("2026-*-* 22:00", &e), -ENOENT);
        ck_assert_int_eq(calendar_window_parse("22", &e), -EINVAL);
        ck_assert_str_eq(e.text, "*-*~1 22:00");
}
END_TEST

START_TEST(test_events_are_limited) {
        char text[600] = "";
        CalendarExpression e;

        for (int i = 0; i < 33; i++)
                (void) snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%d", i ? "," : "", i);
        (void) strcat(text, ":00");
        ck_assert_int_lt(calendar_expression_parse(text, &e), 0);
        memset(text, ' ', sizeof(text) - 1);
        ck_assert_int_eq(calendar_expression_parse(text, &e), -EINVAL);
        memset(text, '1', sizeof(text) - 1);
        ck_assert_int_eq(calendar_expression_parse(text, &e), -E2BIG);
        text[200] = '\0';
        ck_assert_int_lt(calendar_expression_parse(text, &e), 0);
        ck_assert_int_lt(calendar_expression_parse("22:00 ../../../etc/localtime", &e), 0);
        ck_assert_int_lt(calendar_expression_parse("22:00 Europe/../Europe/Berlin", &e), 0);
        ck_assert_int_lt(calendar_expression_parse("22:00 Europe", &e), 0);
        ck_assert_int_lt(calendar_expression_parse("22:00 :Europe/Berlin", &e), 0);
}
END_TEST

START_TEST(test_instants_at_the_edges) {
        CalendarExpression e;
        uint64_t usec = 77;

        ck_assert_ok(calendar_expression_parse("*-*-* *:*:* UTC", &e));
        ck_assert_ok(calendar_expression_next(&e, 0, &usec));
        ck_assert_uint_eq(usec, USEC_PER_SEC);
        ck_assert_int_eq(calendar_expression_next(&e, at(2200, 1, 1, 0, 0), &usec), -ENOENT);
        ck_assert_int_eq(calendar_expression_next(&e, UINT64_MAX, &usec), -ENOENT);
        ck_assert_int_eq(calendar_expression_next(&e, UINT64_MAX - 1, &usec), -ENOENT);
        ck_assert_uint_eq(usec, USEC_PER_SEC);
        /* Parts of a second, which systemd-analyze does not show. */
        ck_assert_ok(calendar_expression_parse("*:*:7.25 UTC", &e));
        ck_assert_ok(calendar_expression_next(&e, at(2026, 1, 1, 0, 0), &usec));
        ck_assert_uint_eq(usec, at(2026, 1, 1, 0, 0) + 7250000);
}
END_TEST

START_TEST(test_night_of_the_change) {
        CalendarExpression e;
        uint64_t usec;

        /* Berlin, 29 March 2026: 02:00 becomes 03:00, and that day has no 02:30. */
        ck_assert_ok(calendar_expression_parse("02:30 Europe/Berlin", &e));
        ck_assert_ok(calendar_expression_next(&e, at(2026, 3, 28, 12, 0), &usec));
        ck_assert_uint_eq(usec, at(2026, 3, 30, 0, 30));
        /* 25 October 2026: 02:30 comes twice, and elapses the first time. */
        ck_assert_ok(calendar_expression_next(&e, at(2026, 10, 24, 12, 0), &usec));
        ck_assert_uint_eq(usec, at(2026, 10, 25, 0, 30));
        ck_assert_ok(calendar_expression_next(&e, usec, &usec));
        ck_assert_uint_eq(usec, at(2026, 10, 26, 1, 30));
        /* A whole day that was left out: Samoa had no 30 December 2011. */
        ck_assert_ok(calendar_expression_parse("12:00 Pacific/Apia", &e));
        ck_assert_ok(calendar_expression_next(&e, at(2011, 12, 29, 23, 0), &usec));
        ck_assert_uint_eq(usec, at(2011, 12, 30, 22, 0));
}
END_TEST

START_TEST(test_zone_is_left_again) {
        CalendarExpression e;
        uint64_t usec;

        ck_assert_int_eq(setenv("TZ", "Asia/Kathmandu", 1), 0);
        ck_assert_ok(calendar_expression_parse("02:30 Europe/Berlin", &e));
        ck_assert_ok(calendar_expression_next(&e, at(2026, 1, 1, 12, 0), &usec));
        ck_assert_str_eq(getenv("TZ"), "Asia/Kathmandu");
        ck_assert_int_eq(zone_offset(0), 5 * 3600 + 30 * 60);
        ck_assert_int_eq(unsetenv("TZ"), 0);
        ck_assert_ok(calendar_expression_next(&e, at(2026, 1, 1, 12, 0), &usec));
        ck_assert_ptr_null(getenv("TZ"));
}
END_TEST

START_TEST(test_baselines) {
        CalendarPolicy p = policy(QUARTERS, "third Tue", "22:00 UTC");
        CalendarMonth m;

        ck_assert_uint_eq(calendar_restarts(&p), 4);
        ck_assert_ok(calendar_baseline_at(&p, at(2026, 11, 21, 12, 0), &m));
        ck_assert_str_eq(m.name, "2026.10");
        ck_assert_uint_eq(m.day_usec, at(2026, 10, 20, 0, 0));
        ck_assert_uint_eq(m.window_begin_usec, at(2026, 10, 20, 22, 0));
        ck_assert_uint_eq(m.window_end_usec, at(2026, 10, 21, 2, 0));
        ck_assert_uint_eq(m.deadline_usec, at(2026, 11, 3, 0, 0));
        ck_assert_uint_eq(m.covers_until_usec, at(2027, 2, 2, 0, 0));
        ck_assert_ok(calendar_baseline_after(&p, at(2026, 11, 21, 12, 0), &m));
        ck_assert_str_eq(m.name, "2027.01");
        /* To the microsecond, and across the year. */
        ck_assert_ok(calendar_baseline_at(&p, at(2027, 1, 19, 0, 0) - 1, &m));
        ck_assert_str_eq(m.name, "2026.10");
        ck_assert_ok(calendar_baseline_at(&p, at(2027, 1, 19, 0, 0), &m));
        ck_assert_str_eq(m.name, "2027.01");
        ck_assert_ok(calendar_baseline_after(&p, at(2027, 1, 19, 0, 0), &m));
        ck_assert_str_eq(m.name, "2027.04");
        ck_assert_ok(calendar_baseline(&p, "2026.07", &m));
        ck_assert_uint_eq(m.covers_until_usec, at(2026, 11, 3, 0, 0));
        /* A day in the month after is still that month's. */
        p = policy(0x800, "last Tue +14d", "22:00 UTC");
        ck_assert_ok(calendar_baseline_at(&p, at(2027, 1, 12, 0, 0), &m));
        ck_assert_str_eq(m.name, "2026.12");
        ck_assert_ok(calendar_baseline_at(&p, at(2027, 1, 11, 0, 0), &m));
        ck_assert_str_eq(m.name, "2025.12");
}
END_TEST

/* Each day of four years, whatever the clock says: the two neighbours belong together. */
START_TEST(test_neighbours_at_any_time) {
        static const unsigned months[] = { QUARTERS, 0x800, 0x2, CALENDAR_ALL_MONTHS };
        static const char *const days[] = { "third Tue", "28 +27d", "1" };

        for (size_t i = 0; i < ELEMENTSOF(months) * ELEMENTSOF(days); i++) {
                CalendarPolicy p = policy(months[i % 4], days[i / 4], "22:00 Africa/Cairo");

                for (uint64_t t = at(2023, 12, 1, 11, 0); t < at(2028, 2, 1, 0, 0); t += 7 * USEC_PER_DAY) {
                        CalendarMonth now, next;

                        ck_assert_ok(calendar_baseline_at(&p, t, &now));
                        ck_assert_ok(calendar_baseline_after(&p, t, &next));
                        ck_assert(now.day_usec <= t && t < next.day_usec);
                        ck_assert_uint_eq(now.covers_until_usec, next.deadline_usec);
                }
        }
}
END_TEST

START_TEST(test_clock_out_of_range) {
        CalendarPolicy p = policy(QUARTERS, "third Tue", "22:00 UTC");
        CalendarMonth m, year[12];

        /* A machine without a battery begins in 1970. */
        ck_assert_int_eq(calendar_baseline_at(&p, 0, &m), -ENOENT);
        ck_assert_ok(calendar_baseline_after(&p, 0, &m));
        ck_assert_str_eq(m.name, "1970.01");
        ck_assert_ok(calendar_baseline_at(&p, at(2199, 12, 31, 0, 0), &m));
        ck_assert_str_eq(m.name, "2199.10");
        ck_assert_uint_eq(m.covers_until_usec, 0);
        ck_assert_int_eq(calendar_baseline_after(&p, at(2199, 12, 31, 0, 0), &m), -ENOENT);
        ck_assert_ok(calendar_baseline_at(&p, UINT64_MAX, &m));
        ck_assert_str_eq(m.name, "2199.10");
        ck_assert_int_lt(calendar_baseline_after(&p, UINT64_MAX, &m), 0);
        ck_assert_int_eq(calendar_year(&p, 1969, year), -ERANGE);
        ck_assert_int_eq(calendar_year(&p, 2200, year), -ERANGE);
        ck_assert_ok(calendar_year(&p, 1970, year));
        ck_assert_ok(calendar_year(&p, 2199, year));
}
END_TEST

START_TEST(test_open_window) {
        CalendarPolicy p = policy(QUARTERS, "third Tue", "22:00 UTC");
        uint64_t begin, end;

        ck_assert_ok(calendar_window_at(&p, at(2026, 10, 20, 21, 59), &begin, &end));
        ck_assert_uint_eq(begin, at(2026, 10, 20, 22, 0));
        ck_assert_ok(calendar_window_at(&p, at(2026, 10, 20, 22, 0), &begin, &end));
        ck_assert_uint_eq(begin, at(2026, 10, 20, 22, 0));
        ck_assert_ok(calendar_window_at(&p, at(2026, 10, 21, 2, 0) - 1, &begin, &end));
        ck_assert_uint_eq(begin, at(2026, 10, 20, 22, 0));
        ck_assert_uint_eq(end, at(2026, 10, 21, 2, 0));
        ck_assert_ok(calendar_window_at(&p, at(2026, 10, 21, 2, 0), &begin, &end));
        ck_assert_uint_eq(begin, at(2026, 10, 21, 22, 0));
}
END_TEST

START_TEST(test_names) {
        static const char *const bad[] = { "", "2026.13", "2026.00", "2026.1", "1969.01", "2200.01", "2026-10",
                "2026.10 ", "x026.10", "20261.0" };
        int year, month;

        ck_assert_ok(baseline_name_parse("2026.10", &year, &month));
        ck_assert_int_eq(year, 2026);
        ck_assert_int_eq(month, 10);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ck_assert_msg(baseline_name_parse(bad[i], &year, &month) == -EINVAL, "'%s'", bad[i]);
}
END_TEST

static Suite *calendar_suite(void) {
        Suite *s = suite_create("calendar");
        TCase *t = tcase_create("calendar");

        tcase_set_timeout(t, 60);
        tcase_add_test(t, test_day_rules);
        tcase_add_test(t, test_windows_must_come_often);
        tcase_add_test(t, test_events_are_limited);
        tcase_add_test(t, test_instants_at_the_edges);
        tcase_add_test(t, test_night_of_the_change);
        tcase_add_test(t, test_zone_is_left_again);
        tcase_add_test(t, test_baselines);
        tcase_add_test(t, test_neighbours_at_any_time);
        tcase_add_test(t, test_clock_out_of_range);
        tcase_add_test(t, test_open_window);
        tcase_add_test(t, test_names);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(calendar_suite)
