/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Section [Baseline] of hotpatchd.conf(5). */

#include "util/base.h"

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
 * struct BaselineDay - a day in a month by rule
 * @which: 1 to 4: the first to the fourth @number of the month; -1: the last; 0: @number is the day itself
 * @number: a weekday as tm_wday has it (0 is Sunday), or with @which 0 a day from 1 to 28
 * @offset: so many days later, at most 27; may reach into the next month
 */
typedef struct BaselineDay {
        int which;
        unsigned number;
        unsigned offset;
} BaselineDay;

/**
 * struct BaselinePolicy - section [Baseline] of hotpatchd.conf(5)
 * @enabled: this machine plans, installs and restarts for baselines by itself
 * @months: bit 0 is January; never 0
 * @day: the baseline day of each such month
 * @window: calendar expression of the window's begin, see systemd.time(7)
 * @window_usec: length of the window
 * @deadline_usec: after the baseline day; deferral ends
 * @deferrals: so many times it may be deferred
 * @defer_max_usec: so long all in all
 * @busy: BaselineBusy bits
 * @backend: name of a program in the backends' folder
 */
typedef struct BaselinePolicy {
        bool enabled;
        unsigned months;
        BaselineDay day;
        char *window;
        uint64_t window_usec;
        uint64_t deadline_usec;
        unsigned deferrals;
        uint64_t defer_max_usec;
        unsigned busy;
        char *backend;
        RebootMethod reboot_method;
} BaselinePolicy;
