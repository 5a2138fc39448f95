/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The finished module as a bundle. */

#include "builder/build/build.h"

int bundle_check_output(const char *path, sd_bus_error *error) _must_check_ _nonnull_(1);
int bundle_write(const Build *b, sd_bus_error *error) _must_check_ _nonnull_(1);
