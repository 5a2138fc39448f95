/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Who asks for the password when polkit wants one. */

#include "ctl/ctl.h"

void agent_open(Ctl *ctl) _nonnull_(1);
void agent_close(Ctl *ctl) _nonnull_(1);
