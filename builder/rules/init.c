/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Code and data that are gone: __init has run, and its memory is given away; __exit of what is built in
 * was never there. What of it the fix changed is told here, and then taken off the list of changes:
 * nobody can redirect it.
 */

#include "builder/rules/internal.h"

/* Of what is built in, exit code is thrown away by the linker. */
static bool was_never_there(const RuleInput *in, const ObjectSection *s) {
        return startswith(s->name, ".exit") && streq(in->image->object, "vmlinux");
}

static int check_changed(const RuleInput *in, uint32_t symbol, Findings *findings) {
        const Object *o = in->changes->after;
        const ObjectSection *s = symbol_section(o, symbol);
        const char *name = o->symbols[symbol].name;

        if (was_never_there(in, s))
                return findings_remark(findings, RULE_INIT_CODE, name,
                                "the change to '%s' has no effect: this is built in, and its exit code is not in "
                                "the kernel", name);
        if (startswith(s->name, ".exit"))
                return findings_refuse(findings, RULE_INIT_CODE, name,
                                "'%s' is exit code of a module, which is not replaced", name);
        return findings_refuse(findings, RULE_INIT_CODE, name, object_symbol_is_function(o, symbol) ?
                        "'%s' changed, but it is initialisation code that has already run" :
                        "'%s' changed, but it is initialisation data that has already been read", name);
}

static bool refers_to_name(const Object *o, uint32_t user, const char *name) {
        size_t n;
        const ObjectRelocation *r = object_symbol_fields(o, user, &n);

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
        const ObjectRelocation *r = object_symbol_fields(c->after, symbol, &n);
        int k = 0;

        for (size_t i = 0; i < n && k == 0; i++) {
                const char *to = c->after->symbols[r[i].symbol].name;

                /* Code that may refer to init code (__ref) did so before, and knows when. */
                if (!is_init(in, r[i].symbol) || (c->symbols[symbol].before &&
                                                  refers_to_name(c->before, c->symbols[symbol].before, to)))
                        continue;
                k = findings_refuse(findings, RULE_INIT_CODE, c->after->symbols[symbol].name,
                                "'%s' would use '%s', which is gone after initialisation",
                                c->after->symbols[symbol].name, to);
        }
        return k;
}

/* What is new has to be used by somebody, and that is a change. A .cold part speaks through its function. */
static bool is_changed_init(const Changes *c, uint32_t symbol) {
        const ObjectSection *s = symbol_section(c->after, symbol);

        return s->kind == OBJECT_INIT && c->symbols[symbol].kind == CHANGE_CHANGED && !startswith(s->name, ".initcall") &&
                (!object_symbol_is_function(c->after, symbol) || object_function_parent(c->after, symbol) == symbol);
}

/* include/linux/init.h, __setup(): struct obs_kernel_param, read when the command line is. */
static int check_boot_parameter(const RuleInput *in, uint32_t symbol, Findings *findings) {
        const char *name = startswith(in->changes->after->symbols[symbol].name, "__setup_");

        if (!name || in->changes->symbols[symbol].kind != CHANGE_NEW ||
                        !startswith(symbol_section(in->changes->after, symbol)->name, ".init.setup"))
                return 0;
        return findings_remark(findings, RULE_INIT_CODE, name,
                        "the new parameter of the kernel's command line that '%s' reads has no effect: it has been read", name);
}

int rule_init(const RuleInput *in, Findings *findings) {
        const Object *o = in->changes->after;
        int r = 0;

        for (uint32_t i = 1; i < o->n_symbols && r == 0; i++) {
                const ObjectSection *s = symbol_section(o, i);

                if (!s || o->symbols[i].type == STT_SECTION || o->symbols[i].size == 0)
                        continue;
                if (is_changed_init(in->changes, i))
                        r = check_changed(in, i, findings);
                else if (s->kind == OBJECT_INIT)
                        r = check_boot_parameter(in, i, findings);
                else if (s->kind == OBJECT_CODE && object_symbol_is_function(o, i) && change_is_taken(in->changes, i))
                        r = check_references(in, i, findings);
        }
        return r;
}

/** init_forget() - initialisation code is no code to replace; after it was spoken about */
void init_forget(Changes *c) {
        for (uint32_t i = 1; i < c->after->n_symbols; i++) {
                const ObjectSection *s = symbol_section(c->after, i);

                if (s && s->kind == OBJECT_INIT)
                        c->symbols[i].kind = CHANGE_NONE;
        }
}
