/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A transition that does not end, in words. One table decides what a person is told to do; the
 * sentence of an error names the worst blockers: those that nobody can wake first, then the units with
 * the most tasks.
 */

#include "daemon/blockers-text.h"
#include "util/str.h"
#include "util/strv.h"

/* So many groups of tasks are named in a sentence. */
#define GROUPS_NAMED 3U

static const char *const reasons[_BLOCKER_REASON_MAX] = {
        [BLOCKER_UNKNOWN] = "",
        [BLOCKER_SLEEPING] = "sleeping",
        [BLOCKER_RUNNING] = "running",
        [BLOCKER_UNRELIABLE] = "unreliable-stack",
};

/** blocker_reason_to_string() - the word of the D-Bus contract; empty: not known */
const char *blocker_reason_to_string(BlockerReason r) {
        return reasons[r];
}

/* proc_pid_stat(5): D is a sleep that no signal ends. */
static bool is_deaf(const Blocker *b) {
        return b->state == 'D';
}

/**
 * blocker_advice() - what a person can do about a task
 * @may_freeze: hotpatchd itself freezes its unit for a moment
 * @ret: one sentence without a full stop; to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int blocker_advice(const Blocker *b, bool may_freeze, char **ret) {
        const char *unit = b->unit;
        char *text = NULL;

        if (b->kernel_thread && b->reason == BLOCKER_RUNNING)
                text = strdup("wait, or apply at a quieter time: it changes over when it has less to do");
        else if (b->kernel_thread)
                text = strdup("wait, or apply at another time: nothing can wake a kernel thread from outside");
        else if (is_deaf(b) && unit) {
                if (str_printf(&text, "look at what %s waits for: a device or file system does not answer", unit) < 0)
                        return -ENOMEM;
        } else if (is_deaf(b))
                text = strdup("look at what it waits for: a device or file system does not answer");
        else if (may_freeze) {
                if (str_printf(&text, "wait: %s is paused for a moment soon; or restart it", unit) < 0)
                        return -ENOMEM;
        } else if (unit && startswith(unit, "session-")) {
                if (str_printf(&text, "wait: the kernel wakes it after 15 seconds; or end it, it is of %s", unit) < 0)
                        return -ENOMEM;
        } else if (unit) {
                if (str_printf(&text, "wait: the kernel wakes it after 15 seconds; or restart %s", unit) < 0)
                        return -ENOMEM;
        } else
                text = strdup("wait: the kernel wakes it after 15 seconds; or end it");
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

/**
 * blocker_stack_text() - a task and its kernel stack on one line
 * @ret: "web[301] (web.service): hp_wait < vfs_read < …"; to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int blocker_stack_text(const Blocker *b, char **ret) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return -ENOMEM;
        fprintf(f, "%s[%u] (%s):", b->command, b->tid,
                b->kernel_thread ? "kernel thread" : b->unit ?: "no unit");
        for (char **frame = b->stack; frame && *frame; frame++)
                fprintf(f, "%s %s", frame == b->stack ? "" : " <", *frame);
        if (fclose(f) != 0) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        return 0;
}

/* --- the sentence --- */

/* Tasks of one unit; each kernel thread and each task without a unit is a group of its own. */
typedef struct Group {
        size_t first, n;
        bool deaf;
} Group;

static bool same_group(const Blocker *a, const Blocker *b) {
        return a->unit && b->unit && streq(a->unit, b->unit);
}

static size_t make_groups(const Blockers *b, Group *groups) {
        size_t n = 0;

        for (size_t i = 0; i < b->n; i++) {
                bool deaf = b->items[i].kernel_thread || is_deaf(&b->items[i]);

                if (i > 0 && same_group(&b->items[i - 1], &b->items[i])) {
                        groups[n - 1].n++;
                        groups[n - 1].deaf |= deaf;
                } else
                        groups[n++] = (Group) { .first = i, .n = 1, .deaf = deaf };
        }
        return n;
}

static int compare_groups(const void *a, const void *b) {
        const Group *x = a, *y = b;

        if (x->deaf != y->deaf)
                return y->deaf - x->deaf;
        if (x->n != y->n)
                return x->n < y->n ? 1 : -1;
        return x->first < y->first ? -1 : 1;
}

static void print_group(FILE *f, const Blockers *b, const Group *g) {
        const Blocker *t = &b->items[g->first];

        if (g->n > 1)
                fprintf(f, "%zu tasks of %s ('%s' and others)", g->n, t->unit, t->command);
        else if (t->kernel_thread)
                fprintf(f, "kernel thread '%s' (%u)", t->command, t->tid);
        else if (t->unit)
                fprintf(f, "'%s' (%u) of %s", t->command, t->tid, t->unit);
        else
                fprintf(f, "'%s' (%u)", t->command, t->tid);
        for (size_t i = 0; i < g->n; i++)
                if (t[i].function) {
                        fprintf(f, " in %s", t[i].function);
                        break;
                }
}

/**
 * blockers_summary() - the worst blockers for a sentence
 * @ret: "kernel thread 'x' (17) in fn, 2 tasks of web.service ('web' and others) in fn and 3 more tasks";
 *   empty when nobody blocks; to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int blockers_summary(const Blockers *b, char **ret) {
        _cleanup_free_ Group *groups = calloc(b->n + 1, sizeof(*groups));
        size_t n, named = 0, size;
        char *text = NULL;
        FILE *f;

        if (!groups)
                return -ENOMEM;
        n = make_groups(b, groups);
        if (n > 1)
                qsort(groups, n, sizeof(*groups), compare_groups);
        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        for (size_t i = 0; i < n && i < GROUPS_NAMED; i++) {
                fputs(i > 0 ? ", " : "", f);
                print_group(f, b, &groups[i]);
                named += groups[i].n;
        }
        if (b->n + b->n_more > named)
                fprintf(f, " and %zu more", b->n + b->n_more - named);
        if (fclose(f) != 0) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        return 0;
}
