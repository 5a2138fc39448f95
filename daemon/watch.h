/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Watching, without polling, what happens to patches in the kernel and to the modules they patch. */

#include "daemon/finding.h"

typedef struct Manager Manager;
typedef struct Watch Watch;

int watch_new(Manager *m, Watch **ret) _must_check_ _nonnull_(1, 2);
Watch *watch_free(Watch *w);

void watch_update(Watch *w) _nonnull_(1);
void watch_stop(Watch *w) _nonnull_(1);
int watch_add_refused(Watch *w, FindingSet *found) _must_check_ _nonnull_(1, 2);
