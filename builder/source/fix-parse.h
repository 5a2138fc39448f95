/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The text of one diff file, taken apart. */

#include "builder/source/fix.h"

int fix_parse(Fix *f, size_t source, const char *text, size_t size, sd_bus_error *error) _must_check_
                _nonnull_(1, 3);
