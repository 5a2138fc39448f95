/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which source functions a changed function has in it, told from debug information. */

#include "builder/compare/changes.h"
#include "builder/source/fix.h"

int changes_name_inlined(Changes *c, const Fix *fix, const char *before_path, const char *after_path)
        _must_check_ _nonnull_(1, 2, 3, 4);
