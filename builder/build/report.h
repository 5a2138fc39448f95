/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What hotpatch-build says: to people on standard output, to programs as one JSON object. */

#include "builder/build/build.h"

typedef enum BuildResult {
        BUILD_EXPLAINED, /* examined, nothing was written */
        BUILD_BUILT,
        BUILD_REFUSED,
        BUILD_FAILED,
} BuildResult;

void report_explain(const Build *b) _nonnull_(1);
void report_findings(const Build *b, bool refusals) _nonnull_(1);
int report_json(const Build *b, BuildResult result, const sd_bus_error *error, int code) _must_check_ _nonnull_(1);
