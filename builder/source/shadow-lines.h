/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Line numbers that stay what they were before the fix. */

#include "util/base.h"

/** struct LineChange - @old_n lines from @old became @new_n from @new; all counted from 1 */
typedef struct LineChange {
        size_t old, old_n, new, new_n;
} LineChange;

int line_changes(const char *before, const char *after, LineChange **ret, size_t *ret_n) _must_check_
                _nonnull_(1, 2, 3, 4);
int lines_keep(const char *after, size_t size, const LineChange *changes, size_t n_changes, char **ret,
                size_t *ret_size) _must_check_ _nonnull_(1, 5, 6);
