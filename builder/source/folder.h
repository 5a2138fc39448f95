/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Small things done to files of the work folder. */

#include "util/base.h"

int folder_write(const char *path, const void *data, size_t size) _must_check_ _nonnull_(1);
int folder_make_parents(const char *path, size_t root) _must_check_ _nonnull_(1);
