/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The rules over one compared object, one after the other; and the three questions that most of them
 * ask. A rule never stops the others: an author sees every reason at once.
 */

#include "builder/rules/rules.h"

#include "builder/rules/internal.h"
#include "builder/rules/layout.h"

/** symbol_section() - the section a symbol is defined in, or NULL */
const ObjectSection *symbol_section(const Object *o, uint32_t symbol) {
        uint32_t section = o->symbols[symbol].section;

        return section != SHN_UNDEF && section < o->n_sections ? o->sections + section : NULL;
}

/** change_is_taken() - is that symbol, or the function whose .cold part it is, replaced or added? */
bool change_is_taken(const Changes *c, uint32_t symbol) {
        uint32_t parent = symbol;

        if (object_symbol_is_function(c->after, symbol))
                parent = object_function_parent(c->after, symbol);
        return c->symbols[symbol].kind == CHANGE_CHANGED || c->symbols[symbol].kind == CHANGE_NEW ||
                c->symbols[parent].kind == CHANGE_CHANGED || c->symbols[parent].kind == CHANGE_NEW;
}

/**
 * rules_check() - everything that speaks against patching one object
 * @in: the object, compared
 * @findings: refusals and remarks are added
 * @error: what failed
 *
 * Return: 0, also when something was refused, or a negative errno.
 */
int rules_check(const RuleInput *in, Findings *findings, sd_bus_error *error) {
        static int (*const rules[])(const RuleInput *, Findings *) = {
                rule_functions, rule_init, rule_data, rule_exports, rule_keys, rule_interface, rule_addresses,
                rule_moved, rule_tables, rule_noreturn,
        };
        int r;

        r = callers_take_over(in->changes, in->image);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(rules); i++) {
                r = rules[i](in, findings);
                if (r < 0)
                        return r;
        }
        init_forget(in->changes);
        return layout_check(in, findings, error);
}
