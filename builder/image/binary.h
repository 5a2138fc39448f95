/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The sections of a 64-bit x86 ELF file in memory, linked or not, checked: who has a Binary can follow
 * every index and read every byte of it. */

#include <systemd/sd-bus.h>

#include "util/base.h"

/** struct BinarySection - @data: @size bytes in the file; NULL: it has none (SHT_NOBITS) */
typedef struct BinarySection {
        const char *name;
        const uint8_t *data;
        uint64_t address;
        uint64_t size;
        uint64_t flags;
        uint64_t alignment;
        uint64_t entry_size;
        uint32_t type;
        uint32_t link;
        uint32_t info;
} BinarySection;

/** struct Binary - @type: ET_; @end: where headers and sections end in the file; sections[0] is empty */
typedef struct Binary {
        uint16_t type;
        size_t end;
        BinarySection *sections;
        size_t n_sections;
} Binary;

int binary_read(const uint8_t *data, size_t size, Binary *ret, sd_bus_error *error) _must_check_
                _nonnull_(1, 3);
void binary_done(Binary *b);
#define _cleanup_binary_done_ _cleanup_(binary_done)
