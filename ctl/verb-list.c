/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `hotpatchctl list`: one line for every patch that is in the kernel, wanted or staged. */

#include <inttypes.h>

#include "ctl/patches.h"
#include "ctl/table.h"

enum { COLUMN_ID, COLUMN_STATE, COLUMN_SEVERITY, COLUMN_MODULE, COLUMN_SEQUENCE, COLUMN_TITLE };

static const Column list_columns[] = {
        [COLUMN_ID] = { "ID" },
        [COLUMN_STATE] = { "STATE" },
        [COLUMN_SEVERITY] = { "SEVERITY" },
        [COLUMN_MODULE] = { "MODULE" },
        [COLUMN_SEQUENCE] = { "SEQUENCE", .right = true },
        [COLUMN_TITLE] = { "TITLE", .wrap = true },
};

static int add_patch(Table *t, const PatchInfo *p) {
        char sequence[32] = "";
        int r;

        if (!p->foreign)
                snprintf(sequence, sizeof(sequence), "%" PRIu64, p->sequence);
        const struct {
                size_t column;
                const char *text;
                Style style;
        } cells[] = {
                { COLUMN_ID, p->id, STYLE_NONE },
                { COLUMN_STATE, p->state, patch_state_style(p->state) },
                { COLUMN_SEVERITY, p->severity, STYLE_NONE },
                { COLUMN_MODULE, p->module, STYLE_NONE },
                { COLUMN_SEQUENCE, sequence, STYLE_NONE },
                { COLUMN_TITLE, p->foreign ? "(loaded by somebody else)" : p->title, STYLE_NONE },
        };

        r = table_add_row(t);
        for (size_t i = 0; i < ELEMENTSOF(cells) && r >= 0; i++)
                r = table_set(t, cells[i].column, cells[i].text, cells[i].style);
        return r;
}

static int print_table(const Ctl *ctl, const Snapshot *s) {
        _cleanup_table_ Table *t = NULL;
        int r;

        r = table_new(ctl, list_columns, ELEMENTSOF(list_columns), &t);
        for (size_t i = 0; i < s->n_patches && r >= 0; i++)
                r = add_patch(t, &s->patches[i]);
        if (r >= 0)
                r = table_print(t);
        if (r >= 0 && ctl->legend && (ctl->terminal || s->n_patches == 0))
                printf("%s%zu %s.\n", s->n_patches > 0 ? "\n" : "", s->n_patches,
                        text_plural(s->n_patches, "patch", "patches"));
        return r;
}

int verb_list(Ctl *ctl, _unused_ int argc, _unused_ char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_snapshot_ Snapshot *s = NULL;
        _cleanup_value_ Value *answer = NULL;
        int r;

        r = snapshot_read(ctl, &s, &error);
        if (r >= 0 && ctl->json) {
                r = patches_to_value(s, &answer);
                if (r >= 0)
                        r = value_print(ctl, answer);
        } else if (r >= 0)
                r = print_table(ctl, s);
        return r < 0 ? ctl_fail(ctl, NULL, &error, r) : HOTPATCH_EXIT_OK;
}
