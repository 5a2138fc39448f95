/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The daemon's life. It is started by the bus when somebody calls, or at boot; it says READY=1 when
 * it owns its name and has cleaned up after an unclean end, and it leaves when it has been idle for a
 * while.
 *
 * Leaving must not lose a call that is on its way. So, as systemd's own services do it: say
 * STOPPING=1, give the name back, go on answering until the bus has confirmed that, and only then
 * exit. A call that comes later starts a new daemon.
 *
 * The root directory is a parameter for the sake of tests/bus/hotpatchd-test.c, which runs this very
 * code on a made-up kernel. The product's main() passes "/"; there is no option for it.
 */

#include <signal.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "daemon/findings.h"
#include "daemon/manager.h"
#include "daemon/policy.h"
#include "daemon/service.h"
#include "daemon/timer.h"
#include "dbus/errors.h"
#include "dbus/names.h"

typedef struct Service {
        sd_event *event;
        sd_bus *bus;
        Manager *manager;
        sd_event_source *idle;
        bool leaving;
} Service;

static void service_done(Service *s) {
        sd_event_source_disable_unref(s->idle);
        manager_free(s->manager);
        sd_bus_flush_close_unref(s->bus);
        sd_event_unref(s->event);
}

static int on_released(_unused_ sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Service *s = userdata;

        /* Calls that came before the bus let go of the name may have started something. */
        if (manager_is_idle(s->manager))
                return sd_event_exit(s->event, 0);
        s->leaving = false;
        if (sd_bus_request_name(s->bus, HOTPATCH_BUS_NAME, 0) < 0)
                return sd_event_exit(s->event, 1);
        (void) sd_notify(false, "READY=1\nSTATUS=Processing requests.");
        return sd_event_source_set_enabled(s->idle, SD_EVENT_ONESHOT);
}

static int leave(Service *s) {
        s->leaving = true;
        (void) sd_notify(false, "STOPPING=1\nSTATUS=Idle.");
        return sd_bus_release_name_async(s->bus, NULL, HOTPATCH_BUS_NAME, on_released, s);
}

/* Looks when the time is over that was set at the last activity: no periodic wake-ups while busy
 * with nothing, one timer for each quiet span. */
static int on_idle_timer(sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Service *s = userdata;
        uint64_t timeout = s->manager->config->idle_timeout_usec;
        uint64_t quiet = clock_usec(CLOCK_MONOTONIC) - s->manager->activity_usec;
        int r;

        if (quiet >= timeout) {
                /* Somebody may have started a transition by hand; not being able to look is no reason
                 * to stay. */
                r = patches_refresh(s->manager);
                if (r < 0 || manager_is_idle(s->manager))
                        return leave(s);
                quiet = 0;
        }
        return timer_again(source, timeout - quiet);
}

/* FreezerDone: every unit goes on */
static void on_quiet(void *userdata) {
        Service *s = userdata;

        (void) sd_event_exit(s->event, 0);
}

static int on_signal(sd_event_source *source, _unused_ const struct signalfd_siginfo *si,
                void *userdata) {
        Service *s = userdata;

        /* An open intent tells the next start what was under way; but no unit is to stand still till then. */
        (void) sd_notify(false, "STOPPING=1");
        if (!s->manager || !s->manager->freezer)
                return sd_event_exit(sd_event_source_get_event(source), 0);
        freezer_stop(s->manager->freezer);
        freezer_when_quiet(s->manager->freezer, on_quiet, s);
        return 0;
}

static int on_hangup(_unused_ sd_event_source *source, _unused_ const struct signalfd_siginfo *si, void *userdata) {
        Service *s = userdata;

        if (s->manager && s->manager->bus && policy_reload(s->manager) < 0)
                fprintf(stderr, "<%d>The configuration could not be read again, the old one stays\n", LOG_ERR);
        return 0;
}

static int set_up_loop(Service *s) {
        sigset_t mask;
        int r;

        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGHUP);
        sigaddset(&mask, SIGCHLD); /* workers */
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        r = sd_event_default(&s->event);
        if (r < 0)
                return r;
        r = sd_event_add_signal(s->event, NULL, SIGTERM, on_signal, s);
        if (r < 0)
                return r;
        r = sd_event_add_signal(s->event, NULL, SIGINT, on_signal, s);
        if (r < 0)
                return r;
        r = sd_event_add_signal(s->event, NULL, SIGHUP, on_hangup, s);
        if (r < 0)
                return r;
        return sd_event_set_watchdog(s->event, true);
}

static int set_up_bus(Service *s) {
        int r;

        r = sd_bus_open_system_with_description(&s->bus, "hotpatchd");
        if (r < 0)
                return r;
        r = sd_bus_attach_event(s->bus, s->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        r = sd_bus_set_exit_on_disconnect(s->bus, true);
        if (r < 0)
                return r;
        return manager_attach_bus(s->manager, s->bus);
}

static int set_up_idle(Service *s) {
        if (s->manager->config->idle_timeout_usec == 0)
                return 0;
        return sd_event_add_time_relative(s->event, &s->idle, CLOCK_MONOTONIC,
                s->manager->config->idle_timeout_usec, USEC_PER_SEC, on_idle_timer, s);
}

static int fail(int r, const char *what, const sd_bus_error *error) {
        fprintf(stderr, "<%d>%s: %s\n", LOG_ERR, what,
                error && error->message ? error->message : strerror(-r));
        return r;
}

static int begin(Service *s) {
        int r;

        r = set_up_bus(s);
        if (r < 0)
                return fail(r, "cannot connect to the system bus", NULL);
        /* First what was left undone: nobody is to see a half-done transaction as a finished one. */
        r = manager_start(s->manager);
        if (r < 0)
                return fail(r, "cannot go on with what a hotpatchd before this one has left", NULL);
        r = sd_bus_request_name(s->bus, HOTPATCH_BUS_NAME, 0);
        return r < 0 ? fail(r, "cannot offer the service on the system bus", NULL) : 0;
}

/**
 * service_run() - be hotpatchd until it is told to stop or has been idle long enough
 * @root: every path hangs off it
 * @ops: how modules are loaded and removed; NULL: by the kernel
 * @ops_userdata: for @ops
 *
 * Return: 0; 1 when the bus was lost; or a negative errno after saying on stderr what went wrong.
 */
int service_run(const char *root, const ModuleOps *ops, void *ops_userdata) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(service_done) Service s = {};
        int r;

        umask(0077);
        r = hotpatch_errors_register();
        if (r < 0)
                return fail(r, "cannot register error names", NULL);
        r = set_up_loop(&s);
        if (r < 0)
                return fail(r, "cannot set up the event loop", NULL);
        r = manager_new(s.event, root, ops, ops_userdata, &s.manager, &error);
        if (r < 0)
                return fail(r, "cannot start", &error);
        r = begin(&s);
        if (r < 0) {
                publisher_stop(s.manager->publisher);
                return r;
        }
        r = set_up_idle(&s);
        if (r < 0)
                return fail(r, "cannot set the idle timer", NULL);
        (void) sd_notify(false, "READY=1\nSTATUS=Processing requests.");
        findings_start(s.manager->findings);
        r = sd_event_loop(s.event);
        publisher_stop(s.manager->publisher);
        if (r >= 0)
                findings_stop(s.manager->findings);
        if (r >= 0)
                watch_stop(s.manager->watch);
        return r < 0 ? fail(r, "event loop", NULL) : r;
}
