/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The function list before everything else: an unexpected line in it is the one warning that an author
 * gets before a production machine does.
 */

#include "builder/build/report.h"

#include <ctype.h>

/* Sentences of the object come with small letters; a line begins with a capital. */
static void print_sentence(const char *indent, const char *s) {
        printf("%s%c%s.\n", indent, toupper((unsigned char) *s), *s ? s + 1 : "");
}

static const SymbolChange *find_change(const BuildUnit *u, const char *function) {
        for (uint32_t i = 1; i < u->after->n_symbols; i++)
                if (u->changes->symbols[i].kind == CHANGE_CHANGED && object_symbol_is_function(u->after, i) &&
                    streq(u->before->symbols[u->changes->symbols[i].before].name, function))
                        return u->changes->symbols + i;
        return NULL;
}

static void print_function(const BuildUnit *u, const PatchFunction *f) {
        const SymbolChange *change = find_change(u, f->function);

        printf("  %-12s %s", f->object, f->function);
        if (f->sympos > 0)
                printf(",%llu", (unsigned long long) f->sympos);
        printf("  (%s)\n", u->compiled->source);
        if (change && change->why)
                print_sentence("               ", change->why);
        for (char **s = change ? change->inlined : NULL; s && *s; s++)
                printf("               It contains '%s', which the fix changes.\n", *s);
}

static void print_functions(const Build *b) {
        bool first = true;

        for (size_t i = 0; i < b->n_units; i++)
                for (size_t k = 0; k < b->units[i].extracted.n_functions; k++) {
                        if (first)
                                puts("Redirected:");
                        first = false;
                        print_function(b->units + i, b->units[i].extracted.functions + k);
                }
}

static void print_added(const Build *b) {
        bool first = true;

        for (size_t i = 0; i < b->n_units; i++)
                for (char **s = b->units[i].extracted.added; s && *s; s++) {
                        if (first)
                                puts("New code:");
                        first = false;
                        printf("  %-12s %s  (%s)\n", b->units[i].compiled->object, *s, b->units[i].compiled->source);
                }
}

static void print_objects(const Build *b) {
        puts("Objects:");
        for (size_t i = 0; i < b->n_units; i++) {
                const CompiledUnit *c = b->units[i].compiled;

                printf("  %-12s %s", c->object, c->path);
                if (c->header)
                        printf(", which includes %s", c->header);
                puts(unit_is_changed(b->units + i) ? "" : ": no change");
        }
}

/** report_explain() - what would be redirected, and why; on standard output */
void report_explain(const Build *b) {
        printf("Kernel:  %s, build-id %s\n"
               "Source:  %s, %s\n", b->tree->release, b->kernel ? strempty(b->kernel->build_id) : "",
               b->tree->source_version, b->tree->compiler_version);
        print_objects(b);
        print_functions(b);
        print_added(b);
        report_findings(b, false);
}

/** report_findings() - refusals with their remedies, or remarks; on standard output */
void report_findings(const Build *b, bool refusals) {
        bool first = true;

        for (size_t i = 0; i < b->findings.n; i++) {
                const Finding *f = b->findings.items + i;

                if (f->refused != refusals)
                        continue;
                if (first)
                        puts(refusals ? "Refused:" : "Remarks:");
                first = false;
                printf("  %s%s%s", strempty(f->file), f->file ? ": " : "", f->text);
                printf(" [%s]\n", rule_name(f->rule));
                if (refusals)
                        printf("    %s\n", rule_advice(f->rule));
        }
}
