/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a bundle says about itself was written by somebody else. Even a signed title must not be
 * able to move the cursor, to change the colour of a warning or to reverse the order of letters, so
 * every string that came over the bus or out of a file goes through text_sanitize() before it
 * reaches a terminal. JSON is not touched here: json.c escapes what a terminal might act on.
 *
 * Times are shown in the local time zone to people and in UTC to machines.
 */

#include <langinfo.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <time.h>
#include <wchar.h>

#include "ctl/text.h"
#include "util/utf8.h"

#define WIDTH_DEFAULT 80U
#define WIDTH_MIN 40U

/**
 * style_on() - the escape sequence that begins a style
 * @colour: whether the stream shows colours
 * @style: the style
 *
 * Return: a static string, empty without @colour.
 */
const char *style_on(bool colour, Style style) {
        static const char *const sequences[_STYLE_MAX] = {
                [STYLE_NONE] = "",
                [STYLE_BOLD] = "\033[1m",
                [STYLE_DIM] = "\033[2m",
                [STYLE_RED] = "\033[1;31m",
                [STYLE_GREEN] = "\033[32m",
                [STYLE_YELLOW] = "\033[33m",
        };

        return colour ? sequences[style] : "";
}

/** style_off() - the escape sequence that ends what style_on() began */
const char *style_off(bool colour, Style style) {
        return colour && style != STYLE_NONE ? "\033[0m" : "";
}

/**
 * text_sanitize() - a copy of a stranger's string that is safe to print
 * @text: the string; NULL counts as empty
 *
 * White space becomes a space, newline stays newline, and every byte of what acts on a terminal or
 * is not UTF-8 becomes a question mark.
 *
 * Return: the copy, to be freed; NULL when out of memory.
 */
char *text_sanitize(const char *text) {
        const char *s = strempty(text);
        char *copy = malloc(strlen(s) + 1), *to = copy;

        if (!copy)
                return NULL;
        while (*s) {
                uint32_t c = 0;
                size_t n = utf8_decode(s, &c);

                if (*s == '\n')
                        *to++ = '\n';
                else if (strchr("\t\v\f\r", *s))
                        *to++ = ' ';
                else if (n == 0 || utf8_acts(c))
                        *to++ = '?';
                else
                        to = mempcpy(to, s, n);
                s += n ?: 1;
        }
        *to = '\0';
        return copy;
}

/**
 * text_line() - the same for what is shown within a line, such as the name of a file
 * @text: the string; NULL counts as empty
 *
 * A newline becomes a question mark as well: nobody's file name begins a line of ours.
 *
 * Return: the copy, to be freed; NULL when out of memory.
 */
char *text_line(const char *text) {
        char *copy = text_sanitize(text);

        for (char *p = copy; p && *p; p++)
                if (*p == '\n')
                        *p = '?';
        return copy;
}

/**
 * text_columns() - how wide the first bytes of a sanitised text are on a terminal
 * @text, @size: the text
 *
 * Return: columns; bytes where the locale does not know the characters.
 */
unsigned text_columns(const char *text, size_t size) {
        mbstate_t state = { 0 };
        unsigned sum = 0;

        for (size_t i = 0; i < size;) {
                wchar_t c;
                size_t n = mbrtowc(&c, text + i, size - i, &state);
                int w;

                if (n == 0 || n > size - i)
                        return (unsigned) size;
                w = wcwidth(c);
                sum += w > 0 ? (unsigned) w : 0;
                i += n;
        }
        return sum;
}

/**
 * text_wrap() - break text into lines of a width
 * @text: sanitised text; its newlines are kept
 * @indent: put before each line but the first
 * @width: columns, including @indent; a longer word stands out rather than being cut
 * @ret: the lines, without a final newline; to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int text_wrap(const char *text, const char *indent, unsigned width, char **ret) {
        _cleanup_free_ char *buf = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&buf, &size);
        unsigned indent_width = (unsigned) strlen(indent), column = indent_width;
        /* @first word of a line, and whether that line @start needs its indent */
        bool first = true, start = false;

        if (!f)
                return -ENOMEM;
        for (const char *s = text; *s;) {
                size_t n = strcspn(s, " \n");
                unsigned w = text_columns(s, n);

                if (n > 0 && !first && column + 1 + w > width) {
                        fputc('\n', f);
                        start = first = true;
                }
                if (n > 0) {
                        fprintf(f, "%s%.*s", !first ? " " : start ? indent : "", (int) n, s);
                        column = w + (first ? indent_width : column + 1);
                        first = false;
                }
                s += n;
                if (*s == '\n' && s[1]) {
                        fputc('\n', f);
                        start = first = true;
                }
                s += *s != '\0';
        }
        if (fclose(f) != 0)
                return -ENOMEM;
        *ret = TAKE_PTR(buf);
        return 0;
}

/* Where a name or a path may be broken: behind these. */
static bool may_break_after(char c) {
        return c != '\0' && strchr("-/:,=_.", c);
}

/**
 * text_cut() - break the words of a text that are wider than a width
 * @text: sanitised text
 * @width: columns, at least 2
 *
 * A long id or path is broken behind a dash, a slash and the like where there is one in the second half of the line.
 *
 * Return: a copy with newlines in such words, to be freed; NULL when out of memory.
 */
char *text_cut(const char *text, unsigned width) {
        /* A newline for each character at most. @line begins what is in this line of the word, @good is behind a mark. */
        char *copy = malloc(2 * strlen(text) + 1), *to = copy, *line = copy, *good = NULL;
        unsigned column = 0;

        if (!copy)
                return NULL;
        for (const char *s = text; *s;) {
                uint32_t c;
                size_t n = utf8_decode(s, &c) ?: 1;
                unsigned w = text_columns(s, n);

                if (*s == ' ' || *s == '\n')
                        column = 0;
                else if ((column += w) > width) {
                        if (!good || text_columns(line, (size_t) (good - line)) < width / 2)
                                good = to;
                        memmove(good + 1, good, (size_t) (to - good));
                        *good = '\n';
                        line = good + 1;
                        to++;
                        column = text_columns(line, (size_t) (to - line)) + w;
                        good = NULL;
                }
                to = mempcpy(to, s, n);
                if (*s == ' ' || *s == '\n') {
                        line = to;
                        good = NULL;
                } else if (may_break_after(*s))
                        good = to;
                s += n;
        }
        *to = '\0';
        return copy;
}

/** text_plural() - @one for one thing, else @many */
const char *text_plural(uint64_t n, const char *one, const char *many) {
        return n == 1 ? one : many;
}

/** terminal_width() - columns of a terminal, at least 40; 80 if @fd is none or does not tell */
unsigned terminal_width(int fd) {
        struct winsize size = { 0 };

        if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                return WIDTH_DEFAULT;
        return size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col;
}

static int time_format(uint64_t usec, bool utc, char **ret) {
        time_t t = (time_t) (usec / USEC_PER_SEC);
        struct tm tm;
        char buf[64] = "";

        if (!(utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm)))
                return -ERANGE;
        if (utc)
                strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm);
        else
                strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S", &tm);
        *ret = strdup(buf);
        return *ret ? 0 : -ENOMEM;
}

/**
 * time_format_utc() - a time for machines, RFC 3339
 * @usec: microseconds since 1970
 * @ret: to be freed
 *
 * Return: 0, -ERANGE or -ENOMEM.
 */
int time_format_utc(uint64_t usec, char **ret) {
        return time_format(usec, true, ret);
}

/** time_format_local() - a time for people; otherwise as time_format_utc() */
int time_format_local(uint64_t usec, char **ret) {
        return time_format(usec, false, ret);
}

/* "90", "15min", "2h", "3d", "1w" → microseconds */
static int span_parse(const char *text, uint64_t *ret) {
        static const struct {
                const char *unit;
                uint64_t seconds;
        } units[] = {{"", 1}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
        char *end;
        unsigned long long n;

        if (*text < '0' || *text > '9')
                return -EINVAL;
        errno = 0;
        n = strtoull(text, &end, 10);
        if (errno != 0 || n > 1000000000)
                return -EINVAL;
        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (streq(end, units[i].unit)) {
                        *ret = n * units[i].seconds * USEC_PER_SEC;
                        return 0;
                }
        return -EINVAL;
}

static uint64_t midnight(uint64_t usec, int days) {
        time_t t = (time_t) (usec / USEC_PER_SEC);
        struct tm tm;

        if (!localtime_r(&t, &tm))
                return 0;
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        tm.tm_mday += days;
        tm.tm_isdst = -1;
        return (uint64_t) mktime(&tm) * USEC_PER_SEC;
}

/**
 * time_parse() - read a time as `--since` takes it
 * @text: `today`, `yesterday`, `-2h` (that long ago; s, min, h, d, w), `2026-11-21`,
 *   `2026-11-21 09:30[:00]` in local time, or RFC 3339 in UTC with a `Z`
 * @now_usec: the present
 * @ret: microseconds since 1970
 *
 * Return: 0 or -EINVAL.
 */
int time_parse(const char *text, uint64_t now_usec, uint64_t *ret) {
        static const struct {
                const char *format;
                bool utc;
        } formats[] = {
                { "%Y-%m-%dT%H:%M:%SZ", true }, { "%Y-%m-%d %H:%M:%S", false },
                { "%Y-%m-%d %H:%M", false },    { "%Y-%m-%d", false },
        };
        uint64_t span;

        if (streq(text, "today") || streq(text, "yesterday")) {
                *ret = midnight(now_usec, streq(text, "today") ? 0 : -1);
                return 0;
        }
        if (*text == '-') {
                if (span_parse(text + 1, &span) < 0)
                        return -EINVAL;
                *ret = span < now_usec ? now_usec - span : 0;
                return 0;
        }
        for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
                struct tm tm = { .tm_isdst = formats[i].utc ? 0 : -1 };
                const char *end = strptime(text, formats[i].format, &tm);
                time_t t;

                if (!end || *end != '\0')
                        continue;
                t = formats[i].utc ? timegm(&tm) : mktime(&tm);
                if (t < 0)
                        return -EINVAL;
                *ret = (uint64_t) t * USEC_PER_SEC;
                return 0;
        }
        return -EINVAL;
}
