/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Functions whose address is taken.
 *
 * An existing function of a kernel with IBT can be called through a pointer only if it begins with
 * endbr64; at boot the kernel takes endbr64 out of each function whose address nobody had taken
 * (arch/x86/kernel/alternative.c, apply_ibt_endbr()). New code that takes such an address would bring
 * the kernel down with the call.
 *
 * A new function is part of the patch module. Whoever keeps its address, as a timer, a work item or
 * call_rcu() do, may call it after the patch has been removed. Nobody can see from here how long it is
 * kept, so this is a remark; so is one for new data that holds addresses of functions, as a table of
 * operations or a notifier does. Addresses of replaced functions are no danger: they are those of the
 * originals, which stay, and are redirected.
 */

#include "builder/rules/data.h"
#include "builder/rules/internal.h"

static bool is_sealed(const RuleInput *in, uint32_t symbol) {
        const Object *o = in->changes->after;
        const Image *image = object_symbol_is_defined(o, symbol) ? in->image : in->kernel;
        const ImageSymbol *const *found;
        size_t n = image_find(image, o->symbols[symbol].name, &found);

        for (size_t i = 0; i < n; i++)
                if (!found[i]->function || found[i]->undefined || !image_sealed(image, found[i]->address))
                        return false;
        return n > 0;
}

static int check_address(const RuleInput *in, uint32_t user, uint32_t target, Findings *findings) {
        const Changes *c = in->changes;
        const char *name = c->after->symbols[target].name, *who = c->after->symbols[user].name;

        if (object_symbol_is_defined(c->after, target) && c->symbols[target].kind == CHANGE_NEW) {
                /* In data of the patch module, the address is as long-lived as the data. */
                if (!object_symbol_is_function(c->after, user))
                        return 0;
                return findings_remark(findings, RULE_INDIRECT_CALL, name,
                                "'%s' gives away the address of the new function '%s': who keeps it must not call it "
                                "after the patch was removed", who, name);
        }
        if (!is_sealed(in, target))
                return 0;
        return findings_refuse(findings, RULE_INDIRECT_CALL, name,
                        "'%s' takes the address of '%s', which this kernel cannot call through a pointer", who, name);
}

/* Functions of other objects have no type here; the kernel knows what they are. */
static bool is_function(const RuleInput *in, uint32_t symbol) {
        const Object *o = in->changes->after;
        const ImageSymbol *const *found;

        if (object_symbol_is_function(o, symbol))
                return true;
        return o->symbols[symbol].section == SHN_UNDEF && image_find(in->kernel, o->symbols[symbol].name, &found) > 0 &&
                found[0]->function;
}

static bool holds_functions(const RuleInput *in, uint32_t data) {
        size_t n;
        const ObjectRelocation *r = object_symbol_fields(in->changes->after, data, &n);

        for (size_t i = 0; i < n; i++)
                if (is_function(in, r[i].symbol))
                        return true;
        return false;
}

static bool is_new_table(const RuleInput *in, uint32_t symbol) {
        const Changes *c = in->changes;
        const ObjectSection *s = symbol_section(c->after, symbol);

        return s && (s->kind == OBJECT_DATA || s->kind == OBJECT_READ_ONLY) && c->symbols[symbol].kind == CHANGE_NEW &&
                c->after->symbols[symbol].type != STT_SECTION && !data_is_private(c->after, symbol) &&
                holds_functions(in, symbol);
}

static int remark_table(const Changes *c, uint32_t user, uint32_t table, Findings *findings) {
        const char *name = c->after->symbols[table].name;

        return findings_remark(findings, RULE_INDIRECT_CALL, name,
                        "'%s' uses the new '%s', which holds addresses of functions: who keeps its address must not use "
                        "it after the patch was removed", c->after->symbols[user].name, name);
}

static bool may_be_function(const RuleInput *in, uint32_t symbol) {
        const Object *o = in->changes->after;

        return object_symbol_is_function(o, symbol) ||
                (o->symbols[symbol].section == SHN_UNDEF && o->symbols[symbol].name[0] != '\0');
}

static int check_user(const RuleInput *in, uint32_t user, Findings *findings) {
        const Object *o = in->changes->after;
        const ObjectSection *s = symbol_section(o, user);
        bool code = object_symbol_is_function(o, user);
        size_t n;
        const ObjectRelocation *r = object_symbol_fields(o, user, &n);
        int k = 0;

        for (size_t i = 0; i < n && k == 0; i++) {
                if (code && is_new_table(in, r[i].symbol)) {
                        k = remark_table(in->changes, user, r[i].symbol, findings);
                        continue;
                }
                /* A place inside of a function, other than its beginning, is a label. */
                if (r[i].delta != 0 || !may_be_function(in, r[i].symbol) ||
                                (code && object_field_is_branch(s, r + i)))
                        continue;
                k = check_address(in, user, r[i].symbol, findings);
        }
        return k;
}

int rule_addresses(const RuleInput *in, Findings *findings) {
        const Object *o = in->changes->after;
        int r = 0;

        for (uint32_t i = 1; i < o->n_symbols && r == 0; i++) {
                const ObjectSection *s = symbol_section(o, i);

                if (!s || o->symbols[i].type == STT_SECTION || !change_is_taken(in->changes, i))
                        continue;
                if (s->kind == OBJECT_CODE || s->kind == OBJECT_DATA || s->kind == OBJECT_READ_ONLY)
                        r = check_user(in, i, findings);
        }
        return r;
}
