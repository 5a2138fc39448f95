/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The alarm of a patch in force: somebody tried what it repairs. */

#include "daemon/patch.h"

void tripwire_alarm(Patch *p) _nonnull_(1);
void tripwire_watch(Patch *p, Patch *old) _nonnull_(1);
