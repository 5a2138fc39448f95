/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The kernel's long lists, line by line, without an allocation for each. */

#include "util/base.h"

/** struct Word - a word of a line, not NUL terminated */
typedef struct Word {
        const char *s;
        size_t l;
} Word;

typedef void (*line_handler)(void *userdata, const char *line);

int lines_scan(int dir_fd, const char *path, line_handler handler, void *userdata) _must_check_
                _nonnull_(2, 3);
bool word_is(Word w, const char *s) _nonnull_(2);
Word word_next(const char **p) _nonnull_(1);
Word word_object(Word w);
