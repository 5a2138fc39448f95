/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Names of vulnerabilities. */

#include "util/base.h"

bool cve_id_is_valid(const char *id) _nonnull_(1);
