/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The file `ready` in a folder of the cache: what is in the folder, written when all of it is. */

#include <systemd/sd-bus.h>

#include "builder/source/tree.h"

int ready_read(const char *entry, const char *release, const char *stamp, Tree **ret)
        _must_check_ _nonnull_(1, 2, 4);
int ready_write(const char *entry, Tree *t, const char *stamp, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
