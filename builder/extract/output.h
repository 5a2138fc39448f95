/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* An object under construction, and its file. */

#include <systemd/sd-bus.h>

#include "util/base.h"

/* Adding to a pointer array of ours. */
#define APPEND(array, n, ...)                                                         \
        ({                                                                            \
                void *_grown = reallocarray((array), (n) + 1, sizeof(*(array)));        \
                if (_grown) {                                                         \
                        (array) = _grown;                                             \
                        (array)[(n)++] = (__VA_ARGS__);                               \
                }                                                                     \
                _grown ? 0 : -ENOMEM;                                                 \
        })

/**
 * struct OutputRelocation - one field; exactly one of @section and @symbol is set
 * @section: the target is counted from the begin of that section
 * @symbol: index of a symbol of the output, counted from 1
 */
typedef struct OutputRelocation {
        uint64_t offset;
        int64_t addend;
        uint32_t type;
        size_t section;
        size_t symbol;
} OutputRelocation;

/**
 * struct OutputSection - one section; its relocations become a section of their own
 * @name: not owned
 * @link: with SHF_LINK_ORDER, index of the section it follows
 * @data: owned; NULL for SHT_NOBITS
 */
typedef struct OutputSection {
        const char *name;
        uint32_t type;
        uint64_t flags;
        uint64_t alignment;
        size_t link;
        uint8_t *data;
        uint64_t size;
        OutputRelocation *relocations;
        size_t n_relocations;
} OutputSection;

/**
 * struct OutputSymbol - one symbol besides those of the sections
 * @name: owned
 * @section: 0: undefined
 */
typedef struct OutputSymbol {
        char *name;
        size_t section;
        uint64_t value;
        uint64_t size;
        uint8_t type;
        uint8_t bind;
} OutputSymbol;

/** struct Output - sections[0] and symbols[0] are not used */
typedef struct Output {
        OutputSection *sections;
        size_t n_sections;
        OutputSymbol *symbols;
        size_t n_symbols;
} Output;

int output_section(Output *o, const char *name, uint32_t type, uint64_t flags, size_t *ret) _must_check_
                _nonnull_(1, 2, 5);
int output_reserve(Output *o, size_t section, uint64_t size, uint64_t alignment, uint64_t *ret) _must_check_
                _nonnull_(1, 5);
int output_relocate(Output *o, size_t section, const OutputRelocation *relocation) _must_check_ _nonnull_(1, 3);
int output_symbol(Output *o, const OutputSymbol *symbol, size_t *ret) _must_check_ _nonnull_(1, 2);
int output_write(const Output *o, const char *path, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
void output_done(Output *o);
