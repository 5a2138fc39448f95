/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Section [Baseline] of hotpatchd.conf(5). */

#include "calendar/year.h"

/** BaselineBusy - what makes a restart wait; bits of BaselinePolicy.busy */
typedef enum BaselineBusy {
        BASELINE_BUSY_USERS = 1 << 0,      /* somebody is logged in */
        BASELINE_BUSY_INHIBITORS = 1 << 1, /* a block inhibitor of shutdown is held */
        BASELINE_BUSY_BATTERY = 1 << 2,    /* no power but the battery's */
} BaselineBusy;

typedef enum RebootMethod {
        REBOOT_METHOD_REBOOT,
        REBOOT_METHOD_KEXEC,
} RebootMethod;

/**
 * struct BaselinePolicy - section [Baseline] of hotpatchd.conf(5)
 * @enabled: this machine plans, installs and restarts for baselines by itself
 * @calendar: months, day, window and deadline
 * @trial_usec: so long the new kernel is watched before the baseline counts as reached
 * @deferrals: so many times it may be deferred
 * @defer_max_usec: so long all in all
 * @busy: BaselineBusy bits
 * @backend: name of a program in the backends' folder
 */
typedef struct BaselinePolicy {
        bool enabled;
        CalendarPolicy calendar;
        uint64_t trial_usec;
        unsigned deferrals;
        uint64_t defer_max_usec;
        unsigned busy;
        char *backend;
        RebootMethod reboot_method;
} BaselinePolicy;
