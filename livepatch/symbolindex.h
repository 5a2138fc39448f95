/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All functions of the running kernel by name, kept for the rest of the boot. Made for
 * symbols.c; whoever has a question about vmlinux alone may load it. */

#include "livepatch/kernel.h"

typedef struct SymbolIndex SymbolIndex;

/** struct SymbolAnswer - what the kernel's lists say about a name in an object */
typedef struct SymbolAnswer {
        unsigned matches; /* symbols of any type; 0 unless one of them is a function */
        bool traceable;
} SymbolAnswer;

int symbol_index_load(const Kernel *k, SymbolIndex **ret) _must_check_ _nonnull_(1, 2);
int symbol_index_build(const Kernel *k, int tracefs_fd, SymbolIndex **ret) _must_check_
                _nonnull_(1, 3);
int symbol_index_save(const Kernel *k, const SymbolIndex *i) _must_check_ _nonnull_(1, 2);
SymbolIndex *symbol_index_free(SymbolIndex *i);
DEFINE_TRIVIAL_CLEANUP(SymbolIndex *, symbol_index_free);
#define _cleanup_symbol_index_free_ _cleanup_(symbol_index_freep)

bool symbol_index_covers(const SymbolIndex *i, const Kernel *k, const char *object)
                _nonnull_(1, 2, 3);
SymbolAnswer symbol_index_find(const SymbolIndex *i, const char *object, const char *name)
                _nonnull_(1, 2, 3);
