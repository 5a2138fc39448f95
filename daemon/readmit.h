/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which patches may come back by themselves. */

#include "daemon/manager.h"

typedef void (*ReadmitTold)(void *userdata, const char *id, const char *why);

int readmit_filter(const Manager *m, const Config *config, char *const *ids, ReadmitTold told, void *userdata,
                char ***ret) _must_check_ _nonnull_(1, 2, 4, 6);
