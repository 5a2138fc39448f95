/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One program of several on the way to a tree; its failure becomes one sentence. */

#include <systemd/sd-bus.h>

#include "util/base.h"

/**
 * struct Step
 * @arguments: NULL-terminated, the first is the program
 * @folder: where it runs; NULL: here
 * @what: begins the sentence, "Cannot unpack 'x.deb'"
 * @error_name: of the refusal
 * @verbose: show what the program says
 * @tail: show its last lines when it fails
 */
typedef struct Step {
        char *const *arguments;
        const char *folder;
        const char *what;
        const char *error_name;
        bool verbose;
        bool tail;
} Step;

int step_run(const Step *s, sd_bus_error *error) _must_check_ _nonnull_(1);
