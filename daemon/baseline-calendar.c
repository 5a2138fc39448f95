/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The year of this machine: the configured calendar, or one with twelve baselines where the machine may not take
 * hotpatches. It gets the same fixes by restarting each month.
 */

#include "daemon/baseline-internal.h"
#include "daemon/describe.h"
#include "daemon/manager.h"

/**
 * baseline_calendar_policy() - the calendar of this machine
 * @ret_monthly_because: why each month has a baseline here; NULL: the configured months have; may be NULL
 */
CalendarPolicy baseline_calendar_policy(const Baseline *b, const char **ret_monthly_because) {
        const Config *config = b->manager->config;
        CalendarPolicy p = config->baseline.calendar;
        const char *because = eligibility_monthly_because(b->manager);

        if (because)
                p.months = CALENDAR_ALL_MONTHS;
        if (ret_monthly_because)
                *ret_monthly_because = because;
        return p;
}

/**
 * baseline_coverage() - baseline_covered_until() of this machine
 *
 * Where baselines are not planned and none was reached, nobody knows at which one the machine is.
 *
 * Return: microseconds since 1970 UTC; 0: not known.
 */
uint64_t baseline_coverage(const Baseline *b, const CalendarPolicy *p, uint64_t now_usec) {
        if (!b->manager->config->baseline.enabled && !b->state.reached)
                return 0;
        return baseline_covered_until(&b->state, p, now_usec);
}

/**
 * baseline_calendar_json() - the year of this machine, for doc/json-shapes.md "Calendar"
 * @year: 1970 to 2199; 0: this one
 * @error: InvalidArgs
 *
 * Return: 0 or a negative errno.
 */
int baseline_calendar_json(Baseline *b, int year, char **ret, sd_bus_error *error) {
        CalendarDescription d = { .now_usec = clock_usec(CLOCK_REALTIME), .state = &b->state, .release = b->manager->identity.release };
        CalendarMonth months[12];
        CalendarPolicy p;
        int r;

        p = baseline_calendar_policy(b, &d.monthly_because);
        d.enabled = b->manager->config->baseline.enabled;
        d.covered_until_usec = baseline_coverage(b, &p, d.now_usec);
        if (year == 0)
                year = calendar_year_at(&p, d.now_usec);
        r = calendar_year(&p, year, months);
        if (r == -ERANGE)
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS, "The calendar has the years %d to %d, not %d",
                        CIVIL_YEAR_MIN, CIVIL_YEAR_MAX, year);
        if (r < 0)
                return r;
        d.policy = &p;
        d.months = months;
        return describe_calendar(&d, ret);
}
