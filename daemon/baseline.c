/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The baseline of this machine: what baseline/ decides about it, joined to the store, the clock and the policy.
 *
 * A machine that may not take hotpatches follows the same calendar with twelve baselines a year: it gets the
 * same fixes by restarting each month.
 */

#include <syslog.h>

#include "daemon/baseline.h"
#include "daemon/bus.h"
#include "daemon/describe.h"
#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "daemon/store-baseline.h"
#include "dbus/errors.h"

/**
 * struct Baseline
 * @timer: when to look again
 * @damaged: the file cannot be read; nothing is done or written before somebody looked at it
 * @looking: steps follow each other; a step that changes something does not begin anew
 */
struct Baseline {
        Manager *manager;
        BaselineState state;
        sd_event_source *timer;
        bool damaged;
        bool looking;
};

static uint64_t now(void) {
        return clock_usec(CLOCK_REALTIME);
}

/**
 * baseline_new() - read the state
 * @m: with a store and a configuration
 * @ret: baseline_free() it
 *
 * A state that is damaged is named among the findings and stays as it is: it may have said that an
 * installation is half done.
 *
 * Return: 0 or a negative errno.
 */
int baseline_new(Manager *m, Baseline **ret) {
        _cleanup_(baseline_freep) Baseline *b = calloc(1, sizeof(*b));
        sd_id128_t boot;
        int r;

        if (!b)
                return -ENOMEM;
        b->manager = m;
        r = store_baseline_read(m->store, &b->state);
        if (r < 0 && r != -ENOENT && r != -EBADMSG)
                return r;
        if (r < 0)
                b->state = (BaselineState) { .since_usec = now() };
        if (r == -EBADMSG) {
                b->damaged = true;
                b->state.text = strdup("The file '/var/lib/hotpatch/baseline-state' cannot be read; no baseline is "
                                "worked at before it was looked at");
        }
        /* It was called off, or we would not be here. */
        if (b->state.phase == BASELINE_RESTARTING && sd_id128_get_boot(&boot) >= 0 &&
            sd_id128_equal(boot, b->state.boot_id))
                b->state.phase = BASELINE_INSTALLED;
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
        sd_event_source_disable_unref(b->timer);
        baseline_state_done(&b->state);
        free(b);
        return NULL;
}

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        baseline_look(userdata);
        return 0;
}

static void wake_at(Baseline *b, uint64_t usec) {
        b->timer = sd_event_source_disable_unref(b->timer);
        if (usec > 0)
                (void) sd_event_add_time(b->manager->event, &b->timer, CLOCK_REALTIME, usec, USEC_PER_MINUTE, on_timer, b);
}

static void tell(const Baseline *b) {
        bool failed = b->state.phase == BASELINE_FAILED;

        (void) record_write(&(Record) {
                .message_id = failed ? HOTPATCH_MESSAGE_BASELINE_FAILED : HOTPATCH_MESSAGE_BASELINE,
                .priority = failed ? LOG_ERR : LOG_NOTICE,
                .text = b->state.text,
                .caller_uid = UINT32_MAX,
        });
}

/* Durable, then known to others. */
static int changed(Baseline *b, sd_bus_error *error) {
        int r;

        if (b->damaged)
                return sd_bus_error_set(error, HOTPATCH_ERROR("StateDamaged"), b->state.text);
        r = store_baseline_write(b->manager->store, &b->state, error);
        bus_baseline_changed(b->manager);
        if (r >= 0 && b->manager->restart)
                restart_look(b->manager->restart);
        return r;
}

/* One step; 0: there is no more to do now. */
static int step(Baseline *b, const CalendarPolicy *p, const BaselineFacts *facts) {
        BaselinePhase before = b->state.phase;
        _cleanup_free_ char *text = b->state.text ? strdup(b->state.text) : NULL;
        BaselineDecision d;
        int r = baseline_decide(p, b->manager->config->baseline.enabled, &b->state, facts, &d);

        if (r < 0)
                return r;
        wake_at(b, d.wake_usec);
        /* The package manager's part begins elsewhere; here its outcome is waited for. */
        if (d.action != BASELINE_ENTER && d.action != BASELINE_WAIT) {
                baseline_decision_done(&d);
                return 0;
        }
        r = baseline_enter(&b->state, &d, facts);
        if (r >= 0 && (d.action == BASELINE_ENTER || !streq_ptr(text, d.text)))
                r = changed(b, NULL);
        if (r >= 0 && b->state.phase != before)
                tell(b);
        baseline_decision_done(&d);
        return r < 0 ? r : d.action == BASELINE_ENTER;
}

/** baseline_look() - go on as far as it goes without anybody else */
void baseline_look(Baseline *b) {
        CalendarPolicy p = baseline_calendar_policy(b, NULL);
        BaselineFacts facts = {
                .now_usec = now(),
                .uptime_usec = clock_usec(CLOCK_BOOTTIME),
                .release = b->manager->identity.release,
        };

        if (b->looking || b->damaged || sd_id128_get_boot(&facts.boot_id) < 0)
                return;
        b->looking = true;
        /* A clock that was set back before this machine began makes it begin anew. */
        if (facts.now_usec < b->state.since_usec)
                b->state.since_usec = facts.now_usec;
        /* Phases follow each other without a ring; the bound is for a mistake of ours. */
        for (unsigned i = 0; i < _BASELINE_PHASE_MAX; i++)
                if (b->state.phase == BASELINE_INSTALLING || step(b, &p, &facts) <= 0)
                        break;
        b->looking = false;
        restart_look(b->manager->restart);
}

/**
 * baseline_set_restart() - when the machine restarts
 * @usec: the time
 * @firm: a person named it
 *
 * Return: 0 or a negative errno, with StateUnwritable.
 */
int baseline_set_restart(Baseline *b, uint64_t usec, bool firm, sd_bus_error *error) {
        if (b->state.phase == BASELINE_INSTALLED)
                b->state.phase = BASELINE_SCHEDULED;
        b->state.restart_usec = usec;
        b->state.restart_firm = firm;
        return changed(b, error);
}

/**
 * baseline_defer() - the restart comes in a window after that time; one without a baseline does not come at all
 * @counts: against the budget
 *
 * Return: 0 or a negative errno, with StateUnwritable.
 */
int baseline_defer(Baseline *b, uint64_t until_usec, bool counts, sd_bus_error *error) {
        int r;

        b->state.restart_usec = 0;
        b->state.restart_firm = false;
        if (b->state.phase == BASELINE_SCHEDULED) {
                b->state.phase = BASELINE_INSTALLED;
                b->state.deferrals += counts;
                b->state.deferred_until_usec = until_usec;
        }
        r = changed(b, error);
        if (r >= 0)
                baseline_look(b);
        return r;
}

/**
 * baseline_goes_down() - the machine shuts down, or that was called off
 *
 * Return: 0 or a negative errno.
 */
int baseline_goes_down(Baseline *b, bool start) {
        BaselinePhase phase = b->state.phase;

        if (start && (phase == BASELINE_INSTALLED || phase == BASELINE_SCHEDULED))
                b->state.phase = BASELINE_RESTARTING;
        else if (!start && phase == BASELINE_RESTARTING)
                b->state.phase = BASELINE_INSTALLED;
        else
                return 0;
        return changed(b, NULL);
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
