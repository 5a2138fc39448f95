/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One record of /dev/kmsg, taken apart. */

#include "util/base.h"

/* CONSOLE_EXT_LOG_MAX, include/linux/printk.h: a read with less room may fail with EINVAL. */
#define KERNEL_RECORD_MAX 8192

/**
 * struct KernelRecord - a message of the kernel
 * @sequence: its number; grows by one from record to record in one boot
 * @usec: when, in the clock of the kernel log (CLOCK_MONOTONIC but for drift)
 * @level: 0 (emergency) to 7 (debug), as in syslog(3)
 * @facility: 0 for the kernel; who writes to /dev/kmsg cannot have that
 * @text: printable ASCII; anything else is escaped as \xHH; valid as long as the buffer
 */
typedef struct KernelRecord {
        uint64_t sequence;
        uint64_t usec;
        unsigned level;
        unsigned facility;
        const char *text;
} KernelRecord;

int kernel_record_next(char **p, KernelRecord *ret) _must_check_ _nonnull_(1, 2);
