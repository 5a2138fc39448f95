/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The taint of the kernel, as a trial looks at it. */

#include "config/trial-policy.h"
#include "livepatch/kernel.h"

uint64_t taint_read(const Kernel *k) _nonnull_(1);
uint64_t taint_allowed(const TrialPolicy *policy, uint64_t before) _nonnull_(1);
