/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Objects of the unchanged source, kept between runs. */

#include "builder/source/tree.h"

int object_cache_find(const Tree *t, const char *options, const char *target, char **ret) _must_check_
                _nonnull_(1, 2, 3, 4);
int object_cache_keep(const Tree *t, const char *options, const char *shadow, const char *target) _must_check_
                _nonnull_(1, 2, 3, 4);
