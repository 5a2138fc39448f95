/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What speaks against bundles, as the bus shows it, and the one way to take it back. */

#include "daemon/finding.h"
#include "daemon/patch.h"
#include "daemon/request.h"
#include "daemon/store.h"

int quarantine_mark(const Store *s, PatchSet *set) _must_check_ _nonnull_(1, 2);
int quarantine_look(const Store *s, const PatchSet *set, FindingSet *found) _must_check_ _nonnull_(1, 2, 3);
int quarantine_release(Manager *m, const Request *request, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
