/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Properties that have changed, as an event tells them. */

#include <systemd/sd-bus.h>

#include "ctl/json.h"

int property_changes_read(sd_bus_message *m, Value *object, char **line) _must_check_ _nonnull_(1, 2, 3);
