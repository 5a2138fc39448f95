/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Loading and unloading modules; blocking calls, meant for a child process. */

#include <systemd/sd-bus.h>

#include "livepatch/kernel.h"

/** module_ops_kmod - the real system calls, by libkmod; what kernel_new() takes for "/" */
extern const ModuleOps module_ops_kmod;

int module_load(const Kernel *k, const char *path, sd_bus_error *error) _must_check_
                _nonnull_(1, 2);
int module_unload(const Kernel *k, const char *name, sd_bus_error *error) _must_check_
                _nonnull_(1, 2);
