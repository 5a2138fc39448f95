/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the probes. */

#include "eligibility/facts.h"

int probe_virtualization(int root_fd, char **ret, bool *ret_container) _must_check_ _nonnull_(2, 3);
