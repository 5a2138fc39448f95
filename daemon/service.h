/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The daemon's life: event loop, bus name, watchdog, exit when idle. */

#include "livepatch/kernel.h"

int service_run(const char *root, const ModuleOps *ops, void *ops_userdata) _must_check_ _nonnull_(1);
