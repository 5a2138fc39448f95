/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The names in the two header lines of a diff. */

#include <systemd/sd-bus.h>

#include "util/base.h"

int fix_path(const char *where, const char *old, const char *new, char **ret, sd_bus_error *error)
                _must_check_ _nonnull_(1, 2, 3, 4);
