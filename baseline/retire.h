/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What becomes of the hotpatches when a baseline is reached. */

#include "util/base.h"

/**
 * struct RetireFacts - one wanted hotpatch, and the baseline that was reached; borrowed
 * @reached: "2026.10"
 * @running: release of the kernel that runs
 * @release: of the kernel under which the patch is wanted
 * @made_for: the baseline that its signed manifest names; NULL: none
 * @looked: hotpatch-restore has looked at its bundle in this boot, and found no target for the running kernel
 * @superseded: the signed bundle of the baseline names it among what it supersedes
 */
typedef struct RetireFacts {
        const char *reached;
        const char *running;
        const char *release;
        const char *made_for;
        bool looked;
        bool superseded;
} RetireFacts;

typedef enum RetireVerdict {
        RETIRE_STAYS,     /* it is wanted under the running kernel */
        RETIRE_CONTAINED, /* the running kernel has what it repairs */
        RETIRE_KEPT,      /* for another kernel, and nobody has said that this one contains it */
} RetireVerdict;

RetireVerdict retire_decide(const RetireFacts *f, const char **ret_why) _nonnull_(1, 2);
