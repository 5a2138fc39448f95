/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Whether this machine takes hotpatches, for the bus and for plans. */

#include <systemd/sd-bus.h>

#include "daemon/manager.h"

int eligibility_table(Manager *m, const Config *c, EligibilityTable *ret) _must_check_ _nonnull_(1, 2, 3);
int eligibility_bus_check(sd_bus_message *call, void *userdata, sd_bus_error *error);
int eligibility_bus_get(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *reply, void *userdata, sd_bus_error *error);
