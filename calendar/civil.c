/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Dates as people write them: the Gregorian calendar from 1970 to 2199, and the names of days.
 *
 * A Civil is a point on a wall clock, not in time: which instant it is, or whether it is one at all,
 * depends on the zone, and that is zone.c's. Counting is left to timegm(3) and gmtime_r(3), which do not
 * look at any zone.
 */

#include <strings.h>
#include <time.h>

#include "calendar/civil.h"

static const char *const weekdays[] = {
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
};

/** civil_days_in_month() - 28 to 31 */
int civil_days_in_month(int year, int month) {
        static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

        return days[month - 1] + (month == 2 && leap);
}

/**
 * civil_seconds() - seconds since 1970-01-01 00:00 on this wall clock, parts of a second cut off
 *
 * A day or a month out of its range is carried over.
 */
int64_t civil_seconds(const Civil *c) {
        struct tm tm = {
                .tm_year = c->year - 1900,
                .tm_mon = c->month - 1,
                .tm_mday = c->day,
                .tm_hour = c->hour,
                .tm_min = c->minute,
                .tm_sec = c->usec / (int) USEC_PER_SEC,
        };

        return timegm(&tm);
}

/** civil_from_seconds() - the other way round */
Civil civil_from_seconds(int64_t seconds) {
        time_t t = seconds;
        struct tm tm;

        gmtime_r(&t, &tm);
        return (Civil) {
                .year = tm.tm_year + 1900,
                .month = tm.tm_mon + 1,
                .day = tm.tm_mday,
                .hour = tm.tm_hour,
                .minute = tm.tm_min,
                .usec = tm.tm_sec * (int) USEC_PER_SEC,
        };
}

/** civil_weekday() - WEEKDAY_MONDAY to WEEKDAY_SUNDAY */
int civil_weekday(int year, int month, int day) {
        int64_t days = civil_seconds(&(Civil) { .year = year, .month = month, .day = day }) / (24 * 3600);

        /* 1970-01-01 was a Thursday. */
        return (int) ((days + WEEKDAY_THURSDAY) % 7);
}

/** civil_add_days() - later, or earlier when @days is negative, at the same time of the day */
void civil_add_days(Civil *c, int days) {
        int usec = c->usec;

        c->day += days;
        *c = civil_from_seconds(civil_seconds(c));
        c->usec = usec;
}

/** weekday_parse() - "Tue" or "Tuesday", in any case, @n letters; Return: WEEKDAY_* or -EINVAL */
int weekday_parse(const char *s, size_t n) {
        for (size_t i = 0; i < ELEMENTSOF(weekdays); i++)
                if ((n == 3 || n == strlen(weekdays[i])) && strncasecmp(weekdays[i], s, n) == 0)
                        return (int) i;
        return -EINVAL;
}

/** weekday_to_string() - "Tuesday" */
const char *weekday_to_string(int weekday) {
        return weekdays[weekday];
}
