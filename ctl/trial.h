/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Trials: words about them, and waiting for their end. */

#include "ctl/snapshot.h"

char *trial_words(const PatchInfo *p) _must_check_ _nonnull_(1);

typedef struct TrialWaiter TrialWaiter;

int trial_waiter_new(Ctl *ctl, TrialWaiter **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3);
TrialWaiter *trial_waiter_free(TrialWaiter *w);
DEFINE_TRIVIAL_CLEANUP(TrialWaiter *, trial_waiter_free);
#define _cleanup_trial_waiter_ _cleanup_(trial_waiter_freep)

int trial_waiter_run(TrialWaiter *w, char *const *ids, sd_bus_error *error) _must_check_ _nonnull_(1, 3);
