/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Modules of ours that are loaded without effect and that nobody wants: unloaded, as nobody else will. */

#include "util/base.h"

typedef struct Manager Manager;
typedef struct Leftovers Leftovers;

void leftovers_sweep(Manager *m) _nonnull_(1);
bool leftovers_pending(const Manager *m) _nonnull_(1);
Leftovers *leftovers_free(Leftovers *l);
