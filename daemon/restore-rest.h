/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What hotpatch-restore had to leave for later, put back by the daemon. */

#include "util/base.h"

typedef struct Job Job;
typedef struct Manager Manager;
typedef struct RestoreRest RestoreRest;

RestoreRest *restore_rest_free(RestoreRest *r);

void restore_rest_start(Manager *m) _nonnull_(1);
bool restore_rest_pending(const Manager *m) _nonnull_(1);
void restore_rest_over(Manager *m, const Job *j) _nonnull_(1, 2);
