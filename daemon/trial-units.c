/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Trials: services that fail.
 *
 * Only a service that was running before the patch counts. What a timer starts meanwhile (an update
 * without a network, say) fails for reasons of its own; a service that ran and runs no more is what a
 * broken kernel looks like from the outside. One that systemd starts again has not failed yet: when it fails
 * too often, systemd gives up, and then it has.
 *
 * systemd is asked when an Apply begins to plan, so that its answer is there before the kernel is touched: a service that
 * the patch kills on its way in turns that Apply around. The list lies in the record of the trial as well. A daemon that
 * finds the trial at its start asks again, and what ran then and is "failed" now has failed while there was no daemon.
 * Whoever is blamed for a failure, no other trial is blamed for it after a restart: the records forget the service.
 *
 * Without systemd's answer there is no list and no sign. Our own units say by other ways what is wrong.
 */

#include "daemon/job.h"
#include "daemon/trial-units.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

#define LIST_TIMEOUT_USEC (10 * USEC_PER_SEC)

struct TrialUnits {
        Trials *trials;
        SystemdWatch *watch;
        sd_bus_slot *slot;
        char **active;
};

/** trial_units_free() - watch no more. Returns NULL. */
TrialUnits *trial_units_free(TrialUnits *u) {
        if (!u)
                return NULL;
        systemd_watch_free(u->watch);
        sd_bus_slot_unref(u->slot);
        strv_free(u->active);
        free(u);
        return NULL;
}

/* --- one has failed --- */

static void records_forget(Trials *t, const char *unit) {
        for (size_t i = 0; i < t->n; i++) {
                TrialRecord *r = &t->list[i]->record;

                if (!strv_contains(r->services, unit))
                        continue;
                strv_remove(r->services, unit);
                (void) (store_trial_write(t->manager->store, r, NULL) < 0);
        }
}

/* A patch that is on its way in, or out again, and has no trial. */
static Job *job_at_work(const Trials *t) {
        Job *j = manager_running_job(t->manager);

        return j && j->type == JOB_APPLY && !j->past_return && strv_length(j->inserted) > 0 ? j : NULL;
}

/* What changed last most likely did it. @trial may be NULL. */
static void blame(Trials *t, Trial *trial, const char *unit) {
        _cleanup_free_ char *reason = NULL;
        Job *j = job_at_work(t);

        records_forget(t, unit);
        (void) (str_printf(&reason, "the unit '%s', which was running before, has failed", unit) < 0);
        if (j)
                job_reverse(j, reason ?: "a unit has failed");
        else if (trial)
                trial_fail(trial, reason ?: "a unit has failed");
}

static void on_failed(void *userdata, const char *unit, const char *sub_state) {
        TrialUnits *u = userdata;
        Trials *t = u->trials;

        if (streq(sub_state, "failed") && strv_contains(u->active, unit))
                blame(t, trials_youngest(t, UINT64_MAX), unit); /* u may be gone */
}

/* --- which run --- */

static Trial *find_recorded(const Trials *t, const char *unit) {
        for (size_t i = t->n; i-- > 0;)
                if (trial_is_running(t->list[i]) && strv_contains(t->list[i]->record.services, unit))
                        return t->list[i];
        return NULL;
}

static int read_unit(TrialUnits *u, const char *name, const char *state, char ***lost) {
        if (startswith(name, "hotpatch"))
                return 0;
        if (streq(state, "failed"))
                return find_recorded(u->trials, name) ? strv_extend(lost, name) : 0;
        return strv_contains(u->active, name) ? 0 : strv_extend(&u->active, name);
}

static int read_units(TrialUnits *u, sd_bus_message *reply, char ***lost) {
        const char *name, *state;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(reply, "(ssssssouso)", &name, NULL, NULL, &state, NULL, NULL, NULL, NULL,
                                NULL, NULL)) > 0) {
                if (strv_length(u->active) >= HOTPATCH_UNITS_WATCHED_MAX)
                        break;
                r = read_unit(u, name, state, lost);
                if (r < 0)
                        return r;
        }
        return r;
}

/* Of trials that began before the answer came. */
static void complete_records(TrialUnits *u) {
        Trials *t = u->trials;

        for (size_t i = 0; i < t->n; i++) {
                TrialRecord *r = &t->list[i]->record;

                if (trial_is_running(t->list[i]) && !trial_must_be_named(t->list[i]) && !r->services &&
                    trial_units_copy(u, &r->services) >= 0 && r->services)
                        (void) (store_trial_write(t->manager->store, r, NULL) < 0);
        }
}

static int on_list(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_strv_free_ char **lost = NULL;
        TrialUnits *u = userdata;
        Trials *t = u->trials;

        u->slot = sd_bus_slot_unref(u->slot);
        if (sd_bus_message_is_method_error(reply, NULL) || read_units(u, reply, &lost) < 0)
                return 0;
        complete_records(u);
        for (char **unit = lost; unit && *unit; unit++) {
                Trial *trial = find_recorded(t, *unit);

                if (trial)
                        blame(t, trial, *unit); /* u may be gone */
        }
        return 0;
}

/* ListUnitsByPatterns(as states, as patterns): org.freedesktop.systemd1(5) */
static int ask(TrialUnits *u) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
        sd_bus *bus = u->trials->manager->bus;
        int r;

        r = sd_bus_message_new_method_call(bus, &call, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                "org.freedesktop.systemd1.Manager", "ListUnitsByPatterns");
        if (r < 0)
                return r;
        r = sd_bus_message_set_auto_start(call, false);
        if (r < 0)
                return r;
        r = sd_bus_message_append(call, "asas", 2, "active", "failed", 1, "*.service");
        if (r < 0)
                return r;
        return sd_bus_call_async(bus, &u->slot, call, on_list, u, LIST_TIMEOUT_USEC);
}

/** trial_units_ask() - another Apply begins: what runs now counts too */
void trial_units_ask(TrialUnits *u) {
        if (!u->slot)
                (void) (ask(u) < 0); /* what ran before counts all the same */
}

/**
 * trial_units_copy() - the services that run, for a record
 * @u: NULL: nobody watches
 * @ret: as many as a record may have; NULL: not known (yet)
 *
 * Return: 0 or -ENOMEM.
 */
int trial_units_copy(const TrialUnits *u, char ***ret) {
        _cleanup_strv_free_ char **services = NULL;

        for (size_t i = 0; u && u->active && u->active[i] && i < HOTPATCH_RECORD_LIST_MAX; i++)
                if (strv_extend(&services, u->active[i]) < 0)
                        return -ENOMEM;
        *ret = TAKE_PTR(services);
        return 0;
}

/**
 * trial_units_new() - watch the services that run now
 * @t: the trials
 * @ret: trial_units_free() it
 *
 * Return: 0 or a negative errno.
 */
int trial_units_new(Trials *t, TrialUnits **ret) {
        _cleanup_(trial_units_freep) TrialUnits *u = malloc(sizeof(*u));
        int r;

        if (!u)
                return -ENOMEM;
        *u = (TrialUnits) { .trials = t };
        r = systemd_watch_failures(t->manager->systemd, on_failed, u, &u->watch);
        if (r >= 0)
                r = ask(u);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(u);
        return 0;
}
