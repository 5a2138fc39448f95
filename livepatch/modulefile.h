/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Module files below /lib/modules, packed or not: which one counts for a name, and its build-id. */

#include "util/base.h"

bool module_file_is(const char *path, size_t n, const char *module) _nonnull_(1, 3);
int module_file_find(const char *folder, const char *module, char **ret) _must_check_ _nonnull_(1, 2, 3);
int module_file_build_id(const char *path, char **ret) _must_check_ _nonnull_(1, 2);
