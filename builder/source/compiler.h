/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Is the compiler here the one that the kernel was built with? */

#include <systemd/sd-bus.h>

#include "util/base.h"

int config_value(const char *config, const char *name, char **ret) _must_check_ _nonnull_(1, 2, 3);
int compiler_check(const char *config, char **ret_compiler, char **ret_version, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 3);
