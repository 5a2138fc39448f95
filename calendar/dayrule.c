/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * "The Tuesday after Patch Tuesday" cannot be said in systemd.time(7) when the second Tuesday is the 14th
 * and a week later counts: its parts of a date are independent of each other. Here the rule is the weekday's
 * number and a distance: "second Tue +7d". It has no time; the window has that.
 */

#include <strings.h>

#include "calendar/dayrule.h"
#include "util/str.h"

/* Less than the shortest month: the days of different months stay in order. */
#define DAY_RULE_PLUS_MAX 27

static const char *const ordinals[] = { "first", "second", "third", "fourth", "last" };

static int ordinal_parse(const char *s, size_t n) {
        for (size_t i = 0; i < ELEMENTSOF(ordinals); i++)
                if (strlen(ordinals[i]) == n && strncasecmp(ordinals[i], s, n) == 0)
                        return (int) i + 1;
        return -EINVAL;
}

/* The next word of @s; its length in @ret_n, 0 at the end. */
static const char *next_word(const char *s, size_t *ret_n) {
        s += strspn(s, " \t");
        *ret_n = strcspn(s, " \t");
        return s;
}

/* One or two digits, all of the word. */
static int small_number(const char *s, size_t n, int min, int max) {
        int v = 0;

        if (n == 0 || n > 2)
                return -EINVAL;
        for (size_t i = 0; i < n; i++) {
                if (s[i] < '0' || s[i] > '9')
                        return -EINVAL;
                v = v * 10 + (s[i] - '0');
        }
        return v < min || v > max ? -EINVAL : v;
}

/**
 * day_rule_parse() - read "first…fourth|last WEEKDAY" or "1…28", then perhaps "+Nd"
 * @s: the text
 * @ret: what it means
 *
 * Return: 0 or -EINVAL.
 */
int day_rule_parse(const char *s, DayRule *ret) {
        DayRule rule = { 0 };
        size_t n;

        s = next_word(s, &n);
        rule.nth = ordinal_parse(s, n);
        if (rule.nth < 0) {
                rule.nth = 0;
                rule.day = small_number(s, n, 1, 28);
        } else {
                s = next_word(s + n, &n);
                rule.weekday = weekday_parse(s, n);
        }
        if (rule.day < 0 || rule.weekday < 0)
                return -EINVAL;
        s = next_word(s + n, &n);
        if (n > 0) {
                if (n < 3 || s[0] != '+' || s[n - 1] != 'd')
                        return -EINVAL;
                rule.plus_days = small_number(s + 1, n - 2, 0, DAY_RULE_PLUS_MAX);
                if (rule.plus_days < 0)
                        return -EINVAL;
                (void) next_word(s + n, &n);
                if (n > 0)
                        return -EINVAL;
        }
        *ret = rule;
        return 0;
}

/** day_rule_format() - "second Tue +7d"; Return: 0 or -ENOMEM */
int day_rule_format(const DayRule *rule, char **ret) {
        char plus[16] = "";

        if (rule->plus_days > 0)
                (void) snprintf(plus, sizeof(plus), " +%dd", rule->plus_days);
        if (rule->nth > 0)
                return str_printf(ret, "%s %.3s%s", ordinals[rule->nth - 1], weekday_to_string(rule->weekday), plus);
        return str_printf(ret, "%d%s", rule->day, plus);
}

/** day_rule_apply() - the day that a month's rule means; midnight, perhaps in the month after */
Civil day_rule_apply(const DayRule *rule, int year, int month) {
        Civil c = { .year = year, .month = month, .day = rule->day };

        if (rule->nth > 0) {
                int days = civil_days_in_month(year, month);

                c.day = 1 + (rule->weekday - civil_weekday(year, month, 1) + 7) % 7 + 7 * (rule->nth - 1);
                if (c.day > days)
                        c.day -= 7;
        }
        civil_add_days(&c, rule->plus_days);
        return c;
}
