/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A relocatable ELF file, checked: whoever reads an ElfImage can follow every index in it. */

#include <systemd/sd-bus.h>

#include "util/base.h"

/**
 * struct ElfSection - one section
 * @name: NUL terminated, in the image
 * @data: @size bytes, in the image; NULL when the file has none for it (SHT_NOBITS)
 */
typedef struct ElfSection {
        const char *name;
        uint32_t type;
        uint64_t flags;
        const uint8_t *data;
        uint64_t size;
} ElfSection;

/**
 * struct ElfSymbol - one entry of .symtab
 * @section: index into the image's sections, or an SHN_ value of 0xff00 and above, or SHN_UNDEF
 * @value: offset in @section
 * @type: STT_
 * @bind: STB_
 */
typedef struct ElfSymbol {
        const char *name;
        uint64_t value;
        uint64_t size;
        uint32_t section;
        uint8_t type;
        uint8_t bind;
} ElfSymbol;

/**
 * struct ElfRelocation - one relocation of an allocated section that is in force when the file
 * loads
 * @section: what is relocated, an index
 * @offset: in @section
 * @symbol: index into the image's symbols
 * @pointer: a plain 64-bit address
 */
typedef struct ElfRelocation {
        uint64_t offset;
        int64_t addend;
        uint32_t section;
        uint32_t symbol;
        bool pointer;
} ElfRelocation;

/**
 * struct ElfImage - sections[0] and symbols[0] are the empty ones of the format
 * @size: of the ELF part of @data
 * @signature: the message that is appended behind it, @signature_size bytes in @data, followed by struct
 *   module_signature; NULL: none
 */
typedef struct ElfImage {
        uint8_t *data;
        size_t size;
        const uint8_t *signature;
        size_t signature_size;
        bool big_endian;
        const char *arch; /* as uname -m */
        ElfSection *sections;
        size_t n_sections;
        ElfSymbol *symbols;
        size_t n_symbols;
        ElfRelocation *relocations; /* by section, then offset */
        size_t n_relocations;
} ElfImage;

int elf_image_read(int fd, ElfImage **ret, sd_bus_error *error) _must_check_ _nonnull_(2);
ElfImage *elf_image_free(ElfImage *i);
DEFINE_TRIVIAL_CLEANUP(ElfImage *, elf_image_free);
#define _cleanup_elf_image_free_ _cleanup_(elf_image_freep)

int elf_image_find(const ElfImage *i, const char *name, const ElfSection **ret) _must_check_
                _nonnull_(1, 2, 3);
const ElfRelocation *elf_image_relocation(const ElfImage *i, uint32_t section, uint64_t offset)
                _nonnull_(1);
