/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The system bus, read only. A signal of hotpatchd says that there is something to be looked at and nothing more: what is
 * so is asked for, in two calls. So nothing is lost with signals that came while hotpatchd was being restarted, and a
 * signal that somebody else sends (a system bus delivers those as well) costs a look and shows nothing.
 *
 * The first look may start hotpatchd, as a login on a terminal does with its message of the day. Later ones do not: it
 * leaves when it is idle, and what it has said is still so. When it comes back it is looked at.
 *
 * What changes all the time, the progress of jobs, is not listened to: a notifier sleeps. One thing it cannot be told: that
 * hotpatchd is there and did not answer in time. So it looks again a little later.
 */

#include <syslog.h>
#include <systemd/sd-event.h>

#include "dbus/names.h"
#include "notifier/watch.h"

/* As long as systemd waits for a service to start, and a half more. */
#define START_TIMEOUT_USEC (135 * USEC_PER_SEC)

/* After one that was not answered within the 25 s of sd_bus_set_method_call_timeout(3). */
#define LOOK_AGAIN_USEC (5 * USEC_PER_SEC)

#define SIGNAL_OF_HOTPATCHD "type='signal',sender='" HOTPATCH_BUS_NAME "',path='" HOTPATCH_ROOT_PATH "',"

/**
 * struct Watch
 * @call: the question that is not answered yet
 * @machine: what the look under way has found so far
 * @again: something changed meanwhile
 * @later: the next look, when hotpatchd did not answer
 * @silent: it did not, and that is in the log
 */
struct Watch {
        sd_bus *bus;
        sd_bus_slot *call;
        Machine *machine;
        bool again;
        sd_event_source *later;
        bool silent;
        WatchLooked looked;
        void *userdata;
};

static void begin_look(Watch *w, bool may_start);

static void end_look(Watch *w, const char *why) {
        Machine *machine = TAKE_PTR(w->machine);

        w->call = sd_bus_slot_unref(w->call);
        if (why) {
                fprintf(stderr, "<%d>hotpatchd could not be asked, waiting until it says something: %s\n", LOG_NOTICE, why);
                machine = machine_free(machine);
        }
        if (machine) {
                w->silent = false;
                w->looked(w->userdata, machine);
        }
        if (w->again) {
                w->again = false;
                begin_look(w, false);
        }
}

static const char *error_of(sd_bus_message *reply) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        return error ? strempty(error->message) : NULL;
}

/* Its name goes, with a question on the way, when it is idle. That is no trouble. */
static bool has_gone(sd_bus_message *reply) {
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        return sd_bus_error_has_names(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER, SD_BUS_ERROR_SERVICE_UNKNOWN);
}

static int on_later(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Watch *w = userdata;

        w->later = sd_event_source_disable_unref(w->later);
        if (!w->call)
                begin_look(w, false);
        return 0;
}

static int on_has_owner(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Watch *w = userdata;
        int there = 0, r = 0;

        if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "b", &there) < 0 || !there) {
                end_look(w, NULL);
                return 0;
        }
        if (!w->silent)
                fprintf(stderr, "<%d>hotpatchd did not answer, asking again until it does\n", LOG_NOTICE);
        w->silent = true;
        if (!w->later)
                r = sd_event_add_time_relative(sd_bus_get_event(w->bus), &w->later, CLOCK_MONOTONIC, LOOK_AGAIN_USEC,
                        USEC_PER_SEC, on_later, w);
        w->again = false;
        end_look(w, r < 0 ? strerror(-r) : NULL);
        return 0;
}

/* NoReply is what the bus says when it has gone, and sd-bus when the time is over: whether the name is there tells which. */
static void fail_look(Watch *w, sd_bus_message *reply) {
        int r;

        w->machine = machine_free(w->machine);
        if (!sd_bus_error_has_name(sd_bus_message_get_error(reply), SD_BUS_ERROR_NO_REPLY)) {
                end_look(w, has_gone(reply) ? NULL : error_of(reply));
                return;
        }
        w->call = sd_bus_slot_unref(w->call);
        r = sd_bus_call_method_async(w->bus, &w->call, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                "org.freedesktop.DBus", "NameHasOwner", on_has_owner, w, "s", HOTPATCH_BUS_NAME);
        if (r < 0)
                end_look(w, strerror(-r));
}

static int on_objects(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Watch *w = userdata;
        int r;

        if (sd_bus_message_is_method_error(reply, NULL)) {
                fail_look(w, reply);
                return 0;
        }
        r = machine_read_objects(w->machine, reply);
        end_look(w, r < 0 ? strerror(-r) : NULL);
        return 0;
}

static int ask(Watch *w, const char *interface, const char *method, bool may_start, sd_bus_message_handler_t answered) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(w->bus, &m, HOTPATCH_BUS_NAME, HOTPATCH_ROOT_PATH, interface, method);

        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, may_start);
        if (r >= 0 && streq(method, "GetAll"))
                r = sd_bus_message_append(m, "s", HOTPATCH_MANAGER_INTERFACE);
        if (r < 0)
                return r;
        w->call = sd_bus_slot_unref(w->call);
        /* Nobody asks a second time for a first look that was given up because everything starts at once. */
        return sd_bus_call_async(w->bus, &w->call, m, answered, w, may_start ? START_TIMEOUT_USEC : 0);
}

static int on_manager(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Watch *w = userdata;
        int r;

        if (sd_bus_message_is_method_error(reply, NULL)) {
                fail_look(w, reply);
                return 0;
        }
        r = machine_new(&w->machine);
        if (r >= 0)
                r = machine_read_manager(w->machine, reply);
        if (r >= 0)
                r = ask(w, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", false, on_objects);
        if (r < 0)
                end_look(w, strerror(-r));
        return 0;
}

static void begin_look(Watch *w, bool may_start) {
        int r = ask(w, "org.freedesktop.DBus.Properties", "GetAll", may_start, on_manager);

        if (r < 0)
                end_look(w, strerror(-r));
}

static int on_change(_unused_ sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Watch *w = userdata;

        if (w->call)
                w->again = true;
        else
                begin_look(w, false);
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *owner;

        if (sd_bus_message_read(m, "sss", NULL, NULL, &owner) < 0 || !*owner)
                return 0;
        return on_change(m, userdata, error);
}

static int listen(Watch *w) {
        static const struct {
                const char *rule;
                sd_bus_message_handler_t handler;
        } matches[] = {
                { SIGNAL_OF_HOTPATCHD "interface='" HOTPATCH_MANAGER_INTERFACE "',member='JobRemoved'", on_change },
                { SIGNAL_OF_HOTPATCHD "interface='" HOTPATCH_MANAGER_INTERFACE "',member='TrialEnded'", on_change },
                { SIGNAL_OF_HOTPATCHD "interface='" HOTPATCH_MANAGER_INTERFACE "',member='TripwireHit'", on_change },
                { SIGNAL_OF_HOTPATCHD "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='"
                                      HOTPATCH_MANAGER_INTERFACE "'", on_change },
                { "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                  "member='NameOwnerChanged',arg0='" HOTPATCH_BUS_NAME "'", on_owner },
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(matches) && r >= 0; i++)
                r = sd_bus_add_match_async(w->bus, NULL, matches[i].rule, matches[i].handler, NULL, w);
        return r;
}

/**
 * watch_new() - listen to hotpatchd, and look at it for the first time
 * @system_bus: attached to an event loop; outlives the watch
 * @looked: called after each look
 * @ret: watch_free() it, before the bus is closed
 *
 * Return: 0 or a negative errno.
 */
int watch_new(sd_bus *system_bus, WatchLooked looked, void *userdata, Watch **ret) {
        _cleanup_(watch_freep) Watch *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        w->bus = sd_bus_ref(system_bus);
        w->looked = looked;
        w->userdata = userdata;
        r = listen(w);
        if (r < 0)
                return r;
        begin_look(w, true);
        *ret = TAKE_PTR(w);
        return 0;
}

/** watch_free() - NULL is fine. Returns NULL. */
Watch *watch_free(Watch *w) {
        if (!w)
                return NULL;
        sd_bus_slot_unref(w->call);
        sd_event_source_disable_unref(w->later);
        sd_bus_unref(w->bus);
        machine_free(w->machine);
        free(w);
        return NULL;
}
