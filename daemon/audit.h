/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The audit: the method Audit(), and the same look in the background. */

#include <systemd/sd-bus.h>

#include "daemon/finding.h"
#include "daemon/request.h"

typedef struct Manager Manager;
typedef struct Audit Audit;

int audit_new(Manager *m, Audit **ret) _must_check_ _nonnull_(1, 2);
Audit *audit_free(Audit *a);

int audit_start(Audit *a, Request **request, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
void audit_later(Audit *a) _nonnull_(1);
bool audit_pending(const Audit *a) _nonnull_(1);
int audit_bus_get(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *reply, void *userdata, sd_bus_error *error);
const FindingSet *audit_findings(const Audit *a) _nonnull_(1);
