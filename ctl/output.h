/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Results that are written to a file which others read while it changes. */

#include "ctl/ctl.h"

int output_write(const Ctl *ctl, const char *text, sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3);
