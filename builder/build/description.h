/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a person says about the patch, and what the fix says about itself. */

#include "builder/build/build.h"

int describe_check(const Build *b, sd_bus_error *error) _must_check_ _nonnull_(1);
int describe_patch(const Build *b, PatchFile **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
