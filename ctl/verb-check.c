/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl check`: may this machine take hotpatches? A row for each check with what is found and what
 * is needed, then what to do about what is missing, then one line that sums it up. The exit code is 0
 * when nothing blocks.
 */

#include "ctl/call.h"
#include "ctl/fields.h"
#include "ctl/json.h"
#include "ctl/table.h"

/** struct CheckRow - one row of the answer; borrowed from the message */
typedef struct CheckRow {
        const char *check;
        const char *verdict;
        const char *found;
        const char *needed;
        const char *remedy;
        int required;
        int blocks;
} CheckRow;

/* Return: 1, 0 behind the last row, or a negative errno. */
static int read_row(sd_bus_message *m, CheckRow *ret) {
        return sd_bus_message_read(m, "(sssssbb)", &ret->check, &ret->verdict, &ret->found, &ret->needed, &ret->remedy,
                        &ret->required, &ret->blocks);
}

static Style verdict_style(const CheckRow *row) {
        if (row->blocks)
                return STYLE_RED;
        return streq(row->verdict, "ok") ? STYLE_GREEN : row->required ? STYLE_YELLOW : STYLE_DIM;
}

static int add_row(Table *t, const CheckRow *row) {
        int r = table_add_row(t);

        if (r >= 0)
                r = table_set(t, 0, row->check, STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 1, row->verdict, verdict_style(row));
        if (r >= 0)
                r = table_set(t, 2, row->found, STYLE_NONE);
        if (r >= 0)
                r = table_set(t, 3, row->needed, STYLE_NONE);
        return r < 0 ? r : table_set(t, 4, row->required ? "yes" : "", row->required ? STYLE_NONE : STYLE_DIM);
}

static int print_rows(const Ctl *ctl, sd_bus_message *m) {
        static const Column columns[] = {
                { "CHECK" }, { "VERDICT" }, { "FOUND", .wrap = true }, { "NEEDED", .wrap = true }, { "REQUIRED" },
        };
        _cleanup_table_ Table *t = NULL;
        CheckRow row;
        int r;

        r = table_new(ctl, columns, ELEMENTSOF(columns), &t);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "(sssssbb)");
        while (r >= 0 && (r = read_row(m, &row)) > 0)
                r = add_row(t, &row);
        return r < 0 ? r : table_print_block(t);
}

/* Remedies of what blocks; of what is only not there they would be a wall of text. */
static int print_remedies(const Ctl *ctl, sd_bus_message *m, size_t *ret_blocks) {
        size_t blocks = 0;
        CheckRow row;
        int r;

        r = sd_bus_message_rewind(m, true);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "(sssssbb)");
        while (r >= 0 && (r = read_row(m, &row)) > 0) {
                if (!row.blocks)
                        continue;
                blocks++;
                r = field_print(ctl, row.check, row.remedy, STYLE_BOLD);
        }
        *ret_blocks = blocks;
        return r < 0 ? r : 0;
}

static int print_text(const Ctl *ctl, sd_bus_message *m, bool *ret_eligible) {
        size_t blocks;
        int r;

        r = print_rows(ctl, m);
        if (r >= 0)
                r = print_remedies(ctl, m, &blocks);
        if (r < 0)
                return r;
        *ret_eligible = blocks == 0;
        if (blocks > 0)
                return field_printf(ctl, "Result", STYLE_RED, "NOT eligible for hotpatches: %zu %s", blocks,
                                text_plural(blocks, "requirement is not met", "requirements are not met"));
        return field_print(ctl, "Result", "eligible for hotpatches", STYLE_GREEN);
}

static int row_to_value(const CheckRow *row, Value **ret) {
        _cleanup_value_ Value *v = value_object();

        if (value_set_string(v, "check", row->check) < 0 || value_set_string(v, "verdict", row->verdict) < 0 ||
            value_set_string(v, "found", row->found) < 0 || value_set_string(v, "needed", row->needed) < 0 ||
            value_set_string(v, "remedy", *row->remedy ? row->remedy : NULL) < 0 ||
            value_set_bool(v, "required", row->required) < 0 || value_set_bool(v, "blocks", row->blocks) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(v);
        return 0;
}

static int print_json(const Ctl *ctl, sd_bus_message *m, bool *ret_eligible) {
        _cleanup_value_ Value *answer = value_object();
        Value *checks = value_array(), *one;
        bool eligible = true;
        CheckRow row;
        int r;

        r = value_set(answer, "checks", checks);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "(sssssbb)");
        while (r >= 0 && (r = read_row(m, &row)) > 0) {
                eligible = eligible && !row.blocks;
                r = row_to_value(&row, &one);
                if (r >= 0)
                        r = value_append(checks, one);
        }
        if (r >= 0)
                r = value_set_bool(answer, "eligible", eligible);
        if (r < 0)
                return r;
        *ret_eligible = eligible;
        return value_print(ctl, answer);
}

int verb_check(Ctl *ctl, _unused_ int argc, _unused_ char *argv[]) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        bool eligible = false;
        int r;

        r = call_new(ctl, "CheckEligibility", &m, &error);
        if (r >= 0)
                r = call_ask(ctl, m, &reply, &error);
        if (r >= 0)
                r = ctl->json ? print_json(ctl, reply, &eligible) : print_text(ctl, reply, &eligible);
        if (r < 0)
                return ctl_fail(ctl, NULL, &error, r);
        return eligible ? HOTPATCH_EXIT_OK : HOTPATCH_EXIT_NOT_APPLICABLE;
}
