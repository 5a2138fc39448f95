/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is said about tasks that hold a transition up: words, sentences, advice. */

#include "livepatch/blockers.h"

const char *blocker_reason_to_string(BlockerReason r);
int blocker_advice(const Blocker *b, bool may_freeze, char **ret) _must_check_ _nonnull_(1, 3);
int blockers_summary(const Blockers *b, char **ret) _must_check_ _nonnull_(1, 2);
int blocker_stack_text(const Blocker *b, char **ret) _must_check_ _nonnull_(1, 2);
