/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From pieces to sections. The order is that in which they were found, which follows the object's
 * symbols: nothing depends on addresses or hashes.
 *
 * Few sections are enough, with names that the kernel's module loader and livepatch know. What a
 * name means to the kernel's own linker script (`.sched.text`, `.data..read_mostly`) means nothing in a
 * module; where the loader looks at a name (`.data..percpu`, `__dyndbg`, tables), it is kept.
 */

#include "builder/extract/extract-internal.h"

typedef struct Place {
        const char *name;
        uint32_t type;
        uint64_t flags;
} Place;

static bool has_prefix(const char *name, const char *prefix) {
        return startswith(name, prefix) != NULL;
}

static Place place_of_data(const ObjectSection *s) {
        if (has_prefix(s->name, ".data..percpu"))
                return (Place) { ".data..percpu", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE };
        if (streq(s->name, "__dyndbg"))
                return (Place) { s->name, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE };
        if (s->type == SHT_NOBITS)
                return (Place) { ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE };
        if (s->flags & SHF_WRITE)
                return (Place) { ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE };
        return (Place) { ".rodata", SHT_PROGBITS, SHF_ALLOC };
}

static Place place_of(const Extractor *e, const Piece *p) {
        const ObjectSection *s = e->object->sections + p->section;

        switch (p->kind) {
        case PIECE_FUNCTION:
                return (Place) { p->symbol == p->function ? ".text" : ".text.unlikely", SHT_PROGBITS,
                        SHF_ALLOC | SHF_EXECINSTR };
        case PIECE_BESIDE:
        case PIECE_ENTRY:
                return (Place) { s->name, SHT_PROGBITS, s->flags & (SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR | SHF_LINK_ORDER) };
        case PIECE_DATA:
        case PIECE_CONSTANT:
                break;
        }
        return place_of_data(s);
}

/* As good as where it was. */
static uint64_t alignment_of(const Extractor *e, const Piece *p) {
        uint64_t alignment = e->object->sections[p->section].alignment ?: 1;

        /* Entries follow one another without gaps, or whoever reads the table goes wrong. */
        if (p->kind == PIECE_ENTRY)
                return 1;
        while (alignment > 1 && p->start % alignment != 0)
                alignment /= 2;
        return alignment;
}

static int is_supported(Extractor *e, const Piece *p) {
        const ObjectSection *s = e->object->sections + p->section;
        static const char *const known[] = { ".data", ".bss", ".rodata", "__dyndbg" };

        if (p->kind != PIECE_DATA && p->kind != PIECE_CONSTANT)
                return 1;
        for (size_t i = 0; i < ELEMENTSOF(known); i++) {
                const char *rest = startswith(s->name, known[i]);

                if (rest && (*rest == '\0' || *rest == '.'))
                        return 1;
        }
        return findings_refuse(e->findings, RULE_UNSUPPORTED, s->name,
                "New data in section '%s', of which the kernel makes something that is not known", s->name);
}

static int lay_out(Extractor *e, Piece *p) {
        Place place = place_of(e, p);
        OutputSection *s;
        int r;

        r = is_supported(e, p);
        if (r <= 0)
                return r;
        r = output_section(&e->output, place.name, place.type, place.flags, &p->to);
        if (r < 0)
                return r;
        s = e->output.sections + p->to;
        if (p->kind == PIECE_ENTRY && e->object->sections[p->section].alignment > s->alignment)
                s->alignment = e->object->sections[p->section].alignment;
        return output_reserve(&e->output, p->to, p->end - p->start, alignment_of(e, p), &p->at);
}

/* SHF_LINK_ORDER wants the section whose order is followed: the functions'. */
static void link_sections(Output *o) {
        for (size_t i = 1; i < o->n_sections; i++)
                for (size_t text = 1; text < o->n_sections && (o->sections[i].flags & SHF_LINK_ORDER); text++)
                        if (streq(o->sections[text].name, ".text"))
                                o->sections[i].link = text;
}

/**
 * pieces_lay_out() - give every piece its place in the output
 * @e: the extraction, with all pieces
 *
 * Return: 0, also when a finding says why not, or a negative errno.
 */
int pieces_lay_out(Extractor *e) {
        int r = 0;

        for (size_t i = 0; i < e->n_pieces && r >= 0; i++)
                r = lay_out(e, e->pieces + i);
        link_sections(&e->output);
        return r;
}

/* ---- bytes ---- */

static void copy_bytes(Extractor *e, const Piece *p) {
        const ObjectSection *s = e->object->sections + p->section;
        uint8_t *to = e->output.sections[p->to].data + p->at;

        if (e->output.sections[p->to].type == SHT_NOBITS || p->end == p->start)
                return;
        if (s->data)
                memcpy(to, s->data + p->start, p->end - p->start);
        /* arch/x86/kernel/module.c, apply_relocate_add(), wants to find zeros. */
        for (size_t i = 0; i < p->n_hidden; i++)
                memset(to + (p->hidden[i].offset - p->start), 0, 4);
}

/* ---- relocations ---- */

/* The value that the field has been given by the assembler, as a place in the object. */
static uint64_t written_place(const Object *o, const ObjectRelocation *rel) {
        return (object_symbol_is_defined(o, rel->written) ? o->symbols[rel->written].value : 0) +
                        (uint64_t) rel->addend;
}

/* include/linux/jump_label.h: flags of the branch, in the lower bits of the key's address */
#define KEY_FLAGS 3

/* A `struct static_key` of zeros is off, and knows of no other branches. */
static int silence(Extractor *e, const Piece *p, const ObjectRelocation *rel) {
        OutputRelocation out = { .type = rel->type, .offset = rel->offset - p->start + p->at };
        uint64_t size, at;
        int r;

        r = structure_size(e, "static_key", &size);
        if (r <= 0)
                return r;
        r = output_section(&e->output, ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, &out.section);
        if (r >= 0)
                r = output_reserve(&e->output, out.section, size, 8, &at);
        out.addend = (int64_t) at + (rel->addend & KEY_FLAGS);
        return r < 0 ? r : output_relocate(&e->output, p->to, &out);
}

static int copy_relocation(Extractor *e, size_t piece, const ObjectRelocation *rel) {
        const Object *o = e->object;
        OutputRelocation out = { .type = rel->type };
        uint64_t place = written_place(o, rel);
        Target target;
        int r;

        if (field_is_silenced(e, e->pieces[piece].section, rel->offset))
                return silence(e, e->pieces + piece, rel);
        r = target_find(e, piece, rel, &target);
        if (r <= 0)
                return r;
        out.offset = rel->offset - e->pieces[piece].start + e->pieces[piece].at;
        out.symbol = target.symbol;
        if (target.piece) {
                out.section = target.piece->to;
                out.addend = (int64_t) (place - target.piece->start + target.piece->at);
        } else if (object_symbol_is_defined(o, rel->symbol))
                out.addend = (int64_t) (place - o->symbols[rel->symbol].value);
        else
                out.addend = rel->addend;
        return output_relocate(&e->output, e->pieces[piece].to, &out);
}

static int copy_relocations(Extractor *e, size_t piece) {
        const Piece *p = e->pieces + piece;
        const ObjectSection *s = e->object->sections + p->section;
        int r = 0;

        for (size_t i = 0; i < s->n_relocations && r >= 0; i++)
                if (s->relocations[i].offset >= p->start && s->relocations[i].offset < p->end)
                        r = copy_relocation(e, piece, s->relocations + i);
        for (size_t i = 0; i < p->n_hidden && r >= 0; i++)
                r = copy_relocation(e, piece, p->hidden + i);
        return r;
}

/**
 * pieces_copy() - bytes and relocations of all pieces into the output
 * @e: the extraction, laid out; no piece is added any more
 *
 * Return: 0 or a negative errno.
 */
int pieces_copy(Extractor *e) {
        int r = 0;

        for (size_t i = 0; i < e->n_pieces && r >= 0; i++) {
                copy_bytes(e, e->pieces + i);
                r = copy_relocations(e, i);
                if (r >= 0)
                        r = constants_copy(e, e->pieces + i);
        }
        return r;
}
