/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The baseline year of a machine, computed from its policy and nothing else.
 *
 * A month is a baseline's or one of hotpatches. Either has a day (when the vendor's update of that month is
 * meant to be in force); a baseline has windows from that day on, and a deadline. Hotpatches for a baseline
 * are made until the next one's deadline: *coverage until*. What was really done stands in the baseline's
 * record, not here.
 *
 * Days are days of the window's zone: a window "22:00 Europe/Berlin" on a server that runs in UTC belongs to
 * a Berlin Tuesday.
 */

#include "calendar/year.h"
#include "calendar/zone.h"

/* YEAR: a window comes at least once in each month. */
#define WINDOW_DISTANCE_MAX (31 * USEC_PER_DAY)

static bool has_baseline(const CalendarPolicy *p, int month) {
        return p->months & (1U << (month - 1));
}

/**
 * calendar_window_parse() - read when windows begin
 * @s: a calendar event of systemd.time(7)
 * @ret: the event
 *
 * Each of the twelve months of a common and of a leap year must have one within 31 days of its beginning: a
 * baseline that never finds a window would be missed in silence.
 *
 * Return: 0; -EINVAL and others of calendar_expression_parse(); -ENOENT: it elapses too seldom.
 */
int calendar_window_parse(const char *s, CalendarExpression *ret) {
        CalendarExpression e;
        int r = calendar_expression_parse(s, &e);

        if (r < 0)
                return r;
        for (int month = 0; month < 48; month++) {
                /* 2028 is a leap year; these four years are like any others of the century. */
                Civil c = { .year = 2025 + month / 12, .month = 1 + month % 12, .day = 1 };
                uint64_t from = (uint64_t) civil_seconds(&c) * USEC_PER_SEC, begin;

                r = calendar_expression_next(&e, from - 1, &begin);
                if (r < 0)
                        return r;
                if (begin > from + WINDOW_DISTANCE_MAX)
                        return -ENOENT;
        }
        *ret = e;
        return 0;
}

/** baseline_name_parse() - "2026.10"; Return: 0 or -EINVAL */
int baseline_name_parse(const char *s, int *ret_year, int *ret_month) {
        int year, month;

        if (strlen(s) != BASELINE_NAME_SIZE - 1 || strspn(s, "0123456789") != 4 || s[4] != '.' ||
            strspn(s + 5, "0123456789") != 2)
                return -EINVAL;
        year = atoi(s);
        month = atoi(s + 5);
        if (year < CIVIL_YEAR_MIN || year > CIVIL_YEAR_MAX || month < 1 || month > 12)
                return -EINVAL;
        *ret_year = year;
        *ret_month = month;
        return 0;
}

/** calendar_restarts() - how often a year the machine restarts by plan */
unsigned calendar_restarts(const CalendarPolicy *p) {
        return (unsigned) __builtin_popcount(p->months);
}

static int month_in_zone(const CalendarPolicy *p, int year, int month, CalendarMonth *ret) {
        CalendarMonth m = {
                .year = year,
                .month = month,
                .baseline = has_baseline(p, month),
                .day = day_rule_apply(&p->day, year, month),
        };
        uint64_t begin;
        int r;

        m.name[0] = (char) ('0' + year / 1000);
        m.name[1] = (char) ('0' + year / 100 % 10);
        m.name[2] = (char) ('0' + year / 10 % 10);
        m.name[3] = (char) ('0' + year % 10);
        m.name[4] = '.';
        m.name[5] = (char) ('0' + month / 10);
        m.name[6] = (char) ('0' + month % 10);
        m.day_usec = zone_day_begin(&m.day);
        m.deadline_usec = m.day_usec + p->deadline_usec;
        r = calendar_expression_next(&p->window, m.day_usec - 1, &begin);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r >= 0 && begin <= m.day_usec + WINDOW_DISTANCE_MAX) {
                m.window_begin_usec = begin;
                m.window_end_usec = begin + p->window_length_usec;
        }
        *ret = m;
        return 0;
}

/* The next (or previous) month with a baseline; -ENOENT at the edge of the calendar. */
static int step_to_baseline(const CalendarPolicy *p, int *year, int *month, int step) {
        do {
                *month += step;
                if (*month > 12 || *month < 1) {
                        *month = step > 0 ? 1 : 12;
                        *year += step;
                }
                if (*year < CIVIL_YEAR_MIN || *year > CIVIL_YEAR_MAX)
                        return -ENOENT;
        } while (!has_baseline(p, *month));
        return 0;
}

/* With what it covers; the month need not be a baseline's by policy (it may have been when it was made). */
static int covered_month(const CalendarPolicy *p, int year, int month, CalendarMonth *ret) {
        CalendarMonth m, next;
        int r = month_in_zone(p, year, month, &m);

        if (r < 0)
                return r;
        if (step_to_baseline(p, &year, &month, 1) >= 0) {
                r = month_in_zone(p, year, month, &next);
                if (r < 0)
                        return r;
                m.covers_until_usec = next.deadline_usec;
        }
        *ret = m;
        return 0;
}

/**
 * calendar_year() - the twelve months of a year
 * @p: the policy
 * @year: 1970 to 2199
 * @ret: January first
 *
 * Return: 0, -ERANGE: no such year, -ENOMEM.
 */
int calendar_year(const CalendarPolicy *p, int year, CalendarMonth ret[static 12]) {
        _cleanup_zone_ ZoneGuard guard = { 0 };
        CalendarMonth months[12];
        int r;

        if (year < CIVIL_YEAR_MIN || year > CIVIL_YEAR_MAX)
                return -ERANGE;
        r = zone_enter(p->window.zone, &guard);
        for (int i = 0; i < 12 && r >= 0; i++)
                r = has_baseline(p, i + 1) ? covered_month(p, year, i + 1, &months[i])
                                                : month_in_zone(p, year, i + 1, &months[i]);
        if (r < 0)
                return r;
        memcpy(ret, months, sizeof(months));
        return 0;
}

/** calendar_year_at() - the year in which an instant lies, in the calendar's zone */
int calendar_year_at(const CalendarPolicy *p, uint64_t now_usec) {
        _cleanup_zone_ ZoneGuard guard = { 0 };

        if (zone_enter(p->window.zone, &guard) < 0)
                return civil_from_seconds((int64_t) (now_usec / USEC_PER_SEC)).year;
        return zone_civil(now_usec).year;
}

/** calendar_baseline() - the month of a baseline; Return: 0, -EINVAL: no name of one, -ENOMEM */
int calendar_baseline(const CalendarPolicy *p, const char *name, CalendarMonth *ret) {
        _cleanup_zone_ ZoneGuard guard = { 0 };
        int year, month, r;

        r = baseline_name_parse(name, &year, &month);
        if (r >= 0)
                r = zone_enter(p->window.zone, &guard);
        return r < 0 ? r : covered_month(p, year, month, ret);
}

/* The baseline that is the @step's neighbour of @now_usec: its day has begun (-1), or has not (1). */
static int neighbour(const CalendarPolicy *p, uint64_t now_usec, int step, CalendarMonth *ret) {
        _cleanup_zone_ ZoneGuard guard = { 0 };
        CalendarMonth m;
        Civil c;
        int r = zone_enter(p->window.zone, &guard);

        if (r < 0)
                return r;
        c = zone_civil(now_usec);
        /* Some months off, since "+14d" moves a day into the month after. */
        c.month -= 2 * step;
        if (c.month < 1 || c.month > 12) {
                c.year += c.month < 1 ? -1 : 1;
                c.month += c.month < 1 ? 12 : -12;
        }
        if (step > 0 && c.year < CIVIL_YEAR_MIN)
                c = (Civil) { .year = CIVIL_YEAR_MIN, .month = 0 };
        if (step < 0 && c.year > CIVIL_YEAR_MAX)
                c = (Civil) { .year = CIVIL_YEAR_MAX, .month = 13 };
        do {
                r = step_to_baseline(p, &c.year, &c.month, step);
                if (r < 0)
                        return r;
                r = covered_month(p, c.year, c.month, &m);
                if (r < 0)
                        return r;
        } while (step > 0 ? m.day_usec <= now_usec : m.day_usec > now_usec);
        *ret = m;
        return 0;
}

/** calendar_baseline_at() - the newest baseline whose day has begun; Return: 0, -ENOENT, -ENOMEM */
int calendar_baseline_at(const CalendarPolicy *p, uint64_t now_usec, CalendarMonth *ret) {
        return neighbour(p, now_usec, -1, ret);
}

/** calendar_baseline_after() - the next baseline whose day has not begun; Return: 0, -ENOENT, -ENOMEM */
int calendar_baseline_after(const CalendarPolicy *p, uint64_t now_usec, CalendarMonth *ret) {
        return neighbour(p, now_usec, 1, ret);
}

/**
 * calendar_window_at() - the window that is open, or else the next one
 * @p: the policy
 * @now_usec: now
 * @ret_begin: its begin; not later than @now_usec if it is open
 * @ret_end: its end
 *
 * Return: 0, -ENOENT: there will be none, -ENOMEM.
 */
int calendar_window_at(const CalendarPolicy *p, uint64_t now_usec, uint64_t *ret_begin, uint64_t *ret_end) {
        uint64_t length = p->window_length_usec, begin;
        int r = calendar_expression_next(&p->window, now_usec > length ? now_usec - length : 0, &begin);

        if (r < 0)
                return r;
        *ret_begin = begin;
        *ret_end = begin + length;
        return 0;
}
