/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where the image has a symbol of the object. A name that is there once is an answer. Among several the
 * code that refers to the symbol decides, once that code is proven; failing that, data that points to
 * it. An answer that two sources give differently is none.
 */

#include "builder/match/matcher.h"

#include <elf.h>

static bool section_refers(const ObjectSection *s, uint32_t symbol) {
        for (size_t i = 0; i < s->n_relocations; i++)
                if (s->relocations[i].symbol == symbol)
                        return true;
        return false;
}

/* Prove the functions of one section that may tell about a symbol. */
static int ask_code(Matcher *m, uint32_t section, uint32_t symbol) {
        const Object *o = m->object;
        int r;

        for (size_t i = 1; i < o->n_symbols && !m->known[symbol].set; i++) {
                if (o->symbols[i].section != section || i == symbol || o->symbols[i].size == 0 ||
                    !object_symbol_is_function(o, (uint32_t) i))
                        continue;
                r = matcher_try(m, (uint32_t) i, NULL);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A pointer in data whose place is known: the image has its value. */
static int ask_pointer(Matcher *m, uint32_t section, const ObjectRelocation *r) {
        uint32_t owner = object_covering(m->object, section, r->offset);
        const ImageSymbol *at;
        const uint8_t *field;
        uint64_t address, value;
        size_t size;
        int ret;

        if (r->type != R_X86_64_64 || owner == 0 || owner == r->symbol)
                return 0;
        ret = matcher_locate(m, owner, &at);
        if (ret <= 0)
                return ret == -ENOENT ? 0 : ret;
        address = at->address + (r->offset - m->object->symbols[owner].value);
        field = image_bytes(m->image, address, &size);
        if (!field || size < sizeof(value))
                return 0;
        memcpy(&value, field, sizeof(value));
        value -= (uint64_t) r->delta;
        if (reference_named(m, r->symbol, value))
                matcher_know(m, r->symbol, value);
        return 0;
}

static int ask_data(Matcher *m, uint32_t section, uint32_t symbol) {
        const ObjectSection *s = m->object->sections + section;
        int r = 0;

        for (size_t i = 0; i < s->n_relocations && r >= 0 && !m->known[symbol].set; i++)
                if (s->relocations[i].symbol == symbol)
                        r = ask_pointer(m, section, s->relocations + i);
        return r;
}

/* With -ffunction-sections: what a build without would have in .text. */
static bool in_plain_text(const Object *o, const ObjectSymbol *s) {
        const char *name = s->section < o->n_sections ? startswith(o->sections[s->section].name, ".text.") : NULL;

        return name && streq(name, s->name);
}

/*
 * The linker takes an object's .text as one piece. Between two functions that are proven to be this
 * object's there is nothing of any other object, so a twin that lies there is ours.
 */
static int ask_neighbours(Matcher *m, uint32_t symbol) {
        const Object *o = m->object;
        const ImageSymbol *const *found;
        uint64_t low = UINT64_MAX, high = 0;
        size_t n;

        for (uint32_t i = 1; i < o->n_symbols; i++) {
                int r;

                if (i == symbol || o->symbols[i].size == 0 || !object_symbol_is_function(o, i) ||
                    !object_symbol_is_defined(o, i) || !in_plain_text(o, o->symbols + i))
                        continue;
                r = matcher_try(m, i, NULL);
                if (r < 0)
                        return r;
                if (r == 0)
                        continue;
                low = m->known[i].address < low ? m->known[i].address : low;
                high = m->known[i].address > high ? m->known[i].address : high;
        }
        n = image_find(m->image, o->symbols[symbol].name, &found);
        for (size_t i = 0; i < n; i++)
                if (found[i]->address > low && found[i]->address < high)
                        matcher_know(m, symbol, found[i]->address);
        return 0;
}

/**
 * matcher_ask() - try everything that may tell where a symbol is, once
 *
 * Code first: it is compared as a whole, data only has the pointer. Where nothing in the object refers to
 * a function (it was inlined everywhere), its place among the others decides.
 *
 * Return: 0 or a negative errno; m->known has the answer, if there is one.
 */
int matcher_ask(Matcher *m, uint32_t symbol) {
        const Object *o = m->object;
        int r = 0;

        if (m->known[symbol].asked)
                return 0;
        m->known[symbol].asked = true;
        for (size_t i = 1; i < o->n_sections && r >= 0 && !m->known[symbol].set; i++)
                if (o->sections[i].flags & SHF_EXECINSTR && section_refers(o->sections + i, symbol))
                        r = ask_code(m, (uint32_t) i, symbol);
        for (size_t i = 1; i < o->n_sections && r >= 0 && !m->known[symbol].set; i++)
                if (o->sections[i].kind == OBJECT_DATA || o->sections[i].kind == OBJECT_READ_ONLY)
                        r = ask_data(m, (uint32_t) i, symbol);
        if (r >= 0 && !m->known[symbol].set && object_symbol_is_function(o, symbol) &&
            object_symbol_is_defined(o, symbol) && in_plain_text(o, o->symbols + symbol))
                r = ask_neighbours(m, symbol);
        return r;
}

/* Let the object's own code say where a symbol is. Return: 1, 0 for a local function that the image does
 * not have, or a negative errno. */
static int ask_object(Matcher *m, uint32_t symbol) {
        const Object *o = m->object;
        int r;

        if (object_symbol_is_function(o, symbol) && object_symbol_is_defined(o, symbol)) {
                r = matcher_try(m, symbol, NULL);
                if (r < 0 || (r == 0 && o->symbols[symbol].bind == STB_LOCAL && !m->known[symbol].set))
                        return r;
        }
        if (m->known[symbol].set)
                return 1;
        r = matcher_ask(m, symbol);
        return r < 0 ? r : 1;
}

/**
 * matcher_locate() - where in the image is a function or data symbol of the object?
 * @symbol: defined or undefined; the symbol of a section never has an answer
 * @ret: in the image
 *
 * A local symbol is asked for in code even if the image has only one of its name, for that one may be
 * another object's.
 *
 * Return: 1 and the symbol, 0 when it cannot be told, -ENOENT when the image has none of that name, or
 * another negative errno.
 */
int matcher_locate(Matcher *m, uint32_t symbol, const ImageSymbol **ret) {
        const ObjectSymbol *s = m->object->symbols + symbol;
        const Known *known = m->known + symbol;
        const ImageSymbol *const *found, *at;
        bool local = s->bind == STB_LOCAL && object_symbol_is_defined(m->object, symbol);
        size_t n;
        int r;

        n = image_find(m->image, s->name, &found);
        if (!known->set && n == 0)
                return -ENOENT;
        if (!known->set && (n > 1 || local)) {
                r = ask_object(m, symbol);
                if (r <= 0)
                        return r;
        }
        if (known->contradicted || (!known->set && n > 1))
                return 0;
        at = known->set ? symbol_of(m, symbol, known->address) : found[0];
        if (!at)
                return -ENOENT;
        *ret = at;
        return 1;
}
