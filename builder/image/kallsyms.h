/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The symbol table that a kernel carries for itself, out of its read-only data. */

#include "util/base.h"

/**
 * struct Kallsyms - all symbols in the kernel's own order, which is by address
 * @names: offset of each name in @pool
 * @types: letters as nm(1) has them
 */
typedef struct Kallsyms {
        size_t n;
        uint64_t *addresses;
        uint32_t *names;
        char *types;
        char *pool;
} Kallsyms;

int kallsyms_read(const uint8_t *data, size_t size, Kallsyms *ret) _must_check_ _nonnull_(1, 3);
void kallsyms_done(Kallsyms *k);
