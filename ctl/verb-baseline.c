/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl baseline`: what the package manager would do, does, and did for a baseline. hotpatchd has it run
 * and answers when it has ended; interrupting this program does not interrupt an installation.
 */

#include <inttypes.h>

#include "ctl/argument.h"
#include "ctl/call.h"
#include "ctl/fields.h"
#include "ctl/json.h"
#include "ctl/table.h"

static int print_packages(const Ctl *ctl, const Value *packages) {
        static const Column columns[] = { { "PACKAGE", .wrap = true }, { "ACTION" }, { "FROM" }, { "TO" } };
        static const char *const keys[] = { "name", "action", "from", "to" };
        _cleanup_table_ Table *t = NULL;
        int r;

        if (value_length(packages) == 0)
                return 0;
        r = table_new(ctl, columns, ELEMENTSOF(columns), &t);
        for (size_t i = 0; i < value_length(packages) && r >= 0; i++) {
                r = table_add_row(t);
                for (size_t c = 0; c < ELEMENTSOF(keys) && r >= 0; c++)
                        r = table_set(t, c, value_string(value_at(packages, i), keys[c]), STYLE_NONE);
        }
        return r < 0 ? r : table_print_block(t);
}

static int print_needs(const Ctl *ctl, const Value *result) {
        const double mib = 1024 * 1024;

        return field_printf(ctl, "Needs", STYLE_NONE, "%.1f MiB to fetch, %.1f MiB on disk, %.1f MiB in /boot",
                (double) value_integer(result, "download_bytes") / mib, (double) value_integer(result, "disk_bytes") / mib,
                (double) value_integer(result, "boot_bytes") / mib);
}

/* "Installed   2026.10, 3 packages, kernel 6.1.0-56-amd64, restart needed" */
static int print_outcome(const Ctl *ctl, const char *label, const Value *result) {
        const char *outcome = strempty(value_string(result, "outcome")), *kernel = value_string(result, "kernel");
        size_t n = value_length(value_get(result, "packages"));
        _cleanup_free_ char *when = NULL;
        uint64_t usec = (uint64_t) value_integer(result, "ended");

        if (!*outcome)
                return field_print(ctl, label, "nothing yet", STYLE_DIM);
        if (streq(outcome, "running"))
                return field_printf(ctl, label, STYLE_YELLOW, "%s, under way", strempty(value_string(result, "baseline")));
        if (usec > 0 && time_format_local(usec, &when) < 0)
                return -ENOMEM;
        if (streq(outcome, "failed"))
                return field_printf(ctl, label, STYLE_RED, "%s failed (%s): %s", strempty(value_string(result, "baseline")),
                        strempty(value_string(result, "cause")), strempty(value_string(result, "text")));
        if (n == 0)
                return field_printf(ctl, label, STYLE_GREEN, "%s, nothing to do%s%s",
                        strempty(value_string(result, "baseline")), when ? ", " : "", strempty(when));
        return field_printf(ctl, label, STYLE_GREEN, "%s, %zu %s%s%s%s%s%s", strempty(value_string(result, "baseline")), n,
                text_plural(n, "package", "packages"), kernel ? ", kernel " : "", strempty(kernel),
                value_bool(result, "restart") ? ", restart needed" : "", when ? ", " : "", strempty(when));
}

static int print_warnings(const Ctl *ctl, const Value *result) {
        const Value *warnings = value_get(result, "warnings");
        int r = 0;

        for (size_t i = 0; i < value_length(warnings) && r >= 0; i++)
                r = field_print(ctl, i == 0 ? "Warning" : "", strempty(value_text(value_at(warnings, i))), STYLE_YELLOW);
        return r;
}

static int print_result(const Ctl *ctl, const Value *result, const char *label) {
        bool plan = streq(strempty(value_string(result, "verb")), "plan");
        int r = print_packages(ctl, value_get(result, "packages"));

        if (r >= 0)
                r = print_outcome(ctl, label, result);
        if (r >= 0 && plan && value_length(value_get(result, "packages")) > 0)
                r = print_needs(ctl, result);
        return r < 0 ? r : print_warnings(ctl, result);
}

static int print_status(const Ctl *ctl, const Value *description) {
        static const struct {
                const char *key, *label;
        } lines[] = { { "plan", "Planned" }, { "download", "Fetched" }, { "install", "Installed" } };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(lines) && r >= 0; i++)
                r = print_outcome(ctl, lines[i].label, value_get(description, lines[i].key));
        if (r >= 0)
                r = print_warnings(ctl, value_get(description, "install"));
        if (r >= 0 && value_bool(description, "running"))
                r = field_print(ctl, "Now", "the package manager is at work", STYLE_YELLOW);
        return r;
}

static int read_answer(sd_bus_message *reply, Value **ret) {
        const char *text;
        int r = sd_bus_message_read(reply, "s", &text);

        return r < 0 ? r : value_parse(text, ret);
}

static int describe(Ctl *ctl, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_value_ Value *description = NULL;
        int r;

        r = call_new(ctl, "DescribeBaseline", &m, error);
        if (r >= 0)
                r = call_ask(ctl, m, &reply, error);
        if (r >= 0)
                r = read_answer(reply, &description);
        if (r < 0)
                return r;
        return ctl->json ? value_print(ctl, description) : print_status(ctl, description);
}

/* What the daily timer asks. */
static int look(Ctl *ctl, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_value_ Value *answer = value_object();
        const char *state, *text;
        int r;

        r = call_new(ctl, "LookAtBaseline", &m, error);
        if (r >= 0)
                r = call_ask(ctl, m, &reply, error);
        if (r >= 0)
                r = sd_bus_message_read(reply, "ss", &state, &text);
        if (r < 0)
                return r;
        if (!ctl->json)
                return ctl->quiet ? 0 : field_print(ctl, "Baseline", *text ? text : state, STYLE_NONE);
        if (value_set_string(answer, "state", state) < 0 || value_set_string(answer, "text", text) < 0)
                return -ENOMEM;
        return value_print(ctl, answer);
}

typedef struct BaselineVerb {
        const char *name;
        const char *method;
        const char *option; /* that makes the difference; NULL: none */
        const char *label;
        const char *what; /* is waited for */
} BaselineVerb;

static const BaselineVerb baseline_verbs[] = {
        { "plan", "PlanBaseline", NULL, "Plan", "The package manager plans" },
        { "download", "PlanBaseline", "download", "Fetched", "The package manager fetches packages" },
        { "schedule", "PlanBaseline", "schedule", "Scheduled", "The package manager plans" },
        { "install", "InstallBaseline", NULL, "Installed",
          "The package manager installs packages (Ctrl-C ends the waiting, not that)" },
        { "mend", "InstallBaseline", "mend", "Mended",
          "The package manager mends an installation (Ctrl-C ends the waiting, not that)" },
};

static int ask(Ctl *ctl, const BaselineVerb *verb, const char *id, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_value_ Value *result = NULL;
        int r;

        r = call_new(ctl, verb->method, &m, error);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", id);
        if (r >= 0)
                r = verb->option ? sd_bus_message_append(m, "a{sv}", 1, verb->option, "b", 1)
                                 : sd_bus_message_append(m, "a{sv}", 0);
        if (r >= 0)
                r = call_wait(ctl, m, verb->what, &reply, error);
        if (r >= 0)
                r = read_answer(reply, &result);
        if (r < 0)
                return r;
        if (ctl->json)
                return value_print(ctl, result);
        return ctl->quiet ? 0 : print_result(ctl, result, verb->label);
}

int verb_baseline(Ctl *ctl, int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const char *id = argc > 2 ? argv[2] : "";
        const BaselineVerb *verb = NULL;
        int r;

        for (size_t i = 0; argc > 1 && i < ELEMENTSOF(baseline_verbs); i++)
                if (streq(baseline_verbs[i].name, argv[1]))
                        verb = &baseline_verbs[i];
        if (argc > 1 && !verb && !((streq(argv[1], "status") || streq(argv[1], "look")) && argc == 2))
                return ctl_usage_of("baseline", "'baseline' knows 'status', 'look', 'plan', 'download', 'schedule', 'install' and 'mend', not '%s'",
                        argv[1]);
        if (argc > 2 && (!argument_is_id(id) || streq(argv[1], "mend")))
                return ctl_usage_of("baseline", "'%s' is not the id of a baseline bundle; stage its file first", id);
        r = verb ? ask(ctl, verb, id, &error)
                : argc > 1 && streq(argv[1], "look") ? look(ctl, &error) : describe(ctl, &error);
        return r < 0 ? ctl_fail(ctl, *id ? id : NULL, &error, r) : HOTPATCH_EXIT_OK;
}
