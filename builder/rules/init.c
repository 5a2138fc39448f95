/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Code and data that are gone: __init has run, and its memory is given away; __exit of what is built in
 * was never there.
 *
 * They are compared here, because nobody else has use for them. Functions marked __init share one
 * section even with -ffunction-sections, so the assembler wrote distances between them without a
 * relocation: instructions are compared one by one, and distances by what they reach.
 */

#include "builder/object/insn.h"
#include "builder/rules/internal.h"

/** struct Cursor - a walk through one function */
typedef struct Cursor {
        const Object *object;
        const ObjectSection *section;
        const ObjectSymbol *symbol;
        const ObjectRelocation *relocations;
        size_t n_relocations;
        uint64_t offset; /* from the symbol's value */
} Cursor;

static Cursor cursor_at(const Object *o, uint32_t symbol) {
        Cursor c = { .object = o, .section = symbol_section(o, symbol), .symbol = o->symbols + symbol };

        c.relocations = rule_fields(o, symbol, &c.n_relocations);
        return c;
}

static const uint8_t *bytes_of(const Cursor *c, size_t *ret_n) {
        uint64_t value = c->symbol->value;

        *ret_n = 0;
        if (!c->section || !c->section->data || value > c->section->size ||
                        c->symbol->size > c->section->size - value || c->offset > c->symbol->size)
                return NULL;
        *ret_n = c->symbol->size - c->offset;
        return c->section->data + value + c->offset;
}

static bool same_string(const Object *a, const ObjectRelocation *x, const Object *b, const ObjectRelocation *y) {
        const ObjectSection *s = symbol_section(a, x->symbol), *t = symbol_section(b, y->symbol);
        uint64_t i = a->symbols[x->symbol].value + (uint64_t) x->delta,
                 k = b->symbols[y->symbol].value + (uint64_t) y->delta;

        if (!s || !t || s->kind != OBJECT_STRINGS || t->kind != OBJECT_STRINGS || !s->data || !t->data ||
                        i >= s->size || k >= t->size)
                return false;
        return strncmp((const char *) s->data + i, (const char *) t->data + k,
                               s->size - i < t->size - k ? s->size - i : t->size - k) == 0;
}

/* The same symbol by name, whatever number the compiler gave it. */
static bool same_target(const Object *a, const ObjectRelocation *x, const Object *b, const ObjectRelocation *y) {
        const char *n = a->symbols[x->symbol].name, *m = b->symbols[y->symbol].name;
        size_t l = object_base_name_length(n);

        if (x->type != y->type)
                return false;
        if (a->symbols[x->symbol].type == STT_SECTION && b->symbols[y->symbol].type == STT_SECTION &&
                        same_string(a, x, b, y))
                return true;
        return x->delta == y->delta && l == object_base_name_length(m) && strncmp(n, m, l) == 0;
}

/* Relocations in the next @size bytes are consumed, and have to be the same. */
static bool same_relocations(Cursor *a, size_t a_size, Cursor *b, size_t b_size, bool *ret_any) {
        uint64_t a_end = a->symbol->value + a->offset + a_size, b_end = b->symbol->value + b->offset + b_size;

        *ret_any = false;
        for (;;) {
                bool x = a->n_relocations > 0 && a->relocations->offset < a_end,
                     y = b->n_relocations > 0 && b->relocations->offset < b_end;

                if (x != y)
                        return false;
                if (!x)
                        return true;
                if (!same_target(a->object, a->relocations, b->object, b->relocations))
                        return false;
                *ret_any = true;
                a->relocations++;
                a->n_relocations--;
                b->relocations++;
                b->n_relocations--;
        }
}

/* Where a distance without relocation leads: another function of the section by name, else how far. */
static bool same_distance(const Cursor *a, const Insn *x, const Cursor *b, const Insn *y) {
        uint64_t to = a->offset + x->length + (uint64_t) x->immediate,
                 other = b->offset + y->length + (uint64_t) y->immediate;
        uint32_t f, g;

        if (to < a->symbol->size || other < b->symbol->size)
                return to < a->symbol->size && other < b->symbol->size && x->length == y->length && to == other;
        f = object_covering(a->object, a->symbol->section, a->symbol->value + to);
        g = object_covering(b->object, b->symbol->section, b->symbol->value + other);
        return f && g && streq(a->object->symbols[f].name, b->object->symbols[g].name);
}

static bool same_instruction(Cursor *a, Cursor *b) {
        size_t n, m;
        const uint8_t *p = bytes_of(a, &n), *q = bytes_of(b, &m);
        Insn x, y;
        bool any, branch;

        if (!p || !q || insn_decode(p, n, &x) < 0 || insn_decode(q, m, &y) < 0)
                return false;
        branch = x.kind == INSN_CALL || x.kind == INSN_JUMP || x.kind == INSN_CONDITIONAL_JUMP;
        if (x.operation != y.operation || x.kind != y.kind || !same_relocations(a, x.length, b, y.length, &any))
                return false;
        if (!any && branch ? !same_distance(a, &x, b, &y) : !any && memcmp(p, q, x.length) != 0)
                return false;
        a->offset += x.length;
        b->offset += y.length;
        return true;
}

static bool same_code(const Object *before, uint32_t old, const Object *after, uint32_t new) {
        Cursor a = cursor_at(before, old), b = cursor_at(after, new);

        if (a.symbol->size != b.symbol->size)
                return false;
        while (a.offset < a.symbol->size)
                if (!same_instruction(&a, &b))
                        return false;
        return b.offset == b.symbol->size;
}

static bool same_data(const Object *before, uint32_t old, const Object *after, uint32_t new) {
        Cursor a = cursor_at(before, old), b = cursor_at(after, new);
        size_t n, m;
        const uint8_t *p = bytes_of(&a, &n), *q = bytes_of(&b, &m);
        bool any;

        if (a.symbol->size != b.symbol->size || n != m || !p != !q || (p && memcmp(p, q, n) != 0))
                return false;
        return same_relocations(&a, n, &b, m, &any);
}

/* Of what is built in, exit code is thrown away by the linker. */
static bool was_never_there(const RuleInput *in, const ObjectSection *s) {
        return startswith(s->name, ".exit") && streq(in->image->object, "vmlinux");
}

static int check_changed(const RuleInput *in, uint32_t symbol, Findings *findings) {
        const Object *before = in->changes->before, *after = in->changes->after;
        const ObjectSection *s = symbol_section(after, symbol), *t;
        const char *name = after->symbols[symbol].name;
        uint32_t old = object_find(before, name);
        bool function = object_symbol_is_function(after, symbol);

        t = old ? symbol_section(before, old) : NULL;
        if (!t || t->kind != OBJECT_INIT)
                return 0; /* new: somebody has to use it, and that is a change */
        if (function ? same_code(before, old, after, symbol) : same_data(before, old, after, symbol))
                return 0;
        if (was_never_there(in, s))
                return findings_remark(findings, RULE_INIT_CODE, name,
                                "the change to '%s' has no effect: this is built in, and its exit code is not in "
                                "the kernel", name);
        if (startswith(s->name, ".exit"))
                return findings_refuse(findings, RULE_INIT_CODE, name,
                                "'%s' is exit code of a module, which is not replaced", name);
        return findings_refuse(findings, RULE_INIT_CODE, name, function ?
                        "'%s' changed, but it is initialisation code that has already run" :
                        "'%s' changed, but it is initialisation data that has already been read", name);
}

static bool refers_to(const Object *o, uint32_t user, const char *name) {
        size_t n;
        const ObjectRelocation *r = rule_fields(o, user, &n);

        for (size_t i = 0; i < n; i++)
                if (streq(o->symbols[r[i].symbol].name, name))
                        return true;
        return false;
}

/* In this object by its section, elsewhere by where the image has it. */
static bool is_init(const RuleInput *in, uint32_t symbol) {
        const Object *o = in->changes->after;
        const ObjectSection *s = symbol_section(o, symbol);
        const ImageSymbol *const *found;
        size_t n;

        if (s)
                return s->kind == OBJECT_INIT;
        if (o->symbols[symbol].section != SHN_UNDEF)
                return false;
        n = image_find(in->kernel, o->symbols[symbol].name, &found);
        for (size_t i = 0; i < n; i++)
                if (!found[i]->init || found[i]->undefined)
                        return false;
        return n > 0;
}

static int check_references(const RuleInput *in, uint32_t symbol, Findings *findings) {
        const Changes *c = in->changes;
        size_t n;
        const ObjectRelocation *r = rule_fields(c->after, symbol, &n);
        int k = 0;

        for (size_t i = 0; i < n && k == 0; i++) {
                const char *to = c->after->symbols[r[i].symbol].name;

                /* Code that may refer to init code (__ref) did so before, and knows when. */
                if (!is_init(in, r[i].symbol) || (c->symbols[symbol].before &&
                                                  refers_to(c->before, c->symbols[symbol].before, to)))
                        continue;
                k = findings_refuse(findings, RULE_INIT_CODE, c->after->symbols[symbol].name,
                                "'%s' would use '%s', which is gone after initialisation",
                                c->after->symbols[symbol].name, to);
        }
        return k;
}

int rule_init(const RuleInput *in, Findings *findings) {
        const Object *o = in->changes->after;
        int r = 0;

        for (uint32_t i = 1; i < o->n_symbols && r == 0; i++) {
                const ObjectSection *s = symbol_section(o, i);

                if (!s || o->symbols[i].type == STT_SECTION || o->symbols[i].size == 0)
                        continue;
                if (s->kind == OBJECT_INIT)
                        r = check_changed(in, i, findings);
                else if (object_symbol_is_function(o, i) && change_is_taken(in->changes, i))
                        r = check_references(in, i, findings);
        }
        return r;
}
