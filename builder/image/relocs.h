/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which fields of a kernel change when it runs at another address than it was linked at. */

#include "util/base.h"

int kernel_relocs_read(const uint8_t *data, size_t size, uint64_t **ret, size_t *ret_n) _must_check_
                _nonnull_(1, 3, 4);
