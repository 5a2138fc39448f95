/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Data that exists.
 *
 * The kernel runs with the data it has: an initial value in the new source reaches nobody. So a changed
 * initial value is refused, unless it is a constant that only replaced code uses (copy.c). Where the
 * data is one of the tables that the outside reads when a module is loaded, that is said instead.
 *
 * Data that is gone hurts nobody by itself; nothing of the fix uses it any more. But where writable data
 * is gone and another of the same size is new, it has likely been moved or renamed, and the new code
 * would begin with a fresh one while the state stays behind in the old.
 */

#include "builder/rules/data.h"

#include <inttypes.h>

#include "builder/rules/internal.h"

static bool is_data(const Object *o, uint32_t symbol) {
        const ObjectSection *s = symbol_section(o, symbol);

        return s && (s->kind == OBJECT_DATA || s->kind == OBJECT_READ_ONLY || s->kind == OBJECT_STRINGS) &&
                o->symbols[symbol].type != STT_SECTION && o->symbols[symbol].type != STT_FILE;
}

static bool is_writable(const Object *o, uint32_t symbol) {
        return symbol_section(o, symbol)->kind == OBJECT_DATA;
}

static int refuse_value(const Changes *c, uint32_t symbol, Findings *findings) {
        const ObjectSymbol *s = c->after->symbols + symbol, *old = c->before->symbols + c->symbols[symbol].before;

        if (s->size != old->size)
                return findings_refuse(findings, RULE_DATA_VALUE, s->name,
                                "'%s' has %" PRIu64 " bytes in the running kernel and would need %" PRIu64,
                                s->name, old->size, s->size);
        return findings_refuse(findings, RULE_DATA_VALUE, s->name,
                        "the initial value of '%s' changed, but the kernel already runs with the old one", s->name);
}

static int check_values(const Changes *c, Findings *findings) {
        int r;

        for (uint32_t i = 1; i < c->after->n_symbols; i++) {
                if (c->symbols[i].kind != CHANGE_CHANGED || !c->symbols[i].before || !is_data(c->after, i) ||
                                interface_data(c->after, i) || data_may_be_copied(c, i))
                        continue;
                r = refuse_value(c, i, findings);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* New writable data of the same size as @gone, 0: none. */
static uint32_t successor(const Changes *c, uint32_t gone) {
        for (uint32_t i = 1; i < c->after->n_symbols; i++)
                if (c->symbols[i].kind == CHANGE_NEW && is_data(c->after, i) && is_writable(c->after, i) &&
                                !data_is_private(c->after, i) &&
                                c->after->symbols[i].size == c->before->symbols[gone].size)
                        return i;
        return 0;
}

static int check_gone(const Changes *c, Findings *findings) {
        const Object *o = c->before;
        int r = 0;

        for (uint32_t i = 1; i < o->n_symbols && r == 0; i++) {
                uint32_t s;

                if (c->after_of[i] != 0 || !is_data(o, i) || !is_writable(o, i) || o->symbols[i].size == 0 ||
                                interface_data(o, i) || data_is_private(o, i))
                        continue;
                s = successor(c, i);
                if (s != 0)
                        r = findings_refuse(findings, RULE_DATA_REMOVED, o->symbols[i].name,
                                        "'%s' is gone and '%s' of the same size is new: what the running kernel "
                                        "keeps in the old one would be lost",
                                        o->symbols[i].name, c->after->symbols[s].name);
        }
        return r;
}

int rule_data(const RuleInput *in, Findings *findings) {
        int r;

        r = check_values(in->changes, findings);
        if (r < 0)
                return r;
        return check_gone(in->changes, findings);
}
