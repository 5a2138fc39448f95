/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/base.h"

/* What libFuzzer, or replay.c, calls with one input. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
