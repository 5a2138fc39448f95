/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The tripwires of a loaded patch module, by name: /sys/module/NAME/hotpatch/tripwires. */

#include "livepatch/kernel.h"

/** struct TripwireCount - how often one was touched since the module was loaded; @name is owned */
typedef struct TripwireCount {
        char *name; /* what it guards, a CVE number as a rule */
        uint64_t n;
} TripwireCount;

typedef struct TripwireCounts {
        TripwireCount *items;
        size_t n;
} TripwireCounts;

int tripwire_counts_parse(const char *text, TripwireCounts *ret) _must_check_ _nonnull_(1, 2);
int livepatch_tripwires(const Kernel *k, const char *module, TripwireCounts *ret) _must_check_ _nonnull_(1, 2, 3);
void tripwire_counts_done(TripwireCounts *c);
uint64_t tripwire_counts_sum(const TripwireCounts *c) _nonnull_(1);
uint64_t tripwire_counts_find(const TripwireCounts *c, const char *name) _nonnull_(1, 2);
