/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Types: what the fix makes of structures, against what the image has, by BTF. */

#include "builder/rules/rules.h"

int layout_check(const RuleInput *in, Findings *findings, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
