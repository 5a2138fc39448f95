/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the baseline share. */

#include <systemd/sd-event.h>

#include "daemon/baseline.h"

/**
 * struct Baseline
 * @timer, @wake_usec: when to look again
 * @boot_check: what is not in force after the restart, or NULL
 * @damaged: the file cannot be read; nothing is done or written before somebody looked at it
 * @looking: steps follow each other; a step that changes something does not begin anew
 */
struct Baseline {
        Manager *manager;
        BaselineState state;
        sd_event_source *timer;
        uint64_t wake_usec;
        char *boot_check;
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

void baseline_outcome_done(BaselineOutcome *o);
int baseline_judge_patches(const Baseline *b, const BaselineState *s, BaselineOutcome *ret) _must_check_ _nonnull_(1, 2, 3);
int baseline_retire_patches(Baseline *b, BaselineOutcome *o) _must_check_ _nonnull_(1, 2);
void baseline_tell_outcome(const Baseline *b, const BaselineOutcome *o) _nonnull_(1, 2);

int baseline_commit(Baseline *b, BaselineState *next, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
