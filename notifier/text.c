/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every word that hotpatch-notifier shows stands in one table, so that a translation has one place. A sentence names its
 * values in braces, because languages order them differently.
 *
 * Values are titles, reasons and times: the first two were written by somebody else. They reach a notification only
 * through text_fill(), which makes one line of them, takes out what acts instead of being seen, and cuts what is too
 * long. Markup is not known here: a body is plain text until the moment it is sent, and is escaped as a whole then,
 * when the notification daemon wants markup (text_escape()).
 */

#include <stdarg.h>
#include <time.h>

#include "notifier/text.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/utf8.h"

static const char *const texts[_TEXT_MAX] = {
        [TEXT_NONE] = "",
        [TEXT_APP_NAME] = "Hotpatch",

        [TEXT_APPLIED_ONE] = "Security fix applied",
        [TEXT_APPLIED_MANY] = "{count} security fixes applied",
        [TEXT_APPLIED_FIXES] = "{title} ({fixes})",
        [TEXT_APPLIED_TRIAL] = "No restart was needed. Until {when} it is on trial: should anything go wrong, it is "
                               "taken out again.",
        [TEXT_APPLIED_DONE] = "No restart was needed.",

        [TEXT_ROLLED_BACK_ONE] = "Security fix taken out again",
        [TEXT_ROLLED_BACK_MANY] = "{count} security fixes taken out again",
        [TEXT_ROLLED_BACK_ITEM] = "{title}: {reason}.",
        [TEXT_ROLLED_BACK_OPEN] = "What it repaired is open again. It should not be applied again before its vendor has "
                                  "looked at it.",

        [TEXT_TRIPWIRE] = "Somebody tried what a security fix prevents",
        [TEXT_TRIPWIRE_ONCE] = "{title} ({fixes}): once. The fix held.",
        [TEXT_TRIPWIRE_TIMES] = "{title} ({fixes}): {count} times since it was loaded. The fix held.",
        [TEXT_TRIPWIRE_DETAILS] = "A test or a faulty program can be the cause, and so can an attack. The fix goes on working. "
                                  "What ran at that time: 'journalctl -u hotpatchd.service' has the moment of each hit.",

        [TEXT_RESTART_PLANNED] = "This computer restarts {when}",
        [TEXT_RESTART_SOON] = "This computer restarts within the hour",
        [TEXT_RESTART_NOW] = "This computer restarts in a few minutes",
        [TEXT_RESTART_WAITS] = "The restart of this computer waits",
        [TEXT_RESTART_NEEDED] = "This computer has to be restarted",
        [TEXT_RESTART_BY_CALENDAR] = "Planned for {when}.",
        [TEXT_RESTART_BY_ADMINISTRATOR] = "Planned by an administrator for {when}.",
        [TEXT_RESTART_SAVE] = "Save your work: it restarts {when}.",
        [TEXT_RESTART_DETAILS] = "'hotpatchctl reboot' shows the plan, 'hotpatchctl calendar' the whole year.",

        [TEXT_DEADLINE] = "Security fixes end soon",
        [TEXT_DEADLINE_TIME] = "This computer gets hotpatches until {when}, unless it reaches its next baseline before.",
        [TEXT_DEADLINE_RESTART] = "Restart it before: after that time the restart waits for nobody.",
        [TEXT_DEADLINE_INSTALL] = "The baseline has to be installed before: 'hotpatchctl baseline install'.",

        [TEXT_TRACK] = "This computer is off the hotpatch track",
        [TEXT_TRACK_ENDED] = "Hotpatches for the running kernel have ended, because a baseline was missed.",
        [TEXT_TRACK_BASELINE_FAILED] = "The last baseline failed.",
        [TEXT_TRACK_QUARANTINED] = "{title} is not in force: the machine went down with it.",
        [TEXT_TRACK_DETAILS] = "'hotpatchctl status' shows everything.",

        [TEXT_MORE] = "And {count} more: see 'hotpatchctl status'.",

        [TEXT_DEFERRED] = "Restart put off",
        [TEXT_DEFERRED_UNTIL] = "This computer restarts {when} now.",
        [TEXT_NOT_DEFERRED] = "The restart was not put off",
        [TEXT_NOT_RESTARTED] = "This computer was not restarted",
        [TEXT_NOT_ALLOWED] = "You are not allowed to do this here.",

        [TEXT_ACTION_RESTART] = "Restart now",
        [TEXT_ACTION_LATER] = "Later",
        [TEXT_ACTION_DETAILS] = "Details",

        [TEXT_TODAY] = "today at {time}",
        [TEXT_TOMORROW] = "tomorrow at {time}",
        [TEXT_ON_DAY] = "on {day} at {time}",
};

/** text_of() - a sentence as it stands in the table */
const char *text_of(Text text) {
        return strempty(texts[text]);
}

/**
 * text_clean() - one line of somebody else's words
 * @text: whatever it is
 * @max: characters; what is longer ends in an ellipsis
 *
 * Return: the copy, to be freed; NULL when out of memory.
 */
char *text_clean(const char *text, size_t max) {
        /* An ellipsis has three bytes. */
        char *copy = malloc(strlen(text) + 4), *to = copy;
        size_t n_characters = 0;

        if (!copy)
                return NULL;
        for (const char *s = text; *s;) {
                uint32_t c;
                size_t n = utf8_decode(s, &c);
                bool space = n == 1 && strchr(" \t\n\v\f\r", *s);

                if (!space && (n == 0 || utf8_acts(c))) {
                        s += n ?: 1;
                        continue;
                }
                if (space && (to == copy || to[-1] == ' ')) {
                        s++;
                        continue;
                }
                if (n_characters++ == max) {
                        to = mempcpy(to, "…", strlen("…"));
                        break;
                }
                to = space ? mempcpy(to, " ", 1) : mempcpy(to, s, n);
                s += n;
        }
        while (to > copy && to[-1] == ' ')
                to--;
        *to = '\0';
        return copy;
}

/**
 * text_escape() - as the Desktop Notifications Specification, "Markup", wants it of plain text
 *
 * Return: the copy, to be freed; NULL when out of memory.
 */
char *text_escape(const char *text) {
        _cleanup_free_ char *copy = NULL;
        size_t size;
        FILE *f = open_memstream(&copy, &size);

        if (!f)
                return NULL;
        for (; *text; text++)
                switch (*text) {
                case '&':
                        fputs("&amp;", f);
                        break;
                case '<':
                        fputs("&lt;", f);
                        break;
                case '>':
                        fputs("&gt;", f);
                        break;
                default:
                        fputc(*text, f);
                }
        return fclose(f) == 0 ? TAKE_PTR(copy) : NULL;
}

/* The value of @name, of @size bytes, among "name", "value", …, NULL; or NULL */
static const char *find_value(const char *name, size_t size, va_list values) {
        const char *found = NULL, *key;
        va_list ap;

        va_copy(ap, values);
        while (!found && (key = va_arg(ap, const char *))) {
                const char *value = va_arg(ap, const char *);

                if (strlen(key) == size && memcmp(key, name, size) == 0)
                        found = strempty(value);
        }
        va_end(ap);
        return found;
}

static int put_value(FILE *f, const char *name, size_t size, va_list values) {
        const char *value = find_value(name, size, values);
        bool title = size == strlen("title") && memcmp(name, "title", size) == 0;
        _cleanup_free_ char *clean =
                text_clean(strempty(value), title ? HOTPATCH_NOTIFIER_TITLE_MAX : HOTPATCH_NOTIFIER_SENTENCE_MAX);

        return !clean || fputs(clean, f) < 0 ? -ENOMEM : 0;
}

static int fill(char **ret, Text text, va_list values) {
        _cleanup_free_ char *buf = NULL;
        size_t size;
        FILE *f = open_memstream(&buf, &size);
        int r = 0;

        if (!f)
                return -ENOMEM;
        for (const char *s = text_of(text); *s && r >= 0; s++) {
                const char *end = *s == '{' ? strchr(s, '}') : NULL;

                if (!end) {
                        fputc(*s, f);
                        continue;
                }
                r = put_value(f, s + 1, (size_t) (end - s - 1), values);
                s = end;
        }
        if (fclose(f) != 0 || r < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(buf);
        return 0;
}

/**
 * text_fill() - a sentence with its values
 * @ret: to be freed
 * @text: which; then pairs of a name and its value, and NULL
 *
 * Return: 0 or -ENOMEM.
 */
int text_fill(char **ret, Text text, ...) {
        va_list ap;
        int r;

        va_start(ap, text);
        r = fill(ret, text, ap);
        va_end(ap);
        return r;
}

/** text_append_line() - add a line to a body; NULL is an empty one. Return: 0 or -ENOMEM. */
int text_append_line(char **to, const char *line) {
        return str_extendf(to, "%s%s", *to ? "\n" : "", line);
}

/** text_append() - as text_fill(), as one more line of a body. Return: 0 or -ENOMEM. */
int text_append(char **to, Text text, ...) {
        _cleanup_free_ char *line = NULL;
        va_list ap;
        int r;

        va_start(ap, text);
        r = fill(&line, text, ap);
        va_end(ap);
        return r < 0 ? r : text_append_line(to, line);
}

static bool same_day(const struct tm *a, const struct tm *b) {
        return a->tm_year == b->tm_year && a->tm_yday == b->tm_yday;
}

/**
 * text_time() - a time as people say it, in the local zone: "tomorrow at 22:00"
 * @now_usec: today
 *
 * Return: 0 or -ENOMEM.
 */
int text_time(char **ret, uint64_t usec, uint64_t now_usec) {
        time_t then = (time_t) (usec / USEC_PER_SEC), today = (time_t) (now_usec / USEC_PER_SEC), next;
        struct tm tm_then, tm_today, tm_next;
        char clock[8], day[32];

        /* localtime_r() need not notice that the zone is another one now. */
        tzset();
        if (!localtime_r(&then, &tm_then) || !localtime_r(&today, &tm_today))
                return -ENOMEM;
        tm_next = tm_today;
        tm_next.tm_mday++;
        tm_next.tm_hour = 12;
        tm_next.tm_isdst = -1;
        next = mktime(&tm_next);
        if (next == (time_t) -1 || !localtime_r(&next, &tm_next))
                return -ENOMEM;
        (void) strftime(clock, sizeof(clock), "%H:%M", &tm_then);
        (void) strftime(day, sizeof(day), "%A, %-d %B", &tm_then);
        if (same_day(&tm_then, &tm_today))
                return text_fill(ret, TEXT_TODAY, "time", clock, NULL);
        if (same_day(&tm_then, &tm_next))
                return text_fill(ret, TEXT_TOMORROW, "time", clock, NULL);
        return text_fill(ret, TEXT_ON_DAY, "day", day, "time", clock, NULL);
}
