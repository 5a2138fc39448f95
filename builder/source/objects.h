/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which objects of the running configuration a fix touches. */

#include <systemd/sd-bus.h>

#include "builder/findings.h"
#include "builder/source/compile.h"
#include "builder/source/fix.h"
#include "builder/source/tree.h"

int objects_find(const Tree *t, const Fix *fix, Compiled *c, Findings *findings, sd_bus_error *error)
                _must_check_ _nonnull_(1, 2, 3, 4);
