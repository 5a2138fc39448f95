/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A notification daemon for guests, which have no screen: it owns org.freedesktop.Notifications on the session bus and
 * writes each notification as a line "ID SUMMARY | BODY" to standard output. How one looks, and its buttons, are tested
 * with dunst (tests/bus/test_dunst.py); here it matters that somebody in a real session is told.
 */

#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define NAME "org.freedesktop.Notifications"
#define PATH "/org/freedesktop/Notifications"

static int method_notify(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *application, *icon, *summary, *body;
        uint32_t id, *last = userdata;
        int r;

        (void) error;
        r = sd_bus_message_read(m, "susss", &application, &id, &icon, &summary, &body);
        if (r < 0)
                return r;
        if (id == 0)
                id = ++*last;
        printf("%u %s | ", id, summary);
        for (const char *p = body; *p; p++)
                putchar(*p == '\n' ? ' ' : *p);
        putchar('\n');
        return sd_bus_reply_method_return(m, "u", id);
}

static int method_close(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void) userdata;
        (void) error;
        return sd_bus_reply_method_return(m, "");
}

static int method_capabilities(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void) userdata;
        (void) error;
        return sd_bus_reply_method_return(m, "as", 1, "body");
}

static int method_information(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        (void) userdata;
        (void) error;
        return sd_bus_reply_method_return(m, "ssss", "notice-desk", "tests", "1", "1.2");
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Notify", "susssasa{sv}i", "u", method_notify, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("CloseNotification", "u", "", method_close, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetCapabilities", "", "as", method_capabilities, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD("GetServerInformation", "", "ssss", method_information, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END
};

int main(void) {
        uint32_t last = 0;
        sd_bus *bus = NULL;
        int r;

        setvbuf(stdout, NULL, _IOLBF, 0);
        r = sd_bus_open_user(&bus);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, PATH, NAME, vtable, &last);
        if (r >= 0)
                r = sd_bus_request_name(bus, NAME, 0);
        while (r >= 0) {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        }
        fprintf(stderr, "notice-desk: %s\n", strerror(-r));
        return 1;
}
