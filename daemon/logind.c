/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A small client of org.freedesktop.login1 on the daemon's own connection. Nothing here waits; a machine
 * without logind (a container, a rescue shell) is told apart by a sentence, and the restart is then left to
 * people.
 *
 * logind has one scheduled shutdown for everybody and no signal when it changes: it is read each time before
 * anything is decided. Up to systemd 256 "no schedule" is an empty type with whatever time.
 *
 * A logind that was restarted may have lost its schedule (252.39 of Debian 12 has not), and nobody has called it off: so
 * the one that was told is remembered, by its name on the bus.
 */

#include "daemon/logind.h"
#include "util/limits.h"
#include "util/str.h"

#define LOGIND_NAME "org.freedesktop.login1"
#define LOGIND_PATH "/org/freedesktop/login1"
#define LOGIND_MANAGER LOGIND_NAME ".Manager"
#define CALL_TIMEOUT_USEC (25 * USEC_PER_SEC)

/* systemd(7), UIDS-GIDS: the system's own users; a display manager's greeter runs as one of them. */
#define SYSTEM_UID_MAX 999

struct Logind {
        sd_bus *bus;
        sd_bus_slot *watch;
        sd_bus_slot *slot;
        LogindGoesDown goes_down;
        void *goes_down_userdata;
        LogindView view;
        LogindLooked looked;
        LogindDone done;
        void *userdata;
        const char *type; /* of a schedule between its two calls */
        uint64_t usec;
        char *told; /* unique name of the logind that has the schedule; NULL: not known */
};

static void view_done(LogindView *v) {
        free(v->scheduled_type);
        free(v->inhibitor);
        free(v->user);
        *v = (LogindView) { 0 };
}

static int on_prepare(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Logind *l = userdata;
        int start;

        if (sd_bus_message_read(m, "b", &start) >= 0)
                l->goes_down(l->goes_down_userdata, start);
        return 0;
}

/**
 * logind_new() - a client on @bus
 * @bus: attached to an event loop; a reference is kept
 * @goes_down: called when the machine shuts down, whoever asked for it
 *
 * Return: 0 or a negative errno.
 */
int logind_new(sd_bus *bus, LogindGoesDown goes_down, void *userdata, Logind **ret) {
        _cleanup_(logind_freep) Logind *l = calloc(1, sizeof(*l));
        int r;

        if (!l)
                return -ENOMEM;
        *l = (Logind) { .bus = sd_bus_ref(bus), .goes_down = goes_down, .goes_down_userdata = userdata };
        r = sd_bus_match_signal_async(bus, &l->watch, LOGIND_NAME, LOGIND_PATH, LOGIND_MANAGER, "PrepareForShutdown",
                on_prepare, NULL, l);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(l);
        return 0;
}

/** logind_free() - free a client; what is under way is dropped. Returns NULL. */
Logind *logind_free(Logind *l) {
        if (!l)
                return NULL;
        sd_bus_slot_unref(l->slot);
        sd_bus_slot_unref(l->watch);
        sd_bus_unref(l->bus);
        view_done(&l->view);
        free(l->told);
        free(l);
        return NULL;
}

/** logind_is_busy() - is an answer waited for? */
bool logind_is_busy(const Logind *l) {
        return l->slot;
}

/* The next question of a sequence; the last thing that is done in a callback. */
static int send(Logind *l, const char *interface, const char *member, sd_bus_message_handler_t handler,
                const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        sd_bus_slot *slot = NULL;
        va_list ap;
        int r;

        r = sd_bus_message_new_method_call(l->bus, &m, LOGIND_NAME, LOGIND_PATH, interface, member);
        if (r >= 0 && *types) {
                va_start(ap, types);
                r = sd_bus_message_appendv(m, types, ap);
                va_end(ap);
        }
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false);
        if (r >= 0)
                r = sd_bus_call_async(l->bus, &slot, m, handler, l, CALL_TIMEOUT_USEC);
        sd_bus_slot_unref(l->slot);
        l->slot = slot;
        return r;
}

static void end_look(Logind *l, int r, const sd_bus_error *error) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        LogindView view = l->view;

        l->view = (LogindView) { 0 };
        l->slot = sd_bus_slot_unref(l->slot);
        if (r < 0 && !error) {
                sd_bus_error_set_errno(&e, r);
                error = &e;
        }
        l->looked(l->userdata, r < 0 ? NULL : &view, error);
        view_done(&view);
}

/* Returns true when the answer is an error, and the look has ended. */
static bool refused(Logind *l, sd_bus_message *reply) {
        if (!sd_bus_message_is_method_error(reply, NULL))
                return false;
        end_look(l, -EIO, sd_bus_message_get_error(reply));
        return true;
}

static int read_sessions(Logind *l, sd_bus_message *reply) {
        const char *id, *user, *seat, *path;
        uint32_t uid;
        int r = sd_bus_message_enter_container(reply, 'a', "(susso)");

        while (r >= 0 && (r = sd_bus_message_read(reply, "(susso)", &id, &uid, &user, &seat, &path)) > 0)
                if (!l->view.user && (uid == 0 || uid > SYSTEM_UID_MAX)) {
                        l->view.user = strdup(user);
                        if (!l->view.user)
                                return -ENOMEM;
                }
        return r;
}

static int on_sessions(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Logind *l = userdata;

        if (!refused(l, reply))
                end_look(l, read_sessions(l, reply), NULL);
        return 0;
}

/* "shutdown:sleep": is one of them ours? */
static bool is_of_shutdown(const char *what) {
        for (const char *p = what; *p; p += strspn(p, ":")) {
                size_t n = strcspn(p, ":");

                if (n == strlen("shutdown") && memcmp(p, "shutdown", n) == 0)
                        return true;
                p += n;
        }
        return false;
}

static int read_inhibitors(Logind *l, sd_bus_message *reply) {
        const char *what, *who, *why, *mode;
        uint32_t uid, pid;
        int r = sd_bus_message_enter_container(reply, 'a', "(ssssuu)");

        while (r >= 0 && (r = sd_bus_message_read(reply, "(ssssuu)", &what, &who, &why, &mode, &uid, &pid)) > 0)
                if (!l->view.inhibitor && streq(mode, "block") && is_of_shutdown(what) &&
                    str_printf(&l->view.inhibitor, "'%.*s' (%.*s)", (int) HOTPATCH_ID_MAX, who, 256, why) < 0)
                        return -ENOMEM;
        return r;
}

static int on_inhibitors(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Logind *l = userdata;
        int r;

        if (refused(l, reply))
                return 0;
        r = read_inhibitors(l, reply);
        if (r >= 0)
                r = send(l, LOGIND_MANAGER, "ListSessions", on_sessions, "");
        if (r < 0)
                end_look(l, r, NULL);
        return 0;
}

static int read_schedule(Logind *l, sd_bus_message *reply) {
        const char *type;
        uint64_t usec;
        int r = sd_bus_message_enter_container(reply, 'v', "(st)");

        if (r >= 0)
                r = sd_bus_message_read(reply, "(st)", &type, &usec);
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r < 0 || !*type || streq(type, "ignore") || usec == 0 || usec == UINT64_MAX)
                return r;
        l->view.scheduled_usec = usec;
        l->view.scheduled_type = strdup(type);
        return l->view.scheduled_type ? 0 : -ENOMEM;
}

static int read_property(Logind *l, sd_bus_message *reply) {
        const char *name;
        int r = sd_bus_message_read(reply, "s", &name), value;
        bool power;

        if (r < 0)
                return r;
        if (streq(name, "ScheduledShutdown"))
                return read_schedule(l, reply);
        power = streq(name, "OnExternalPower");
        if (!power && !streq(name, "PreparingForShutdown"))
                return sd_bus_message_skip(reply, "v");
        r = sd_bus_message_read(reply, "v", "b", &value);
        if (r < 0)
                return r;
        if (power)
                l->view.battery = !value;
        else
                l->view.goes_down = value;
        return 0;
}

static int read_properties(Logind *l, sd_bus_message *reply) {
        int r = sd_bus_message_enter_container(reply, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                r = read_property(l, reply);
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r;
}

static int on_properties(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Logind *l = userdata;
        int r;

        if (refused(l, reply))
                return 0;
        l->view.is_another = l->told && !streq_ptr(sd_bus_message_get_sender(reply), l->told);
        r = read_properties(l, reply);
        if (r >= 0)
                r = send(l, LOGIND_MANAGER, "ListInhibitors", on_inhibitors, "");
        if (r < 0)
                end_look(l, r, NULL);
        return 0;
}

/**
 * logind_look() - ask for the schedule, who is logged in, who inhibits, and power
 * @looked: called once, later
 *
 * Return: 0 or a negative errno; then @looked is not called.
 */
int logind_look(Logind *l, LogindLooked looked, void *userdata) {
        view_done(&l->view);
        l->looked = looked;
        l->userdata = userdata;
        return send(l, "org.freedesktop.DBus.Properties", "GetAll", on_properties, "s", LOGIND_MANAGER);
}

/* Where the name cannot be remembered, it is not known. */
static void remember(Logind *l, sd_bus_message *reply) {
        const char *sender = sd_bus_message_get_sender(reply);

        free(l->told);
        l->told = sender ? strdup(sender) : NULL;
}

static int on_done(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Logind *l = userdata;

        remember(l, reply);
        l->slot = sd_bus_slot_unref(l->slot);
        l->done(l->userdata, sd_bus_message_is_method_error(reply, NULL) ? sd_bus_message_get_error(reply)
                                                                          : &SD_BUS_ERROR_NULL);
        return 0;
}

static int on_wall(_unused_ sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Logind *l = userdata;
        int r;

        /* A restart without our words is better than none. */
        r = send(l, LOGIND_MANAGER, "ScheduleShutdown", on_done, "st", l->type, l->usec);
        if (r < 0) {
                _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;

                sd_bus_error_set_errno(&e, r);
                l->done(l->userdata, &e);
        }
        return 0;
}

/**
 * logind_schedule() - have the machine go down at a time; whoever is logged in is told by wall(1)
 * @type: "reboot" or "kexec", a constant
 * @usec: CLOCK_REALTIME
 * @wall: what people are told
 * @done: called once, later
 *
 * Return: 0 or a negative errno; then @done is not called.
 */
int logind_schedule(Logind *l, const char *type, uint64_t usec, const char *wall, LogindDone done, void *userdata) {
        l->done = done;
        l->userdata = userdata;
        l->type = type;
        l->usec = usec;
        return send(l, LOGIND_MANAGER, "SetWallMessage", on_wall, "sb", wall, true);
}

static int on_forgotten(_unused_ sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Logind *l = userdata;

        l->slot = sd_bus_slot_unref(l->slot);
        l->done(l->userdata, &SD_BUS_ERROR_NULL);
        return 0;
}

/* logind keeps the words for the next shutdown, whoever has that. */
static int on_called_off(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        Logind *l = userdata;

        if (sd_bus_message_is_method_error(reply, NULL) ||
            send(l, LOGIND_MANAGER, "SetWallMessage", on_forgotten, "sb", "", true) < 0)
                return on_done(reply, userdata, error);
        return 0;
}

/** logind_cancel() - call the scheduled shutdown off; the caller knows that it is ours. Return: as logind_schedule() */
int logind_cancel(Logind *l, LogindDone done, void *userdata) {
        l->done = done;
        l->userdata = userdata;
        return send(l, LOGIND_MANAGER, "CancelScheduledShutdown", on_called_off, "");
}
