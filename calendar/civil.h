/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a wall clock and a wall calendar show, without a time zone. */

#include "util/base.h"

/* systemd.time(7) knows no year after 2199, and neither does what is compared with it. */
#define CIVIL_YEAR_MIN 1970
#define CIVIL_YEAR_MAX 2199

#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_DAY (24 * 60 * USEC_PER_MINUTE)

/**
 * struct Civil
 * @month: 1 to 12
 * @day: 1 to 31
 * @usec: of the minute, below 60 000 000
 */
typedef struct Civil {
        int year;
        int month;
        int day;
        int hour;
        int minute;
        int usec;
} Civil;

enum {
        WEEKDAY_MONDAY,
        WEEKDAY_TUESDAY,
        WEEKDAY_WEDNESDAY,
        WEEKDAY_THURSDAY,
        WEEKDAY_FRIDAY,
        WEEKDAY_SATURDAY,
        WEEKDAY_SUNDAY,
};

int civil_days_in_month(int year, int month);
int civil_weekday(int year, int month, int day);
void civil_add_days(Civil *c, int days) _nonnull_(1);
int64_t civil_seconds(const Civil *c) _nonnull_(1);
Civil civil_from_seconds(int64_t seconds);

int weekday_parse(const char *s, size_t n) _must_check_ _nonnull_(1);
const char *weekday_to_string(int weekday);
