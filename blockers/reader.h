/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* hotpatch-blockers: what only CAP_SYS_ADMIN may see of the tasks that block a transition. */

#include "livepatch/kernel.h"

/* Where the answer lies, in the runtime directory of hotpatchd. */
#define BLOCKERS_RESULT "blockers.json"
/* As long as this file is there, dynamic debug may be on because of us. */
#define BLOCKERS_DEBUG_MARK "blockers.debug"

int reader_run(const Kernel *k, int run_fd, uint64_t listen_usec) _must_check_ _nonnull_(1);
int reader_debug_off(const Kernel *k, int run_fd) _must_check_ _nonnull_(1);
