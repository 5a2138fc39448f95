/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From debug information to BTF. */

#include <systemd/sd-bus.h>

#include "builder/image/btf.h"

int pahole_read(const char *object, const char *work_dir, Types **ret, sd_bus_error *error) _must_check_
                _nonnull_(1, 2, 3);
