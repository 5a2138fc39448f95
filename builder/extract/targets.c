/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where each reference of the new code goes: into what is taken over, or to the running kernel.
 *
 * A call of a replaced function goes to the replacement next to it; its address goes to the original,
 * because pointers are stored, and one to the replacement would outlive it. (Through the pointer the
 * replacement is reached all the same, by redirection.)
 *
 * Data of the running kernel is used where it is: a copy would be another variable. Copied is what
 * is new, strings and other constants without a name, and what rules/copy.c says nobody could tell
 * from the original.
 */

#include "builder/extract/extract-internal.h"

#include "builder/rules/data.h"

static const SymbolChange *change_of(const Extractor *e, uint32_t symbol) {
        return e->in->changes->symbols + symbol;
}

static const char *name_of(const Extractor *e, uint32_t symbol) {
        return e->object->symbols[symbol].name;
}

/* ---- code ---- */

static int to_piece(Extractor *e, size_t piece, Target *ret) {
        *ret = (Target) { .piece = e->pieces + piece };
        return 1;
}

static int to_external(Extractor *e, uint32_t symbol, Target *ret) {
        *ret = (Target) {};
        return external_find(e, symbol, &ret->symbol);
}

static int refuse_place(Extractor *e, const ObjectRelocation *rel) {
        return findings_refuse(e->findings, RULE_UNSUPPORTED, name_of(e, rel->symbol),
                "The code refers to the inside of '%s', which stays in the kernel", name_of(e, rel->symbol));
}

/*
 * A changed function that ftrace cannot redirect is still reached by what was changed with it, by
 * calls; a pointer to it would reach the old code.
 */
static int to_address_of_changed(Extractor *e, uint32_t function, Target *ret) {
        const ImageSymbol *original;
        int r;

        r = original_find(e, function, &original);
        if (r <= 0)
                return r;
        if (!image_ftrace_site(e->in->image, original->address))
                return findings_refuse(e->findings, RULE_NO_FTRACE_SITE, name_of(e, function),
                        "The address of '%s' is used, and ftrace has no place to redirect it", name_of(e, function));
        return to_external(e, function, ret);
}

static int to_taken_function(Extractor *e, const Piece *from, size_t piece, const ObjectRelocation *rel, Target *ret) {
        const Piece *p = e->pieces + piece;
        const ObjectSection *s = e->object->sections + from->section;

        /* Its own parts, and tables, which are about places. */
        if (from->kind == PIECE_ENTRY || from->kind == PIECE_BESIDE || (from->function && from->function == p->function))
                return to_piece(e, piece, ret);
        if (object_field_is_branch(s, rel) ||
                        place_offset(e->object, rel) != e->object->symbols[p->symbol].value)
                return to_piece(e, piece, ret);
        if (change_of(e, p->function)->kind == CHANGE_CHANGED)
                return to_address_of_changed(e, p->function, ret);
        return to_piece(e, piece, ret);
}

static int to_function(Extractor *e, size_t from, const ObjectRelocation *rel, Target *ret) {
        const Object *o = e->object;
        uint32_t section = place_section(o, rel), function;
        size_t piece = piece_find(e, section, place_offset(o, rel));
        int r;

        if (!object_symbol_is_function(o, rel->symbol))
                return piece == NO_PIECE ? refuse_place(e, rel) : to_piece(e, piece, ret);
        function = object_function_parent(o, rel->symbol);
        if (piece == NO_PIECE && change_of(e, function)->kind == CHANGE_NEW) {
                r = piece_add_function(e, function);
                if (r < 0)
                        return r;
                piece = piece_find(e, section, place_offset(o, rel));
        }
        if (piece != NO_PIECE)
                return to_taken_function(e, e->pieces + from, piece, rel, ret);
        if (rel->delta != 0 || function != rel->symbol)
                return refuse_place(e, rel);
        return to_external(e, rel->symbol, ret);
}

/* ---- data ---- */

static int copy_data(Extractor *e, uint32_t symbol, Target *ret) {
        size_t piece;
        int r = piece_add_data(e, symbol, &piece);

        return r < 0 ? r : to_piece(e, piece, ret);
}

/*
 * Constants that the image does not have under a name, or several of one name, are as good as a copy
 * if they are mere numbers. With pointers in them they may be what others compare addresses with
 * (`f->f_op == &fops`).
 */
static int to_constant(Extractor *e, uint32_t symbol, Target *ret) {
        uint32_t before = change_of(e, symbol)->before;
        const ImageSymbol *found;
        int r;

        if (data_may_be_copied(e->in->changes, symbol)) {
                r = before ? matcher_locate(e->in->matcher, before, &found) : 0;
                if (r < 0 && r != -ENOENT)
                        return r;
                if (r <= 0)
                        return copy_data(e, symbol, ret);
        }
        return to_external(e, symbol, ret);
}

static int to_named_data(Extractor *e, uint32_t symbol, Target *ret) {
        const ObjectSymbol *s = e->object->symbols + symbol;
        ChangeKind kind = change_of(e, symbol)->kind;

        if (kind == CHANGE_NEW || data_is_private(e->object, symbol) ||
                        (kind == CHANGE_CHANGED && data_may_be_copied(e->in->changes, symbol)))
                return copy_data(e, symbol, ret);
        if (kind == CHANGE_CHANGED)
                return findings_refuse(e->findings, RULE_DATA_VALUE, s->name,
                        "The fix changes the initial value of '%s', which the running kernel has", s->name);
        if (e->object->sections[s->section].kind == OBJECT_READ_ONLY)
                return to_constant(e, symbol, ret);
        return to_external(e, symbol, ret);
}

static bool is_data_symbol(const ObjectSymbol *s) {
        return s->type == STT_OBJECT || (s->type == STT_NOTYPE && *s->name && !startswith(s->name, ".L"));
}

static bool section_has_names(const Object *o, uint32_t section) {
        for (size_t i = 1; i < o->n_symbols; i++)
                if (o->symbols[i].section == section && is_data_symbol(o->symbols + i))
                        return true;
        return false;
}

static int to_data(Extractor *e, const ObjectRelocation *rel, Target *ret) {
        const Object *o = e->object;
        const ObjectSection *s = o->sections + place_section(o, rel);
        size_t piece;
        int r;

        if (is_data_symbol(o->symbols + rel->symbol))
                return to_named_data(e, rel->symbol, ret);
        if (s->kind == OBJECT_DATA || section_has_names(o, place_section(o, rel)))
                return findings_refuse(e->findings, RULE_UNSUPPORTED, s->name,
                        "The code refers to a place without a name in section '%s'", s->name);
        r = piece_add_constant(e, rel, &piece);
        if (r < 0 || piece == NO_PIECE)
                return r;
        return to_piece(e, piece, ret);
}

/* ---- all ---- */

/*
 * .altinstr_aux has the slow way of each static_cpu_has(), one after the other; each begins where some
 * code jumps to it and goes on to the next (arch/x86/include/asm/cpufeature.h).
 */
static uint64_t beside_end(const Object *o, uint32_t section, uint64_t start) {
        uint64_t end = o->sections[section].size;

        for (uint32_t i = 1; i < o->n_sections; i++)
                for (size_t n = 0; n < o->sections[i].n_relocations; n++) {
                        const ObjectRelocation *rel = o->sections[i].relocations + n;

                        if (place_section(o, rel) == section && place_offset(o, rel) > start &&
                                        place_offset(o, rel) < end)
                                end = place_offset(o, rel);
                }
        return end;
}

static int to_beside(Extractor *e, size_t from, const ObjectRelocation *rel, Target *ret) {
        const Object *o = e->object;
        uint32_t section = place_section(o, rel);
        uint64_t start = place_offset(o, rel);
        size_t piece = piece_find(e, section, start);
        int r;

        if (piece == NO_PIECE && streq(o->sections[section].name, ".altinstr_aux") &&
                        start < o->sections[section].size) {
                r = piece_add(e, &(Piece) {
                        .kind = PIECE_BESIDE,
                        .section = section,
                        .function = e->pieces[from].function,
                        .start = start,
                        .end = beside_end(o, section, start),
                }, &piece);
                if (r < 0)
                        return r;
        }
        if (piece == NO_PIECE)
                return findings_refuse(e->findings, RULE_UNSUPPORTED, o->sections[section].name,
                        "The code refers to section '%s' in a way that is not known", o->sections[section].name);
        return to_piece(e, piece, ret);
}

static int refuse_section(Extractor *e, const ObjectRelocation *rel, Rule rule, const char *what) {
        return findings_refuse(e->findings, rule, name_of(e, rel->symbol), "The code refers to '%s', which is %s",
                name_of(e, rel->symbol), what);
}

/**
 * target_find() - where a relocation has to point to
 * @e: the extraction; what is needed and not there yet is added, so pointers to pieces are void
 * @piece: where the field is
 * @rel: in the object
 * @ret: the target; valid until the next piece is added
 *
 * Return: 1, 0 when a finding says why there is none, or a negative errno.
 */
int target_find(Extractor *e, size_t piece, const ObjectRelocation *rel, Target *ret) {
        const Object *o = e->object;
        uint32_t section = place_section(o, rel);

        if (o->symbols[rel->symbol].section == SHN_UNDEF)
                return to_external(e, rel->symbol, ret);
        if (section == SHN_UNDEF)
                return refuse_section(e, rel, RULE_UNSUPPORTED, "absolute or common");
        switch (o->sections[section].kind) {
        case OBJECT_CODE:
                return to_function(e, piece, rel, ret);
        case OBJECT_DATA:
        case OBJECT_READ_ONLY:
        case OBJECT_STRINGS:
                return to_data(e, rel, ret);
        case OBJECT_TABLE:
                return to_beside(e, piece, rel, ret);
        case OBJECT_INIT:
                return refuse_section(e, rel, RULE_INIT_CODE, "only there while the kernel starts");
        case OBJECT_IGNORED:
        case OBJECT_EXPORT:
                break;
        }
        return refuse_section(e, rel, RULE_UNSUPPORTED, "in a section that no code refers to");
}
