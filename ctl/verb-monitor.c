/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl monitor`: prints what hotpatchd signals, as it comes, until it is interrupted. It
 * only listens: it neither starts the daemon nor keeps it from going when idle. In a pipe or a file a
 * line for each event, with --json one compact object for each line. On a terminal there is a screen
 * (view.c) with what is and what happens; it asks hotpatchd once, and again when something happened.
 */

#include <inttypes.h>
#include <signal.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "ctl/json.h"
#include "ctl/property-changes.h"
#include "ctl/text.h"
#include "ctl/view.h"
#include "dbus/names.h"
#include "util/str.h"
#include "util/strv.h"

typedef struct Monitor {
        Ctl *ctl;
        sd_event *event;
        View *view;             /* NULL: lines */
        sd_event_source *timer; /* until the screen is drawn anew */
        bool look;              /* ask hotpatchd before */
} Monitor;

/* What comes in such a time is one change of the screen; nobody reads faster. */
#define REDRAW_USEC (100U * USEC_PER_MSEC)

static int on_redraw(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Monitor *monitor = userdata;
        int r = 0;

        monitor->timer = sd_event_source_unref(monitor->timer);
        if (monitor->look)
                r = view_look(monitor->view);
        monitor->look = false;
        return r < 0 ? r : view_draw(monitor->view);
}

static int redraw(Monitor *monitor, bool look) {
        monitor->look = monitor->look || look;
        if (monitor->timer)
                return 0;
        return sd_event_add_time_relative(monitor->event, &monitor->timer, CLOCK_MONOTONIC, REDRAW_USEC, 0, on_redraw,
                monitor);
}

static int on_resize(_unused_ sd_event_source *source, _unused_ const struct signalfd_siginfo *si, void *userdata) {
        Monitor *monitor = userdata;

        /* The texts have to be broken anew. */
        return redraw(monitor, view_service_is_there(monitor->view));
}

/* Frees @event. */
static int print_event(Monitor *monitor, const char *line, Value *event) {
        _cleanup_value_ Value *owned = event;
        _cleanup_free_ char *time_text = NULL, *clean = NULL, *text = NULL;
        uint64_t now = 0;
        int r;

        r = sd_event_now(monitor->event, CLOCK_REALTIME, &now);
        if (r < 0)
                return r;
        if (monitor->ctl->json) {
                r = value_set_time(owned, "time", now);
                return r < 0 ? r : value_print(monitor->ctl, owned);
        }
        r = time_format_local(now, &time_text);
        if (r < 0)
                return r;
        clean = text_sanitize(line);
        if (!clean)
                return -ENOMEM;
        if (str_printf(&text, "%s%s%s  %s", style_on(monitor->ctl->colour, STYLE_DIM), time_text,
                style_off(monitor->ctl->colour, STYLE_DIM), clean) < 0)
                return -ENOMEM;
        if (monitor->view) {
                r = view_add(monitor->view, text);
                return r < 0 ? r : redraw(monitor, true);
        }
        return puts(text) == EOF || fflush(stdout) != 0 ? -errno : 0;
}

/* An event with a name and the object it is about: "patch hp-1", "job 3" or "hotpatchd" */
static int event_new(const char *name, const char *path, Value **ret, char **ret_object) {
        _cleanup_value_ Value *event = value_object();
        _cleanup_free_ char *id = NULL, *object = NULL;
        const char *kind = NULL;
        int r;

        if (sd_bus_path_decode(path, HOTPATCH_PATCH_PATH, &id) > 0)
                kind = "patch";
        else if (sd_bus_path_decode(path, HOTPATCH_JOB_PATH, &id) > 0)
                kind = "job";
        if (str_printf(&object, "%s%s%s", kind ?: "hotpatchd", kind ? " " : "", strempty(id)) < 0)
                return -ENOMEM;
        r = value_set_string(event, "event", name);
        if (r >= 0 && streq_ptr(kind, "job"))
                r = value_set_integer(event, kind, strtoul(id, NULL, 10));
        else if (r >= 0 && kind)
                r = value_set_string(event, kind, id);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(event);
        *ret_object = TAKE_PTR(object);
        return 0;
}

static int on_job_new(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_free_ char *object = NULL, *line = NULL;
        _cleanup_value_ Value *event = NULL;
        const char *path;
        uint32_t id;

        if (sd_bus_message_read(m, "uo", &id, &path) < 0 ||
                        event_new("job-new", path, &event, &object) < 0)
                return 0;
        if (str_printf(&line, "%s: new", object) < 0)
                return -ENOMEM;
        return print_event(userdata, line, TAKE_PTR(event));
}

static int on_job_removed(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_free_ char *object = NULL, *line = NULL;
        _cleanup_value_ Value *event = NULL;
        const char *path, *result, *name, *message;
        uint32_t id;

        if (sd_bus_message_read(m, "uosss", &id, &path, &result, &name, &message) < 0 ||
                        event_new("job-removed", path, &event, &object) < 0)
                return 0;
        if (value_set_string(event, "result", result) < 0 ||
                        value_set_string(event, "error_name", *name ? name : NULL) < 0 ||
                        value_set_string(event, "error_message", *message ? message : NULL) < 0 ||
                        str_printf(&line, "%s: %s%s%s", object, result, *message ? ", " : "",
                                        message) < 0)
                return -ENOMEM;
        return print_event(userdata, line, TAKE_PTR(event));
}

static int on_tripwire(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_value_ Value *event = value_object();
        _cleanup_strv_free_ char **fixes = NULL;
        _cleanup_free_ char *line = NULL;
        const char *id;
        uint64_t count;
        size_t size;
        FILE *f;

        if (sd_bus_message_read(m, "s", &id) < 0 || sd_bus_message_read_strv(m, &fixes) < 0 ||
                        sd_bus_message_read(m, "t", &count) < 0)
                return 0;
        f = open_memstream(&line, &size);
        if (!f)
                return -ENOMEM;
        fprintf(f, "patch %s: TRIPWIRE, somebody tried what it fixes", id);
        for (char **fix = fixes; fix && *fix; fix++)
                fprintf(f, "%s%s", fix == fixes ? " (" : ", ", *fix);
        fprintf(f, "%s, %" PRIu64 " %s since it was loaded", fixes && *fixes ? ")" : "", count,
                        text_plural(count, "time", "times"));
        if (fclose(f) != 0 || value_set_string(event, "event", "tripwire") < 0 ||
                        value_set_string(event, "patch", id) < 0 || value_set_strv(event, "fixes", fixes) < 0 ||
                        value_set_integer(event, "count", count) < 0)
                return -ENOMEM;
        return print_event(userdata, line, TAKE_PTR(event));
}

static int on_trial_ended(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_free_ char *object = NULL, *line = NULL;
        _cleanup_strv_free_ char **ids = NULL;
        _cleanup_value_ Value *event = NULL;
        const char *result, *reason;

        if (sd_bus_message_read_strv(m, &ids) < 0 || sd_bus_message_read(m, "ss", &result, &reason) < 0 ||
            event_new("trial-ended", HOTPATCH_ROOT_PATH, &event, &object) < 0)
                return 0;
        if (value_set_strv(event, "patches", ids) < 0 || value_set_string(event, "result", result) < 0 ||
            value_set_string(event, "reason", *reason ? reason : NULL) < 0 ||
            str_printf(&line, "patch %s%s: trial %s%s%s", ids && *ids ? *ids : "",
                    strv_length(ids) > 1 ? " and others" : "", result, *reason ? ", " : "", reason) < 0)
                return -ENOMEM;
        return print_event(userdata, line, TAKE_PTR(event));
}

static int on_properties(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        _cleanup_free_ char *object = NULL, *list = NULL, *line = NULL;
        _cleanup_value_ Value *event = NULL;
        Value *properties = NULL;
        const char *interface;

        if (sd_bus_message_read(m, "s", &interface) < 0 ||
                        !startswith(interface, HOTPATCH_BUS_NAME ".") ||
                        event_new("properties-changed", sd_bus_message_get_path(m), &event,
                                        &object) < 0)
                return 0;
        properties = value_object();
        if (value_set(event, "properties", properties) < 0)
                return -ENOMEM;
        if (property_changes_read(m, properties, &list) < 0 || (!*list && !((Monitor *) userdata)->ctl->json))
                return 0;
        if (str_printf(&line, "%s:%s", object, list) < 0)
                return -ENOMEM;
        return print_event(userdata, line, TAKE_PTR(event));
}

static int on_interfaces(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        bool added = streq(sd_bus_message_get_member(m), "InterfacesAdded");
        _cleanup_free_ char *object = NULL, *line = NULL;
        _cleanup_value_ Value *event = NULL;
        const char *path;

        if (sd_bus_message_read(m, "o", &path) < 0 ||
                        event_new(added ? "object-added" : "object-removed", path, &event,
                                        &object) < 0)
                return 0;
        if (str_printf(&line, "%s: %s", object, added ? "appeared" : "is gone") < 0)
                return -ENOMEM;
        return print_event(userdata, line, TAKE_PTR(event));
}

/* It is not asked how it is: that would start it again. */
static int ended(Monitor *monitor) {
        int r = print_event(monitor, "hotpatchd: ended", value_object());

        monitor->look = false;
        return r < 0 ? r : view_service_ended(monitor->view);
}

static int on_owner(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Monitor *monitor = userdata;
        _cleanup_value_ Value *event = value_object();
        const char *name, *old_owner, *new_owner;

        if (sd_bus_message_read(m, "sss", &name, &old_owner, &new_owner) < 0)
                return 0;
        if (value_set_string(event, "event", *new_owner ? "daemon-started" : "daemon-ended") < 0)
                return -ENOMEM;
        if (!*new_owner && monitor->view)
                return ended(monitor);
        return print_event(monitor, *new_owner ? "hotpatchd: started" : "hotpatchd: ended",
                        TAKE_PTR(event));
}

static int listen(sd_bus *bus, Monitor *monitor) {
        static const struct {
                const char *rule;
                sd_bus_message_handler_t handler;
        } matches[] = {
                        {"type='signal',sender='" HOTPATCH_BUS_NAME
                         "',interface='" HOTPATCH_MANAGER_INTERFACE "',member='JobNew'",
                                        on_job_new},
                        {"type='signal',sender='" HOTPATCH_BUS_NAME
                         "',interface='" HOTPATCH_MANAGER_INTERFACE "',member='JobRemoved'",
                                        on_job_removed},
                        {"type='signal',sender='" HOTPATCH_BUS_NAME
                         "',interface='" HOTPATCH_MANAGER_INTERFACE "',member='TripwireHit'",
                                        on_tripwire},
                        {"type='signal',sender='" HOTPATCH_BUS_NAME
                         "',interface='" HOTPATCH_MANAGER_INTERFACE "',member='TrialEnded'",
                                        on_trial_ended},
                        {"type='signal',sender='" HOTPATCH_BUS_NAME
                         "',interface='org.freedesktop.DBus.Properties',"
                         "member='PropertiesChanged'",
                                        on_properties},
                        {"type='signal',sender='" HOTPATCH_BUS_NAME
                         "',interface='org.freedesktop.DBus.ObjectManager'",
                                        on_interfaces},
                        {"type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop."
                         "DBus',"
                         "member='NameOwnerChanged',arg0='" HOTPATCH_BUS_NAME "'",
                                        on_owner},
        };

        for (size_t i = 0; i < ELEMENTSOF(matches); i++) {
                int r = sd_bus_add_match(bus, NULL, matches[i].rule, matches[i].handler, monitor);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int stop_at_signals(sd_event *event) {
        sigset_t mask;
        int r;

        sigemptyset(&mask);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        /* Without a handler the loop ends with what stands for userdata: 0. */
        r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
        return r < 0 ? r : sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
}

static int show_screen(Monitor *monitor) {
        sigset_t mask;
        int r;

        sigemptyset(&mask);
        sigaddset(&mask, SIGWINCH);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        r = sd_event_add_signal(monitor->event, NULL, SIGWINCH, on_resize, monitor);
        if (r >= 0)
                r = view_new(monitor->ctl, &monitor->view);
        if (r >= 0)
                r = view_look(monitor->view);
        return r < 0 ? r : view_draw(monitor->view);
}

static int run(Monitor *monitor, sd_bus_error *error) {
        sd_bus *bus;
        int r;

        r = ctl_bus(monitor->ctl, &bus, error);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(bus, monitor->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        r = listen(bus, monitor);
        if (r < 0)
                return r;
        r = stop_at_signals(monitor->event);
        if (r < 0)
                return r;
        if (view_is_possible(monitor->ctl)) {
                r = show_screen(monitor);
                if (r < 0)
                        return r;
        } else if (monitor->ctl->legend && !monitor->ctl->json && !monitor->ctl->quiet)
                fputs("Listening to hotpatchd; Ctrl-C ends it.\n", stderr);
        r = sd_event_loop(monitor->event);
        (void) sd_bus_detach_event(bus);
        return r;
}

int verb_monitor(Ctl *ctl, _unused_ int argc, _unused_ char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        Monitor monitor = { .ctl = ctl };
        int r;

        r = sd_event_new(&event);
        if (r < 0)
                return ctl_fail(ctl, NULL, NULL, r);
        monitor.event = event;
        /* One event, one line: readers need not look for the end of an object. */
        ctl->json_short = true;
        r = run(&monitor, &error);
        monitor.timer = sd_event_source_unref(monitor.timer);
        monitor.view = view_free(monitor.view);
        return r < 0 ? ctl_fail(ctl, NULL, &error, r) : HOTPATCH_EXIT_OK;
}
