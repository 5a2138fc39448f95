/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* PlanBaseline, InstallBaseline and DescribeBaseline: what a person asks of the package manager. */

#include <systemd/sd-bus.h>

#include "baseline/run.h"
#include "baseline/state.h"
#include "daemon/prepare.h"
#include "daemon/request.h"

typedef struct BaselineCall BaselineCall;

int baseline_call_start(Manager *m, Request **request, Preparation **preparation, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2);
int baseline_call_automatic(Manager *m, RunVerb verb, sd_id128_t id, sd_bus_error *error) _must_check_ _nonnull_(1);
bool baseline_call_pending(const Manager *m) _nonnull_(1);
BaselineCall *baseline_call_free(BaselineCall *c);
int baseline_call_describe(sd_bus_message *call, void *userdata, sd_bus_error *error);
