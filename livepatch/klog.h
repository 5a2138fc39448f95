/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lines of the kernel log (/dev/kmsg), from a mark on. */

#include "livepatch/kernel.h"

typedef struct KernelLog KernelLog;

int kernel_log_open(const Kernel *k, KernelLog **ret) _must_check_ _nonnull_(1, 2);
KernelLog *kernel_log_free(KernelLog *l);
DEFINE_TRIVIAL_CLEANUP(KernelLog *, kernel_log_free);
#define _cleanup_kernel_log_free_ _cleanup_(kernel_log_freep)

int kernel_log_read(KernelLog *l, const char *module, char **ret) _must_check_ _nonnull_(1, 3);
