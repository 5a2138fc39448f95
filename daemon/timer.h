/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Event sources that wake up once, and can be asked to do so again. */

#include <systemd/sd-event.h>

#include "util/base.h"

int timer_arm(sd_event *event, sd_event_source **source, uint64_t usec, uint64_t accuracy_usec,
                sd_event_time_handler_t handler, void *userdata) _must_check_ _nonnull_(1, 2, 5);
int timer_again(sd_event_source *source, uint64_t usec) _must_check_ _nonnull_(1);
