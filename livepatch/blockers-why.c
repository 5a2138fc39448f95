/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Why a task blocks: what its stack shows, and what the kernel says about it.
 *
 * The kernel leaves a task in the old code as long as a function that changes is on its stack
 * (kernel/livepatch/transition.c). Two witnesses tell which one, and each may be missing:
 *
 *   /proc/PID/task/TID/stack   names of the frames; wants CAP_SYS_ADMIN and ptrace access
 *   the kernel log             with dynamic debug on, a line for each try: "NAME:TID is sleeping on
 *                              function F", "is running", "has an unreliable stack"
 *
 * In a log line the task's own name stands before its number, and a task may call itself "x:1 is
 * running"; so a line is read from behind, where only the kernel's words are.
 *
 * Patching waits for the replaced functions to leave the stack, unpatching for the replacements, which
 * are the functions of the patch's module. The kernel's words name the replaced function in both directions
 * (klp_check_stack()); on the way back the task is not in it, and what the stack shows counts more.
 *
 * Running is a matter of a moment: what was said about a task that ran then does not count when it sleeps.
 */

#include <inttypes.h>

#include "livepatch/blockers.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

/* --- the stack --- */

/**
 * blocker_add_frame() - add a function to the stack of a blocker, behind those that are there
 * @frame: "name" or "name [module]"; what is not printable becomes '?'
 * @length: of @frame; cut at HOTPATCH_FRAME_MAX
 *
 * Return: 0 (also when there are HOTPATCH_FRAMES_MAX already) or -ENOMEM.
 */
int blocker_add_frame(Blocker *b, const char *frame, size_t length) {
        char text[HOTPATCH_FRAME_MAX + 1];
        size_t i;

        if (strv_length(b->stack) >= HOTPATCH_FRAMES_MAX)
                return 0;
        for (i = 0; i < length && i < HOTPATCH_FRAME_MAX; i++)
                text[i] = frame[i] >= ' ' && frame[i] <= '~' ? frame[i] : '?';
        text[i] = 0;
        return strv_extend(&b->stack, text);
}

/* "[<0>] name+0x12/0x34 [module]" */
static int add_line(Blocker *b, char *line) {
        char *name = strstr(line, "] "), *offset, *module;
        char frame[HOTPATCH_FRAME_MAX + 1];
        int n;

        if (!startswith(line, "[<") || !name)
                return 0;
        name += 2;
        offset = strstr(name, "+0x");
        module = offset ? strstr(offset, " [") : NULL;
        if (offset)
                *offset = 0;
        n = snprintf(frame, sizeof(frame), "%s%s", name, module ?: "");
        return blocker_add_frame(b, frame, (size_t) n < sizeof(frame) ? (size_t) n : sizeof(frame) - 1);
}

static int read_stack(const Kernel *k, Blocker *b) {
        char path[sizeof("proc/4294967295/task/4294967295/stack")];
        _cleanup_free_ char *text = NULL;
        char *rest, *line;
        void *data;
        int r;

        (void) snprintf(path, sizeof(path), "proc/%" PRIu32 "/task/%" PRIu32 "/stack", b->pid, b->tid);
        r = file_read_at(kernel_root_fd(k), path, HOTPATCH_PROC_STACK_MAX, &data, NULL);
        if (r < 0)
                return r;
        text = data;
        for (rest = text; (line = strsep(&rest, "\n"));) {
                r = add_line(b, line);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * blockers_read_stacks() - read the kernel stacks of all blockers
 *
 * A task that went away, or may not be looked at, stays without one.
 *
 * Return: the number of stacks that were read, or -ENOMEM.
 */
int blockers_read_stacks(const Kernel *k, Blockers *b) {
        int n = 0;

        for (size_t i = 0; i < b->n; i++) {
                int r = read_stack(k, &b->items[i]);

                if (r == -ENOMEM)
                        return r;
                n += r >= 0 && b->items[i].stack;
        }
        return n;
}

/* --- the reason --- */

static int set_function(Blocker *b, const char *name, size_t length) {
        char *copy = strndup(name, length < HOTPATCH_SYMBOL_MAX ? length : HOTPATCH_SYMBOL_MAX);

        if (!copy)
                return -ENOMEM;
        for (char *p = copy; *p; p++)
                if (*p <= ' ' || *p > '~')
                        *p = '?';
        free(b->function);
        b->function = copy;
        return 0;
}

/* The frame that has to leave the stack, or NULL. */
static const char *find_frame(const Blocker *b, const char *module, bool patched, char *const *functions) {
        _cleanup_free_ char *tail = NULL;

        if (str_printf(&tail, " [%s]", module) < 0)
                return NULL;
        for (char **frame = b->stack; frame && *frame; frame++) {
                _cleanup_free_ char *name = strndup(*frame, strcspn(*frame, " "));

                if (patched ? name && strv_contains(functions, name) : endswith(*frame, tail))
                        return *frame;
        }
        return NULL;
}

static int explain(Blocker *b, const char *module, bool patched, char *const *functions) {
        const char *frame = find_frame(b, module, patched, functions);
        int r;

        if (frame && (!b->function || !patched)) {
                r = set_function(b, frame, strcspn(frame, " "));
                if (r < 0)
                        return r;
        }
        if (b->reason == BLOCKER_RUNNING && b->state != 'R')
                b->reason = BLOCKER_UNKNOWN;
        if (b->reason != BLOCKER_UNKNOWN)
                return 0;
        if (frame && b->state != 'R')
                b->reason = BLOCKER_SLEEPING;
        else if (b->state == 'R')
                b->reason = BLOCKER_RUNNING;
        /* A stack without the function: it sleeps where it could change over, at the next try. */
        return 0;
}

/**
 * blockers_explain() - tell from stacks and states what each task waits in
 * @module: of the livepatch
 * @patched: direction, see blockers_read()
 * @functions: what the livepatch replaces, see functions.h; may be NULL
 *
 * What the kernel itself said before, blockers_take_log(), is kept, but for what the head of this file says.
 * To be called after each blockers_take_log(), too.
 *
 * Return: 0 or -ENOMEM.
 */
int blockers_explain(Blockers *b, const char *module, bool patched, char *const *functions) {
        for (size_t i = 0; i < b->n; i++) {
                int r = explain(&b->items[i], module, patched, functions);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int take(Blockers *b, const char *begin, const char *end, BlockerReason reason, const char *function) {
        const char *digits = end;
        Blocker *found;

        while (digits > begin && digits[-1] >= '0' && digits[-1] <= '9')
                digits--;
        if (digits == end || end - digits > 10 || digits == begin || digits[-1] != ':')
                return 0;
        found = blockers_find(b, (uint32_t) strtoul(digits, NULL, 10));
        if (!found)
                return 0;
        found->reason = reason;
        return function ? set_function(found, function, strlen(function)) : 0;
}

/**
 * blockers_take_log() - learn from a line of the kernel log
 * @line: text of one record, as "livepatch: klp_try_switch_task: NAME:TID is sleeping on function F"
 *
 * Any other line, and one about a task that is no blocker, is passed over.
 *
 * Return: 0 or -ENOMEM.
 */
int blockers_take_log(Blockers *b, const char *line) {
        static const struct {
                const char *words;
                BlockerReason reason;
        } ends[] = {
                { " is running", BLOCKER_RUNNING },
                { " has an unreliable stack", BLOCKER_UNRELIABLE },
        };
        static const char sleeping[] = " is sleeping on function ";
        const char *text = strstr(line, "klp_try_switch_task: "), *last, *p;
        size_t l;

        if (!startswith(line, "livepatch: ") || !text)
                return 0;
        text += strlen("klp_try_switch_task: ");
        l = strlen(text);
        for (size_t i = 0; i < ELEMENTSOF(ends); i++)
                if (endswith(text, ends[i].words))
                        return take(b, text, text + l - strlen(ends[i].words), ends[i].reason, NULL);
        for (last = NULL, p = text; (p = strstr(p, sleeping)); p++)
                last = p;
        if (!last || strchr(last + strlen(sleeping), ' '))
                return 0;
        return take(b, text, last, BLOCKER_SLEEPING, last + strlen(sleeping));
}
