/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which data a patch module may carry a copy of.
 *
 * Data that exists has an identity: somebody else may hold its address or its state. A copy is right
 * only if nobody could tell. There are two such kinds.
 *
 * What belongs to one place in the code and to nobody else: the name of a function, the flag of a
 * warning that appears once, the state of a rate limit, the description of a debug message, the class
 * of a lock. A fresh one costs at most one more message in the log. Compound literals have such names as
 * well; but one that a table points to belongs to the table, and its new value would reach nobody.
 *
 * Constants: in a section that nobody writes, of a local symbol, holding no address (what a constant
 * points to has an identity itself, and functions are found by what points to them).
 *
 * Of both kinds: when the value changed, only what is used by nothing that stays as it was.
 */

#include "builder/rules/data.h"
#include "builder/rules/internal.h"

/* Sections and names, as the kernel's macros give them; a `*` at the end: and whatever follows. */
static const char *const private_sections[] = {
        ".data.once",         /* include/linux/once_lite.h, asm-generic/bug.h; 6.12: .data..once */
        ".data..once",
        "__dyndbg",           /* include/linux/dynamic_debug.h */
        "__dyndbg_classes",
        ".data..ro_once*",
        "__printk_index*",
};
static const char *const private_names[] = {
        "__func__.*",         /* C17, 6.4.2.2 */
        "__FUNCTION__.*",
        "__PRETTY_FUNCTION__.*",
        "__already_done.*",   /* include/linux/once_lite.h */
        "__warned.*",
        "__print_once.*",
        "_rs.*",              /* include/linux/printk.h: DEFINE_RATELIMIT_STATE(_rs, …) */
        "rs.*",
        "descriptor.*",       /* include/linux/dynamic_debug.h */
        "__UNIQUE_ID_ddebug*",
        "__key.*",            /* include/linux/lockdep_types.h, mutex_init() and kin */
        "__lockdep_*",
        "CSWTCH.*",           /* gcc: switch statements turned into tables */
        "__compound_literal.*",
        "C.*",                /* gcc: constant initialisers */
};

static bool name_fits(const char *pattern, const char *name) {
        size_t n = strlen(pattern);

        return pattern[n - 1] == '*' ? strncmp(pattern, name, n - 1) == 0 : streq(pattern, name);
}

static bool in_list(const char *const *list, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (name_fits(list[i], name))
                        return true;
        return false;
}

/* "foo" of ".data.rel.ro.foo" says nothing; the section of -fdata-sections begins with the kind. */
static const char *section_name(const Object *o, uint32_t symbol) {
        uint32_t section = o->symbols[symbol].section;

        return section < o->n_sections ? o->sections[section].name : "";
}

/**
 * data_is_private() - does that data belong to one place in the code, so that a fresh one is as good?
 * @symbol: index of a defined data symbol
 *
 * Return: true for what the list above says.
 */
bool data_is_private(const Object *o, uint32_t symbol) {
        const ObjectSection *s = symbol_section(o, symbol);

        /* A literal that can be written is a variable, and its state is the running kernel's. */
        if (s && s->kind == OBJECT_DATA && startswith(o->symbols[symbol].name, "__compound_literal."))
                return false;
        return in_list(private_names, ELEMENTSOF(private_names), o->symbols[symbol].name) ||
                in_list(private_sections, ELEMENTSOF(private_sections), section_name(o, symbol));
}

static bool is_constant(const Object *o, uint32_t symbol) {
        const ObjectSymbol *s = o->symbols + symbol;
        const ObjectSection *section;
        size_t n;

        if (s->bind != STB_LOCAL || s->section == SHN_UNDEF || s->section >= o->n_sections)
                return false;
        section = o->sections + s->section;
        if (section->kind == OBJECT_STRINGS)
                return true;
        (void) object_symbol_fields(o, symbol, &n);
        return section->kind == OBJECT_READ_ONLY && startswith(section->name, ".rodata") && n == 0;
}

/* Does code that stays, or data that stays, refer to it? */
static bool used_by_what_stays(const Changes *c, uint32_t symbol) {
        const Object *o = c->after;

        for (size_t i = 1; i < o->n_sections; i++) {
                const ObjectSection *s = o->sections + i;

                if (s->kind == OBJECT_IGNORED || s->kind == OBJECT_TABLE)
                        continue;
                for (size_t k = 0; k < s->n_relocations; k++) {
                        uint32_t user;

                        if (s->relocations[k].symbol != symbol)
                                continue;
                        user = object_covering(o, (uint32_t) i, s->relocations[k].offset);
                        if (user == 0 || !change_is_taken(c, user))
                                return true;
                }
        }
        return false;
}

/**
 * data_may_be_copied() - may the patch module have its own copy of data that exists?
 * @symbol: of the object after the fix; data, changed or not
 *
 * Data that is new needs no permission; this is about what the running kernel has, too.
 *
 * Return: true when nobody could tell the copy from the original.
 */
bool data_may_be_copied(const Changes *c, uint32_t symbol) {
        if (!data_is_private(c->after, symbol) && !is_constant(c->after, symbol))
                return false;
        return c->symbols[symbol].kind != CHANGE_CHANGED || !used_by_what_stays(c, symbol);
}
