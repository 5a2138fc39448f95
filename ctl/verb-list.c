/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* `hotpatchctl list`: one line for every patch that is in the kernel, wanted or staged. */

#include <inttypes.h>

#include "ctl/patches.h"
#include "ctl/table.h"
#include "ctl/trial.h"
#include "util/str.h"

/* Narrower terminals do without the module, so that there is room for the title. */
#define WIDTH_FOR_MODULE 100U

static const Column wide_columns[] = {
        { "ID", .wrap = true }, { "STATE" }, { "SEVERITY" }, { "MODULE" }, { "SEQUENCE", .right = true },
        { "TITLE", .wrap = true },
};
static const Column narrow_columns[] = {
                {"ID", .wrap = true},
                {"STATE"},
                {"SEVERITY"},
                {"SEQUENCE", .right = true},
                {"TITLE", .wrap = true},
};

/* In one word what matters most: --json has the state and the rest apart. */
static const char *state_word(const PatchInfo *p) {
        if (p->quarantined && !patch_is_active(p))
                return "quarantined";
        if (p->rolled_back && streq(p->state, "staged"))
                return "rolled back";
        return patch_is_missing(p) ? "missing" : p->state;
}

static Style state_style(const PatchInfo *p) {
        return p->quarantined || p->rolled_back || patch_is_missing(p) ? STYLE_RED : patch_state_style(p->state);
}

static int add_patch(Table *t, const PatchInfo *p, bool narrow) {
        char sequence[32] = "";
        _cleanup_free_ char *trial = trial_words(p), *state = NULL;
        size_t column = 0;
        int r;

        if (!trial)
                return -ENOMEM;
        if (narrow && *trial) /* and active; status has the time */
                r = str_printf(&state, "on trial");
        else
                r = str_printf(&state, "%s%s%s", state_word(p), *trial ? ", " : "", trial);
        if (r < 0)
                return r;
        if (!p->foreign)
                snprintf(sequence, sizeof(sequence), "%" PRIu64, p->sequence);
        r = table_add_row(t);
        if (r >= 0)
                r = table_set(t, column++, p->id, STYLE_NONE);
        if (r >= 0)
                r = table_set(t, column++, state, state_style(p));
        if (r >= 0)
                r = table_set(t, column++, p->severity, STYLE_NONE);
        if (r >= 0 && !narrow)
                r = table_set(t, column++, p->module, STYLE_NONE);
        if (r >= 0)
                r = table_set(t, column++, sequence, STYLE_NONE);
        if (r >= 0)
                r = table_set(t, column, p->foreign ? "(loaded by somebody else)" : p->title,
                                STYLE_NONE);
        return r;
}

static int print_table(const Ctl *ctl, const Snapshot *s) {
        bool narrow = ctl->terminal && terminal_width(STDOUT_FILENO) < WIDTH_FOR_MODULE;
        _cleanup_table_ Table *t = NULL;
        int r;

        if (narrow)
                r = table_new(ctl, narrow_columns, ELEMENTSOF(narrow_columns), &t);
        else
                r = table_new(ctl, wide_columns, ELEMENTSOF(wide_columns), &t);
        for (size_t i = 0; i < s->n_patches && r >= 0; i++)
                r = add_patch(t, &s->patches[i], narrow);
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
