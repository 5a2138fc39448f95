/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The author's own files beside a fix: what they define, and which of it are callbacks. */

#include <systemd/sd-bus.h>

#include "builder/module/kbuild.h"
#include "bundle/patchfile.h"

/**
 * struct With - all owned
 * @provided: names of the global functions and data that the files define, NULL-terminated
 */
typedef struct With {
        char **provided;
} With;

int with_examine(const Kbuild *b, With *ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
int with_callbacks(const With *w, PatchFile *p) _must_check_ _nonnull_(1, 2);
void with_done(With *w);
