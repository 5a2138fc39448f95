/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The tasks that a running transition waits for: who they are, whose they are, where they sit. */

#include "livepatch/kernel.h"

/* TASK_COMM_LEN of include/linux/sched.h is 16; kernel threads may show a longer name since 5.17. */
#define BLOCKER_COMMAND_MAX 63U

typedef enum BlockerReason {
        BLOCKER_UNKNOWN,    /* nobody could look */
        BLOCKER_SLEEPING,   /* a function that changes is on its stack, and it sleeps */
        BLOCKER_RUNNING,    /* it runs in the kernel and cannot be looked at */
        BLOCKER_UNRELIABLE, /* the kernel cannot tell what is on its stack */
        _BLOCKER_REASON_MAX,
        _BLOCKER_REASON_INVALID = -EINVAL,
} BlockerReason;

/**
 * struct Blocker - a task that has not changed over
 * @pid, @tid: process and thread
 * @state: letter of proc_pid_stat(5): R, S, D, …
 * @command: name of the thread, printable ASCII
 * @unit: systemd unit; NULL when it has none
 * @reason, @function: why, and the function it sits in; filled by blockers_explain() and
 *   blockers_take_log()
 * @stack: names of functions, innermost first, "name" or "name [module]"; NULL: not known
 */
typedef struct Blocker {
        uint32_t pid;
        uint32_t tid;
        bool kernel_thread;
        char state;
        char command[BLOCKER_COMMAND_MAX + 1];
        char *unit;
        BlockerReason reason;
        char *function;
        char **stack;
} Blocker;

/**
 * struct Blockers
 * @items: sorted by unit, then by id; tasks without one and kernel threads come last
 * @n_more: blockers beyond HOTPATCH_BLOCKERS_MAX, only counted
 * @done, @total: tasks that have changed over, and all
 */
typedef struct Blockers {
        Blocker *items;
        size_t n;
        unsigned n_more;
        unsigned done;
        unsigned total;
} Blockers;

void blockers_done(Blockers *b) _nonnull_(1);

int blockers_read(const Kernel *k, bool patched, Blockers *ret) _must_check_ _nonnull_(1, 3);
int blockers_read_stacks(const Kernel *k, Blockers *b) _must_check_ _nonnull_(1, 2);
Blocker *blockers_find(const Blockers *b, uint32_t tid) _nonnull_(1);
int blocker_add_frame(Blocker *b, const char *frame, size_t length) _must_check_ _nonnull_(1, 2);

int blockers_explain(Blockers *b, const char *module, bool patched, char *const *functions) _must_check_
                _nonnull_(1, 2);
int blockers_take_log(Blockers *b, const char *line) _must_check_ _nonnull_(1, 2);

int blocker_unit_from_cgroup(const char *cgroup, char **ret) _must_check_ _nonnull_(1, 2);
