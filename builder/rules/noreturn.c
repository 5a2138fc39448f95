/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Calls that do not come back, to functions that stay in the kernel.
 *
 * The compiler knows that a static function never returns and puts nothing behind a call to it. objtool
 * must know it too, or it sees the code run on into whatever comes next, and the build of the module
 * fails. Within one object it looks at the function itself; of the kernel's global ones it has a list
 * (tools/objtool/check.c). For one that is neither there is no way to tell it.
 *
 * Seen is only a call at the very end of a function or of its .cold part, where gcc puts most of them.
 */

#include "builder/rules/internal.h"

/* E8 and the distance: Intel SDM, CALL rel32 */
static bool is_last_call(const Object *o, uint32_t function, const ObjectRelocation *r) {
        const ObjectSymbol *f = o->symbols + function;
        const ObjectSection *s = o->sections + f->section;

        return object_field_is_branch(s, r) && r->offset > f->value && s->data && s->data[r->offset - 1] == 0xe8 &&
                r->offset + 4 == f->value + f->size;
}

static bool stays_in_kernel(const Changes *c, uint32_t symbol) {
        const Object *o = c->after;

        return object_symbol_is_function(o, symbol) && object_symbol_is_defined(o, symbol) &&
                o->symbols[symbol].bind == STB_LOCAL && !change_is_taken(c, symbol);
}

static int check_function(const Changes *c, uint32_t function, Findings *findings) {
        const Object *o = c->after;
        size_t n;
        const ObjectRelocation *r = object_symbol_fields(o, function, &n);

        for (size_t i = 0; i < n; i++) {
                const char *name = o->symbols[object_function_parent(o, function)].name, *to = o->symbols[r[i].symbol].name;

                if (!is_last_call(o, function, r + i) || !stays_in_kernel(c, r[i].symbol))
                        continue;
                return findings_refuse(findings, RULE_UNSUPPORTED, name,
                                "'%s' calls '%s', which never returns: nothing can tell this to objtool of a static "
                                "function that is not in the patch", name, to);
        }
        return 0;
}

int rule_noreturn(const RuleInput *in, Findings *findings) {
        const Changes *c = in->changes;
        int r = 0;

        for (uint32_t i = 1; i < c->after->n_symbols && r >= 0; i++) {
                const ObjectSection *s = symbol_section(c->after, i);

                if (s && s->kind == OBJECT_CODE && object_symbol_is_function(c->after, i) && change_is_taken(c, i))
                        r = check_function(c, i, findings);
        }
        return r;
}
