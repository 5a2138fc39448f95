/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A copy of the prepared tree in which files can be changed and objects made, of symbolic links. */

#include "util/base.h"

typedef struct Shadow Shadow;

int shadow_new(const char *tree, const char *folder, Shadow **ret) _must_check_ _nonnull_(1, 2, 3);
Shadow *shadow_free(Shadow *s);
DEFINE_TRIVIAL_CLEANUP(Shadow *, shadow_free);
#define _cleanup_shadow_free_ _cleanup_(shadow_freep)

int shadow_open(Shadow *s, const char *folder) _must_check_ _nonnull_(1, 2);
int shadow_write(Shadow *s, const char *path, const void *data, size_t size) _must_check_ _nonnull_(1, 2);
int shadow_remove(Shadow *s, const char *path) _must_check_ _nonnull_(1, 2);
