/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Section [Trial] of hotpatchd.conf(5). */

#include "util/base.h"

/** TrialSign - what counts as a bad sign; bits of TrialPolicy.signs */
typedef enum TrialSign {
        TRIAL_SIGN_KERNEL_LOG = 1 << 0,     /* the kernel complains and names the patch */
        TRIAL_SIGN_KERNEL_OOPS = 1 << 1,    /* it died, hangs or is corrupt, whoever it names */
        TRIAL_SIGN_KERNEL_WARNING = 1 << 2, /* it warns, whoever it names */
        TRIAL_SIGN_TAINT = 1 << 3,
        TRIAL_SIGN_UNITS = 1 << 4,
        TRIAL_SIGN_PRESSURE = 1 << 5,
        TRIAL_SIGN_CHECKS = 1 << 6,
        TRIAL_SIGN_KERNEL_MEMORY = 1 << 7, /* the kernel keeps more and more for itself */
        TRIAL_SIGN_SELF_TEST = 1 << 8, /* the patch itself says so */
} TrialSign;

/**
 * struct TrialPolicy - section [Trial] of hotpatchd.conf(5)
 * @min_usec, @max_usec: what the bundle wants is brought between them; max 0: no trials
 * @signs: TrialSign bits
 * @memory_pressure, @io_pressure: percent of time in which all tasks wait; 0: not looked at
 * @kernel_memory: percent of all memory by which what the kernel keeps may grow; 0: not looked at
 * @check_interval_usec: between two runs of the site's checks
 */
typedef struct TrialPolicy {
        uint64_t min_usec;
        uint64_t max_usec;
        unsigned signs;
        unsigned memory_pressure;
        unsigned io_pressure;
        unsigned kernel_memory;
        uint64_t check_interval_usec;
} TrialPolicy;
