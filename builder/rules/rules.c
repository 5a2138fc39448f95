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

/* The first relocation at or after an offset. */
static size_t first_relocation(const ObjectSection *s, uint64_t offset) {
        size_t low = 0, high = s->n_relocations;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (s->relocations[middle].offset < offset)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/**
 * rule_fields() - the relocated fields in the bytes of a symbol
 * @ret_n: how many
 *
 * Return: the first, in the object; NULL: none.
 */
const ObjectRelocation *rule_fields(const Object *o, uint32_t symbol, size_t *ret_n) {
        const ObjectSection *s = symbol_section(o, symbol);
        size_t begin, end;

        *ret_n = 0;
        if (!s)
                return NULL;
        begin = first_relocation(s, o->symbols[symbol].value);
        end = first_relocation(s, o->symbols[symbol].value + o->symbols[symbol].size);
        *ret_n = end - begin;
        return end > begin ? s->relocations + begin : NULL;
}

/** change_is_taken() - is that symbol, or the function whose .cold part it is, replaced or added? */
bool change_is_taken(const Changes *c, uint32_t symbol) {
        uint32_t parent = symbol;

        if (object_symbol_is_function(c->after, symbol))
                parent = changes_function_parent(c->after, symbol);
        return c->symbols[symbol].kind == CHANGE_CHANGED || c->symbols[symbol].kind == CHANGE_NEW ||
                c->symbols[parent].kind == CHANGE_CHANGED || c->symbols[parent].kind == CHANGE_NEW;
}

/**
 * relocation_is_branch() - is that field in code the distance of a call or jump?
 *
 * Told from the byte before it: e8 call, e9 jmp, 0f 80 … 0f 8f jcc (Intel SDM volume 2). A field whose
 * relocation is of the PLT32 kind is one in any case: compilers use it for nothing else in kernel code.
 */
bool relocation_is_branch(const ObjectSection *s, const ObjectRelocation *r) {
        if (r->type == R_X86_64_PLT32)
                return true;
        if (r->type != R_X86_64_PC32 || !s->data || r->offset == 0 || r->offset >= s->size)
                return false;
        if (s->data[r->offset - 1] == 0xe8 || s->data[r->offset - 1] == 0xe9)
                return true;
        return r->offset > 1 && s->data[r->offset - 2] == 0x0f && (s->data[r->offset - 1] & 0xf0) == 0x80;
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
                rule_moved, rule_tables,
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
