/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Several answers of one worker, one behind the other: a line "NAME SIZE", then so many bytes. */

#include "util/base.h"

int section_open(void) _must_check_;
int section_write(int output_fd, const char *name, int content_fd) _must_check_ _nonnull_(2);
int section_read(const char **p, size_t *left, const char *name, const char **ret, size_t *ret_size)
        _must_check_ _nonnull_(1, 2, 3, 4, 5);
