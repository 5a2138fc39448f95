/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Relocations that say what is meant.
 *
 * For a local symbol gas writes its section and an offset, and for a pc-relative field the distance is
 * counted from the field, though the processor counts from the end of the instruction; a `call foo` is
 * "foo - 4", and a `cmpl $0, counter(%rip)` is ".bss - 5" or -8. Here both are undone: the symbol is
 * the one that lies at the place, the delta is counted from the symbol.
 *
 * What a place past the end of everything belongs to cannot be known in general: `array + N` is the end of
 * the array and the beginning of what comes next. With -fdata-sections nothing comes next, so a
 * symbol that fills its section is taken for all that points near it.
 */

#include "builder/object/insn.h"
#include "builder/object/object-internal.h"
#include "util/limits.h"

/* System V ABI, AMD64 supplement, table 4.9. */
static const struct FieldRow {
        uint32_t type;
        uint8_t size;
        bool relative;
} fields[] = {
        { R_X86_64_64, 8, false },     { R_X86_64_32, 4, false },     { R_X86_64_32S, 4, false },
        { R_X86_64_16, 2, false },     { R_X86_64_8, 1, false },      { R_X86_64_PC64, 8, true },
        { R_X86_64_PC32, 4, true },    { R_X86_64_PLT32, 4, true },   { R_X86_64_PC16, 2, true },
        { R_X86_64_PC8, 1, true },     { R_X86_64_GOTPCREL, 4, true },
        { R_X86_64_GOTPCRELX, 4, true }, { R_X86_64_REX_GOTPCRELX, 4, true },
};

static const struct FieldRow *field_find(uint32_t type) {
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                if (fields[i].type == type)
                        return fields + i;
        return NULL;
}

static int compare_relocations(const void *a, const void *b) {
        const ObjectRelocation *x = a, *y = b;

        return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int read_one(ObjectReader *r, ObjectSection *s, const Elf64_Rela *rela) {
        ObjectRelocation *to = s->relocations + s->n_relocations;
        const struct FieldRow *field = field_find(ELF64_R_TYPE(rela->r_info));

        if (ELF64_R_TYPE(rela->r_info) == R_X86_64_NONE)
                return 0;
        if (!field)
                return OBJECT_INVALID(r->error, "Section '%s' of '%s' has a relocation of type %u", s->name,
                        r->path, (unsigned) ELF64_R_TYPE(rela->r_info));
        if (ELF64_R_SYM(rela->r_info) == 0 || ELF64_R_SYM(rela->r_info) >= r->object->n_symbols)
                return OBJECT_INVALID(r->error, "Section '%s' of '%s' has a relocation without a symbol",
                        s->name, r->path);
        if (rela->r_offset > s->size || field->size > s->size - rela->r_offset)
                return OBJECT_INVALID(r->error, "Section '%s' of '%s' has a relocation past its end", s->name,
                        r->path);
        *to = (ObjectRelocation) {
                .offset = rela->r_offset,
                .delta = rela->r_addend,
                .addend = rela->r_addend,
                .type = (uint32_t) ELF64_R_TYPE(rela->r_info),
                .symbol = (uint32_t) ELF64_R_SYM(rela->r_info),
                .written = (uint32_t) ELF64_R_SYM(rela->r_info),
        };
        s->n_relocations++;
        return 0;
}

static int read_table(ObjectReader *r, const ObjectSection *table, ObjectSection *s) {
        size_t n = table->size / sizeof(Elf64_Rela);
        bool sorted = true;
        int ret;

        if (table->type != SHT_RELA || table->entry_size != sizeof(Elf64_Rela) ||
                        table->size % sizeof(Elf64_Rela) != 0 || table->link != r->symtab || !s->data ||
                        s->relocations)
                return OBJECT_INVALID(r->error, "Section '%s' of '%s' has an odd shape", table->name,
                        r->path);
        if (n > HOTPATCH_ELF_RELOCATIONS_MAX - r->n_relocations)
                return OBJECT_INVALID(r->error, "'%s' has more than %u relocations", r->path,
                        HOTPATCH_ELF_RELOCATIONS_MAX);
        r->n_relocations += n;
        s->relocations = calloc(n ?: 1, sizeof(*s->relocations));
        if (!s->relocations)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                Elf64_Rela rela;

                memcpy(&rela, table->data + i * sizeof(rela), sizeof(rela));
                ret = read_one(r, s, &rela);
                if (ret < 0)
                        return ret;
                if (s->n_relocations > 1 && s->relocations[s->n_relocations - 2].offset > rela.r_offset)
                        sorted = false;
        }
        if (!sorted)
                qsort(s->relocations, s->n_relocations, sizeof(*s->relocations), compare_relocations);
        return 0;
}

/* Count pc-relative fields of code from the end of their instruction. */
static void count_from_instruction(ObjectSection *s) {
        size_t next = 0;

        for (uint64_t at = 0; at < s->size && next < s->n_relocations;) {
                Insn insn;
                uint64_t end;

                /* Data between code, or bytes that no processor knows: nobody will be able to compare
                 * them by instruction; go on at the next byte. */
                end = insn_decode(s->data + at, s->size - at, &insn) < 0 ? at + 1 : at + insn.length;
                for (; next < s->n_relocations && s->relocations[next].offset < end; next++)
                        if (field_find(s->relocations[next].type)->relative)
                                s->relocations[next].delta += (int64_t) (end - s->relocations[next].offset);
                at = end;
        }
}

/* A section, or a label that only gas knew a name for (`.LC0`). */
static bool symbol_is_mere_place(const ObjectSymbol *s) {
        return s->type == STT_SECTION ||
                        (s->type == STT_NOTYPE && s->bind == STB_LOCAL && startswith(s->name, ".L"));
}

static void name_meant(const Object *o, ObjectRelocation *rel) {
        const ObjectSymbol *from = o->symbols + rel->symbol;
        uint64_t target = from->value + (uint64_t) rel->delta;
        uint32_t meant = 0;

        if (!object_symbol_is_defined(o, rel->symbol) || !symbol_is_mere_place(from))
                return;
        if ((int64_t) target >= 0)
                meant = object_covering(o, from->section, target);
        if (!meant)
                meant = object_alone_in(o, from->section);
        if (!meant)
                meant = o->sections[from->section].symbol;
        if (!meant)
                return;
        rel->delta = (int64_t) (target - o->symbols[meant].value);
        rel->symbol = meant;
}

/**
 * object_read_relocations() - of all sections that are not OBJECT_IGNORED
 * @r: its sections and symbols are read
 *
 * Return: 0 or a negative errno, with the reader's error.
 */
int object_read_relocations(ObjectReader *r) {
        Object *o = r->object;
        int ret;

        for (size_t i = 1; i < o->n_sections; i++) {
                const ObjectSection *table = o->sections + i;
                uint32_t target = object_section_header(r, i).sh_info;

                if (table->type != SHT_RELA && table->type != SHT_REL)
                        continue;
                if (target == 0 || target >= o->n_sections)
                        return OBJECT_INVALID(r->error, "Section '%s' of '%s' relocates nothing",
                                table->name, r->path);
                if (o->sections[target].kind == OBJECT_IGNORED)
                        continue;
                ret = read_table(r, table, o->sections + target);
                if (ret < 0)
                        return ret;
        }
        for (size_t i = 1; i < o->n_sections; i++) {
                ObjectSection *s = o->sections + i;

                if (s->flags & SHF_EXECINSTR)
                        count_from_instruction(s);
                for (size_t n = 0; n < s->n_relocations; n++)
                        name_meant(o, s->relocations + n);
        }
        return 0;
}
