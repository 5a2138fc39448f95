/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What `status` says, also for the screen of `monitor`. */

#include "ctl/summary.h"

int status_print(const Ctl *ctl, const Snapshot *s, const Summary *summary) _must_check_ _nonnull_(1, 2, 3);
int status_print_unreachable(const Ctl *ctl, const sd_bus_error *error, const HotpatchError *row) _nonnull_(1, 2, 3);
