/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Properties of an object on the bus, as fields of a structure. */

#include <systemd/sd-bus.h>

#include "util/base.h"

/** struct Property - one of them, and the field that it goes into */
typedef struct Property {
        const char *name;
        char type; /* s, b, u, t, d, A for as, F for findings, B for blockers, R for reasons, L for rollbacks, W for a schedule */
        size_t offset;
} Property;

int properties_read(sd_bus_message *m, const Property *table, size_t n, void *object) _must_check_ _nonnull_(1, 2, 4);
void properties_done(const Property *table, size_t n, void *object) _nonnull_(1, 3);
