/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Services that fail during a trial. */

#include "daemon/trial-internal.h"

int trial_units_new(Trials *t, TrialUnits **ret) _must_check_ _nonnull_(1, 2);
TrialUnits *trial_units_free(TrialUnits *u);
DEFINE_TRIVIAL_CLEANUP(TrialUnits *, trial_units_free);
void trial_units_ask(TrialUnits *u) _nonnull_(1);
int trial_units_copy(const TrialUnits *u, char ***ret) _must_check_ _nonnull_(2);
