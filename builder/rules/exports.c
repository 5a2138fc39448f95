/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Exported symbols: promises to modules that were built before the fix.
 *
 * One that goes, or becomes available to GPL modules only, breaks a promise; the running kernel would
 * go on exporting the old function. One that comes cannot be exported: livepatch adds no entries to the
 * kernel's tables. The fix's own functions find each other without an export, so that is a remark. A
 * changed prototype is seen where types are (layout.c).
 */

#include "builder/rules/internal.h"

/* 6.1: __ksymtab_NAME in section ___ksymtab[_gpl]+NAME; since 6.4: __export_symbol_NAME in
 * .export_symbol, which begins with the licence (include/linux/export.h) */
static const char *const prefixes[] = { "__ksymtab_", "__export_symbol_" };

/**
 * exported_name() - what the symbol at @symbol exports
 *
 * Return: the exported name, or NULL when it is no entry of that table.
 */
const char *exported_name(const Object *o, uint32_t symbol) {
        const ObjectSection *s = symbol_section(o, symbol);

        if (!s || s->kind != OBJECT_EXPORT || o->symbols[symbol].type == STT_SECTION)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++) {
                const char *name = startswith(o->symbols[symbol].name, prefixes[i]);

                if (name)
                        return name;
        }
        return NULL;
}

static bool gpl_only(const Object *o, uint32_t symbol) {
        const ObjectSection *s = symbol_section(o, symbol);
        uint64_t at = o->symbols[symbol].value;

        if (startswith(s->name, "___ksymtab_gpl"))
                return true;
        return streq(s->name, ".export_symbol") && s->data && at < s->size && s->size - at >= 4 &&
                memcmp(s->data + at, "GPL", 4) == 0;
}

static int check_gone(const Changes *c, uint32_t old, const char *name, Findings *findings) {
        uint32_t new = object_find(c->after, c->before->symbols[old].name);

        if (new == 0 || !exported_name(c->after, new))
                return findings_refuse(findings, RULE_EXPORT_CHANGED, name,
                                "'%s' is no longer exported, but modules may use it", name);
        if (!gpl_only(c->before, old) && gpl_only(c->after, new))
                return findings_refuse(findings, RULE_EXPORT_CHANGED, name,
                                "'%s' is now exported to GPL modules only", name);
        return 0;
}

int rule_exports(const RuleInput *in, Findings *findings) {
        const Changes *c = in->changes;
        int r = 0;

        for (uint32_t i = 1; i < c->before->n_symbols && r == 0; i++) {
                const char *name = exported_name(c->before, i);

                if (name)
                        r = check_gone(c, i, name, findings);
        }
        for (uint32_t i = 1; i < c->after->n_symbols && r == 0; i++) {
                const char *name = exported_name(c->after, i);

                if (name && object_find(c->before, c->after->symbols[i].name) == 0)
                        r = findings_remark(findings, RULE_EXPORT_CHANGED, name,
                                        "'%s' is newly exported, but only the fix itself will be able to use it", name);
        }
        return r;
}
