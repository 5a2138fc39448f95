/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is taken over, byte range by byte range. A piece is found by the place it comes from, so that
 * what two functions share is there once.
 *
 * With -ffunction-sections nearly every function has a section of its own. Not those that the source puts
 * into one, such as `__sched` ones: there the assembler resolves a call of a neighbour by itself and
 * leaves no relocation. So all code is read instruction by instruction, and a branch that leaves its
 * function gets the relocation it would have had.
 */

#include "builder/extract/extract-internal.h"

#include "builder/object/insn.h"

/* arch/x86/Kconfig, FUNCTION_PADDING_BYTES: 59 at most */
#define PADDING_MAX 64U

/** piece_is_code() - are its bytes instructions? */
bool piece_is_code(const Piece *p) {
        return p->kind == PIECE_FUNCTION || p->kind == PIECE_BESIDE;
}

/** place_section() - section of the place that a relocation means; SHN_UNDEF: outside of the object */
uint32_t place_section(const Object *o, const ObjectRelocation *rel) {
        return object_symbol_is_defined(o, rel->symbol) ? o->symbols[rel->symbol].section : SHN_UNDEF;
}

/** place_offset() - of the place in that section; may lie outside of it */
uint64_t place_offset(const Object *o, const ObjectRelocation *rel) {
        return o->symbols[rel->symbol].value + (uint64_t) rel->delta;
}

/**
 * piece_add() - take bytes over
 * @e: the extraction
 * @piece: which; what it owns is given away in any case
 * @ret: its index
 *
 * Return: 0 or -ENOMEM.
 */
int piece_add(Extractor *e, const Piece *piece, size_t *ret) {
        int r = APPEND(e->pieces, e->n_pieces, *piece);

        if (r < 0) {
                free(piece->hidden);
                return r;
        }
        *ret = e->n_pieces - 1;
        return 0;
}

/**
 * piece_find() - the piece that has the byte at a place
 *
 * A piece without bytes (a replacement by nothing) is only found when no other begins there.
 *
 * Return: its index, NO_PIECE: none.
 */
size_t piece_find(const Extractor *e, uint32_t section, uint64_t offset) {
        size_t empty = NO_PIECE;

        for (size_t i = 0; i < e->n_pieces; i++) {
                const Piece *p = e->pieces + i;

                if (p->section != section || offset < p->start)
                        continue;
                if (offset < p->end)
                        return i;
                if (offset == p->start)
                        empty = i;
        }
        return empty;
}

/* The piece that a function or variable is; NO_PIECE: none */
static size_t piece_of_symbol(const Extractor *e, uint32_t symbol) {
        for (size_t i = 0; symbol && i < e->n_pieces; i++)
                if (e->pieces[i].symbol == symbol)
                        return i;
        return NO_PIECE;
}

/* ---- functions ---- */

/* Where the no-ops before a function begin: __patchable_function_entries points there. */
static uint64_t padding_start(const Object *o, const ObjectSymbol *f) {
        for (size_t i = 1; i < o->n_sections; i++) {
                const ObjectSection *s = o->sections + i;

                if (!streq(s->name, "__patchable_function_entries"))
                        continue;
                for (size_t n = 0; n < s->n_relocations; n++) {
                        uint64_t at = place_offset(o, s->relocations + n);

                        if (place_section(o, s->relocations + n) == f->section && at < f->value &&
                                        f->value - at <= PADDING_MAX && !object_covering(o, f->section, at))
                                return at;
                }
        }
        return f->value;
}

static int refuse_code(Extractor *e, const Piece *p, const char *what) {
        return findings_refuse(e->findings, RULE_UNSUPPORTED, e->object->symbols[p->symbol].name,
                "'%s' %s", e->object->symbols[p->symbol].name, what);
}

/* A near branch without a relocation that leaves the piece. */
static int add_hidden_branch(Extractor *e, Piece *p, uint64_t at, const Insn *insn, uint64_t target) {
        const Object *o = e->object;
        uint32_t symbol = object_covering(o, p->section, target);

        if (insn->immediate_size != 4 || !symbol)
                return refuse_code(e, p, symbol ? "has a short branch into another function of its section"
                                                : "has a branch to nowhere");
        return APPEND(p->hidden, p->n_hidden, (ObjectRelocation) {
                .offset = at + insn->immediate_offset,
                .type = R_X86_64_PLT32,
                .symbol = symbol,
                .written = symbol,
                .delta = (int64_t) (target - o->symbols[symbol].value),
                .addend = (int64_t) (target - o->symbols[symbol].value) - 4,
        });
}

static bool is_relative_branch(const Insn *insn) {
        return insn->kind == INSN_CALL || insn->kind == INSN_JUMP || insn->kind == INSN_CONDITIONAL_JUMP;
}

static int find_hidden_branches(Extractor *e, Piece *p) {
        const ObjectSection *s = e->object->sections + p->section;
        int r;

        for (uint64_t at = p->start; at < p->end;) {
                Insn insn;
                uint64_t target;

                r = insn_decode(s->data + at, p->end - at, &insn);
                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        return refuse_code(e, p, "has bytes that are no instruction");
                target = at + insn.length + (uint64_t) insn.immediate;
                if (is_relative_branch(&insn) && !object_relocation_at(s, at + insn.immediate_offset) &&
                                (target < p->start || target >= p->end)) {
                        r = add_hidden_branch(e, p, at, &insn, target);
                        if (r < 0)
                                return r;
                }
                at += insn.length;
        }
        return 0;
}

static int add_code(Extractor *e, uint32_t symbol, uint32_t function) {
        const ObjectSymbol *f = e->object->symbols + symbol;
        Piece p = {
                .kind = PIECE_FUNCTION,
                .section = f->section,
                .symbol = symbol,
                .function = function,
                .start = padding_start(e->object, f),
                .end = f->value + f->size,
        };
        size_t index;
        int r;

        /* An alias of what is there. */
        if (piece_find(e, f->section, f->value) != NO_PIECE)
                return 0;
        if (!e->object->sections[f->section].data || f->size == 0)
                return refuse_code(e, &p, "has no code in the object");
        r = find_hidden_branches(e, &p);
        if (r < 0) {
                free(p.hidden);
                return r;
        }
        return piece_add(e, &p, &index);
}

/**
 * piece_add_function() - take a function over, with its .cold part
 * @e: the extraction
 * @function: its parent if it is a .cold part itself
 *
 * Return: 0, also when a finding says why it cannot be, or a negative errno.
 */
int piece_add_function(Extractor *e, uint32_t function) {
        const Object *o = e->object;
        int r;

        r = add_code(e, function, function);
        for (uint32_t i = 1; i < o->n_symbols && r >= 0; i++)
                if (i != function && object_symbol_is_function(o, i) && object_function_parent(o, i) == function)
                        r = add_code(e, i, function);
        return r;
}

/* ---- data ---- */

/**
 * piece_add_data() - take a variable or named constant over
 * @e: the extraction
 * @symbol: of the object
 * @ret: the piece, also when it was there already
 *
 * Return: 0 or -ENOMEM.
 */
int piece_add_data(Extractor *e, uint32_t symbol, size_t *ret) {
        const ObjectSymbol *s = e->object->symbols + symbol;

        *ret = piece_of_symbol(e, symbol);
        if (*ret != NO_PIECE)
                return 0;
        return piece_add(e, &(Piece) {
                .kind = PIECE_DATA,
                .section = s->section,
                .symbol = symbol,
                .start = s->value,
                .end = s->value + s->size,
        }, ret);
}

/* The end of the string or constant that begins at @offset; @offset itself: there is none. */
static uint64_t constant_end(const ObjectSection *s, uint64_t offset) {
        uint64_t unit = s->entry_size ?: 1;

        if (offset >= s->size || unit > s->size - offset)
                return offset;
        if (!(s->flags & SHF_STRINGS))
                return offset + unit;
        for (uint64_t end = offset; unit <= s->size - end; end += unit) {
                bool zero = true;

                for (uint64_t i = 0; i < unit; i++)
                        if (s->data[end + i])
                                zero = false;
                if (zero)
                        return end + unit;
        }
        return offset;
}

/*
 * The assembler may only write "section + offset" for exactly the begin of a string, and keeps the
 * label when something is added to it (gas/write.c, adjust_reloc_syms()): so it can be known which
 * string is meant even when the field points before or after it.
 */
static uint64_t constant_start(const Object *o, const ObjectRelocation *rel) {
        const ObjectSymbol *written = o->symbols + rel->written;

        return written->type == STT_SECTION ? place_offset(o, rel) : written->value;
}

/**
 * piece_add_constant() - take over what has no name
 * @e: the extraction
 * @rel: what refers to it
 * @ret: the piece, also when it was there already; NO_PIECE: refused
 *
 * Of a section of mergeable strings or constants the one that is meant; of others the whole section, in
 * which a compiler's table may point anywhere.
 *
 * Return: 0 or a negative errno.
 */
int piece_add_constant(Extractor *e, const ObjectRelocation *rel, size_t *ret) {
        const Object *o = e->object;
        uint32_t section = place_section(o, rel);
        const ObjectSection *s = o->sections + section;
        Piece p = { .kind = PIECE_CONSTANT, .section = section, .end = s->size };

        *ret = NO_PIECE;
        if (s->flags & SHF_MERGE) {
                p.start = constant_start(o, rel);
                p.end = constant_end(s, p.start);
        }
        if (p.start >= p.end || !s->data)
                return findings_refuse(e->findings, RULE_UNSUPPORTED, s->name,
                        "The code refers to a place in section '%s' at which there is nothing", s->name);
        *ret = piece_find(e, section, p.start);
        return *ret == NO_PIECE ? piece_add(e, &p, ret) : 0;
}
