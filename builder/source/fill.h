/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Filling a folder of the cache with a kernel's headers, image and prepared source. */

#include <systemd/sd-bus.h>

#include "builder/source/origin.h"
#include "builder/source/tree.h"

int entry_fill(const TreeOptions *o, const Origin *origin, const char *entry, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 3);
