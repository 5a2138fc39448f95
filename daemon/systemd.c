/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A small client of org.freedesktop.systemd1 on the daemon's own connection.
 *
 * Nothing here waits: every call has a time limit and ends in a callback, with a sentence when systemd
 * refuses, is not there (a container, a rescue shell) or does not answer. What the daemon does
 * with systemd is always the better of two ways, never the only one; so callers go on without it.
 *
 * Starting a unit is over when its job is: for a oneshot that is when its commands have ended, and the
 * job's result tells whether well. JobRemoved is matched before StartUnit is sent, so that an end
 * is never missed, also when it is announced before the reply.
 *
 * Deliberately not here: unit properties, transient units, other managers than the system's.
 */

#include <inttypes.h>
#include <systemd/sd-event.h>

#include "daemon/systemd.h"
#include "dbus/errors.h"
#include "util/limits.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_PATH "/org/freedesktop/systemd1"
#define SYSTEMD_UNIT_PATH SYSTEMD_PATH "/unit"
#define SYSTEMD_MANAGER SYSTEMD_NAME ".Manager"

struct Systemd {
        sd_bus *bus;
        size_t n_watches;
};

struct SystemdCall {
        sd_bus *bus;
        const char *method;
        char *subject; /* unit, or "process N" */
        uint64_t timeout_usec;
        sd_bus_slot *reply_slot;
        sd_bus_slot *removed_slot;
        sd_event_source *timer;
        char *job;
        char *early_job;    /* JobRemoved came before the reply */
        char *early_result;
        SystemdDone done;
        void *userdata;
};

struct SystemdWatch {
        Systemd *systemd;
        sd_bus_slot *slot;
        SystemdUnitFailed failed;
        void *userdata;
};

/**
 * systemd_new() - a client on @bus
 * @bus: attached to an event loop before the first call; a reference is kept
 * @ret: systemd_free() it
 *
 * Nothing is sent.
 *
 * Return: 0 or -ENOMEM.
 */
int systemd_new(sd_bus *bus, Systemd **ret) {
        Systemd *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->bus = sd_bus_ref(bus);
        *ret = s;
        return 0;
}

/** systemd_free() - free a client; NULL is fine. Returns NULL. */
Systemd *systemd_free(Systemd *s) {
        if (!s)
                return NULL;
        sd_bus_unref(s->bus);
        free(s);
        return NULL;
}

/**
 * systemd_unit_name_is_valid() - may @unit be sent to systemd as the name of a unit?
 *
 * systemd.unit(5): at most 255 characters out of a small set, and a type after the last dot.
 */
bool systemd_unit_name_is_valid(const char *unit) {
        static const char allowed[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\\@";
        const char *dot = strrchr(unit, '.');
        size_t length = strlen(unit);

        return length <= HOTPATCH_UNIT_NAME_MAX && strspn(unit, allowed) == length && dot && dot != unit &&
                dot[1];
}

static void call_stop(SystemdCall *c) {
        c->reply_slot = sd_bus_slot_unref(c->reply_slot);
        c->removed_slot = sd_bus_slot_unref(c->removed_slot);
        c->timer = sd_event_source_disable_unref(c->timer);
}

/** systemd_call_free() - forget a call; its callback does not come any more. Returns NULL. */
SystemdCall *systemd_call_free(SystemdCall *c) {
        if (!c)
                return NULL;
        call_stop(c);
        sd_bus_unref(c->bus);
        free(c->subject);
        free(c->job);
        free(c->early_job);
        free(c->early_result);
        free(c);
        return NULL;
}

static int call_new(Systemd *s, const char *method, const char *subject, uint64_t timeout_usec,
                SystemdDone done, void *userdata, SystemdCall **ret) {
        _cleanup_(systemd_call_freep) SystemdCall *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        *c = (SystemdCall) {
                .bus = sd_bus_ref(s->bus),
                .method = method,
                .subject = strdup(subject),
                .timeout_usec = timeout_usec,
                .done = done,
                .userdata = userdata,
        };
        if (!c->subject)
                return -ENOMEM;
        *ret = TAKE_PTR(c);
        return 0;
}

/* The last thing that is done with a call here: the callback may free it. */
static void call_end(SystemdCall *c, int r, const char *answer, const sd_bus_error *error) {
        call_stop(c);
        c->done(c->userdata, r, answer, error);
}

static void call_end_refused(SystemdCall *c, const sd_bus_error *refusal) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int errnum = sd_bus_error_get_errno(refusal);

        (void) sd_bus_error_setf(&error, refusal->name ?: SD_BUS_ERROR_FAILED,
                "systemd does not %s '%s': %s",
                streq(c->method, "StartUnit")     ? "start"
                : streq(c->method, "FreezeUnit") ? "freeze"
                : streq(c->method, "ThawUnit")   ? "thaw"
                                                 : "know",
                c->subject, refusal->message ?: "it did not answer");
        call_end(c, errnum > 0 ? -errnum : -EIO, NULL, &error);
}

static void call_end_late(SystemdCall *c) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        (void) sd_bus_error_setf(&error, SD_BUS_ERROR_TIMEOUT,
                "'%s' did not end within %" PRIu64 " seconds", c->subject,
                c->timeout_usec / USEC_PER_SEC);
        call_end(c, -ETIMEDOUT, NULL, &error);
}

static void call_end_job(SystemdCall *c, const char *result) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        if (streq(result, "done"))
                return call_end(c, 0, result, &error);
        (void) sd_bus_error_setf(&error, SD_BUS_ERROR_FAILED,
                "The start of '%s' ended as '%s'", c->subject, result);
        call_end(c, -EIO, result, &error);
}

static int call_send(SystemdCall *c, sd_bus_message *m, sd_bus_message_handler_t handler) {
        int r;

        /* PID 1 is there or it is not; the bus does not start it. */
        r = sd_bus_message_set_auto_start(m, false);
        return r < 0 ? r : sd_bus_call_async(c->bus, &c->reply_slot, m, handler, c, c->timeout_usec);
}

/* --- freeze, thaw: systemd answers when it is done --- */

static int on_answer(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *ret_error) {
        SystemdCall *c = userdata;

        if (sd_bus_message_is_method_error(reply, NULL))
                call_end_refused(c, sd_bus_message_get_error(reply));
        else
                call_end(c, 0, NULL, &SD_BUS_ERROR_NULL);
        return 0;
}

static int call_unit(Systemd *s, const char *method, const char *unit, uint64_t timeout_usec,
                SystemdDone done, void *userdata, SystemdCall **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(systemd_call_freep) SystemdCall *c = NULL;
        int r;

        if (!systemd_unit_name_is_valid(unit))
                return -EINVAL;
        r = call_new(s, method, unit, timeout_usec, done, userdata, &c);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_call(s->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, method);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", unit);
        if (r >= 0)
                r = call_send(c, m, on_answer);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

/**
 * systemd_freeze_unit() - stop all processes of a unit where they are (cgroup freezer)
 * @unit: a service, scope or slice that is active
 * @timeout_usec: how long systemd may take. After that the unit may still become frozen: thaw it.
 * @done, @userdata: told when all processes are frozen
 * @ret: the call, systemd_call_free() it
 *
 * Return: 0, -EINVAL for what is no unit name, or another negative errno; @done is not called then.
 */
int systemd_freeze_unit(Systemd *s, const char *unit, uint64_t timeout_usec, SystemdDone done,
                void *userdata, SystemdCall **ret) {
        return call_unit(s, "FreezeUnit", unit, timeout_usec, done, userdata, ret);
}

/** systemd_thaw_unit() - let a frozen unit go on; as systemd_freeze_unit() */
int systemd_thaw_unit(Systemd *s, const char *unit, uint64_t timeout_usec, SystemdDone done,
                void *userdata, SystemdCall **ret) {
        return call_unit(s, "ThawUnit", unit, timeout_usec, done, userdata, ret);
}

/* --- a property of a unit --- */

static int on_value(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *ret_error) {
        SystemdCall *c = userdata;
        const char *value;

        if (sd_bus_message_is_method_error(reply, NULL))
                call_end_refused(c, sd_bus_message_get_error(reply));
        else if (sd_bus_message_read(reply, "v", "s", &value) < 0)
                call_end_refused(c, &SD_BUS_ERROR_MAKE_CONST(SD_BUS_ERROR_FAILED,
                        "its answer cannot be read"));
        else
                call_end(c, 0, value, &SD_BUS_ERROR_NULL);
        return 0;
}

/**
 * systemd_get_unit_string() - a property of org.freedesktop.systemd1.Unit that is a string
 * @unit: its name; one that is not there is looked for, and is "inactive"
 * @property: "ActiveState", "FreezerState", …
 * @timeout_usec, @done, @userdata, @ret: as systemd_freeze_unit(); the answer is the value
 */
int systemd_get_unit_string(Systemd *s, const char *unit, const char *property, uint64_t timeout_usec,
                SystemdDone done, void *userdata, SystemdCall **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_(systemd_call_freep) SystemdCall *c = NULL;
        _cleanup_free_ char *path = NULL;
        int r;

        if (!systemd_unit_name_is_valid(unit))
                return -EINVAL;
        r = sd_bus_path_encode(SYSTEMD_UNIT_PATH, unit, &path);
        if (r >= 0)
                r = call_new(s, "Get", unit, timeout_usec, done, userdata, &c);
        if (r >= 0)
                r = sd_bus_message_new_method_call(s->bus, &m, SYSTEMD_NAME, path,
                        "org.freedesktop.DBus.Properties", "Get");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", SYSTEMD_NAME ".Unit", property);
        if (r >= 0)
                r = call_send(c, m, on_value);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

/* --- start --- */

static int on_started(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *ret_error) {
        SystemdCall *c = userdata;
        const char *job;

        if (sd_bus_message_is_method_error(reply, NULL)) {
                call_end_refused(c, sd_bus_message_get_error(reply));
                return 0;
        }
        if (sd_bus_message_read(reply, "o", &job) >= 0)
                c->job = strdup(job);
        if (!c->job)
                call_end_refused(c, &SD_BUS_ERROR_MAKE_CONST(SD_BUS_ERROR_FAILED,
                        "its answer cannot be read"));
        else if (streq_ptr(c->early_job, c->job) && c->early_result)
                call_end_job(c, c->early_result);
        return 0;
}

static int on_job_removed(sd_bus_message *signal, void *userdata, _unused_ sd_bus_error *ret_error) {
        SystemdCall *c = userdata;
        const char *job, *unit, *result;
        uint32_t id;

        if (sd_bus_message_read(signal, "uoss", &id, &job, &unit, &result) < 0)
                return 0;
        if (c->job) {
                if (streq(c->job, job))
                        call_end_job(c, result);
                return 0;
        }
        if (!streq(unit, c->subject))
                return 0;
        free(c->early_job);
        free(c->early_result);
        c->early_job = strdup(job);
        c->early_result = strdup(result);
        return 0;
}

static int on_late(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        call_end_late(userdata);
        return 0;
}

static int start_begin(SystemdCall *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_match_signal_async(c->bus, &c->removed_slot, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                "JobRemoved", on_job_removed, NULL, c);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(sd_bus_get_event(c->bus), &c->timer, CLOCK_MONOTONIC,
                c->timeout_usec, USEC_PER_MSEC, on_late, c);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_call(c->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                "StartUnit");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "ss", c->subject, "replace");
        return r < 0 ? r : call_send(c, m, on_started);
}

/**
 * systemd_start_unit() - start a unit and wait for the end of its start
 * @unit: for a oneshot service the end of the start is the end of its commands
 * @timeout_usec: for all of it; the unit is not stopped then, TimeoutStartSec= of the unit does that
 * @done, @userdata, @ret: as systemd_freeze_unit(); the answer is the job's result
 *
 * Return: 0, -EINVAL for what is no unit name, or another negative errno; @done is not called then.
 */
int systemd_start_unit(Systemd *s, const char *unit, uint64_t timeout_usec, SystemdDone done,
                void *userdata, SystemdCall **ret) {
        _cleanup_(systemd_call_freep) SystemdCall *c = NULL;
        int r;

        if (!systemd_unit_name_is_valid(unit))
                return -EINVAL;
        r = call_new(s, "StartUnit", unit, timeout_usec, done, userdata, &c);
        if (r < 0)
                return r;
        r = start_begin(c);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

/* --- units that fail --- */

static int read_states(sd_bus_message *m, const char **ret_active, const char **ret_sub) {
        const char *key;
        int r;

        r = sd_bus_message_skip(m, "s");
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = sd_bus_message_read(m, "s", &key);
                if (r < 0)
                        return r;
                if (streq(key, "ActiveState"))
                        r = sd_bus_message_read(m, "v", "s", ret_active);
                else if (streq(key, "SubState"))
                        r = sd_bus_message_read(m, "v", "s", ret_sub);
                else
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r;
}

static int on_unit_changed(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *ret_error) {
        const char *active = NULL, *sub = NULL;
        _cleanup_free_ char *unit = NULL;
        SystemdWatch *w = userdata;

        if (read_states(m, &active, &sub) < 0 || !active)
                return 0;
        if (!streq(active, "failed") && !streq_ptr(sub, "auto-restart"))
                return 0;
        if (sd_bus_path_decode(sd_bus_message_get_path(m), SYSTEMD_UNIT_PATH, &unit) > 0)
                w->failed(w->userdata, unit, streq(active, "failed") ? "failed" : "auto-restart");
        return 0;
}

/* Without it systemd sends no signals about units. An answer is not needed: without one none come. */
static int tell_manager(Systemd *s, const char *method) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(s->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, method);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, false);
        return r < 0 ? r : sd_bus_send(s->bus, m, NULL);
}

/**
 * systemd_watch_failures() - be told of every unit that fails, from now on
 * @failed: called from the event loop
 * @ret: systemd_watch_free() it
 *
 * It costs a wake-up for every change of any unit: keep it only as long as it is needed.
 *
 * Return: 0 or a negative errno. Without systemd nothing ever comes.
 */
int systemd_watch_failures(Systemd *s, SystemdUnitFailed failed, void *userdata, SystemdWatch **ret) {
        static const char rule[] =
                "type='signal',sender='" SYSTEMD_NAME "',path_namespace='" SYSTEMD_UNIT_PATH "',"
                "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',"
                "arg0='" SYSTEMD_NAME ".Unit'";
        SystemdWatch *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return -ENOMEM;
        *w = (SystemdWatch) { .failed = failed, .userdata = userdata };
        r = sd_bus_add_match_async(s->bus, &w->slot, rule, on_unit_changed, NULL, w);
        if (r >= 0 && s->n_watches == 0)
                r = tell_manager(s, "Subscribe");
        if (r < 0) {
                systemd_watch_free(w);
                return r;
        }
        w->systemd = s;
        s->n_watches++;
        *ret = w;
        return 0;
}

/** systemd_watch_free() - be told no more; NULL is fine. Returns NULL. */
SystemdWatch *systemd_watch_free(SystemdWatch *w) {
        if (!w)
                return NULL;
        sd_bus_slot_unref(w->slot);
        if (w->systemd && --w->systemd->n_watches == 0)
                (void) tell_manager(w->systemd, "Unsubscribe");
        free(w);
        return NULL;
}
