/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Data of a fix: what a patch module may have a copy of, and what only the running kernel has. */

#include "builder/compare/changes.h"

bool data_is_private(const Object *o, uint32_t symbol) _nonnull_(1);
bool data_may_be_copied(const Changes *c, uint32_t symbol) _nonnull_(1);
