/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Text of strangers, character by character. */

#include "util/base.h"

size_t utf8_decode(const char *s, uint32_t *ret) _nonnull_(1, 2);
bool utf8_acts(uint32_t c);
