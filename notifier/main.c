/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hotpatch-notifier: what hotpatchd does, told on the desktop of whoever is logged in. It holds two connections, one to the
 * system bus and one to the session's, and sleeps. It has no rights and no state on disk.
 *
 *     system bus ─► watch ─► Machine ─► notices_decide() ─► NoticeSet ─► board ─► desk ─► session bus
 *                                        (time, too)                               │
 *     system bus ◄────────────────────────── act ◄────────────── a button was pressed
 *
 * It may be started twice, by the user's systemd and by the desktop's own autostart. Who has the name on the session bus is
 * the one; the other ends well.
 */

#include <getopt.h>
#include <signal.h>
#include <syslog.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "config.h"
#include "notifier/act.h"
#include "notifier/desk.h"
#include "notifier/watch.h"

#define NOTIFIER_BUS_NAME "org.hotpatch.Notifier1"

/**
 * struct App
 * @machine: the last look; NULL: none yet
 * @timer: when time alone changes what there is to be told
 */
typedef struct App {
        sd_event *event;
        sd_bus *system_bus, *session_bus;
        sd_event_source *timer;
        Watch *watch;
        Desk *desk;
        Act *act;
        Machine *machine;
        NoticeSet set;
} App;

static void app_done(App *a) {
        sd_event_source_disable_unref(a->timer);
        watch_free(a->watch);
        desk_free(a->desk);
        act_free(a->act);
        sd_bus_flush_close_unref(a->system_bus);
        sd_bus_flush_close_unref(a->session_bus);
        machine_free(a->machine);
        notice_set_done(&a->set);
        sd_event_unref(a->event);
}

static int fail(const char *what, int r) {
        fprintf(stderr, "<%d>%s: %s\n", LOG_ERR, what, strerror(-r));
        return r;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

/* CLOCK_REALTIME: restarts and deadlines are times of the day, whatever is done to the clock meanwhile. */
static void decide(App *a, const Machine *before) {
        uint64_t wake_usec = 0;
        struct timespec ts;
        int r;

        (void) clock_gettime(CLOCK_REALTIME, &ts);
        r = notices_decide(before, a->machine, (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000, &a->set,
                &wake_usec);
        a->timer = sd_event_source_disable_unref(a->timer);
        if (r >= 0 && wake_usec > 0)
                r = sd_event_add_time(a->event, &a->timer, CLOCK_REALTIME, wake_usec, USEC_PER_SEC, on_timer, a);
        if (r < 0)
                (void) fail("What has changed cannot be told", r);
        desk_update(a->desk);
}

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        App *a = userdata;

        decide(a, a->machine);
        return 0;
}

static void on_looked(void *userdata, Machine *machine) {
        App *a = userdata;
        Machine *before = a->machine;

        a->machine = machine;
        decide(a, before);
        machine_free(before);
}

static void on_pressed(void *userdata, _unused_ Topic topic, Action action) {
        App *a = userdata;

        if (action == ACTION_RESTART)
                act_restart(a->act);
        else if (a->machine)
                act_later(a->act, a->machine->restart_usec);
}

static void on_acted(void *userdata, bool good, const char *summary, const char *body) {
        App *a = userdata;

        if (notice_answer(&a->set, good, summary, body) >= 0)
                desk_update(a->desk);
}

/* A connection that ends takes the program with it: the session is over, or systemd starts it again. */
static int attach(App *a, sd_bus *bus) {
        int r = sd_bus_set_exit_on_disconnect(bus, true);

        return r < 0 ? r : sd_bus_attach_event(bus, a->event, SD_EVENT_PRIORITY_NORMAL);
}

static int open_buses(App *a) {
        int r = sd_bus_open_user_with_description(&a->session_bus, "hotpatch-notifier");

        if (r >= 0)
                r = attach(a, a->session_bus);
        if (r < 0)
                return fail("The session bus cannot be reached", r);
        r = sd_bus_request_name(a->session_bus, NOTIFIER_BUS_NAME, 0);
        if (r == -EEXIST)
                return r;
        if (r < 0)
                return fail("The name " NOTIFIER_BUS_NAME " cannot be taken", r);
        r = sd_bus_open_system_with_description(&a->system_bus, "hotpatch-notifier");
        if (r >= 0)
                r = attach(a, a->system_bus);
        return r < 0 ? fail("The system bus cannot be reached", r) : 0;
}

static int set_up(App *a) {
        sigset_t mask;
        int r;

        sigemptyset(&mask);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        r = sd_event_new(&a->event);
        if (r >= 0)
                r = sd_event_add_signal(a->event, NULL, SIGINT, NULL, NULL);
        if (r >= 0)
                r = sd_event_add_signal(a->event, NULL, SIGTERM, NULL, NULL);
        if (r < 0)
                return fail("The event loop cannot be set up", r);
        r = open_buses(a);
        if (r < 0)
                return r;
        r = act_new(a->system_bus, on_acted, a, &a->act);
        if (r >= 0)
                r = desk_new(a->session_bus, &a->set, on_pressed, a, &a->desk);
        if (r >= 0)
                r = watch_new(a->system_bus, on_looked, a, &a->watch);
        return r < 0 ? fail("The buses cannot be listened to", r) : 0;
}

static int run(void) {
        App a = { 0 };
        int r = set_up(&a);

        if (r == -EEXIST)
                fprintf(stderr, "<%d>hotpatch-notifier runs in this session already\n", LOG_INFO);
        else if (r >= 0)
                r = sd_event_loop(a.event);
        app_done(&a);
        return r == -EEXIST ? EXIT_SUCCESS : r < 0 ? EXIT_FAILURE : r;
}

static int usage(FILE *to) {
        fputs("Usage: hotpatch-notifier [--help] [--version]\n\n"
              "Tell on the desktop what hotpatchd does: security fixes that were applied or taken out again,\n"
              "attempts that they prevented, restarts that are planned. Started with the session; see\n"
              "hotpatch-notifier(1).\n", to);
        return to == stdout ? EXIT_SUCCESS : 2;
}

int main(int argc, char *argv[]) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        return usage(stdout);
                case 'V':
                        puts("hotpatch-notifier " HOTPATCH_VERSION);
                        return EXIT_SUCCESS;
                default:
                        return usage(stderr);
                }
        return optind < argc ? usage(stderr) : run();
}
