/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The memory that the kernel keeps for itself, as a trial looks at it. */

#include "livepatch/kernel.h"

/**
 * struct KernelMemory - out of /proc/meminfo and /proc/vmstat, in KiB
 * @total: what the machine has
 * @kept: what neither is free, nor belongs to a process or the page cache, nor can be given back
 */
typedef struct KernelMemory {
        uint64_t total;
        uint64_t kept;
} KernelMemory;

int kernel_memory_parse(const char *meminfo, const char *vmstat, KernelMemory *ret) _must_check_ _nonnull_(1, 2, 3);
int kernel_memory_read(const Kernel *k, KernelMemory *ret) _must_check_ _nonnull_(1, 2);
