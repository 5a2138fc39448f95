/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Did the kernel that went down say why? */

#include "util/base.h"

bool dump_expected(int root_fd);
bool dump_found(int root_fd, uint64_t since_usec);
