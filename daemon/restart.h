/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The restart of the machine through logind: planned, put off, taken back; never over somebody else's. */

#include <systemd/sd-bus.h>

#include "daemon/finding.h"
#include "daemon/request.h"

typedef struct Restart Restart;
typedef struct Manager Manager;

int restart_new(Manager *m, Restart **ret) _must_check_ _nonnull_(1, 2);
Restart *restart_free(Restart *r);
DEFINE_TRIVIAL_CLEANUP(Restart *, restart_free);

void restart_look(Restart *r) _nonnull_(1);
bool restart_pending(const Restart *r);
const char *restart_text(const Restart *r) _nonnull_(1);
int restart_add_findings(const Restart *r, FindingSet *ret) _must_check_ _nonnull_(2);
int restart_request(Restart *r, Request **request, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
