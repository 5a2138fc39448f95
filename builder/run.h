/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Running the programs that the builder leaves work to: apt, dpkg-deb, tar, patch, make, pahole. */

#include "util/base.h"

/**
 * struct Run - one program
 * @arguments: NULL-terminated, the first is the program
 * @folder: where it runs; NULL: here
 * @line: called with each line of its output, standard error included, without the newline; NULL: shown on
 *   standard error
 */
typedef struct Run {
        char *const *arguments;
        const char *folder;
        void (*line)(const char *line, void *userdata);
        void *userdata;
} Run;

/** run_program() - with a clean environment (PATH, HOME, TMPDIR, proxies, LC_ALL=C); returns its exit status, or
 *  a negative errno, -EINTR when a signal ended it */
int run_program(const Run *run) _must_check_ _nonnull_(1);
