/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Tables that the linker gathers from all objects: PCI quirks, device tree matches, lists of SRCU
 * structures. The running kernel has its own between two symbols, and nothing adds to it; an entry that
 * comes or goes with the fix would have no effect.
 *
 * They are told by their sections, which are not those of ordinary data. Often there are no symbols in them
 * (include/linux/pci.h, DECLARE_PCI_FIXUP_SECTION()), so that nothing else compares them. What has
 * symbols is compared like all data, and only its size is looked at here.
 *
 * Not here: tables that are carried or copied with what refers to them, and those that have a rule of their
 * own.
 */

#include "builder/rules/internal.h"

static const char *const others[] = {
        ".data", ".bss", ".rodata", ".ref.data", ".altinstr_aux",
        "__dyndbg", "__trace_printk_fmt", "__tracepoint", "_ftrace_events", "_ftrace_eval_map", "__bpf_raw_tp_map",
        "__syscalls_metadata", "__param", "alloc_tags",
};

static bool is_table(const ObjectSection *s) {
        if ((s->kind != OBJECT_DATA && s->kind != OBJECT_READ_ONLY) || s->size == 0)
                return false;
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (startswith(s->name, others[i]))
                        return false;
        return true;
}

/* There is one of each name, but for what -fdata-sections makes, and that is no table. */
static const ObjectSection *table_find(const Object *o, const char *name) {
        for (size_t i = 1; i < o->n_sections; i++)
                if (streq(o->sections[i].name, name) && is_table(o->sections + i))
                        return o->sections + i;
        return NULL;
}

static bool has_symbols(const Object *o, const ObjectSection *s) {
        for (size_t i = 1; i < o->n_symbols; i++)
                if (symbol_section(o, (uint32_t) i) == s && o->symbols[i].type != STT_SECTION &&
                                !startswith(o->symbols[i].name, ".L"))
                        return true;
        return false;
}

static bool same_references(const Changes *c, const ObjectSection *b, const ObjectSection *a) {
        if (b->n_relocations != a->n_relocations)
                return false;
        for (size_t i = 0; i < b->n_relocations; i++) {
                const ObjectRelocation *x = b->relocations + i, *y = a->relocations + i;

                if (x->offset != y->offset || x->type != y->type || x->delta != y->delta ||
                                (c->after_of[x->symbol] != y->symbol &&
                                 !streq(c->before->symbols[x->symbol].name, c->after->symbols[y->symbol].name)))
                        return false;
        }
        return true;
}

static bool same_table(const Changes *c, const ObjectSection *b, const ObjectSection *a) {
        if (b->size != a->size)
                return false;
        if (has_symbols(c->before, b) || has_symbols(c->after, a))
                return true;
        if (!b->data != !a->data || (b->data && memcmp(b->data, a->data, b->size) != 0))
                return false;
        return same_references(c, b, a);
}

static int refuse(const ObjectSection *s, Findings *findings) {
        return findings_refuse(findings, RULE_MODULE_INTERFACE, s->name,
                        "the table '%s' changed; the running kernel has its own, which stays as it is", s->name);
}

int rule_tables(const RuleInput *in, Findings *findings) {
        const Changes *c = in->changes;
        int r = 0;

        for (size_t i = 1; i < c->after->n_sections && r == 0; i++) {
                const ObjectSection *a = c->after->sections + i, *b = is_table(a) ? table_find(c->before, a->name) : NULL;

                if (is_table(a) && (!b || !same_table(c, b, a)))
                        r = refuse(a, findings);
        }
        for (size_t i = 1; i < c->before->n_sections && r == 0; i++) {
                const ObjectSection *b = c->before->sections + i;

                if (is_table(b) && !table_find(c->after, b->name))
                        r = refuse(b, findings);
        }
        return r;
}
