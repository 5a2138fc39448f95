/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * While packages are changed the machine is not to be shut down or put to sleep by somebody who does not
 * know: a block inhibitor of logind, which tells the person why. Root can still insist.
 */

#include <fcntl.h>

#include "baseline/runner.h"

/**
 * inhibit_take() - ask logind to hold shutdown and sleep up
 * @why: shown to people
 *
 * Return: a descriptor; closing it ends the inhibition. A negative errno when logind is not there.
 */
int inhibit_take(const char *why) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        int fd, r;

        r = sd_bus_open_system(&bus);
        if (r < 0)
                return r;
        r = sd_bus_call_method(bus, "org.freedesktop.login1", "/org/freedesktop/login1",
                "org.freedesktop.login1.Manager", "Inhibit", NULL, &reply, "ssss", "shutdown:sleep", "Hotpatch", why,
                "block");
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "h", &fd);
        if (r < 0)
                return r;
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return fd < 0 ? -errno : fd;
}
