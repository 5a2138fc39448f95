/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What an enabled livepatch replaces, from /sys/kernel/livepatch. */

#include "livepatch/inspect.h"
#include "livepatch/kernel.h"

int livepatch_functions(const Kernel *k, const char *module, InspectedObject **ret, size_t *ret_n)
        _must_check_ _nonnull_(1, 2, 3, 4);
int livepatch_function_names(const Kernel *k, const char *module, char ***ret) _must_check_ _nonnull_(1, 2, 3);
