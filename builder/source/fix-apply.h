/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The touched files as they are after the fix. */

#include <systemd/sd-bus.h>

#include "builder/findings.h"
#include "builder/source/fix.h"

int fix_apply(const Fix *fix, const char *tree, const char *folder, Findings *findings, sd_bus_error *error)
                _must_check_ _nonnull_(1, 2, 3, 4);
