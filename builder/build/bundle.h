/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The finished module as a bundle. */

#include "builder/build/build.h"

int bundle_write(const Build *b, sd_bus_error *error) _must_check_ _nonnull_(1);
