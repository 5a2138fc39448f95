/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * /run/hotpatch/load/JOB: where a job's modules lie, verified, on their way into the kernel; and
 * /run/hotpatch/last-job: the number of the last job since the machine booted.
 */

#include "util/base.h"

int loaddir_make(int root_fd, const char *name, int *ret_fd) _must_check_ _nonnull_(2, 3);
void loaddir_remove(int root_fd, const char *name) _nonnull_(2);
void loaddir_clear(int root_fd);
char *loaddir_module_path(const char *root, const char *name, const char *module)
        _must_check_ _nonnull_(1, 2, 3);
uint32_t loaddir_next_number(int root_fd, uint32_t last);
