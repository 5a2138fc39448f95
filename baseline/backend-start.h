/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The process of a backend. */

#include <sys/types.h>

#include "baseline/run.h"

int backend_start(const char *path, const RunRequest *request, pid_t *ret_pid, int *ret_output_fd)
        _must_check_ _nonnull_(1, 2, 3, 4);
