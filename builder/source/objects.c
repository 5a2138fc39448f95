/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From touched files to objects: so far the C files themselves.
 */

#include "builder/source/objects.h"

static bool has_suffix(const char *name, const char *suffix) {
        size_t l = strlen(name), s = strlen(suffix);

        return l > s && streq(name + l - s, suffix);
}

static int add_unit(Compiled *c, const char *source) {
        CompiledUnit *grown = reallocarray(c->units, c->n_units + 1, sizeof(*grown));
        CompiledUnit u = { .source = strdup(source), .path = strdup(source) };

        if (grown)
                c->units = grown;
        if (!grown || !u.source || !u.path) {
                free(u.source);
                free(u.path);
                return -ENOMEM;
        }
        u.path[strlen(u.path) - 1] = 'o';
        grown[c->n_units++] = u;
        return 0;
}

int objects_find(const Tree *t, const Fix *fix, Compiled *c, Findings *findings, sd_bus_error *error) {
        (void) t;
        (void) findings;
        (void) error;
        for (size_t i = 0; i < fix->n_files; i++)
                if (has_suffix(fix->files[i].path, ".c")) {
                        int r = add_unit(c, fix->files[i].path);

                        if (r < 0)
                                return r;
                }
        return 0;
}
