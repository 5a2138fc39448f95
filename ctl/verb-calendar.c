/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl calendar [YEAR]`: the baseline year of this machine under its policy. A row for each month, then
 * how often the machine restarts, what was done and missed, and until when hotpatches for each kernel are
 * made. With --json the daemon's answer is passed on as it is (doc/json-shapes.md).
 */

#include <inttypes.h>

#include "ctl/call.h"
#include "ctl/fields.h"
#include "ctl/json.h"
#include "ctl/table.h"
#include "util/str.h"

static Style state_style(const char *state) {
        static const char *const good[] = { "reached", "superseded" }, *const quiet[] = { "coming", "before", "not-planned", "" };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                if (streq(state, good[i]))
                        return STYLE_GREEN;
        for (size_t i = 0; i < ELEMENTSOF(quiet); i++)
                if (streq(state, quiet[i]))
                        return STYLE_DIM;
        return streq(state, "missed") || strstr(state, "failed") || streq(state, "interrupted") ||
                        streq(state, "old-kernel-returned") || streq(state, "crashed-in-trial")
                ? STYLE_RED
                : STYLE_YELLOW;
}

static int local_time(const Value *object, const char *key, char **ret) {
        const char *text = value_string(object, key);
        uint64_t usec;

        if (!text || time_parse(text, 0, &usec) < 0) {
                *ret = strdup("");
                return *ret ? 0 : -ENOMEM;
        }
        return time_format_local(usec, ret);
}

/* "22:00 to 02:00": the day has a column of its own. A window that is longer than a day says when it ends. */
static int window_text(const Value *month, char **ret) {
        const char *begin = value_string(month, "window_begin"), *end = value_string(month, "window_end");
        _cleanup_free_ char *from = NULL, *to = NULL;
        uint64_t begin_usec = 0, end_usec = 0;
        int r;

        if (!begin || !end || time_parse(begin, 0, &begin_usec) < 0 || time_parse(end, 0, &end_usec) < 0) {
                *ret = strdup("");
                return *ret ? 0 : -ENOMEM;
        }
        r = time_format_local(begin_usec, &from);
        if (r >= 0)
                r = time_format_local(end_usec, &to);
        if (r < 0)
                return r;
        /* "2026-10-20 22:00:00" */
        return str_printf(ret, "%.5s to %.*s", from + 11, end_usec - begin_usec < 24 * 3600 * USEC_PER_SEC ? 5 : 16,
                to + (end_usec - begin_usec < 24 * 3600 * USEC_PER_SEC ? 11 : 0));
}

static int state_text(const Value *month, char **ret) {
        _cleanup_free_ char *when = NULL;
        int r = local_time(month, "when", &when);

        if (r < 0)
                return r;
        return str_printf(ret, "%s%s%s", strempty(value_string(month, "state")), *when ? ", " : "", when);
}

static int add_month(Table *t, const Value *month) {
        _cleanup_free_ char *window = NULL, *state = NULL;
        const char *kind = strempty(value_string(month, "kind"));
        bool baseline = streq(kind, "baseline");
        int r;

        r = window_text(month, &window);
        if (r >= 0)
                r = state_text(month, &state);
        if (r >= 0)
                r = table_add_row(t);
        if (r >= 0)
                r = table_set(t, 0, value_string(month, "month"), STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 1, kind, baseline ? STYLE_BOLD : STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 2, baseline ? "yes" : "no", baseline ? STYLE_BOLD : STYLE_DIM);
        if (r >= 0)
                r = table_set(t, 3, value_string(month, "day"), STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 4, window, STYLE_NONE);
        return r < 0 ? r : table_set(t, 5, state, state_style(strempty(value_string(month, "state"))));
}

static int print_months(const Ctl *ctl, const Value *months) {
        static const Column columns[] = {
                { "MONTH" }, { "KIND" }, { "RESTART" }, { "DAY" }, { "WINDOW", .wrap = true }, { "STATE", .wrap = true },
        };
        _cleanup_table_ Table *t = NULL;
        int r = table_new(ctl, columns, ELEMENTSOF(columns), &t);

        for (size_t i = 0; i < value_length(months) && r >= 0; i++)
                r = add_month(t, value_at(months, i));
        return r < 0 ? r : table_print_block(t);
}

static int print_restarts(const Ctl *ctl, const Value *calendar) {
        int64_t n = value_integer(calendar, "restarts"), monthly = value_integer(calendar, "restarts_monthly");
        const char *because = value_string(value_get(calendar, "policy"), "monthly_because");

        if (because)
                return field_printf(ctl, "Restarts", STYLE_RED, "%" PRId64 " a year, one in each month: %s", n, because);
        if (n == monthly)
                return field_printf(ctl, "Restarts", STYLE_NONE, "%" PRId64 " a year, one in each month", n);
        return field_printf(ctl, "Restarts", STYLE_GREEN, "%" PRId64 " %s a year instead of %" PRId64, n,
                            text_plural((uint64_t) n, "restart", "restarts"), monthly);
}

static int print_coverage(const Ctl *ctl, const Value *c) {
        _cleanup_free_ char *until = NULL;
        const char *baseline = value_string(c, "baseline");
        bool ended = value_bool(c, "ended");
        int r = local_time(c, "until", &until);

        if (r < 0)
                return r;
        return field_printf(ctl, "Coverage", ended ? STYLE_RED : STYLE_NONE, "%s%s%s%s: hotpatches %s %s",
                            strempty(value_string(c, "kernel")), value_bool(c, "running") ? "" : " (after the restart)",
                            baseline ? ", baseline " : "", strempty(baseline), ended ? "ended" : "until",
                            *until ? until : "a time that is not known");
}

static int print_text(const Ctl *ctl, const Value *calendar) {
        const Value *coverage = value_get(calendar, "coverage"), *baseline = value_get(calendar, "baseline");
        const char *text = value_string(baseline, "text");
        int r = print_months(ctl, value_get(calendar, "months"));

        if (r >= 0)
                r = print_restarts(ctl, calendar);
        if (r >= 0)
                r = field_printf(ctl, "So far", STYLE_NONE, "%" PRId64 " done, %" PRId64 " missed, %" PRId64 " failed",
                                 value_integer(calendar, "done"), value_integer(calendar, "missed"),
                                 value_integer(calendar, "failed"));
        for (size_t i = 0; i < value_length(coverage) && r >= 0; i++)
                r = print_coverage(ctl, value_at(coverage, i));
        if (r >= 0 && text && *text)
                r = field_print(ctl, "Baseline", text, value_string(baseline, "cause") ? STYLE_RED : STYLE_NONE);
        return r;
}

static int ask(Ctl *ctl, uint32_t year, Value **ret, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        const char *text;
        int r;

        r = call_new(ctl, "Calendar", &m, error);
        if (r >= 0)
                r = sd_bus_message_append(m, "u", year);
        if (r >= 0)
                r = call_ask(ctl, m, &reply, error);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &text);
        return r < 0 ? r : value_parse(text, ret);
}

int verb_calendar(Ctl *ctl, int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_value_ Value *calendar = NULL;
        uint32_t year = 0;
        int r;

        if (argc > 1) {
                if (strlen(argv[1]) != 4 || strspn(argv[1], "0123456789") != 4)
                        return ctl_usage_of("calendar", "'%s' is no year", argv[1]);
                year = (uint32_t) atoi(argv[1]);
        }
        r = ask(ctl, year, &calendar, &error);
        if (r >= 0)
                r = ctl->json ? value_print(ctl, calendar) : print_text(ctl, calendar);
        return r < 0 ? ctl_fail(ctl, NULL, &error, r) : HOTPATCH_EXIT_OK;
}
