/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel log as it grows: each record is given to whoever follows it. */

#include <systemd/sd-event.h>

#include "livepatch/kernel.h"
#include "livepatch/klog-record.h"

typedef struct KernelLogFollower KernelLogFollower;

/* Where to begin: only with what comes from now on. Sequence numbers are far below. */
#define KERNEL_LOG_NOW UINT64_MAX

/**
 * KernelLogRecord - called for each record, in order
 * @record: valid during the call
 *
 * It may free the follower.
 */
typedef void (*KernelLogRecord)(void *userdata, const KernelRecord *record);

/**
 * KernelLogLost - records were overwritten before they could be read
 * @n: how many, if that is known; 0: some
 *
 * It may free the follower.
 */
typedef void (*KernelLogLost)(void *userdata, uint64_t n);

int kernel_log_follow(const Kernel *k, sd_event *event, uint64_t from, KernelLogRecord on_record,
                KernelLogLost on_lost, void *userdata, KernelLogFollower **ret)
        _must_check_ _nonnull_(1, 2, 4, 7);
KernelLogFollower *kernel_log_follower_free(KernelLogFollower *f);
DEFINE_TRIVIAL_CLEANUP(KernelLogFollower *, kernel_log_follower_free);
#define _cleanup_kernel_log_follower_free_ _cleanup_(kernel_log_follower_freep)

int kernel_log_follower_catch_up(KernelLogFollower *f) _must_check_ _nonnull_(1);
uint64_t kernel_log_follower_sequence(const KernelLogFollower *f) _nonnull_(1);
