/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the baseline share. */

#include <systemd/sd-event.h>

#include "baseline/runner.h"
#include "daemon/baseline.h"

/* What failed without changing anything is tried again with the next daily look. */
#define BASELINE_AGAIN_USEC (20 * 60 * USEC_PER_MINUTE)

/**
 * struct Baseline
 * @timer, @wake_usec: when to look again
 * @boot_check: what is not in force after the restart, or NULL
 * @forced: which transition was forced in this boot, or NULL
 * @damaged: the file cannot be read; nothing is done or written before somebody looked at it
 * @looking: steps follow each other; a step that changes something does not begin anew
 */
struct Baseline {
        Manager *manager;
        BaselineState state;
        sd_event_source *timer;
        uint64_t wake_usec;
        char *boot_check;
        char *forced;
        bool damaged;
        bool looking;
};

/**
 * struct BaselineOutcome - ids of wanted hotpatches at a baseline that is reached
 * @why: of those that are kept, at the same place
 */
typedef struct BaselineOutcome {
        char **retired;
        char **stayed;
        char **kept;
        char **why;
} BaselineOutcome;

/* baseline-retire.c */
void baseline_outcome_done(BaselineOutcome *o);
int baseline_judge_patches(const Baseline *b, const BaselineState *s, BaselineOutcome *ret) _must_check_ _nonnull_(1, 2, 3);
int baseline_retire_patches(Baseline *b, BaselineOutcome *o) _must_check_ _nonnull_(1, 2);
void baseline_tell_outcome(const Baseline *b, const BaselineOutcome *o) _nonnull_(1, 2);

/* baseline.c */
int baseline_commit(Baseline *b, BaselineState *next, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
void baseline_wake_at(Baseline *b, uint64_t usec) _nonnull_(1);
void baseline_tell(const Baseline *b) _nonnull_(1);
int baseline_prepare(Baseline *b, BaselineFacts *ret_facts, BaselineState *ret_next)
        _must_check_ _nonnull_(1, 2, 3);
int baseline_step(Baseline *b, BaselineState *next, const CalendarPolicy *p, const BaselineFacts *facts)
        _must_check_ _nonnull_(1, 2, 3, 4);

/* baseline-run.c */
RunVerb baseline_verb(BaselinePhase phase);
void baseline_take_result(const RunResult *result, BaselineFacts *f) _nonnull_(1, 2);
int baseline_find_run(const Baseline *b, BaselineFacts *f, RunResult **ret_result) _must_check_ _nonnull_(1, 2, 3);
int baseline_start_run(Baseline *b, RunVerb verb) _must_check_ _nonnull_(1);
int baseline_fail_start(Baseline *b, const sd_bus_error *error) _must_check_ _nonnull_(1, 2);

/* baseline-by-hand.c */
int baseline_take_by_hand(Baseline *b, const RunResult *result) _must_check_ _nonnull_(1, 2);
int baseline_begin_again(Baseline *b) _must_check_ _nonnull_(1);
int baseline_find_unseen(Baseline *b) _must_check_ _nonnull_(1);
