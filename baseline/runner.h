/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The runner: hotpatch-baseline.service, between the daemon and a backend. */

#include "baseline/run.h"

/**
 * struct Runner - what a run stands on
 * @root: every path hangs off it; "/" in the product
 * @backends: folder of the backends
 * @kill_sec: a plan or a download that was stopped is killed after that; 0: after half a minute
 * @inhibit: take an inhibitor of logind while packages are changed
 */
typedef struct Runner {
        const char *root;
        const char *backends;
        unsigned kill_sec;
        bool inhibit;
} Runner;

int runner_run(const Runner *runner, RunResult **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);

/* run-lock.c: is a run under way, and was one cut off? */
int run_lock_take(int root_fd) _must_check_;
int run_lock_is_held(int root_fd) _must_check_;
int run_settle(int root_fd, RunResult **ret) _must_check_ _nonnull_(2);

/* inhibit.c */
int inhibit_take(const char *why) _must_check_ _nonnull_(1);
