/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The lines that a fix touches, as they are counted before it. */

#include "builder/source/fix.h"

/**
 * struct TouchedLine - one place
 * @file: index in Fix.files
 * @line: counted from 1
 * @inserted: something was put before it; else it was changed or removed
 */
typedef struct TouchedLine {
        size_t file;
        size_t line;
        bool inserted;
} TouchedLine;

int touched_lines(const Fix *fix, TouchedLine **ret, size_t *ret_n) _must_check_ _nonnull_(1, 2, 3);
