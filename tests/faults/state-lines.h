/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A state directory as sorted lines, read by the daemon's own code; what replay-states compares. */

#include "daemon/store.h"

int state_lines(const Store *s, const char *root, bool verify, char ***ret) _must_check_ _nonnull_(1, 2);
int state_lines_of(char *const *lines, const char *kind, char ***ret) _must_check_ _nonnull_(2, 3);
bool state_lines_equal(char *const *a, char *const *b);
