/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Other vendors' live patching, as far as it can be seen. */

#include "livepatch/kernel.h"

/**
 * struct OtherPatcher - somebody else at work
 * @name: of the product; a constant
 * @sign: what was seen, "kpatch.service is active" or "module 'kcare' is loaded"; owned
 * @hidden: it has code in the kernel that the kernel's lists of livepatches and of ftrace do not show
 */
typedef struct OtherPatcher {
        const char *name;
        char *sign;
        bool hidden;
} OtherPatcher;

int kernel_other_patchers(const Kernel *k, OtherPatcher **ret, size_t *ret_n) _must_check_ _nonnull_(1, 2, 3);
void other_patchers_free(OtherPatcher *others, size_t n);
