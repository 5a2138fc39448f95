/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who sits at the machine decides by his own rights: the calls go out on his own connection, allow polkit to ask him for
 * a password, and wait as long as he looks for it. Nothing is done in anybody else's name, and nothing is known here
 * about who may do what.
 *
 * "Restart now" means now, so it is logind's Reboot, which asks whoever else is logged in or holds the restart up, and
 * hears the lock that hotpatchd's baseline has while packages are installed. "Later" is hotpatchd's DeferBaseline: into
 * the next night if the budget allows it, else by an hour.
 */

#include <syslog.h>
#include <time.h>

#include "dbus/names.h"
#include "notifier/act.h"
#include "notifier/text.h"

#define HOUR_USEC (60 * 60 * USEC_PER_SEC)

/* How far the restart is put off: as far as the first of these that is not refused. */
static const uint64_t steps[] = { 20 * HOUR_USEC, HOUR_USEC };

typedef enum Wish {
        WISH_RESTART,
        WISH_LATER,
} Wish;

/**
 * struct Act - one call at a time: the same button again while polkit asks is the same wish, the other one is another
 * @wish: what @call is for
 * @planned_usec: what is put off
 * @step: of @steps, which is being tried
 */
struct Act {
        sd_bus *bus;
        sd_bus_slot *call;
        Wish wish;
        uint64_t planned_usec;
        size_t step;
        ActDone done;
        void *userdata;
};

static uint64_t now_usec(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_REALTIME, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

static void refuse(Act *a, Text summary, const sd_bus_error *error, int r) {
        bool denied = sd_bus_error_has_names(error, SD_BUS_ERROR_ACCESS_DENIED, SD_BUS_ERROR_AUTH_FAILED,
                SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED);
        const char *why = denied             ? text_of(TEXT_NOT_ALLOWED)
                : error && error->message ? error->message
                                          : strerror(-r);

        fprintf(stderr, "<%d>%s: %s\n", LOG_NOTICE, text_of(summary), error && error->message ? error->message : why);
        a->done(a->userdata, false, text_of(summary), why);
}

/* @m is a call; polkit may ask a person for as long as it takes. */
static int call(Act *a, sd_bus_message *m, sd_bus_message_handler_t answered) {
        int r = sd_bus_message_set_allow_interactive_authorization(m, true);

        a->call = sd_bus_slot_unref(a->call);
        return r < 0 ? r : sd_bus_call_async(a->bus, &a->call, m, answered, a, UINT64_MAX);
}

static int on_restarted(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Act *a = userdata;

        a->call = sd_bus_slot_unref(a->call);
        if (sd_bus_message_is_method_error(reply, NULL))
                refuse(a, TEXT_NOT_RESTARTED, sd_bus_message_get_error(reply), 0);
        return 0;
}

/* Is @wish under way? What else is, is not waited for any more; a question of polkit's cannot be taken back. */
static bool is_under_way(Act *a, Wish wish) {
        if (a->call && a->wish == wish)
                return true;
        a->call = sd_bus_slot_unref(a->call);
        a->wish = wish;
        return false;
}

/** act_restart() - restart the machine now */
void act_restart(Act *a) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        if (is_under_way(a, WISH_RESTART))
                return;
        r = sd_bus_message_new_method_call(a->bus, &m, "org.freedesktop.login1", "/org/freedesktop/login1",
                "org.freedesktop.login1.Manager", "Reboot");
        if (r >= 0)
                r = sd_bus_message_append(m, "b", 1);
        if (r >= 0)
                r = call(a, m, on_restarted);
        if (r < 0)
                refuse(a, TEXT_NOT_RESTARTED, NULL, r);
}

static int try_later(Act *a);

static int on_deferred(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        const sd_bus_error *refusal = sd_bus_message_get_error(reply);
        _cleanup_free_ char *when = NULL, *text = NULL;
        Act *a = userdata;
        uint64_t usec = 0;
        int r;

        a->call = sd_bus_slot_unref(a->call);
        if (refusal) {
                if (sd_bus_error_has_name(refusal, "org.hotpatch.Error.DeferralDenied") && a->step + 1 < ELEMENTSOF(steps)) {
                        a->step++;
                        r = try_later(a);
                        if (r >= 0)
                                return 0;
                }
                refuse(a, TEXT_NOT_DEFERRED, refusal, 0);
                return 0;
        }
        r = sd_bus_message_read(reply, "t", &usec);
        if (r >= 0 && usec > 0)
                r = text_time(&when, usec, now_usec());
        if (r >= 0 && when)
                r = text_fill(&text, TEXT_DEFERRED_UNTIL, "when", when, NULL);
        a->done(a->userdata, true, text_of(TEXT_DEFERRED), r < 0 ? "" : strempty(text));
        return 0;
}

static int try_later(Act *a) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        uint64_t now = now_usec(), from = a->planned_usec > now ? a->planned_usec : now;
        int r = sd_bus_message_new_method_call(a->bus, &m, HOTPATCH_BUS_NAME, HOTPATCH_ROOT_PATH, HOTPATCH_MANAGER_INTERFACE,
                "DeferBaseline");

        if (r >= 0)
                r = sd_bus_message_append(m, "ta{sv}", from + steps[a->step], 0);
        return r < 0 ? r : call(a, m, on_deferred);
}

/** act_later() - put the restart off. @planned_usec: when it comes now */
void act_later(Act *a, uint64_t planned_usec) {
        int r;

        if (is_under_way(a, WISH_LATER))
                return;
        a->planned_usec = planned_usec;
        a->step = 0;
        r = try_later(a);
        if (r < 0)
                refuse(a, TEXT_NOT_DEFERRED, NULL, r);
}

/** act_new() - @ret: act_free() it, before the bus is closed. Return: 0 or a negative errno. */
int act_new(sd_bus *system_bus, ActDone done, void *userdata, Act **ret) {
        Act *a = calloc(1, sizeof(*a));

        if (!a)
                return -ENOMEM;
        a->bus = sd_bus_ref(system_bus);
        a->done = done;
        a->userdata = userdata;
        *ret = a;
        return 0;
}

/** act_free() - NULL is fine. Returns NULL. */
Act *act_free(Act *a) {
        if (!a)
                return NULL;
        sd_bus_slot_unref(a->call);
        sd_bus_unref(a->bus);
        free(a);
        return NULL;
}
