/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Global names that are new in one object and that the running kernel has from another.
 *
 * A function or variable that moved from one file to another, or one that takes the place of a weak one.
 * In its new object nothing was there before, so that it looks like an addition. But all that is not
 * part of the fix goes on with the old one: the callers would not get the new function, and the variable
 * would be there twice, each with a state of its own.
 */

#include "builder/rules/internal.h"

static bool is_addition(const Changes *c, uint32_t symbol) {
        const ObjectSymbol *s = c->after->symbols + symbol;
        const ObjectSection *section = symbol_section(c->after, symbol);

        return section && s->bind != STB_LOCAL && s->type != STT_SECTION && c->symbols[symbol].kind == CHANGE_NEW &&
                (section->kind == OBJECT_CODE || section->kind == OBJECT_DATA || section->kind == OBJECT_READ_ONLY);
}

static bool image_has_global(const Image *image, const char *name) {
        const ImageSymbol *const *found;
        size_t n = image_find(image, name, &found);

        for (size_t i = 0; i < n; i++)
                if (found[i]->global && !found[i]->undefined && !found[i]->init)
                        return true;
        return false;
}

int rule_moved(const RuleInput *in, Findings *findings) {
        const Object *o = in->changes->after;
        int r = 0;

        for (uint32_t i = 1; i < o->n_symbols && r == 0; i++) {
                const char *name = o->symbols[i].name;

                if (!is_addition(in->changes, i) || !image_has_global(in->image, name))
                        continue;
                if (object_symbol_is_function(o, i))
                        r = findings_refuse(findings, RULE_UNSUPPORTED, name,
                                        "'%s' is new in this file, but '%s' has it from another one: who calls it "
                                        "there would not get this one", name, in->image->object);
                else
                        r = findings_refuse(findings, RULE_DATA_REMOVED, name,
                                        "'%s' is new in this file, but '%s' has it from another one, and would have "
                                        "it twice", name, in->image->object);
        }
        return r;
}
