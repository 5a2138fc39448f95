/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a change of a header adds, when it does nothing else. */

#include "util/base.h"

int additions_find(const char *before, const char *after, char ***ret_names) _must_check_ _nonnull_(1, 2, 3);
