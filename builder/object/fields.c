/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Questions about the relocated fields of an object that was read.
 *
 * A section's relocations are sorted by offset, so each question is a binary search. What a field
 * means (its symbol and delta) was settled by relocations.c; here nothing is decoded but the opcode
 * before a field.
 */

#include "builder/object/object-internal.h"
#include "builder/search.h"

/**
 * object_fields_from() - the relocations from a place on
 * @offset: in the section
 *
 * Return: the first one at or after it; the end of the array when there is none.
 */
const ObjectRelocation *object_fields_from(const ObjectSection *s, uint64_t offset) {
        return s->relocations + search_from(s->relocations, s->n_relocations, sizeof(*s->relocations),
                                            offsetof(ObjectRelocation, offset), offset);
}

/** object_relocation_at() - the relocation of the field that begins exactly there. Return: NULL: none */
const ObjectRelocation *object_relocation_at(const ObjectSection *s, uint64_t offset) {
        const ObjectRelocation *r = object_fields_from(s, offset);

        return r < s->relocations + s->n_relocations && r->offset == offset ? r : NULL;
}

/**
 * object_symbol_fields() - the relocations within the bytes of a symbol
 * @ret_n: how many; 0 for a symbol that lies elsewhere
 *
 * Return: the first, in the object; NULL: none.
 */
const ObjectRelocation *object_symbol_fields(const Object *o, uint32_t symbol, size_t *ret_n) {
        const ObjectRelocation *begin, *end;
        const ObjectSymbol *s = o->symbols + symbol;

        *ret_n = 0;
        if (!object_symbol_is_defined(o, symbol))
                return NULL;
        begin = object_fields_from(o->sections + s->section, s->value);
        end = object_fields_from(o->sections + s->section, s->value + s->size);
        if (begin >= end)
                return NULL;
        *ret_n = (size_t) (end - begin);
        return begin;
}

/** object_symbol_refers_to() - does a field in the bytes of @user mean @symbol? */
bool object_symbol_refers_to(const Object *o, uint32_t user, uint32_t symbol) {
        size_t n;
        const ObjectRelocation *r = object_symbol_fields(o, user, &n);

        for (size_t i = 0; i < n; i++)
                if (r[i].symbol == symbol)
                        return true;
        return false;
}

/**
 * object_field_is_branch() - is a field the distance of a near call or jump?
 * @s: the section it is in
 *
 * Told from the bytes before it: e8 call, e9 jmp, 0f 80 … 0f 8f jcc (Intel SDM volume 2, appendix A).
 * The other pc-relative fields of four bytes are displacements after a ModRM byte with mod 0 and r/m 5
 * (volume 2, table 2-2), that is with a low octal digit of 5 and below 0x40, which none of these is.
 *
 * Return: false for every field outside code.
 */
bool object_field_is_branch(const ObjectSection *s, const ObjectRelocation *r) {
        const uint8_t *field;

        if (!(s->flags & SHF_EXECINSTR) || !s->data || r->offset == 0 ||
                        (r->type != R_X86_64_PLT32 && r->type != R_X86_64_PC32))
                return false;
        field = s->data + r->offset;
        if (field[-1] == 0xe8 || field[-1] == 0xe9)
                return true;
        return r->offset > 1 && field[-2] == 0x0f && (field[-1] & 0xf0) == 0x80;
}
