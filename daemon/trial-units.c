/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Trials: services that fail.
 *
 * Only a service that was running when the trial began counts. What a timer starts meanwhile (an update
 * without a network, say) fails for reasons of its own; a service that ran and runs no more is what a
 * broken kernel looks like from the outside. One that systemd starts again has not failed yet: when it fails
 * too often, systemd gives up, and then it has.
 *
 * Without systemd's answer there is no list and no sign. Our own units say by other ways what is wrong.
 */

#include "daemon/trial-units.h"
#include "util/limits.h"
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

static void on_failed(void *userdata, const char *unit, const char *sub_state) {
        TrialUnits *u = userdata;
        _cleanup_free_ char *reason = NULL;
        Trial *trial = trials_youngest(u->trials, UINT64_MAX);

        if (!trial || !streq(sub_state, "failed") || !strv_contains(u->active, unit))
                return;
        if (asprintf(&reason, "the unit '%s', which was running before, has failed", unit) < 0)
                reason = NULL;
        trial_fail(trial, reason ?: "a unit has failed");
}

static int read_units(TrialUnits *u, sd_bus_message *reply) {
        const char *name;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_read(reply, "(ssssssouso)", &name, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
                                NULL, NULL)) > 0) {
                if (strv_length(u->active) >= HOTPATCH_UNITS_WATCHED_MAX)
                        break;
                if (startswith(name, "hotpatch"))
                        continue;
                r = strv_extend(&u->active, name);
                if (r < 0)
                        return r;
        }
        return r;
}

static int on_list(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        TrialUnits *u = userdata;

        if (!sd_bus_message_is_method_error(reply, NULL))
                (void) (read_units(u, reply) < 0);
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
        r = sd_bus_message_append(call, "asas", 1, "active", 1, "*.service");
        if (r < 0)
                return r;
        return sd_bus_call_async(bus, &u->slot, call, on_list, u, LIST_TIMEOUT_USEC);
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
