/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What comes back when a trial has failed. */

#include "daemon/store.h"

int returns_decide(const Store *s, const TrialRecord *failed, char ***ret) _must_check_ _nonnull_(1, 2, 3);
