/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Single values, from text and back. What is written out can be read again and means the same; that is
 * what lets the manual, the commented default file and `hotpatchctl policy` be compared by a test.
 *
 * A parser accepts the whole text or nothing. Which value is taken instead of a bad one is the affair of
 * keys.c.
 */

#include "config/values.h"
#include "util/limits.h"
#include "util/str.h"

/** value_parse_boolean() - as systemd.syntax(7) reads booleans. Return: 0 or -EINVAL. */
int value_parse_boolean(const char *s, bool *ret) {
        static const char *const words[2][5] = {
                { "0", "no", "false", "off", "n" },
                { "1", "yes", "true", "on", "y" },
        };

        for (int value = 0; value < 2; value++)
                for (size_t i = 0; i < ELEMENTSOF(words[value]); i++)
                        if (strcasecmp(s, words[value][i]) == 0) {
                                *ret = value;
                                return 0;
                        }
        return -EINVAL;
}

static int parse_digits(const char **s, uint64_t max, uint64_t *ret) {
        uint64_t v = 0;

        if (**s < '0' || **s > '9')
                return -EINVAL;
        for (; **s >= '0' && **s <= '9'; (*s)++) {
                v = v * 10 + (uint64_t) (**s - '0');
                if (v > max)
                        return -EINVAL;
        }
        *ret = v;
        return 0;
}

/** value_parse_unsigned() - a number; @suffix may follow it, if it is not NULL. Return: 0 or -EINVAL. */
int value_parse_unsigned(const char *s, uint64_t max, const char *suffix, uint64_t *ret) {
        uint64_t v;
        int r = parse_digits(&s, max, &v);

        if (r < 0 || (*s && !streq_ptr(s, suffix)))
                return -EINVAL;
        *ret = v;
        return 0;
}

/* The largest unit last. */
static const struct {
        const char *unit;
        uint64_t usec;
} units[] = {
        { "", USEC_PER_SEC },
        { "ms", USEC_PER_MSEC },
        { "s", USEC_PER_SEC },
        { "min", 60 * USEC_PER_SEC },
        { "h", 3600 * USEC_PER_SEC },
        { "d", VALUE_USEC_PER_DAY },
        { "w", 7 * VALUE_USEC_PER_DAY },
};

/**
 * value_parse_span() - "90", "90s", "5 min", "14d": one number and one unit, seconds if there is none
 * @max_usec: the longest that is accepted
 *
 * Return: 0 or -EINVAL.
 */
int value_parse_span(const char *s, uint64_t max_usec, uint64_t *ret_usec) {
        uint64_t v;
        int r = parse_digits(&s, max_usec, &v);

        if (r < 0)
                return r;
        s += strspn(s, " ");
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (streq(s, units[i].unit)) {
                        if (v > max_usec / units[i].usec)
                                return -EINVAL;
                        *ret_usec = v * units[i].usec;
                        return 0;
                }
        return -EINVAL;
}

/** value_format_span() - the largest unit up to days in which it is a whole number. Return: 0 or -ENOMEM. */
int value_format_span(uint64_t usec, char **ret) {
        size_t i = ELEMENTSOF(units) - 2;

        if (usec == 0) {
                *ret = strdup("0");
                return *ret ? 0 : -ENOMEM;
        }
        while (i > 1 && usec % units[i].usec != 0)
                i--;
        return str_printf(ret, "%llu%s", (unsigned long long) (usec / units[i].usec), units[i].unit);
}

/** value_parse_flags() - words, separated by blanks; upper and lower case are one. Return: 0 or -EINVAL. */
int value_parse_flags(const char *s, const ValueWord *words, unsigned *ret) {
        static const char blanks[] = " \t\n";
        unsigned flags = 0;

        for (s += strspn(s, blanks); *s; s += strspn(s, blanks)) {
                size_t n = strcspn(s, blanks);
                const ValueWord *w = words;

                while (w->word && (strlen(w->word) != n || strncasecmp(w->word, s, n) != 0))
                        w++;
                if (!w->word)
                        return -EINVAL;
                flags |= w->value;
                s += n;
        }
        *ret = flags;
        return 0;
}

/** value_format_flags() - the first word of each bit that is set. Return: 0 or -ENOMEM. */
int value_format_flags(unsigned flags, const ValueWord *words, char **ret) {
        _cleanup_free_ char *text = NULL;
        int r = str_extendf(&text, "%s", "");

        for (; r >= 0 && words->word && flags; words++) {
                /* a word for several bits is a shorthand for reading */
                if ((words->value & (words->value - 1)) != 0 || (flags & words->value) == 0)
                        continue;
                r = str_extendf(&text, "%s%s", *text ? " " : "", words->word);
                flags &= ~words->value;
        }
        if (r >= 0)
                *ret = TAKE_PTR(text);
        return r;
}

/* --- words of a kind --- */

static bool consists_of(const char *s, const char *allowed, size_t max) {
        size_t n = strlen(s);

        return n > 0 && n <= max && strspn(s, allowed) == n;
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* A '[' with its ']' in the same part, and at least one character between them. */
static bool brackets_are_closed(const char *p) {
        for (; (p = strchr(p, '[')); p++) {
                p += strspn(p, "[") + strspn(p + strspn(p, "["), "!^");
                if (!*p || *p == ']')
                        return false;
                p += strcspn(p, "]/:[");
                if (*p != ']')
                        return false;
        }
        return true;
}

/**
 * value_is_pattern() - can it be a pattern of [Policy] Forbid=? See daemon/plan-policy.c.
 *
 * What could never match, a leading '/' or two ':', is no pattern: it would forbid nothing, and nobody
 * would notice.
 */
bool value_is_pattern(const char *p) {
        const char *colon = strchr(p, ':');

        if (!consists_of(p, LETTERS DIGITS "_.*?[]!^/:+-", HOTPATCH_FIX_PATH_MAX) || *p == '/' || strstr(p, "//") ||
            strstr(p, "..") || startswith(p, "./") || !brackets_are_closed(p))
                return false;
        return !colon || (colon != p && colon[1] && !strchr(colon + 1, ':') && !strchr(p, '/'));
}

/** value_is_unit_glob() - a glob as fnmatch(3) takes it, for names of units */
bool value_is_unit_glob(const char *s) {
        return consists_of(s, LETTERS DIGITS ":-_.\\@*?[]!", HOTPATCH_UNIT_NAME_MAX);
}

/** value_is_word() - a name that somebody gave something: a ring, an architecture */
bool value_is_word(const char *s) {
        return consists_of(s, LETTERS DIGITS "._-", HOTPATCH_ID_MAX) && *s != '.' && *s != '-';
}

/** value_is_program() - the name of a file in a folder of programs; no path, nothing hidden */
bool value_is_program(const char *s) {
        return consists_of(s, "abcdefghijklmnopqrstuvwxyz" DIGITS "-", HOTPATCH_ID_MAX) && *s != '-';
}
