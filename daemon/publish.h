/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is in force, for scanners: /run/hotpatch/status.json and /run/hotpatch/fixed-cves, and the method GetStatus. */

#include <systemd/sd-bus.h>

#include "util/base.h"

typedef struct Manager Manager;
typedef struct Publisher Publisher;

int publisher_new(Manager *m, Publisher **ret) _must_check_ _nonnull_(1, 2);
Publisher *publisher_free(Publisher *p);

void publisher_look(Publisher *p, bool changed) _nonnull_(1);
void publisher_stop(Publisher *p) _nonnull_(1);

int publish_bus_get(sd_bus_message *call, void *userdata, sd_bus_error *error);
