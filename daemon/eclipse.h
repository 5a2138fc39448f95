/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whether other people's livepatches stand in front of a patch of ours. */

#include "daemon/patch.h"
#include "livepatch/kernel.h"

bool eclipse_is_possible(const Kernel *k, const PatchSet *patches, const Patch *p) _must_check_ _nonnull_(1, 2, 3);
