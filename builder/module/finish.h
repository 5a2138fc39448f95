/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What comes after Kbuild: klp relocations, and reading the result back. */

#include <systemd/sd-bus.h>

#include "builder/module/headers.h"
#include "bundle/patchfile.h"

int module_finish(const char *path, const PatchFile *p, const KernelHeaders *h, char ***ret_symbols,
                sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3);
