/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl policy`: hotpatchd.conf(5) as it is in effect, each setting with the place it comes from,
 * and what in the files was not understood. `hotpatchctl policy reload` has the files read again;
 * `check` is in verb-policy-check.c. With --json the daemon's answer is passed on as it is (doc/json-shapes.md).
 */

#include "ctl/call.h"
#include "ctl/fields.h"
#include "ctl/json.h"
#include "ctl/table.h"

/* "FILE:LINE, FILE:LINE", or that it is the default */
static int sources_text(const Value *setting, char **ret) {
        const Value *sources = value_get(setting, "sources");
        size_t size, n = value_length(sources);
        FILE *f = open_memstream(ret, &size);

        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                fprintf(f, "%s%s", i > 0 ? ", " : "", strempty(value_text(value_at(sources, i))));
        if (n == 0)
                fputs("default", f);
        if (value_bool(setting, "unreadable"))
                fputs(" (cannot be read: the strictest value)", f);
        return fclose(f) != 0 ? -ENOMEM : 0;
}

static int add_setting(Table *t, const Value *setting) {
        _cleanup_free_ char *sources = NULL;
        bool set = value_length(value_get(setting, "sources")) > 0, bad = value_bool(setting, "unreadable");
        Style style = bad ? STYLE_RED : set ? STYLE_BOLD : STYLE_NONE;
        int r;

        r = sources_text(setting, &sources);
        if (r >= 0)
                r = table_add_row(t);
        if (r >= 0)
                r = table_set(t, 0, value_string(setting, "section"), STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 1, value_string(setting, "key"), STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 2, value_string(setting, "value"), style);
        return r < 0 ? r : table_set(t, 3, sources, bad ? STYLE_RED : set ? STYLE_NONE : STYLE_DIM);
}

static int print_text(const Ctl *ctl, const Value *policy) {
        static const Column columns[] = {
                { "SECTION" }, { "KEY" }, { "VALUE", .wrap = true }, { "FROM", .wrap = true },
        };
        const Value *settings = value_get(policy, "settings"), *warnings = value_get(policy, "warnings");
        _cleanup_table_ Table *t = NULL;
        int r;

        r = table_new(ctl, columns, ELEMENTSOF(columns), &t);
        for (size_t i = 0; i < value_length(settings) && r >= 0; i++)
                r = add_setting(t, value_at(settings, i));
        if (r >= 0)
                r = value_length(warnings) > 0 ? table_print_block(t) : table_print(t);
        for (size_t i = 0; i < value_length(warnings) && r >= 0; i++)
                r = field_print(ctl, i == 0 ? "Warning" : "", strempty(value_text(value_at(warnings, i))), STYLE_YELLOW);
        return r;
}

static int show(Ctl *ctl, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_value_ Value *policy = NULL;
        const char *text;
        int r;

        r = call_new(ctl, "GetPolicy", &m, error);
        if (r >= 0)
                r = call_ask(ctl, m, &reply, error);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &text);
        if (r >= 0)
                r = value_parse(text, &policy);
        if (r < 0)
                return r;
        return ctl->json ? value_print(ctl, policy) : print_text(ctl, policy);
}

static int print_reloaded(const Ctl *ctl) {
        _cleanup_value_ Value *answer = value_object();

        return value_set_bool(answer, "reloaded", true) < 0 ? -ENOMEM : value_print(ctl, answer);
}

static int reload(Ctl *ctl, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        int r;

        r = call_new(ctl, "Reload", &m, error);
        if (r >= 0)
                r = call_ask(ctl, m, &reply, error);
        if (r >= 0 && ctl->json)
                return print_reloaded(ctl);
        if (r < 0 || ctl->quiet)
                return r;
        return puts("The configuration was read again; 'hotpatchctl policy' shows it.") == EOF ? -EIO : 0;
}

int verb_policy(Ctl *ctl, int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        if (argc > 1 && streq(argv[1], "check"))
                return argc > 2 ? policy_check(ctl, argc - 2, argv + 2) :
                                  ctl_usage_of("policy", "'policy check' needs a PATH");
        if (argc > 1 && !streq(argv[1], "reload"))
                return ctl_usage_of("policy", "'policy' knows 'reload' and 'check', not '%s'", argv[1]);
        if (argc > 2)
                return ctl_usage_of("policy", "'policy reload' takes no argument, and got '%s'", argv[2]);
        r = argc > 1 ? reload(ctl, &error) : show(ctl, &error);
        return r < 0 ? ctl_fail(ctl, NULL, &error, r) : HOTPATCH_EXIT_OK;
}
