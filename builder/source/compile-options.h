/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Was an object compiled with the same options before and after the fix? */

#include <systemd/sd-bus.h>

#include "util/base.h"

int options_differ(const char *before, const char *after, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
