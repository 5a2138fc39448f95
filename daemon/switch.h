/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The switches that turn hotpatching off on a machine. */

#include "livepatch/kernel.h"

const char *switch_off_reason(const Kernel *k) _nonnull_(1);
