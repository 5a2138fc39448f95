/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How long a trial lasts. */

#include "config/trial-policy.h"

uint64_t trial_length(const TrialPolicy *policy, uint64_t usec) _nonnull_(1);
uint64_t trial_length_restore(const TrialPolicy *policy, uint64_t usec) _nonnull_(1);
