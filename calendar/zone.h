/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Time zones: from wall clocks to instants and back. */

#include "calendar/civil.h"
#include "util/limits.h"

/**
 * struct ZoneGuard - what zone_enter() found
 * @tz: the value of $TZ; NULL: it was not set
 */
typedef struct ZoneGuard {
        bool entered;
        char *tz;
} ZoneGuard;

bool zone_exists(const char *name) _nonnull_(1);
int zone_enter(const char *name, ZoneGuard *ret) _must_check_ _nonnull_(2);
void zone_leave(ZoneGuard *guard) _nonnull_(1);
#define _cleanup_zone_ _cleanup_(zone_leave)

int64_t zone_offset(int64_t seconds);
Civil zone_civil(uint64_t usec);
int zone_instant(const Civil *c, uint64_t after_usec, uint64_t *ret_usec) _must_check_ _nonnull_(1, 3);
Civil zone_after_gap(const Civil *c) _nonnull_(1);
uint64_t zone_day_begin(const Civil *c) _nonnull_(1);
