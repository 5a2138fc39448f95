// SPDX-License-Identifier: GPL-2.0-only
/*
 * The begin of the tripwire section: the first object of the module, see
 * tripwire.c.
 */

#include "runtime.h"

struct hotpatch_tripwire_site *const hotpatch_tripwires_begin[0] __used
	__section(".hotpatch.tripwires") = {};
