/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calls that read bundles but do not change the kernel: Stage, Plan, PlanBundle, VerifyBundle, and those about baseline bundles. */

#include <systemd/sd-bus.h>

#include "daemon/request.h"
#include "util/base.h"

typedef struct Manager Manager;
typedef struct Query Query;

int query_start(Manager *m, Request **request, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
Query *query_free(Query *q);
