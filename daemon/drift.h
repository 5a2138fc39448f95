/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the kernel has against what the records say: a quick look that reads small files only. */

#include "daemon/finding.h"
#include "daemon/store.h"
#include "livepatch/kernel.h"

/**
 * struct DriftQuestion
 * @release: of the running kernel
 * @off: hotpatching is switched off, so that nothing wanted is missed
 */
typedef struct DriftQuestion {
        const Kernel *kernel;
        const Store *store;
        const char *release;
        bool off;
} DriftQuestion;

int drift_look(const DriftQuestion *q, FindingSet *ret) _must_check_ _nonnull_(1, 2);
int drift_adopted_id(const Kernel *k, const char *module, char **ret) _must_check_ _nonnull_(1, 2, 3);
