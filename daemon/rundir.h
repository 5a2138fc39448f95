/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* /run/hotpatch: what counts for this boot only. */

#include "util/base.h"

int rundir_open(int root_fd) _must_check_;
