/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The baseline of this machine: what baseline/ decides about it, joined to the store, the clock and the policy.
 *
 * A machine that may not take hotpatches follows the same calendar with twelve baselines a year: it gets the
 * same fixes by restarting each month.
 */

#include "daemon/baseline.h"
#include "daemon/describe.h"
#include "daemon/manager.h"
#include "daemon/store-baseline.h"

struct Baseline {
        Manager *manager;
        BaselineState state;
};

static uint64_t now(void) {
        return clock_usec(CLOCK_REALTIME);
}

/**
 * baseline_new() - read the state
 * @m: with a store and a configuration
 * @ret: baseline_free() it
 *
 * A state that is damaged is named among the findings; the machine begins anew, so that nothing that was
 * half done is taken for done.
 *
 * Return: 0 or a negative errno.
 */
int baseline_new(Manager *m, Baseline **ret) {
        _cleanup_(baseline_freep) Baseline *b = calloc(1, sizeof(*b));
        int r;

        if (!b)
                return -ENOMEM;
        b->manager = m;
        r = store_baseline_read(m->store, &b->state);
        if (r < 0 && r != -ENOENT && r != -EBADMSG)
                return r;
        if (r < 0)
                b->state = (BaselineState) { .since_usec = now() };
        if (r == -ENOENT) {
                /* Durable at once: from now on a baseline that is not done is missed. */
                r = store_baseline_write(m->store, &b->state, NULL);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(b);
        return 0;
}

/** baseline_free() - free it; NULL is fine. Returns NULL. */
Baseline *baseline_free(Baseline *b) {
        if (!b)
                return NULL;
        baseline_state_done(&b->state);
        free(b);
        return NULL;
}

/** baseline_state() - where this machine stands */
const BaselineState *baseline_state(const Baseline *b) {
        return &b->state;
}

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
 * baseline_calendar_json() - the year of this machine, for doc/json-shapes.md "Calendar"
 * @year: 1970 to 2199; 0: this one
 * @error: InvalidArgs
 *
 * Return: 0 or a negative errno.
 */
int baseline_calendar_json(Baseline *b, int year, char **ret, sd_bus_error *error) {
        CalendarDescription d = { .now_usec = now(), .state = &b->state, .release = b->manager->identity.release };
        CalendarMonth months[12];
        CalendarPolicy p;
        int r;

        p = baseline_calendar_policy(b, &d.monthly_because);
        d.enabled = b->manager->config->baseline.enabled;
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
