/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hotpatchd lists each task; a person wants to know which service is in the way, where it sits and what
 * to do. So tasks of one unit that sit in the same function are one line, with the advice behind it.
 */

#include <inttypes.h>

#include "ctl/blockers.h"
#include "ctl/structs.h"
#include "ctl/text.h"
#include "util/str.h"
#include "util/strv.h"

/* More lines than a screen has help nobody; --json has all. */
#define LINES_MAX 12U

/** blocker_list_done() - free what it holds */
void blocker_list_done(BlockerList *l) {
        for (size_t i = 0; i < l->n; i++) {
                free(l->items[i].command);
                free(l->items[i].unit);
                free(l->items[i].reason);
                free(l->items[i].function);
                free(l->items[i].advice);
        }
        free(l->items);
        *l = (BlockerList) { 0 };
}

static int read_one(sd_bus_message *m, void *list) {
        BlockerList *l = list;
        const char *command, *unit, *reason, *function, *advice;
        BlockerInfo *grown, *b;
        uint32_t pid, tid;
        int r;

        r = sd_bus_message_read(m, "(uusssss)", &pid, &tid, &command, &unit, &reason, &function, &advice);
        if (r <= 0)
                return r;
        grown = structs_grow(l->items, &l->n, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        l->items = grown;
        b = &grown[l->n - 1];
        *b = (BlockerInfo) { pid, tid, strdup(command), strdup(unit), strdup(reason), strdup(function),
                strdup(advice) };
        return b->command && b->unit && b->reason && b->function && b->advice ? 1 : -ENOMEM;
}

/** blocker_list_read() - take over a variant of a(uusssss), in place of what @l holds */
int blocker_list_read(sd_bus_message *m, BlockerList *l) {
        blocker_list_done(l);
        return structs_read(m, "(uusssss)", read_one, l);
}

/* hotpatchd sorts by unit, but the tasks of one may sit in different places. */
static bool is_together(const BlockerInfo *a, const BlockerInfo *b) {
        return streq(a->unit, b->unit) && !streq(a->unit, "kernel thread") && *a->unit &&
                streq(a->function, b->function) && streq(a->reason, b->reason) && streq(a->advice, b->advice);
}

static bool is_first(const BlockerList *l, size_t i) {
        for (size_t k = 0; k < i; k++)
                if (is_together(&l->items[k], &l->items[i]))
                        return false;
        return true;
}

static void print_where(FILE *f, const BlockerInfo *b) {
        if (*b->function)
                fprintf(f, " in %s", b->function);
        if (streq(b->reason, "running"))
                fputs(", running", f);
        else if (streq(b->reason, "unreliable-stack"))
                fputs(", with a stack that the kernel cannot read", f);
        fprintf(f, ": %s", b->advice);
}

static int make_line(const BlockerList *l, size_t i, char **ret) {
        const BlockerInfo *b = &l->items[i];
        char *text = NULL;
        size_t n = 0, size;
        FILE *f;

        for (size_t k = i; k < l->n; k++)
                n += k == i || is_together(b, &l->items[k]);
        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        fputs(*b->unit ? b->unit : "no unit", f);
        if (n > 1)
                fprintf(f, ", %zu tasks (%s %" PRIu32 " and others)", n, b->command, b->pid);
        else
                fprintf(f, ", %s %" PRIu32, b->command, b->tid);
        print_where(f, b);
        if (fclose(f) != 0) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        return 0;
}

/**
 * blocker_list_lines() - what blocks, where it sits, what to do; grouped by unit
 * @note: what is missing; may be NULL or empty
 * @ret: to be freed; NULL when nobody blocks. Not sanitized
 *
 * Return: 0 or -ENOMEM.
 */
int blocker_list_lines(const BlockerList *l, const char *note, char ***ret) {
        _cleanup_strv_free_ char **lines = NULL;
        size_t left = 0;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < l->n; i++) {
                _cleanup_free_ char *line = NULL;

                if (!is_first(l, i))
                        continue;
                if (strv_length(lines) >= LINES_MAX) {
                        left++;
                        continue;
                }
                r = make_line(l, i, &line);
                if (r >= 0)
                        r = strv_extend(&lines, line);
        }
        if (r >= 0 && left > 0) {
                char text[64];

                (void) snprintf(text, sizeof(text), "and %zu more", left);
                r = strv_extend(&lines, text);
        }
        if (r >= 0 && note && *note && l->n > 0) {
                _cleanup_free_ char *text = NULL;

                r = str_printf(&text, "(%s)", note) < 0 ? -ENOMEM : strv_extend(&lines, text);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(lines);
        return 0;
}

static int to_value(const BlockerInfo *b, Value **ret) {
        _cleanup_value_ Value *v = value_object();

        if (value_set_integer(v, "pid", b->pid) < 0 || value_set_integer(v, "tid", b->tid) < 0 ||
                        value_set_string(v, "command", b->command) < 0 ||
                        value_set_string(v, "unit", *b->unit ? b->unit : NULL) < 0 ||
                        value_set_string(v, "reason", *b->reason ? b->reason : NULL) < 0 ||
                        value_set_string(v, "function", *b->function ? b->function : NULL) < 0 ||
                        value_set_string(v, "advice", b->advice) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(v);
        return 0;
}

/** blocker_list_to_value() - all of them as an array; to be freed */
int blocker_list_to_value(const BlockerList *l, Value **ret) {
        _cleanup_value_ Value *array = value_array();

        for (size_t i = 0; i < l->n; i++) {
                Value *v;

                if (to_value(&l->items[i], &v) < 0 || value_append(array, v) < 0)
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(array);
        return 0;
}
