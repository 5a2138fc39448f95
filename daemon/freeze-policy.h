/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which units may be frozen for a moment. */

#include "util/base.h"

bool freeze_is_allowed(const char *unit, char *const *exclude) _nonnull_(1);
