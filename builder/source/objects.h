/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which objects of the running configuration a fix touches. */

#include <systemd/sd-bus.h>

#include "builder/findings.h"
#include "builder/source/compile.h"
#include "builder/source/fix.h"
#include "builder/source/objects-list.h"
#include "builder/source/tree.h"

int objects_find(const char *tree, const char *patched, const ObjectList *list, const Fix *fix, Compiled *c,
                Findings *findings) _must_check_ _nonnull_(1, 2, 3, 4, 5, 6);
int objects_limit(Compiled *c, size_t limit, Findings *findings) _must_check_ _nonnull_(1, 3);
