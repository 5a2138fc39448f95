/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Calendar events of systemd.time(7), read into a value of fixed size.
 *
 * A site writes a window once, for a timer or for us, so both must read it in the same way:
 * tests/unit/check-calendar asks `systemd-analyze calendar` about each form. What differs on purpose: a zone
 * is "UTC" or one of the database, and the short names of the machine's own zone ("CEST") are refused or
 * looked up there, since with them systemd 252 elapses never for half the year; blanks around the whole are
 * no error, as they are none in hotpatchd.conf(5); and "~1,2,26" and "*:*:7..7", which systemd 252 refuses
 * without a reason in its manual, are taken.
 *
 * This file reads; when it elapses next is in next.c.
 */

#include <strings.h>

#include "calendar/expression.h"
#include "calendar/zone.h"

/* The rest of the text; each function takes from its beginning what is its own. */
typedef struct Reader {
        const char *p;
} Reader;

typedef struct Bounds {
        int min;
        int max;
} Bounds;

static const struct {
        const char *word;
        const char *meaning;
} shortcuts[] = {
        { "minutely", "*-*-* *:*:00" },
        { "hourly", "*-*-* *:00:00" },
        { "daily", "*-*-* 00:00:00" },
        { "weekly", "Mon *-*-* 00:00:00" },
        { "monthly", "*-*-01 00:00:00" },
        { "quarterly", "*-01,04,07,10-01 00:00:00" },
        { "semiannually", "*-01,07-01 00:00:00" },
        { "semi-annually", "*-01,07-01 00:00:00" },
        { "biannually", "*-01,07-01 00:00:00" },
        { "bi-annually", "*-01,07-01 00:00:00" },
        { "yearly", "*-01-01 00:00:00" },
        { "annually", "*-01-01 00:00:00" },
};

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool skip(Reader *r, const char *what) {
        const char *rest = startswith(r->p, what);

        if (rest)
                r->p = rest;
        return rest;
}

static int read_number(Reader *r, int *ret) {
        int v = 0;

        if (!is_digit(*r->p))
                return -EINVAL;
        for (; is_digit(*r->p); r->p++) {
                v = v * 10 + (*r->p - '0');
                if (v > 1000000)
                        return -ERANGE;
        }
        *ret = v;
        return 0;
}

/* Seconds with up to six places, as microseconds; places after the sixth say nothing. */
static int read_seconds(Reader *r, int *ret) {
        int seconds, usec = 0, unit = 100000;
        int rc = read_number(r, &seconds);

        if (rc < 0)
                return rc;
        if (seconds > 60)
                return -ERANGE;
        if (*r->p == '.' && is_digit(r->p[1]))
                for (r->p++; is_digit(*r->p); r->p++, unit /= 10)
                        usec += (*r->p - '0') * unit;
        *ret = seconds * (int) USEC_PER_SEC + usec;
        return 0;
}

/* "70" to "99" are of the last century, "0" to "69" of this one. */
static int read_year(Reader *r, int *ret) {
        int rc = read_number(r, ret);

        if (rc >= 0 && *ret < 100)
                *ret += *ret < 70 ? 2000 : 1900;
        return rc;
}

typedef int (*ReadValue)(Reader *r, int *ret);

/* At least one value more must be in reach of a repetition; from the end of the month it counts down. */
static bool range_is_valid(const CalendarRange *x, const Bounds *bounds, bool from_end) {
        if (x->start < bounds->min || x->start > bounds->max || x->repeat > bounds->max - bounds->min)
                return false;
        if (x->stop >= 0)
                return x->stop >= bounds->min && x->stop <= bounds->max && x->start + x->repeat <= x->stop;
        return from_end ? x->start - x->repeat >= bounds->min : x->start + x->repeat <= bounds->max;
}

static int read_range(Reader *r, ReadValue read_value, const Bounds *bounds, bool from_end,
                CalendarRange *ret) {
        CalendarRange x = { .stop = -1 };
        int rc = read_value(r, &x.start);

        if (rc >= 0 && skip(r, ".."))
                rc = read_value(r, &x.stop);
        if (rc >= 0 && skip(r, "/")) {
                /* A step is a number also where the value is a year. */
                rc = read_value == read_year ? read_number(r, &x.repeat) : read_value(r, &x.repeat);
                if (rc >= 0 && x.repeat == 0)
                        return -ERANGE;
        }
        if (rc < 0)
                return rc;
        if (!range_is_valid(&x, bounds, from_end))
                return -EINVAL;
        *ret = x;
        return 0;
}

static int read_part(Reader *r, ReadValue read_value, Bounds bounds, bool from_end, CalendarPart *ret) {
        CalendarPart part = { 0 };

        if (skip(r, "*")) {
                *ret = part;
                return 0;
        }
        /* systemd: more than 28 days from the end there is no month that surely has the day. */
        if (from_end)
                bounds.max -= 3;
        do {
                int rc;

                if (part.n == ELEMENTSOF(part.ranges))
                        return -E2BIG;
                rc = read_range(r, read_value, &bounds, from_end, &part.ranges[part.n]);
                if (rc < 0)
                        return rc;
                part.n++;
        } while (skip(r, ","));
        *ret = part;
        return 0;
}

static int read_weekday(Reader *r) {
        size_t n = 0;
        int day;

        while (is_letter(r->p[n]))
                n++;
        day = weekday_parse(r->p, n);
        if (day >= 0)
                r->p += n;
        return day;
}

/* "Mon..Wed,Sat"; a comma at the end is let pass, as by systemd. */
static int read_weekdays(Reader *r, unsigned *ret) {
        unsigned days = 0;

        do {
                int from, to;

                if (days != 0 && !is_letter(*r->p))
                        break;
                from = to = read_weekday(r);
                if (from >= 0 && (skip(r, "..") || skip(r, "-")))
                        to = read_weekday(r);
                if (from < 0 || to < from)
                        return -EINVAL;
                for (int day = from; day <= to; day++)
                        days |= 1U << day;
        } while (skip(r, ","));
        /* All of them is none in particular. */
        *ret = days == 0x7f ? 0 : days;
        return 0;
}

/* Is the next word a date? One has '-' or '~', a time has ':'. */
static bool word_has(const Reader *r, const char *set) {
        size_t n = strcspn(r->p, " ");

        return strcspn(r->p, set) < n;
}

static int read_day(Reader *r, CalendarExpression *e) {
        return read_part(r, read_number, (Bounds) { 1, 31 }, e->from_end, &e->day);
}

/* The end of the word follows. */
static int at_end(const Reader *r) {
        return *r->p == ' ' || *r->p == '\0' ? 0 : -EINVAL;
}

static const Bounds year_bounds = { CIVIL_YEAR_MIN, CIVIL_YEAR_MAX }, month_bounds = { 1, 12 };

/* The rest of a date behind the month, or behind the year if it has one. */
static int read_month_and_day(Reader *r, CalendarExpression *e) {
        int rc = read_part(r, read_number, month_bounds, false, &e->month);

        if (rc < 0)
                return rc;
        e->from_end = *r->p == '~';
        if (!skip(r, "-") && !skip(r, "~"))
                return -EINVAL;
        return read_day(r, e);
}

/* "2026-10-20", "*-10-20", "10-20", and each with '~' before the day. */
static int read_date(Reader *r, CalendarExpression *e) {
        Reader start = *r;
        unsigned separators = 0;
        int rc;

        for (const char *p = r->p; *p && *p != ' '; p++)
                separators += *p == '-' || *p == '~';
        if (separators == 2) {
                rc = read_part(r, read_year, year_bounds, false, &e->year);
                if (rc < 0)
                        return rc;
                if (!skip(r, "-"))
                        return -EINVAL;
        } else if (separators != 1)
                return -EINVAL;
        else
                *r = start;
        rc = read_month_and_day(r, e);
        return rc < 0 ? rc : at_end(r);
}

/* "*" and "1..5" mean whole seconds, though finer steps may be asked for. */
static void step_by_seconds(CalendarPart *usec) {
        if (usec->n == 0)
                *usec = (CalendarPart) { .n = 1, .ranges = { { .stop = -1, .repeat = USEC_PER_SEC } } };
        for (size_t i = 0; i < usec->n; i++)
                if (usec->ranges[i].stop >= 0 && usec->ranges[i].repeat == 0)
                        usec->ranges[i].repeat = USEC_PER_SEC;
}

static int read_time(Reader *r, CalendarExpression *e) {
        int rc = read_part(r, read_number, (Bounds) { 0, 23 }, false, &e->hour);

        if (rc < 0)
                return rc;
        if (!skip(r, ":"))
                return -EINVAL;
        rc = read_part(r, read_number, (Bounds) { 0, 59 }, false, &e->minute);
        if (rc < 0)
                return rc;
        e->usec = (CalendarPart) { .n = 1, .ranges = { { .stop = -1 } } };
        if (skip(r, ":")) {
                rc = read_part(r, read_seconds, (Bounds) { 0, 60 * (int) USEC_PER_SEC - 1 }, false, &e->usec);
                if (rc >= 0)
                        step_by_seconds(&e->usec);
        }
        return rc < 0 ? rc : at_end(r);
}

static void set_midnight(CalendarExpression *e) {
        static const CalendarPart zero = { .n = 1, .ranges = { { .stop = -1 } } };

        e->hour = e->minute = e->usec = zero;
}

/* What is between blanks: [weekdays] [date] [time] */
static int read_words(const char *s, CalendarExpression *e) {
        Reader r = { s };
        bool any = false;
        int rc;

        set_midnight(e);
        if (is_letter(*r.p)) {
                rc = read_weekdays(&r, &e->weekdays);
                if (rc < 0 || (rc = at_end(&r)) < 0)
                        return rc;
                any = true;
                r.p += strspn(r.p, " ");
        }
        if (word_has(&r, "-~")) {
                rc = read_date(&r, e);
                if (rc < 0)
                        return rc;
                any = true;
                r.p += strspn(r.p, " ");
        }
        if (*r.p) {
                rc = read_time(&r, e);
                if (rc < 0)
                        return rc;
                any = true;
        }
        return any && !*r.p ? 0 : -EINVAL;
}

/* "@1790000000": one instant, in UTC. */
static int read_epoch(const char *s, CalendarExpression *e) {
        int64_t seconds = 0;
        Civil c;

        if (!is_digit(*s))
                return -EINVAL;
        for (; is_digit(*s); s++) {
                seconds = seconds * 10 + (*s - '0');
                if (seconds >= civil_seconds(&(Civil) { .year = CIVIL_YEAR_MAX + 1, .month = 1, .day = 1 }))
                        return -ERANGE;
        }
        if (*s)
                return -EINVAL;
        c = civil_from_seconds(seconds);
        e->year = (CalendarPart) { .n = 1, .ranges = { { .start = c.year, .stop = -1 } } };
        e->month = (CalendarPart) { .n = 1, .ranges = { { .start = c.month, .stop = -1 } } };
        e->day = (CalendarPart) { .n = 1, .ranges = { { .start = c.day, .stop = -1 } } };
        e->hour = (CalendarPart) { .n = 1, .ranges = { { .start = c.hour, .stop = -1 } } };
        e->minute = (CalendarPart) { .n = 1, .ranges = { { .start = c.minute, .stop = -1 } } };
        e->usec = (CalendarPart) { .n = 1, .ranges = { { .start = c.usec, .stop = -1 } } };
        (void) strcpy(e->zone, "UTC");
        return 0;
}

static int read_body(const char *s, CalendarExpression *e) {
        for (size_t i = 0; i < ELEMENTSOF(shortcuts); i++)
                if (strcasecmp(shortcuts[i].word, s) == 0)
                        return read_words(shortcuts[i].meaning, e);
        return *s == '@' ? read_epoch(s + 1, e) : read_words(s, e);
}

/* Cut the zone off the end, if the last of several words is one. */
static int take_zone(char *s, CalendarExpression *e) {
        char *last = strrchr(s, ' ');

        if (!last || !is_letter(last[1]))
                return 0;
        if (strcasecmp(last + 1, "UTC") == 0)
                (void) strcpy(e->zone, "UTC");
        else if (zone_exists(last + 1))
                (void) strcpy(e->zone, last + 1);
        else
                return -EINVAL;
        while (last > s && last[-1] == ' ')
                last--;
        *last = '\0';
        return 0;
}

/**
 * calendar_expression_parse() - read a calendar event of systemd.time(7)
 * @s: the text
 * @ret: what it means
 *
 * Return: 0; -EINVAL: it is none; -ERANGE: a number in it is too large or a step is 0; -E2BIG: too long.
 */
int calendar_expression_parse(const char *s, CalendarExpression *ret) {
        _cleanup_free_ CalendarExpression *e = calloc(1, sizeof(*e));
        char text[HOTPATCH_CALENDAR_TEXT_MAX + 1];
        size_t n;
        int rc;

        if (!e)
                return -ENOMEM;
        s += strspn(s, " \t");
        n = strlen(s);
        while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
                n--;
        if (n >= sizeof(text))
                return -E2BIG;
        memcpy(text, s, n);
        text[n] = '\0';
        memcpy(e->text, text, n + 1);
        rc = take_zone(text, e);
        if (rc >= 0)
                rc = read_body(text, e);
        if (rc < 0)
                return rc;
        *ret = *e;
        return 0;
}
