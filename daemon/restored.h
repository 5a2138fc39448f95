/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * /run/hotpatch/restored: what hotpatch-restore made of each wanted patch in this boot. It is for
 * showing; what is in force is what the kernel says.
 */

#include "util/base.h"

/** struct Restored - id, result and reason at the same place; results are words of the D-Bus contract */
typedef struct Restored {
        char **ids;
        char **results;
        char **reasons; /* sentences; empty when there is nothing to say */
} Restored;

void restored_done(Restored *r);
int restored_add(Restored *r, const char *id, const char *result, const char *reason) _must_check_
        _nonnull_(1, 2, 3);
int restored_write(int root_fd, const Restored *r) _must_check_ _nonnull_(2);
int restored_read(int root_fd, Restored *ret) _must_check_ _nonnull_(2);
const char *restored_find(const Restored *r, const char *id) _nonnull_(1, 2);
int restored_replace(int root_fd, const char *id, const char *result, const char *reason) _must_check_ _nonnull_(2, 3, 4);
