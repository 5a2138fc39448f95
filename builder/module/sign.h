/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The signature that a kernel wants which takes signed modules only. */

#include <systemd/sd-bus.h>

#include "builder/module/headers.h"

int module_sign(const char *path, const KernelHeaders *h, const char *key, const char *certificate,
                sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3, 4);
