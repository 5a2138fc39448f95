/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * When a calendar event elapses next.
 *
 * The search runs on the wall clock: the smallest date and time that fits and is later than now, part by
 * part from the year down, each part that moved setting those below it to their smallest. Only the result
 * is turned into an instant. What the clock is set forward over does not elapse that day; what it shows
 * twice elapses the first time; both as in systemd, so that a window of ours begins when a timer with the
 * same words would.
 */

#include "calendar/expression.h"
#include "calendar/zone.h"

/* The smallest value of one range that is at least @from; -1: none. @max bounds what has no stop. */
static int range_next(const CalendarRange *x, int from, int max) {
        int v = x->start;

        if (v < from) {
                if (x->repeat > 0)
                        v += (from - v + x->repeat - 1) / x->repeat * x->repeat;
                else if (x->stop >= 0)
                        v = from;
                else
                        return -1;
        }
        return v > max || (x->stop >= 0 && v > x->stop) ? -1 : v;
}

static int part_next(const CalendarPart *part, int from, int max) {
        int best = -1;

        if (part->n == 0)
                return from > max ? -1 : from;
        for (size_t i = 0; i < part->n; i++) {
                int v = range_next(&part->ranges[i], from, max);

                if (v >= 0 && (best < 0 || v < best))
                        best = v;
        }
        return best;
}

static int day_next(const CalendarExpression *e, const Civil *c) {
        int days = civil_days_in_month(c->year, c->month);
        CalendarPart turned = { .n = e->day.n };

        if (!e->from_end)
                return part_next(&e->day, c->day, days);
        /* From the end "3..1" is a range that rises; "7/1" goes on to the last day. */
        for (size_t i = 0; i < e->day.n; i++) {
                const CalendarRange *x = &e->day.ranges[i];

                turned.ranges[i] = (CalendarRange) {
                        .start = days + 1 - (x->stop >= 0 ? x->stop : x->start),
                        .stop = x->stop >= 0 ? days + 1 - x->start : -1,
                        .repeat = x->repeat,
                };
        }
        return part_next(&turned, c->day, days);
}

static void reset_time(Civil *c) {
        c->hour = c->minute = c->usec = 0;
}

static void next_day(Civil *c) {
        c->day++;
        reset_time(c);
}

static void next_month(Civil *c) {
        c->month++;
        c->day = 1;
        reset_time(c);
}

static void next_year(Civil *c) {
        *c = (Civil) { .year = c->year + 1, .month = 1, .day = 1 };
}

/* Move to the next date that fits; the time is kept if it is today. */
static int find_date(const CalendarExpression *e, Civil *c) {
        for (;;) {
                int v = part_next(&e->year, c->year, CIVIL_YEAR_MAX);

                if (v < 0)
                        return -ENOENT;
                if (v > c->year)
                        *c = (Civil) { .year = v, .month = 1, .day = 1 };
                v = part_next(&e->month, c->month, 12);
                if (v < 0) {
                        next_year(c);
                        continue;
                }
                if (v > c->month) {
                        c->month = v;
                        c->day = 1;
                        reset_time(c);
                }
                v = day_next(e, c);
                if (v < 0) {
                        next_month(c);
                        continue;
                }
                if (v > c->day) {
                        c->day = v;
                        reset_time(c);
                }
                if (e->weekdays == 0 || (e->weekdays & (1U << civil_weekday(c->year, c->month, c->day))))
                        return 0;
                next_day(c);
        }
}

/* Move to the next time of the same day that fits; false: there is none. */
static bool find_time(const CalendarExpression *e, Civil *c) {
        while (c->hour < 24) {
                int v = part_next(&e->hour, c->hour, 23);

                if (v < 0)
                        return false;
                if (v > c->hour) {
                        c->hour = v;
                        c->minute = c->usec = 0;
                }
                while (c->minute < 60) {
                        v = part_next(&e->minute, c->minute, 59);
                        if (v < 0)
                                break;
                        if (v > c->minute) {
                                c->minute = v;
                                c->usec = 0;
                        }
                        v = part_next(&e->usec, c->usec, 60 * (int) USEC_PER_SEC - 1);
                        if (v >= 0) {
                                c->usec = v;
                                return true;
                        }
                        c->minute++;
                        c->usec = 0;
                }
                c->hour++;
                c->minute = c->usec = 0;
        }
        return false;
}

static int find(const CalendarExpression *e, Civil *c) {
        for (;;) {
                int r = find_date(e, c);

                if (r < 0)
                        return r;
                if (find_time(e, c))
                        return 0;
                next_day(c);
        }
}

static int next_in_zone(const CalendarExpression *e, uint64_t after_usec, uint64_t *ret_usec) {
        Civil c = zone_civil(after_usec + 1);

        /* Clocks are set forward twice a year; each day that is lost to that costs one turn. */
        for (unsigned i = 0; i < 2 * (CIVIL_YEAR_MAX - CIVIL_YEAR_MIN + 1); i++) {
                int r = find(e, &c);

                if (r < 0)
                        return r;
                if (zone_instant(&c, after_usec, ret_usec) >= 0)
                        return 0;
                c = zone_after_gap(&c);
        }
        return -ENOENT;
}

/**
 * calendar_expression_next() - when does it elapse next?
 * @e: the event
 * @after_usec: microseconds since 1970 UTC; the result is later
 * @ret_usec: the same
 *
 * Return: 0; -ENOENT: never again up to the year 2199; -ENOMEM.
 */
int calendar_expression_next(const CalendarExpression *e, uint64_t after_usec, uint64_t *ret_usec) {
        _cleanup_zone_ ZoneGuard guard = { 0 };
        uint64_t usec;
        int r;

        r = zone_enter(e->zone, &guard);
        if (r < 0)
                return r;
        r = next_in_zone(e, after_usec, &usec);
        if (r < 0)
                return r;
        *ret_usec = usec;
        return 0;
}
