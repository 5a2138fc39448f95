/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The self-test of a loaded patch module: /sys/module/NAME/hotpatch/self_test. */

#include "livepatch/kernel.h"

int livepatch_self_test(const Kernel *k, const char *module, char **ret_reason) _must_check_ _nonnull_(1, 2, 3);
