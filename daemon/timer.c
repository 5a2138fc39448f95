/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A wake-up in a while, by CLOCK_MONOTONIC.
 *
 * A time source of sd-event fires once and is off then. It is kept and turned on again, and not made anew: so its handler
 * may ask for the next time without freeing the source that it runs from.
 *
 * What must not sleep through a suspend (the end of a trial) or follows the wall clock (a restart) has sources of its own.
 */

#include "daemon/timer.h"

/** timer_again() - wake up once more, @usec from now, for example from its handler. Return: 0 or a negative errno. */
int timer_again(sd_event_source *source, uint64_t usec) {
        int r = sd_event_source_set_time_relative(source, usec);

        return r < 0 ? r : sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/**
 * timer_arm() - wake up @usec from now, and not when it was asked for before
 * @source: NULL: made; to be unreferenced
 * @accuracy_usec: so much later will do, for one that is made; 0: sd_event_add_time(3) has the default
 * @handler, @userdata: of one that is made
 *
 * Return: 0 or a negative errno.
 */
int timer_arm(sd_event *event, sd_event_source **source, uint64_t usec, uint64_t accuracy_usec,
                sd_event_time_handler_t handler, void *userdata) {
        if (*source)
                return timer_again(*source, usec);
        return sd_event_add_time_relative(event, source, CLOCK_MONOTONIC, usec, accuracy_usec, handler, userdata);
}
