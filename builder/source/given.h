/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Source that the user gives: a folder, of which only a copy is worked on. */

#include <systemd/sd-bus.h>

#include "bundle/digest.h"
#include "util/base.h"

int given_digest(const char *folder, Digest *d, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
int given_copy(const char *folder, const char *to, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
int given_version(const char *folder, char **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
