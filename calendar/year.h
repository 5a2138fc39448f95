/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The year: which months restart the machine, on which day, in which window, and until when. */

#include "calendar/dayrule.h"
#include "calendar/expression.h"

#define CALENDAR_ALL_MONTHS 0xfffU

/* "2026.10" */
#define BASELINE_NAME_SIZE sizeof("YYYY.MM")

/**
 * struct CalendarPolicy
 * @months: those with a baseline, bit 0 is January; never 0
 * @window: when a window begins; its zone is that of the whole calendar
 * @window_length_usec: not 0
 * @deadline_usec: after the baseline's day began
 */
typedef struct CalendarPolicy {
        unsigned months;
        DayRule day;
        CalendarExpression window;
        uint64_t window_length_usec;
        uint64_t deadline_usec;
} CalendarPolicy;

/**
 * struct CalendarMonth - all times are microseconds since 1970 UTC
 * @baseline: else a month of hotpatches
 * @name: "2026.10"
 * @day: wall clock, when its update is due
 * @day_usec: when that day begins
 * @window_begin_usec: first window that begins on that day or later; 0: none in reach
 * @deadline_usec: a baseline that is not in force by then is missed
 * @covers_until_usec: of a baseline: the deadline of the next one; with it the hotpatches for this one end
 */
typedef struct CalendarMonth {
        int year;
        int month;
        bool baseline;
        char name[BASELINE_NAME_SIZE];
        Civil day;
        uint64_t day_usec;
        uint64_t window_begin_usec;
        uint64_t window_end_usec;
        uint64_t deadline_usec;
        uint64_t covers_until_usec;
} CalendarMonth;

int calendar_window_parse(const char *s, CalendarExpression *ret) _must_check_ _nonnull_(1, 2);
int baseline_name_parse(const char *s, int *ret_year, int *ret_month) _must_check_ _nonnull_(1, 2, 3);
unsigned calendar_restarts(const CalendarPolicy *p) _nonnull_(1);

int calendar_year_at(const CalendarPolicy *p, uint64_t now_usec) _nonnull_(1);
int calendar_year(const CalendarPolicy *p, int year, CalendarMonth ret[static 12]) _must_check_
                _nonnull_(1, 3);
int calendar_baseline(const CalendarPolicy *p, const char *name, CalendarMonth *ret) _must_check_
                _nonnull_(1, 2, 3);
int calendar_baseline_at(const CalendarPolicy *p, uint64_t now_usec, CalendarMonth *ret) _must_check_
                _nonnull_(1, 3);
int calendar_baseline_after(const CalendarPolicy *p, uint64_t now_usec, CalendarMonth *ret) _must_check_
                _nonnull_(1, 3);
int calendar_window_at(const CalendarPolicy *p, uint64_t now_usec, uint64_t *ret_begin, uint64_t *ret_end)
                _must_check_ _nonnull_(1, 3, 4);
