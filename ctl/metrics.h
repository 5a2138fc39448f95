/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a fleet watches, as OpenMetrics text or JSON. */

#include "ctl/json.h"
#include "ctl/snapshot.h"

/** struct MetricsInput - @snapshot, @status: NULL: hotpatchd does not answer; @status as GetStatus() has it */
typedef struct MetricsInput {
        const Snapshot *snapshot;
        const Value *status;
} MetricsInput;

int metrics_text(const MetricsInput *in, char **ret) _must_check_ _nonnull_(1, 2);
int metrics_value(const MetricsInput *in, Value **ret) _must_check_ _nonnull_(1, 2);
