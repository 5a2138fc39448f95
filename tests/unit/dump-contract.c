/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Prints what sd-bus tells about the daemon's vtables: one introspection document, made by asking over a
 * socketpair, without a bus and without a daemon. check-contract compares it with the contract.
 */

#include <sys/socket.h>

#include "daemon/bus.h"
#include "dbus/names.h"

static int serve(int fd, sd_bus **ret) {
        static const struct {
                const char *interface;
                const sd_bus_vtable *vtable;
        } interfaces[] = {
                { HOTPATCH_MANAGER_INTERFACE, bus_manager_vtable },
                { HOTPATCH_PATCH_INTERFACE, bus_patch_vtable },
                { HOTPATCH_JOB_INTERFACE, bus_job_vtable },
        };
        static char nobody; /* no property is read */
        sd_bus *bus = NULL;
        sd_id128_t id;
        int r;

        r = sd_id128_randomize(&id);
        if (r >= 0)
                r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_fd(bus, fd, fd);
        if (r >= 0)
                r = sd_bus_set_server(bus, true, id);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(interfaces); i++)
                r = sd_bus_add_object_vtable(bus, NULL, HOTPATCH_ROOT_PATH, interfaces[i].interface,
                        interfaces[i].vtable, &nobody);
        if (r >= 0)
                r = sd_bus_start(bus);
        *ret = bus;
        return r;
}

static int print(sd_bus_message *reply, _unused_ void *userdata, _unused_ sd_bus_error *error) {
        const char *xml;

        if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "s", &xml) < 0)
                exit(EXIT_FAILURE);
        fputs(xml, stdout);
        exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

int main(void) {
        sd_bus *server = NULL, *client = NULL;
        int fds[2], r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
                return EXIT_FAILURE;
        r = serve(fds[0], &server);
        if (r >= 0)
                r = sd_bus_new(&client);
        if (r >= 0)
                r = sd_bus_set_fd(client, fds[1], fds[1]);
        if (r >= 0)
                r = sd_bus_start(client);
        if (r >= 0)
                r = sd_bus_call_method_async(client, NULL, NULL, HOTPATCH_ROOT_PATH,
                        "org.freedesktop.DBus.Introspectable", "Introspect", print, NULL, NULL);
        while (r >= 0) {
                r = sd_bus_process(server, NULL);
                if (r >= 0)
                        r = sd_bus_process(client, NULL);
        }
        fprintf(stderr, "%s\n", strerror(-r));
        return EXIT_FAILURE;
}
