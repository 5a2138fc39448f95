/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Relocations of a module file, as arch/x86/kernel/module.c applies them: the same types and the same
 * checks, a field that is not zero before included.
 *
 * A distance within one section is the same wherever the module is; every other field is remembered as
 * one that differs in a running kernel.
 */

#include "builder/image/bytes.h"
#include "builder/image/module-internal.h"
#include "util/limits.h"

/** struct Kind - @size: of the field in bytes */
typedef struct Kind {
        uint32_t type;
        uint8_t size;
        bool relative;
        bool is_signed;
} Kind;

static const Kind kinds[] = {
        { R_X86_64_64, 8, false, true },
        { R_X86_64_32, 4, false, false },
        { R_X86_64_32S, 4, false, true },
        { R_X86_64_PC32, 4, true, true },
        { R_X86_64_PLT32, 4, true, true },
        { R_X86_64_PC64, 8, true, true },
};

static const Kind *kind_find(uint32_t type) {
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (kinds[i].type == type)
                        return &kinds[i];
        return NULL;
}

/* PC32 is not checked by the kernel; a distance that does not fit would be another place. */
static bool value_fits(const Kind *k, uint64_t value) {
        if (k->size == 8)
                return true;
        return k->is_signed ? (int64_t) value == (int32_t) value : value == (uint32_t) value;
}

static int field_relocate(ModuleLayout *l, size_t section, const Elf64_Rela *rela) {
        const BinarySection *s = &l->binary->sections[section];
        const Kind *k = kind_find(ELF64_R_TYPE(rela->r_info));
        size_t symbol = ELF64_R_SYM(rela->r_info);
        ImageAddresses *moving = &l->image->private->relocated;
        uint64_t address = l->places[section] + rela->r_offset, value;
        uint8_t *field;

        if (!k || symbol >= l->n_symbols || rela->r_offset > s->size || s->size - rela->r_offset < k->size)
                return -EBADMSG;
        field = l->memory[section] + rela->r_offset;
        if (memcmp(field, (uint8_t[8]) { 0 }, k->size) != 0)
                return -EBADMSG;
        value = l->addresses[symbol] + (uint64_t) rela->r_addend - (k->relative ? address : 0);
        if (!value_fits(k, value))
                return -EBADMSG;
        value = htole64(value);
        memcpy(field, &value, k->size);
        if (!k->relative || module_symbol(l, symbol).st_shndx != section)
                moving->items[moving->n++] = address;
        return 0;
}

static int section_relocate(ModuleLayout *l, const BinarySection *relocations) {
        for (size_t at = 0; at < relocations->size; at += sizeof(Elf64_Rela)) {
                Elf64_Rela rela;
                int r;

                memcpy(&rela, relocations->data + at, sizeof(rela));
                if (ELF64_R_TYPE(rela.r_info) == R_X86_64_NONE)
                        continue;
                r = field_relocate(l, relocations->info, &rela);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Is it a list of relocations that the kernel would apply? */
static bool section_counts(const ModuleLayout *l, const BinarySection *s) {
        return (s->type == SHT_RELA || s->type == SHT_REL) && s->info < l->binary->n_sections &&
                l->places[s->info] != 0 && s->size > 0;
}

static int relocations_count(const ModuleLayout *l, size_t *ret) {
        size_t total = 0;

        for (size_t n = 1; n < l->binary->n_sections; n++) {
                const BinarySection *s = &l->binary->sections[n];

                if (!section_counts(l, s))
                        continue;
                if (s->type == SHT_REL || s->size % sizeof(Elf64_Rela) != 0 || !l->memory[s->info])
                        return -EBADMSG;
                total += s->size / sizeof(Elf64_Rela);
                if (total > HOTPATCH_MODULE_RELOCATIONS_MAX)
                        return -EBADMSG;
        }
        *ret = total;
        return 0;
}

/** module_relocate() - apply all relocations of what is in memory */
int module_relocate(ModuleLayout *l, sd_bus_error *error) {
        ImageAddresses *moving = &l->image->private->relocated;
        size_t total = 0;
        int r = relocations_count(l, &total);

        if (r >= 0) {
                moving->items = calloc(total ?: 1, sizeof(*moving->items));
                if (!moving->items)
                        return -ENOMEM;
        }
        for (size_t n = 1; n < l->binary->n_sections && r >= 0; n++)
                if (section_counts(l, &l->binary->sections[n]))
                        r = section_relocate(l, &l->binary->sections[n]);
        if (r < 0)
                return IMAGE_INVALID(error, "The relocations of the module '%s' are damaged or of an unknown kind",
                                l->path);
        image_addresses_sort(moving);
        return 0;
}
