/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The day of a month on which its update is due. */

#include "calendar/civil.h"

#define DAY_RULE_LAST 5

/**
 * struct DayRule - "third Tue", "last Sunday", "15", each with "+7d"
 * @nth: 1 to 4 or DAY_RULE_LAST: which @weekday; 0: @day
 * @weekday: WEEKDAY_MONDAY to WEEKDAY_SUNDAY
 * @day: 1 to 28
 * @plus_days: 0 to 27; the result may lie in the month after
 */
typedef struct DayRule {
        int nth;
        int weekday;
        int day;
        int plus_days;
} DayRule;

int day_rule_parse(const char *s, DayRule *ret) _must_check_ _nonnull_(1, 2);
int day_rule_format(const DayRule *rule, char **ret) _must_check_ _nonnull_(1, 2);
Civil day_rule_apply(const DayRule *rule, int year, int month) _nonnull_(1);
