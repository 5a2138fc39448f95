/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The zone database as libc reads it.
 *
 * libc has one zone for the whole process, the one of $TZ. We have one thread, so a zone is *entered* for
 * the length of a computation and left by a cleanup attribute; everything between is a pure function of
 * its arguments and the zone.
 *
 * mktime(3) is not used: which of two instants it takes when the clock was set back depends on what it
 * was asked before. Here the offsets of a day earlier and a day later give the two candidates, and each
 * is tried: none fits in a gap, both in a fold.
 */

#include <fcntl.h>
#include <time.h>

#include "calendar/zone.h"
#include "util/file.h"

#define ZONE_FOLDER "/usr/share/zoneinfo"
#define SECONDS_PER_DAY (24 * 3600)

/**
 * zone_exists() - is there such a zone in the database?
 * @name: as in "Europe/Berlin"
 *
 * libc takes UTC in silence for a zone that it does not find.
 */
bool zone_exists(const char *name) {
        static const char allowed[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-";
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;
        char magic[4];

        if (!*name || strlen(name) > HOTPATCH_ZONE_MAX || strspn(name, allowed) != strlen(name) ||
            *name == '/' || endswith(name, "/") || strstr(name, "//"))
                return false;
        path = path_join(ZONE_FOLDER, name);
        if (!path)
                return false;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        /* RFC 8536, 3.1 */
        return fd >= 0 && read(fd, magic, sizeof(magic)) == sizeof(magic) && memcmp(magic, "TZif", 4) == 0;
}

/**
 * zone_enter() - make a zone the one that this file computes in
 * @name: of the database; NULL or "": the machine's own, read again if it was changed
 * @ret: zone_leave() it
 *
 * Return: 0 or -ENOMEM.
 */
int zone_enter(const char *name, ZoneGuard *ret) {
        const char *tz = getenv("TZ");
        ZoneGuard guard = { .entered = true };

        if (tz) {
                guard.tz = strdup(tz);
                if (!guard.tz)
                        return -ENOMEM;
        }
        if (name && *name && setenv("TZ", name, 1) < 0) {
                free(guard.tz);
                return -ENOMEM;
        }
        tzset();
        *ret = guard;
        return 0;
}

/** zone_leave() - go back to the zone before */
void zone_leave(ZoneGuard *guard) {
        if (!guard->entered)
                return;
        if (guard->tz)
                (void) setenv("TZ", guard->tz, 1);
        else
                (void) unsetenv("TZ");
        tzset();
        free(guard->tz);
        *guard = (ZoneGuard) { 0 };
}

/** zone_offset() - seconds east of UTC at an instant */
int64_t zone_offset(int64_t seconds) {
        time_t t = seconds;
        struct tm tm;

        return localtime_r(&t, &tm) ? tm.tm_gmtoff : 0;
}

/** zone_civil() - what the wall clock shows at an instant */
Civil zone_civil(uint64_t usec) {
        int64_t seconds = (int64_t) (usec / USEC_PER_SEC);
        Civil c = civil_from_seconds(seconds + zone_offset(seconds));

        c.usec += (int) (usec % USEC_PER_SEC);
        return c;
}

/* The instants at which the clock shows so many seconds, the earlier one first: none, one or two. */
static size_t instants(int64_t shown, int64_t ret[2]) {
        int64_t before = shown - zone_offset(shown - SECONDS_PER_DAY);
        int64_t after = shown - zone_offset(shown + SECONDS_PER_DAY);
        size_t n = 0;

        if (before + zone_offset(before) == shown)
                ret[n++] = before;
        if (after != before && after + zone_offset(after) == shown)
                ret[n++] = after;
        if (n == 2 && ret[0] > ret[1]) {
                int64_t first = ret[1];

                ret[1] = ret[0];
                ret[0] = first;
        }
        return n;
}

/**
 * zone_instant() - when does the wall clock show this?
 * @c: a date that exists in the calendar
 * @after_usec: of two instants, the first one after this; 0: the first
 * @ret_usec: microseconds since 1970-01-01 UTC
 *
 * Return: 0; -ENOENT when the clock is set forward over it, or no instant is late enough.
 */
int zone_instant(const Civil *c, uint64_t after_usec, uint64_t *ret_usec) {
        int64_t found[2];
        size_t n = instants(civil_seconds(c), found);

        for (size_t i = 0; i < n; i++) {
                uint64_t usec = (uint64_t) found[i] * USEC_PER_SEC +
                        (uint64_t) c->usec % USEC_PER_SEC;

                if (found[i] >= 0 && (after_usec == 0 || usec > after_usec)) {
                        *ret_usec = usec;
                        return 0;
                }
        }
        return -ENOENT;
}

/* The first instant with another offset between two that differ. */
static int64_t change_between(int64_t low, int64_t high) {
        int64_t offset = zone_offset(low);

        while (high - low > 1) {
                int64_t middle = low + (high - low) / 2;

                if (zone_offset(middle) == offset)
                        low = middle;
                else
                        high = middle;
        }
        return high;
}

/** zone_after_gap() - what the clock shows first after it was set forward over @c */
Civil zone_after_gap(const Civil *c) {
        int64_t shown = civil_seconds(c);
        int64_t change = change_between(shown - zone_offset(shown - SECONDS_PER_DAY) - SECONDS_PER_DAY,
                shown + SECONDS_PER_DAY - zone_offset(shown + SECONDS_PER_DAY));

        return civil_from_seconds(change + zone_offset(change));
}

/** zone_day_begin() - the first instant of a day: midnight, or what comes instead where that is skipped */
uint64_t zone_day_begin(const Civil *c) {
        Civil midnight = { .year = c->year, .month = c->month, .day = c->day };
        uint64_t usec;

        if (zone_instant(&midnight, 0, &usec) < 0) {
                midnight = zone_after_gap(&midnight);
                if (zone_instant(&midnight, 0, &usec) < 0)
                        return (uint64_t) civil_seconds(&midnight) * USEC_PER_SEC;
        }
        return usec;
}
