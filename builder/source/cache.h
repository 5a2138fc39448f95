/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The cache folder: one folder for each kernel that was opened, and a lock file beside it. */

#include <systemd/sd-bus.h>

#include "util/base.h"

int cache_open(const char *given, char **ret, sd_bus_error *error) _must_check_ _nonnull_(2);
int cache_lock(const char *cache, const char *key, bool exclusive, bool quiet, int *ret_fd,
                sd_bus_error *error) _must_check_ _nonnull_(1, 2, 5);
int cache_newest(const char *cache, const char *release, char **ret_key) _must_check_ _nonnull_(1, 2, 3);
int cache_make(const char *folder, uint64_t space, sd_bus_error *error) _must_check_ _nonnull_(1);
void cache_remove(const char *folder) _nonnull_(1);
