/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a fix changed in one object.
 *
 * First it is settled which symbol is which (correlate.c), then everything that is there before and after is
 * compared by content (content.c, tables.c). Nothing is propagated: a caller of a changed function is not
 * changed, and a callee that was inlined shows in its callers by itself, since their code differs.
 *
 * Two things look like changes and are not treated alike:
 *  - A part that is seldom run (`.cold`) belongs to its function. One cannot be replaced without the other, so
 *    if either changed, both did.
 *  - A constant of this file alone that holds only values is one with the functions that use it: if its
 *    content changed, it is a new constant, and the functions that refer to it are changed. Constants
 *    that hold addresses of functions are not: the kernel compares such tables by their address.
 */

#include <elf.h>

#include "builder/compare/compare-internal.h"
#include "dbus/errors.h"
#include "util/str.h"
#include "util/strv.h"

/** changes_free() - free the result, not the objects. Return: NULL */
Changes *changes_free(Changes *c) {
        if (!c)
                return NULL;
        for (size_t i = 0; c->symbols && i < c->after->n_symbols; i++) {
                free(c->symbols[i].why);
                strv_free(c->symbols[i].inlined);
        }
        free(c->symbols);
        free(c->after_of);
        free(c);
        return NULL;
}

static ObjectSectionKind symbol_kind(const Object *o, uint32_t symbol) {
        return object_symbol_is_defined(o, symbol) ? o->sections[o->symbols[symbol].section].kind
                                                   : OBJECT_IGNORED;
}

static bool holds_functions(const Object *o, uint32_t symbol) {
        size_t n;
        const ObjectRelocation *r = object_symbol_fields(o, symbol, &n);

        for (size_t i = 0; i < n; i++)
                if (!object_symbol_is_defined(o, r[i].symbol) ||
                                o->sections[o->symbols[r[i].symbol].section].flags & SHF_EXECINSTR)
                        return true;
        return false;
}

/* Constants of values whose content changed are new; so are those that refer to such. */
static void separate_constants(Comparison *x) {
        Changes *c = x->changes;
        bool again = true;

        while (again) {
                again = false;
                for (uint32_t a = 1; a < c->after->n_symbols; a++) {
                        uint32_t b = c->symbols[a].before;

                        if (!b || c->after->symbols[a].bind != STB_LOCAL ||
                                        symbol_kind(c->after, a) != OBJECT_READ_ONLY ||
                                        symbol_kind(c->before, b) != OBJECT_READ_ONLY ||
                                        !symbol_is_compared(c->after, a) || holds_functions(c->after, a) ||
                                        holds_functions(c->before, b) || data_same(x, b, a))
                                continue;
                        c->symbols[a].before = 0;
                        c->after_of[b] = 0;
                        again = true;
                }
        }
}

static int compare_function(Comparison *x, uint32_t before, uint32_t after) {
        SymbolChange *change = x->changes->symbols + after;
        Difference d;

        if (symbol_kind(x->before, before) != symbol_kind(x->after, after)) {
                change->kind = CHANGE_CHANGED;
                return str_printf(&change->why, "is in section '%s' and was in '%s'",
                        x->after->sections[x->after->symbols[after].section].name,
                        x->before->sections[x->before->symbols[before].section].name) < 0 ? -ENOMEM : 0;
        }
        if (function_same(x, before, after, &d)) {
                change->kind = CHANGE_SAME;
                return 0;
        }
        change->kind = CHANGE_CHANGED;
        return why(x, before, after, &d, &change->why);
}

static int compare_symbol(Comparison *x, uint32_t after) {
        SymbolChange *change = x->changes->symbols + after;
        uint32_t before = change->before;
        ObjectSectionKind kind = symbol_kind(x->after, after);

        if (!symbol_is_compared(x->after, after) || kind == OBJECT_IGNORED || kind == OBJECT_TABLE)
                return 0;
        if (!before) {
                change->kind = CHANGE_NEW;
                return 0;
        }
        if (x->after->sections[x->after->symbols[after].section].flags & SHF_EXECINSTR)
                return compare_function(x, before, after);
        change->kind = symbol_kind(x->before, before) == kind && data_same(x, before, after) ? CHANGE_SAME
                                                                                              : CHANGE_CHANGED;
        return 0;
}

static int say_once(SymbolChange *change, const char *part) {
        change->kind = CHANGE_CHANGED;
        if (change->why)
                return 0;
        return str_printf(&change->why, "belongs to '%s', which changed", part) < 0 ? -ENOMEM : 0;
}

static int join_parts(Changes *c) {
        int r = 0;

        for (uint32_t a = 1; a < c->after->n_symbols && r >= 0; a++) {
                uint32_t parent = object_symbol_is_function(c->after, a) ? object_function_parent(c->after, a) : a;

                if (parent == a)
                        continue;
                if (c->symbols[a].kind != CHANGE_SAME && c->symbols[parent].kind == CHANGE_SAME)
                        r = say_once(c->symbols + parent, c->after->symbols[a].name);
                else if (c->symbols[a].kind == CHANGE_SAME && c->symbols[parent].kind != CHANGE_SAME)
                        r = say_once(c->symbols + a, c->after->symbols[parent].name);
        }
        return r;
}

static void comparison_done(Comparison *x) {
        tables_done(&x->before_tables);
        tables_done(&x->after_tables);
        free(x->anonymous[0]);
        free(x->anonymous[1]);
}

static int comparison_begin(Comparison *x) {
        int r = 0;

        for (unsigned i = 0; i < 2 && r >= 0; i++) {
                const Object *o = i ? x->after : x->before;

                r = tables_read(o, i ? &x->after_tables : &x->before_tables);
                if (r >= 0)
                        r = anonymous_read(o, x->anonymous + i, x->n_anonymous + i);
        }
        return r;
}

static int compare_all(Changes *c) {
        _cleanup_(comparison_done) Comparison x = { .changes = c, .before = c->before, .after = c->after };
        int r;

        r = comparison_begin(&x);
        if (r < 0)
                return r;
        r = correlate(&x);
        if (r < 0)
                return r;
        separate_constants(&x);
        for (uint32_t a = 1; a < c->after->n_symbols; a++) {
                r = compare_symbol(&x, a);
                if (r < 0)
                        return r;
        }
        return join_parts(c);
}

/**
 * changes_find() - compare two objects of one source file
 * @before, @after: read; must live as long as the result
 * @ret: to be freed with changes_free()
 * @error: ModuleBuildFailed when a table has a form that is not known, or when the compiler was not told the
 *   same both times
 *
 * Return: 0 or a negative errno.
 */
int changes_find(const Object *before, const Object *after, Changes **ret, sd_bus_error *error) {
        _cleanup_changes_free_ Changes *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        c->before = before;
        c->after = after;
        c->symbols = calloc(after->n_symbols, sizeof(*c->symbols));
        c->after_of = calloc(before->n_symbols, sizeof(*c->after_of));
        if (!c->symbols || !c->after_of)
                return -ENOMEM;
        r = options_same(before, after, error);
        if (r < 0)
                return r;
        r = compare_all(c);
        if (r == -EBADMSG)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "The object has a table of places in the code whose form is not known");
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}
