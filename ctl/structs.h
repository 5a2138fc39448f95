/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Properties that are arrays of structures. */

#include <systemd/sd-bus.h>

#include "util/base.h"

/**
 * typedef StructRead - read the structure at the current position of a message
 * @list: what it is added to
 *
 * Return: 1, 0 when there is no more, or a negative errno.
 */
typedef int (*StructRead)(sd_bus_message *m, void *list);

int structs_read(sd_bus_message *m, const char *element, StructRead read_one, void *list)
        _must_check_ _nonnull_(1, 2, 3, 4);
void *structs_grow(void *items, size_t *n, size_t size);
