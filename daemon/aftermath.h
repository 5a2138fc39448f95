/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a boot that has ended left in the state directory, settled at the beginning of the next one. */

#include "daemon/store.h"

int aftermath_settle(const Store *s, int root_fd, sd_id128_t boot_id, uint64_t now_usec) _must_check_ _nonnull_(1);
char *aftermath_restore_transaction(sd_id128_t boot_id, uint64_t order) _must_check_;
