/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The policy of this machine: read, read again, and shown. */

#include <systemd/sd-bus.h>

#include "daemon/manager.h"

int policy_load(Manager *m) _must_check_ _nonnull_(1);
int policy_reload(Manager *m) _must_check_ _nonnull_(1);
int policy_bus_get(sd_bus_message *call, void *userdata, sd_bus_error *error);
