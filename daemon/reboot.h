/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Why this machine has to be restarted. */

#include "util/base.h"

typedef struct Manager Manager;

/** RebootReason - one reason; a negative return ends the walk */
typedef int (*RebootReason)(void *userdata, const char *id, const char *sentence);

void reboot_look(Manager *m) _nonnull_(1);
int reboot_reasons(const Manager *m, RebootReason reason, void *userdata) _must_check_ _nonnull_(1, 2);
