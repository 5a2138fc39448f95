/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The session bus: org.freedesktop.Notifications as the Desktop Notifications Specification 1.2 has it. What to show is
 * decided elsewhere (board.c), here it is said.
 *
 * The daemon may not be there, may come later, go and come again. Each time it comes it is asked what it can; whether it
 * wants to be left alone (the property Inhibited, which not all have) is asked then and listened to. When there is
 * something to show and nobody who shows it, the bus is asked to start somebody, but not in the first seconds: at a login
 * the desktop is on its way, and its place must not be taken by another. If the bus knows nobody either, it is waited for
 * whoever takes the name.
 *
 * A body is sent escaped to a daemon that reads markup in it, and as it is to one that does not. A summary has no markup.
 */

#include <syslog.h>
#include <systemd/sd-event.h>

#include "notifier/board.h"
#include "notifier/desk.h"
#include "notifier/text.h"

#define DESK_NAME "org.freedesktop.Notifications"
#define DESK_PATH "/org/freedesktop/Notifications"
#define GRACE_USEC (5 * USEC_PER_SEC)
/* The name of our .desktop file without its end, by which desktops find name and icon. */
#define DESKTOP_ENTRY "org.hotpatch.Notifier"

/** struct DeskCall - a Notify that is under way */
typedef struct DeskCall {
        Desk *desk;
        Topic topic;
        sd_bus_slot *slot;
} DeskCall;

/**
 * struct Desk
 * @owner: of the name, or NULL
 * @ask: what it can, and whether it is inhibited
 * @start: the bus starts somebody
 * @grace: until then nobody is started; NULL: it is over
 * @tried: serial of what somebody was started for
 * @markup, @actions: what it can
 */
struct Desk {
        sd_bus *bus;
        Board board;
        char *owner;
        sd_bus_slot *ask, *start;
        sd_event_source *grace;
        uint64_t tried;
        bool markup, actions;
        DeskCall calls[_TOPIC_MAX];
        DeskPressed pressed;
        void *userdata;
};

/* How each topic looks: names of the Icon Naming Specification, and a category of our own. */
static const struct {
        const char *icon, *category;
} looks[_TOPIC_MAX] = {
        [TOPIC_APPLIED] = { "security-high", "x-hotpatch.applied" },
        [TOPIC_ROLLED_BACK] = { "security-low", "x-hotpatch.rolled-back" },
        [TOPIC_TRIPWIRE] = { "security-medium", "x-hotpatch.tripwire" },
        [TOPIC_RESTART] = { "system-reboot", "x-hotpatch.restart" },
        [TOPIC_DEADLINE] = { "dialog-warning", "x-hotpatch.deadline" },
        [TOPIC_TRACK] = { "security-low", "x-hotpatch.track" },
        [TOPIC_ANSWER] = { "dialog-information", "x-hotpatch.answer" },
};

static const struct {
        Action action;
        const char *key;
        Text label;
} buttons[] = {
        { ACTION_DETAILS, "default", TEXT_ACTION_DETAILS }, /* a click on the notification itself */
        { ACTION_RESTART, "restart", TEXT_ACTION_RESTART },
        { ACTION_LATER, "later", TEXT_ACTION_LATER },
        { ACTION_DETAILS, "details", TEXT_ACTION_DETAILS },
};

static unsigned actions_of(const Notice *n) {
        return n->details ? n->actions : n->actions & ~(unsigned) ACTION_DETAILS;
}

static void complain(const char *what, sd_bus_message *reply, int r) {
        const sd_bus_error *error = reply ? sd_bus_message_get_error(reply) : NULL;

        fprintf(stderr, "<%d>%s: %s\n", LOG_NOTICE, what, error ? strempty(error->message) : strerror(-r));
}

/* --- showing --- */

static int append_actions(const Desk *d, const BoardStep *step, sd_bus_message *m) {
        unsigned actions = d->actions ? actions_of(step->notice) : 0;
        int r = sd_bus_message_open_container(m, 'a', "s");

        if (step->expanded)
                actions &= ~(unsigned) ACTION_DETAILS;
        for (size_t i = 0; i < ELEMENTSOF(buttons) && r >= 0; i++)
                if (actions & buttons[i].action)
                        r = sd_bus_message_append(m, "ss", buttons[i].key, text_of(buttons[i].label));
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_hints(const BoardStep *step, sd_bus_message *m) {
        const Notice *n = step->notice;
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "urgency", "y", (uint8_t) n->urgency);
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "desktop-entry", "s", DESKTOP_ENTRY);
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}", "category", "s", looks[step->topic].category);
        if (r >= 0 && n->transient)
                r = sd_bus_message_append(m, "{sv}", "transient", "b", 1);
        /* Details are shown in the same place, so the place has to stay when a button is pressed. */
        if (r >= 0 && n->actions)
                r = sd_bus_message_append(m, "{sv}", "resident", "b", 1);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int on_shown(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        DeskCall *call = userdata;
        Desk *d = call->desk;
        uint32_t id = 0;

        call->slot = sd_bus_slot_unref(call->slot);
        if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "u", &id) < 0)
                complain("A notification was not shown", reply, -EBADMSG);
        board_shown(&d->board, call->topic, id);
        desk_update(d);
        return 0;
}

static int show(Desk *d, const BoardStep *step) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        const char *body = step->expanded ? step->notice->details : step->notice->body;
        _cleanup_free_ char *escaped = d->markup ? text_escape(body) : strdup(body);
        int r;

        if (!escaped)
                return -ENOMEM;
        r = sd_bus_message_new_method_call(d->bus, &m, d->owner, DESK_PATH, DESK_NAME, "Notify");
        if (r >= 0)
                r = sd_bus_message_append(m, "susss", text_of(TEXT_APP_NAME), step->id, looks[step->topic].icon,
                        step->notice->summary, escaped);
        if (r >= 0)
                r = append_actions(d, step, m);
        if (r >= 0)
                r = append_hints(step, m);
        /* How long it stays is up to the desktop. */
        if (r >= 0)
                r = sd_bus_message_append(m, "i", -1);
        if (r < 0)
                return r;
        d->calls[step->topic] = (DeskCall) { .desk = d, .topic = step->topic };
        return sd_bus_call_async(d->bus, &d->calls[step->topic].slot, m, on_shown, &d->calls[step->topic], 0);
}

static void begin_start(Desk *d);

/** desk_update() - what there is to be told may be another */
void desk_update(Desk *d) {
        BoardStep step;
        int r;

        while ((r = board_next(&d->board, &step)) > 0) {
                if (step.operation == BOARD_CLOSE) {
                        /* Whether it was still there does not matter. */
                        (void) sd_bus_call_method_async(d->bus, NULL, d->owner, DESK_PATH, DESK_NAME, "CloseNotification",
                                NULL, NULL, "u", step.id);
                        continue;
                }
                r = show(d, &step);
                if (r < 0) {
                        complain("A notification was not shown", NULL, r);
                        board_shown(&d->board, step.topic, 0);
                }
        }
        if (r < 0)
                complain("Notifications were not shown", NULL, r);
        if (!d->owner && !d->grace && !d->start && d->tried != d->board.set->serial && board_waits(&d->board))
                begin_start(d);
}

/* --- who shows it --- */

static int on_started(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Desk *d = userdata;

        d->start = sd_bus_slot_unref(d->start);
        if (sd_bus_message_is_method_error(reply, NULL))
                complain("Nobody shows notifications here, waiting for somebody", reply, 0);
        return 0;
}

static void begin_start(Desk *d) {
        int r;

        d->tried = d->board.set->serial;
        r = sd_bus_call_method_async(d->bus, &d->start, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                "org.freedesktop.DBus", "StartServiceByName", on_started, d, "su", DESK_NAME, 0);
        if (r < 0)
                complain("The session bus starts nobody", NULL, r);
}

static int on_grace(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Desk *d = userdata;

        d->grace = sd_event_source_disable_unref(d->grace);
        desk_update(d);
        return 0;
}

static int on_inhibited(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Desk *d = userdata;
        int inhibited = 0;

        d->ask = sd_bus_slot_unref(d->ask);
        /* Most do not have it; then they decide themselves what they do with what they are given. */
        if (!sd_bus_message_is_method_error(reply, NULL) && sd_bus_message_read(reply, "v", "b", &inhibited) < 0)
                inhibited = 0;
        d->board.inhibited = inhibited;
        d->board.present = true;
        desk_update(d);
        return 0;
}

static int ask_inhibited(Desk *d) {
        d->ask = sd_bus_slot_unref(d->ask);
        return sd_bus_call_method_async(d->bus, &d->ask, d->owner, DESK_PATH, "org.freedesktop.DBus.Properties", "Get",
                on_inhibited, d, "ss", DESK_NAME, "Inhibited");
}

static int on_capabilities(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        Desk *d = userdata;
        const char *word;
        int r;

        d->markup = d->actions = false;
        r = sd_bus_message_is_method_error(reply, NULL) ? 0 : sd_bus_message_enter_container(reply, 'a', "s");
        while (r > 0 && (r = sd_bus_message_read_basic(reply, 's', &word)) > 0) {
                d->markup = d->markup || streq(word, "body-markup");
                d->actions = d->actions || streq(word, "actions");
        }
        r = ask_inhibited(d);
        if (r < 0)
                complain("The notification daemon cannot be asked", NULL, r);
        return 0;
}

static void lost(Desk *d) {
        d->ask = sd_bus_slot_unref(d->ask);
        for (size_t i = 0; i < ELEMENTSOF(d->calls); i++)
                d->calls[i].slot = sd_bus_slot_unref(d->calls[i].slot);
        free(d->owner);
        d->owner = NULL;
        board_lost(&d->board);
}

static void appeared(Desk *d, const char *owner) {
        int r;

        if (streq_ptr(d->owner, owner))
                return;
        lost(d);
        d->owner = strdup(owner);
        r = !d->owner ? -ENOMEM
                      : sd_bus_call_method_async(d->bus, &d->ask, d->owner, DESK_PATH, DESK_NAME, "GetCapabilities",
                                on_capabilities, d, NULL);
        if (r < 0)
                complain("The notification daemon cannot be asked", NULL, r);
}

static int on_owner(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Desk *d = userdata;
        const char *owner;

        /* Its own word only: to a name of another, everything would be told that is told here. */
        if (!streq_ptr(sd_bus_message_get_sender(m), "org.freedesktop.DBus") ||
            sd_bus_message_read(m, "sss", NULL, NULL, &owner) < 0)
                return 0;
        if (*owner) {
                appeared(d, owner);
                return 0;
        }
        lost(d);
        desk_update(d);
        return 0;
}

static int on_has_owner(sd_bus_message *reply, void *userdata, _unused_ sd_bus_error *error) {
        const char *owner;

        if (!sd_bus_message_is_method_error(reply, NULL) && sd_bus_message_read(reply, "s", &owner) >= 0)
                appeared(userdata, owner);
        return 0;
}

/* --- what it says --- */

/* Anybody in the session can send such a signal to us alone; only the daemon's counts. */
static bool is_from_daemon(const Desk *d, sd_bus_message *m) {
        return streq_ptr(d->owner, sd_bus_message_get_sender(m));
}

static int on_closed(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Desk *d = userdata;
        uint32_t id;

        if (is_from_daemon(d, m) && sd_bus_message_read(m, "u", &id) >= 0)
                board_closed(&d->board, id);
        return 0;
}

static int on_pressed(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Desk *d = userdata;
        const char *key;
        Topic topic;
        uint32_t id;

        if (!is_from_daemon(d, m) || sd_bus_message_read(m, "us", &id, &key) < 0 || !board_find(&d->board, id, &topic) ||
            !d->board.set->items[topic])
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(buttons); i++)
                if (streq(buttons[i].key, key) && (actions_of(d->board.set->items[topic]) & buttons[i].action)) {
                        if (buttons[i].action == ACTION_DETAILS)
                                board_expand(&d->board, topic);
                        else
                                d->pressed(d->userdata, topic, buttons[i].action);
                        desk_update(d);
                        return 0;
                }
        return 0;
}

static int on_properties(sd_bus_message *m, void *userdata, _unused_ sd_bus_error *error) {
        Desk *d = userdata;
        int r = 0;

        if (is_from_daemon(d, m) && d->board.present)
                r = ask_inhibited(d);
        if (r < 0)
                complain("The notification daemon cannot be asked", NULL, r);
        return 0;
}

static int listen(Desk *d) {
        static const struct {
                const char *rule;
                sd_bus_message_handler_t handler;
        } matches[] = {
                { "type='signal',sender='" DESK_NAME "',path='" DESK_PATH "',interface='" DESK_NAME
                  "',member='NotificationClosed'", on_closed },
                { "type='signal',sender='" DESK_NAME "',path='" DESK_PATH "',interface='" DESK_NAME
                  "',member='ActionInvoked'", on_pressed },
                { "type='signal',sender='" DESK_NAME "',path='" DESK_PATH
                  "',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',arg0='" DESK_NAME "'",
                  on_properties },
                { "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                  "member='NameOwnerChanged',arg0='" DESK_NAME "'", on_owner },
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(matches) && r >= 0; i++)
                r = sd_bus_add_match_async(d->bus, NULL, matches[i].rule, matches[i].handler, NULL, d);
        if (r >= 0)
                r = sd_bus_call_method_async(d->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                        "org.freedesktop.DBus", "GetNameOwner", on_has_owner, d, "s", DESK_NAME);
        return r;
}

/**
 * desk_new() - find the notification daemon
 * @session_bus: attached to an event loop
 * @set: what there is to be told; read with each desk_update()
 * @pressed: called for Restart now and Later
 * @ret: desk_free() it, before the bus is closed
 *
 * Return: 0 or a negative errno.
 */
int desk_new(sd_bus *session_bus, const NoticeSet *set, DeskPressed pressed, void *userdata, Desk **ret) {
        _cleanup_(desk_freep) Desk *d = calloc(1, sizeof(*d));
        int r;

        if (!d)
                return -ENOMEM;
        d->bus = sd_bus_ref(session_bus);
        d->board.set = set;
        d->pressed = pressed;
        d->userdata = userdata;
        r = sd_event_add_time_relative(sd_bus_get_event(d->bus), &d->grace, CLOCK_MONOTONIC, GRACE_USEC, USEC_PER_SEC,
                on_grace, d);
        if (r >= 0)
                r = listen(d);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

/** desk_free() - what is open on the desktop stays there. NULL is fine. Returns NULL. */
Desk *desk_free(Desk *d) {
        if (!d)
                return NULL;
        sd_event_source_disable_unref(d->grace);
        sd_bus_slot_unref(d->start);
        lost(d);
        board_done(&d->board);
        sd_bus_unref(d->bus);
        free(d);
        return NULL;
}
