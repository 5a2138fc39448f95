/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The peer for read calls: a service that answers with what sd-bus alone costs. It owns
 * org.hotpatch.BenchEcho on the system bus (DBUS_SYSTEM_BUS_ADDRESS) and returns the empty string.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "util/base.h"

static int method_echo(sd_bus_message *m, _unused_ void *userdata, _unused_ sd_bus_error *error) {
        return sd_bus_reply_method_return(m, "s", "");
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Echo", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", text), method_echo,
                        SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

int main(void) {
        sd_event *event = NULL;
        sd_bus *bus = NULL;
        int r = sd_event_default(&event);

        if (r >= 0)
                r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, "/org/hotpatch/BenchEcho", "org.hotpatch.BenchEcho",
                                vtable, NULL);
        if (r >= 0)
                r = sd_bus_request_name(bus, "org.hotpatch.BenchEcho", 0);
        if (r >= 0)
                r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_event_loop(event);
        if (r < 0)
                fprintf(stderr, "bench-echo: %s\n", strerror(-r));
        sd_bus_flush_close_unref(bus);
        sd_event_unref(event);
        return r < 0;
}
