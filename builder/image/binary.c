/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * ELF, as much of it as kernels and modules need (elf(5)).
 *
 * Nothing is copied: a kernel has 50 MiB, and is there already. Checked is what can lead out of the
 * file, so each section lies in it and each name ends in its table; whether sections make sense
 * together is for who reads them. The machine is x86-64 and so is who builds for it, but numbers may
 * stand at any address.
 */

#include <elf.h>

#include "builder/image/binary.h"
#include "builder/image/bytes.h"
#include "dbus/errors.h"
#include "util/limits.h"

#define INVALID(error, ...) sd_bus_error_setf((error), HOTPATCH_ERROR("KernelImageInvalid"), __VA_ARGS__)

/** binary_done() - free the list of sections */
void binary_done(Binary *b) {
        free(b->sections);
        *b = (Binary) { 0 };
}

static int header_read(const uint8_t *data, size_t size, Elf64_Ehdr *ret, sd_bus_error *error) {
        Elf64_Ehdr h;

        if (size < sizeof(h) || memcmp(data, ELFMAG, SELFMAG) != 0)
                return INVALID(error, "It is not an ELF file");
        memcpy(&h, data, sizeof(h));
        if (h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB || h.e_machine != EM_X86_64)
                return INVALID(error, "It is not for x86-64");
        if (h.e_shentsize != sizeof(Elf64_Shdr) || h.e_shnum < 2 || h.e_shnum > HOTPATCH_ELF_SECTIONS_MAX ||
            h.e_shstrndx >= h.e_shnum)
                return INVALID(error, "Its section header table has an odd shape");
        if (h.e_shoff > size || (uint64_t) h.e_shnum * sizeof(Elf64_Shdr) > size - h.e_shoff)
                return INVALID(error, "Its section header table is not in the file");
        *ret = h;
        return 0;
}

static int section_read(const uint8_t *data, size_t size, const Elf64_Shdr *h, BinarySection *ret, size_t *end) {
        *ret = (BinarySection) {
                .name = "",
                .address = h->sh_addr,
                .size = h->sh_size,
                .flags = h->sh_flags,
                .alignment = h->sh_addralign ?: 1,
                .entry_size = h->sh_entsize,
                .type = h->sh_type,
                .link = h->sh_link,
                .info = h->sh_info,
        };
        if ((ret->alignment & (ret->alignment - 1)) != 0 || h->sh_addr + h->sh_size < h->sh_addr)
                return -EBADMSG;
        if (h->sh_type == SHT_NULL || h->sh_type == SHT_NOBITS)
                return 0;
        if (h->sh_offset > size || h->sh_size > size - h->sh_offset)
                return -EBADMSG;
        ret->data = data + h->sh_offset;
        if (*end < h->sh_offset + h->sh_size)
                *end = h->sh_offset + h->sh_size;
        return 0;
}

static int names_read(const uint8_t *table, const Elf64_Ehdr *h, Binary *b) {
        const BinarySection *strings = &b->sections[h->e_shstrndx];

        for (size_t i = 1; i < b->n_sections; i++) {
                Elf64_Shdr s;

                memcpy(&s, table + i * sizeof(s), sizeof(s));
                if (!strings->data || s.sh_name >= strings->size ||
                    !memchr(strings->data + s.sh_name, 0, strings->size - s.sh_name))
                        return -EBADMSG;
                b->sections[i].name = (const char *) strings->data + s.sh_name;
        }
        return 0;
}

/**
 * binary_read() - check an ELF file and list its sections
 * @data: stays the caller's and must stay while @ret is used
 * @ret: to be given to binary_done()
 * @error: KernelImageInvalid, "It …"
 *
 * Return: 0 or a negative errno.
 */
int binary_read(const uint8_t *data, size_t size, Binary *ret, sd_bus_error *error) {
        _cleanup_binary_done_ Binary b = { 0 };
        Elf64_Ehdr h = { 0 };
        int r = header_read(data, size, &h, error);

        if (r < 0)
                return r;
        b.type = h.e_type;
        b.n_sections = h.e_shnum;
        b.end = h.e_shoff + h.e_shnum * sizeof(Elf64_Shdr);
        b.sections = calloc(b.n_sections, sizeof(*b.sections));
        if (!b.sections)
                return -ENOMEM;
        for (size_t i = 0; i < b.n_sections; i++) {
                Elf64_Shdr s;

                memcpy(&s, data + h.e_shoff + i * sizeof(s), sizeof(s));
                if (section_read(data, size, &s, &b.sections[i], &b.end) < 0)
                        return INVALID(error, "Its section %zu is not in the file", i);
        }
        if (names_read(data + h.e_shoff, &h, &b) < 0)
                return INVALID(error, "A section of it has no name");
        *ret = b;
        b = (Binary) { 0 };
        return 0;
}
