/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Unpacking kernel images and module files, as kernels and distributions pack them. */

#include "util/base.h"

bool unpack_is_packed(const void *data, size_t size) _nonnull_(1);
int unpack(const void *data, size_t size, size_t max, void **ret, size_t *ret_size) _must_check_ _nonnull_(1, 4, 5);
