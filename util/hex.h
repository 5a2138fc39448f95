/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Lower-case hexadecimal, the form of digests and build-ids in every file and answer of ours. */

#include "util/base.h"

char *hex_encode(const void *data, size_t size) _must_check_;
int hex_decode(const char *hex, void *buf, size_t size) _must_check_ _nonnull_(1, 2);
