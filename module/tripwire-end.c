// SPDX-License-Identifier: GPL-2.0-only
/*
 * The end of the tripwire section: the last object of the module, see
 * tripwire.c.
 */

#include "runtime.h"

struct hotpatch_tripwire_site *const hotpatch_tripwires_end[0] __used
	__section(".hotpatch.tripwires") = {};
