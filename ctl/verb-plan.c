/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl plan`: what apply would do now, as the daemon itself decides it; `remove --dry-run` is the
 * same for a removal. With --json the
 * daemon's answer is passed on as it is (doc/json-shapes.md). A refusal is an answer and not an
 * error of the question, but its exit code is that of the refused apply, so that `plan && apply`
 * makes sense.
 */

#include "ctl/argument.h"
#include "ctl/call.h"
#include "ctl/json.h"
#include "ctl/fields.h"
#include "ctl/table.h"

static int print_steps(const Ctl *ctl, const Value *steps) {
        static const Column columns[] = { { "STEP" }, { "PATCH", .wrap = true } };
        _cleanup_table_ Table *t = NULL;
        int r;

        r = table_new(ctl, columns, ELEMENTSOF(columns), &t);
        for (size_t i = 0; i < value_length(steps) && r >= 0; i++) {
                const Value *step = value_at(steps, i);

                r = table_add_row(t);
                if (r >= 0)
                        r = table_set(t, 0, value_string(step, "action"), STYLE_NONE);
                if (r >= 0)
                        r = table_set(t, 1, value_string(step, "patch"), STYLE_NONE);
        }
        return r < 0 ? r : table_print_block(t);
}

static int print_functions(const Ctl *ctl, const Value *functions, bool several) {
        static const Column columns[] = {
                        {"OBJECT"}, {"FUNCTION", .wrap = true}, {"CHANGE"}, {"WHEN"}, {"PATCH", .wrap = true}};
        _cleanup_table_ Table *t = NULL;
        int r;

        r = table_new(ctl, columns, ELEMENTSOF(columns) - !several, &t);
        for (size_t i = 0; i < value_length(functions) && r >= 0; i++) {
                const Value *f = value_at(functions, i);

                r = table_add_row(t);
                if (r >= 0)
                        r = table_set(t, 0, value_string(f, "object"), STYLE_NONE);
                if (r >= 0)
                        r = table_set(t, 1, value_string(f, "function"), STYLE_NONE);
                if (r >= 0)
                        r = table_set(t, 2, value_string(f, "change"), STYLE_NONE);
                if (r >= 0)
                        r = table_set(t, 3,
                                        value_bool(f, "deferred") ? "when its module is loaded"
                                                                  : "now",
                                        STYLE_NONE);
                if (r >= 0 && several)
                        r = table_set(t, 4, value_string(f, "patch"), STYLE_NONE);
        }
        return r < 0 ? r : table_print_block(t);
}

/* What holds of a function is in the table of functions already. */
static bool is_worth_a_line(const Value *c) {
        const char *check = value_string(c, "check");

        return !value_bool(c, "ok") || value_bool(c, "note") || !check || !startswith(check, "function ");
}

/* @several: of several bundles it matters which one it is about. */
static int add_condition(Table *t, const Value *c, bool several) {
        const char *found = value_string(c, "found"), *needed = value_string(c, "needed");
        bool ok = value_bool(c, "ok"), note = value_bool(c, "note");
        int r;

        r = table_add_row(t);
        if (r >= 0)
                r = table_set(t, 0, !ok ? "NO" : note ? "note" : "ok",
                                !ok ? STYLE_RED : note ? STYLE_YELLOW : STYLE_GREEN);
        if (r >= 0)
                r = table_set(t, 1, value_string(c, "check"), STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 2, found, STYLE_NONE);
        /* Nobody compares two build-ids by eye, and they fill the line. */
        if (r >= 0)
                r = table_set(t, 3, ok && streq_ptr(found, needed) ? "the same" : needed,
                                STYLE_NONE);
        if (r >= 0 && several)
                r = table_set(t, 4, value_string(c, "patch") ?: "the machine", STYLE_NONE);
        return r;
}

/* 0: met, 1: met with a note, 2: not met */
static int condition_rank(const Value *c) {
        return !value_bool(c, "ok") ? 2 : value_bool(c, "note");
}

/* What needs a person's eye comes last, next to the result. */
static int print_conditions(const Ctl *ctl, const Value *conditions, bool several) {
        static const Column columns[] = {
                        {""},
                        {"CHECK", .wrap = true},
                        {"FOUND", .wrap = true},
                        {"NEEDED", .wrap = true},
                        {"PATCH", .wrap = true},
        };
        _cleanup_table_ Table *t = NULL;
        int r;

        r = table_new(ctl, columns, ELEMENTSOF(columns) - !several, &t);
        for (int rank = 0; rank <= 2; rank++)
                for (size_t i = 0; i < value_length(conditions) && r >= 0; i++) {
                        const Value *c = value_at(conditions, i);

                        if (condition_rank(c) == rank && is_worth_a_line(c))
                                r = add_condition(t, c, several);
                }
        return r < 0 ? r : table_print_block(t);
}

static bool is_removal(const Value *plan) {
        return streq_ptr(value_string(plan, "type"), "remove");
}

static const char *result_text(const Value *plan, const Value *refusal, Style *ret_style) {
        const char *message = value_string(refusal, "message");

        *ret_style = STYLE_GREEN;
        if (!message && !value_bool(plan, "changed"))
                return "nothing to do";
        if (!message)
                return is_removal(plan) ? "can be removed" : "can be applied";
        *ret_style = STYLE_RED;
        return message;
}

/* The refusal that the plan ends in; NULL if it does not, or if it only says "nothing to do". */
static const Value *plan_refusal(const Value *plan) {
        const Value *refusal = value_get(plan, "refusal");
        const char *name = value_string(refusal, "name");
        const HotpatchError *row = name ? hotpatch_error_find(name) : NULL;

        return name && !(row && row->exit == HOTPATCH_EXIT_OK) ? refusal : NULL;
}

/* Several bundles, or one that takes the place of others. */
static bool is_about_several(const Value *plan) {
        const Value *functions = value_get(plan, "functions");
        const char *first = value_string(value_at(functions, 0), "patch");

        for (size_t i = 1; i < value_length(functions); i++)
                if (!streq_ptr(first, value_string(value_at(functions, i), "patch")))
                        return true;
        return value_length(value_get(plan, "ids")) > 1;
}

static int print_text(const Ctl *ctl, const Value *plan) {
        const Value *refusal = plan_refusal(plan), *kernel = value_get(plan, "kernel"),
                    *ids = value_get(plan, "ids");
        const char *remedy = value_string(refusal, "remedy"), *text;
        Style style;
        int r;

        r = print_steps(ctl, value_get(plan, "steps"));
        if (r >= 0)
                r = print_functions(ctl, value_get(plan, "functions"), is_about_several(plan));
        if (r >= 0)
                r = print_conditions(ctl, value_get(plan, "conditions"), is_about_several(plan));
        for (size_t i = 0; i < value_length(ids) && r >= 0; i++)
                r = field_print(ctl, i > 0 ? "" : is_removal(plan) ? "To remove" : "Plan for",
                                strempty(value_text(value_at(ids, i))), STYLE_BOLD);
        if (r >= 0)
                r = field_print(ctl, "Kernel", strempty(value_string(kernel, "release")),
                                STYLE_NONE);
        text = result_text(plan, refusal, &style);
        if (r >= 0)
                r = field_printf(ctl, "Result", style, "%s%s", refusal ? "refused: " : "", text);
        if (r >= 0 && remedy)
                r = field_print(ctl, "Remedy", remedy, STYLE_NONE);
        return r;
}

static int plan_exit_code(const Value *plan) {
        const char *name = value_string(plan_refusal(plan), "name");
        const HotpatchError *row = name ? hotpatch_error_find(name) : NULL;

        if (!name)
                return HOTPATCH_EXIT_OK;
        return row ? row->exit : HOTPATCH_EXIT_FAILURE;
}

static int ask_plan(Ctl *ctl, const char *method, char *argv[], Value **ret, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *text;
        int r;

        if (argument_is_file(argv[1]))
                r = call_with_file(ctl, "PlanBundle", argv[1], &reply, error);
        else
                r = call_with_ids(ctl, method, argv + 1, &reply, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "s", &text);
        return r < 0 ? r : value_parse(text, ret);
}

static int show_plan(Ctl *ctl, const char *method, int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_value_ Value *plan = NULL;
        int r;

        r = ask_plan(ctl, method, argv, &plan, &error);
        if (r >= 0)
                r = ctl->json ? value_print(ctl, plan) : print_text(ctl, plan);
        if (r < 0)
                return ctl_fail(ctl, argc == 2 ? argv[1] : NULL, &error, r);
        return plan_exit_code(plan);
}

/** plan_removal() - `remove --dry-run`; the arguments are ids. Return: exit status. */
int plan_removal(Ctl *ctl, int argc, char *argv[]) {
        return show_plan(ctl, "PlanRemove", argc, argv);
}

int verb_plan(Ctl *ctl, int argc, char *argv[]) {
        for (int i = 1; i < argc && argc > 2; i++)
                if (argument_is_file(argv[i]))
                        return ctl_usage_of("plan", "'plan' takes one file or several ids; '%s' can be staged "
                                         "first",
                                        argv[i]);
        return show_plan(ctl, "Plan", argc, argv);
}
