/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the calendar computes, for check-calendar to compare. Each line of the input is a question, its fields
 * separated by tabs; the answers are lines too.
 *
 *   next EXPRESSION BASE-SECONDS N    at most N instants as seconds, in one line; "never"; "invalid"
 *   year YEAR MONTHS DAY-RULE WINDOW LENGTH-SECONDS DEADLINE-SECONDS    one line with the twelve months
 */

#include "calendar/year.h"

static void answer_next(char *fields) {
        const char *text = strsep(&fields, "\t");
        uint64_t after = strtoull(strsep(&fields, "\t"), NULL, 10) * USEC_PER_SEC;
        unsigned n = (unsigned) atoi(fields);
        CalendarExpression e;

        if (calendar_expression_parse(text, &e) < 0) {
                puts("invalid");
                return;
        }
        for (unsigned i = 0; i < n; i++) {
                if (calendar_expression_next(&e, after, &after) < 0) {
                        fputs("never", stdout);
                        break;
                }
                printf("%llu ", (unsigned long long) (after / USEC_PER_SEC));
        }
        puts("");
}

static void answer_year(char *fields) {
        CalendarMonth months[12];
        CalendarPolicy p = { 0 };
        int year = atoi(strsep(&fields, "\t"));

        for (char *list = strsep(&fields, "\t"); list;)
                p.months |= 1U << (atoi(strsep(&list, " ")) - 1);
        if (day_rule_parse(strsep(&fields, "\t"), &p.day) < 0 ||
            calendar_window_parse(strsep(&fields, "\t"), &p.window) < 0) {
                puts("invalid");
                return;
        }
        p.window_length_usec = strtoull(strsep(&fields, "\t"), NULL, 10) * USEC_PER_SEC;
        p.deadline_usec = strtoull(fields, NULL, 10) * USEC_PER_SEC;
        if (calendar_year(&p, year, months) < 0) {
                puts("invalid");
                return;
        }
        for (size_t i = 0; i < ELEMENTSOF(months); i++)
                printf("%s,%d,%04d-%02d-%02d,%llu,%llu,%llu,%llu,%llu ", months[i].name, months[i].baseline,
                       months[i].day.year, months[i].day.month, months[i].day.day,
                       (unsigned long long) (months[i].day_usec / USEC_PER_SEC),
                       (unsigned long long) (months[i].window_begin_usec / USEC_PER_SEC),
                       (unsigned long long) (months[i].window_end_usec / USEC_PER_SEC),
                       (unsigned long long) (months[i].deadline_usec / USEC_PER_SEC),
                       (unsigned long long) (months[i].covers_until_usec / USEC_PER_SEC));
        puts("");
}

int main(void) {
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        ssize_t n;

        while ((n = getline(&line, &size, stdin)) > 0) {
                char *fields = line;
                const char *what;

                line[n - 1] = '\0';
                what = strsep(&fields, "\t");
                if (streq(what, "next"))
                        answer_next(fields);
                else if (streq(what, "year"))
                        answer_year(fields);
                else
                        return 2;
        }
        return 0;
}
