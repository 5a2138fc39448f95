/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* From a linked module to a livepatch: unexported symbols become klp relocations. */

#include <systemd/sd-bus.h>

#include "builder/module/symvers.h"
#include "bundle/patchfile.h"

int postlink(int fd, const PatchFile *p, const Symvers *symvers, char ***ret_symbols,
                sd_bus_error *error) _must_check_ _nonnull_(2, 3);
int postlink_check(int fd, const PatchFile *p, const Symvers *symvers, sd_bus_error *error)
        _must_check_ _nonnull_(2, 3);
