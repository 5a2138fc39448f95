/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calendar events as systemd.time(7) writes them. */

#include "calendar/civil.h"
#include "util/limits.h"

/**
 * struct CalendarRange - values of one part of a date
 * @stop: -1: none
 * @repeat: 0: none
 */
typedef struct CalendarRange {
        int start;
        int stop;
        int repeat;
} CalendarRange;

/** struct CalendarPart - all values that fit; @n is 0 for "*" */
typedef struct CalendarPart {
        size_t n;
        CalendarRange ranges[HOTPATCH_CALENDAR_RANGES_MAX];
} CalendarPart;

/**
 * struct CalendarExpression - a value; it owns nothing and may be copied
 * @text: as it was given
 * @weekdays: bits, 1 << WEEKDAY_MONDAY and so on; 0: every day
 * @from_end: days count from the end of the month ("~")
 * @usec: of the minute
 * @zone: of the time zone database, or "UTC"; "": the machine's own
 */
typedef struct CalendarExpression {
        char text[HOTPATCH_CALENDAR_TEXT_MAX + 1];
        unsigned weekdays;
        bool from_end;
        CalendarPart year;
        CalendarPart month;
        CalendarPart day;
        CalendarPart hour;
        CalendarPart minute;
        CalendarPart usec;
        char zone[HOTPATCH_ZONE_MAX + 1];
} CalendarExpression;

int calendar_expression_parse(const char *s, CalendarExpression *ret) _must_check_ _nonnull_(1, 2);
int calendar_expression_next(const CalendarExpression *e, uint64_t after_usec, uint64_t *ret_usec)
        _must_check_ _nonnull_(1, 3);
