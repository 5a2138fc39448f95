/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The answer of hotpatch-blockers.service. */

#include "livepatch/blockers.h"

int stacks_merge(const void *answer, size_t size, Blockers *b, char **ret_debug) _must_check_
                _nonnull_(1, 3, 4);
