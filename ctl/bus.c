/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The connection of hotpatchctl: opened when a verb first needs it, closed at the end. Calls that
 * may make polkit ask a person wait without limit, and carry the flag that allows it to ask.
 */

#include "ctl/agent.h"

static bool stream_has_colours(int fd) {
        const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

        /* https://no-color.org: set and not empty */
        return isatty(fd) && !(no_color && *no_color) && term && !streq(term, "dumb");
}

/** ctl_init() - the options as they are when nothing is given */
void ctl_init(Ctl *ctl) {
        *ctl = (Ctl) {
                .legend = true,
                .ask_password = true,
                .wait = true,
                .colour = stream_has_colours(STDOUT_FILENO),
                .colour_stderr = stream_has_colours(STDERR_FILENO),
                .terminal = isatty(STDOUT_FILENO),
        };
}

/** ctl_done() - close what was opened */
void ctl_done(Ctl *ctl) {
        agent_close(ctl);
        ctl->bus = sd_bus_flush_close_unref(ctl->bus);
}

/**
 * ctl_bus() - the connection to the system bus
 * @ctl: the options; owns the connection
 * @ret: the connection, borrowed
 * @error: why there is none
 *
 * Return: 0 or a negative errno.
 */
int ctl_bus(Ctl *ctl, sd_bus **ret, sd_bus_error *error) {
        int r;

        if (!ctl->bus) {
                r = sd_bus_open_system_with_description(&ctl->bus, "hotpatchctl");
                if (r < 0)
                        return sd_bus_error_setf(error, SD_BUS_ERROR_NO_SERVER,
                                "The system bus cannot be reached: %s", strerror(-r));
                r = sd_bus_set_allow_interactive_authorization(ctl->bus, ctl->ask_password);
                if (r < 0)
                        return r;
        }
        *ret = ctl->bus;
        return 0;
}
