/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The alarm of a patch in force: somebody tried what it repairs. */

#include "daemon/patch.h"

Tripwire *tripwire_free(Tripwire *t);
void tripwire_watch(Patch *p, Patch *old) _nonnull_(1);
