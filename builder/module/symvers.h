/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Module.symvers: what a kernel and its modules export. */

#include <systemd/sd-bus.h>

#include "util/base.h"

typedef struct Symvers Symvers;

int symvers_load(const char *path, Symvers **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
Symvers *symvers_free(Symvers *s);
DEFINE_TRIVIAL_CLEANUP(Symvers *, symvers_free);
#define _cleanup_symvers_free_ _cleanup_(symvers_freep)

const char *symvers_find(const Symvers *s, const char *symbol) _nonnull_(1, 2);
const char *symvers_namespace(const Symvers *s, const char *symbol) _nonnull_(1, 2);
