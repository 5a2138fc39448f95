/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How far a job is, while somebody waits for it. */

#include "ctl/snapshot.h"

/** struct Progress - @live: one line that is drawn over; otherwise a line for each new state */
typedef struct Progress {
        bool shown;
        bool live;
        bool drawn;
        char last_state[32];
        char *last_blockers;
} Progress;

void progress_init(Progress *p, const Ctl *ctl) _nonnull_(1, 2);
void progress_update(Progress *p, const JobInfo *job) _nonnull_(1, 2);
void progress_waiting(Progress *p, const char *what, unsigned seconds) _nonnull_(1, 2);
void progress_left(Progress *p, const char *what, uint64_t seconds) _nonnull_(1, 2);
void progress_done(Progress *p) _nonnull_(1);
void progress_clear(Progress *p) _nonnull_(1);
int progress_format(const JobInfo *job, unsigned width, char **ret) _must_check_ _nonnull_(1, 3);
