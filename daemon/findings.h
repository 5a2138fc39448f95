/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What this daemon has found that is not as it should be: kept for the bus, told to the journal once
 * for each start of the machine and again when it changes.
 */

#include <systemd/sd-bus.h>

#include "daemon/finding.h"

typedef struct Manager Manager;
typedef struct Findings Findings;

int findings_new(Manager *m, Findings **ret) _must_check_ _nonnull_(1, 2);
Findings *findings_free(Findings *f);

void findings_start(Findings *f) _nonnull_(1);
void findings_stop(Findings *f) _nonnull_(1);
void findings_look(Findings *f) _nonnull_(1);
void findings_look_again(Findings *f) _nonnull_(1);
void findings_look_later(Findings *f) _nonnull_(1);
int findings_collect(const Findings *f, const FindingSet *deep, FindingSet *ret) _must_check_ _nonnull_(1, 2, 3);
const FindingSet *findings_get(const Findings *f) _nonnull_(1);

/* bus-finding.c */
int bus_findings_get(sd_bus *bus, const char *path, const char *interface, const char *property,
                sd_bus_message *reply, void *userdata, sd_bus_error *error);
void bus_findings_changed(Manager *m);
