/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the baseline share. */

#include <systemd/sd-event.h>

#include "daemon/baseline.h"

/**
 * struct Baseline
 * @timer, @wake_usec: when to look again
 * @boot_check: what is not in force after the restart, or NULL
 * @damaged: the file cannot be read; nothing is done or written before somebody looked at it
 * @looking: steps follow each other; a step that changes something does not begin anew
 */
struct Baseline {
        Manager *manager;
        BaselineState state;
        sd_event_source *timer;
        uint64_t wake_usec;
        char *boot_check;
        bool damaged;
        bool looking;
};

int baseline_commit(Baseline *b, BaselineState *next, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
