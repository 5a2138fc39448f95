/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A module while it is laid out. */

#include <elf.h>

#include "builder/image/binary.h"
#include "builder/image/image-internal.h"

/**
 * struct ModuleLayout - where everything of a module file is
 * @places: address of each section; 0: it is not in memory
 * @memory: bytes of each section there; NULL: none
 * @symbols: the symbol table of the file, @n_symbols entries at any alignment
 * @addresses: of each symbol
 */
typedef struct ModuleLayout {
        Image *image;
        const Binary *binary;
        const char *path;
        uint64_t *places;
        uint8_t **memory;
        const uint8_t *symbols;
        size_t n_symbols;
        const BinarySection *strings;
        uint64_t *addresses;
} ModuleLayout;

static inline Elf64_Sym module_symbol(const ModuleLayout *l, size_t n) {
        Elf64_Sym s;

        memcpy(&s, l->symbols + n * sizeof(s), sizeof(s));
        return s;
}

int module_place_symbols(ModuleLayout *l, sd_bus_error *error) _must_check_ _nonnull_(1);
int module_list_symbols(ModuleLayout *l, sd_bus_error *error) _must_check_ _nonnull_(1);
int module_relocate(ModuleLayout *l, sd_bus_error *error) _must_check_ _nonnull_(1);
