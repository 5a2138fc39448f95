/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the daemon finds when it starts, told to the journal. */

#include "daemon/manager.h"

void findings_record(Manager *m) _nonnull_(1);
