/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A private folder that goes when its owner goes. */

#include "util/base.h"

int workdir_make(const char *prefix, char **ret) _must_check_ _nonnull_(1, 2);
char *workdir_remove(char *path);
DEFINE_TRIVIAL_CLEANUP(char *, workdir_remove);
#define _cleanup_workdir_ _cleanup_(workdir_removep)
