/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The order in which an object is examined: what changed, what of it must not, whether the originals
 * are what the kernel runs, and only then what is taken out of it. Each step leaves findings; a later
 * one runs all the same where it still makes sense, so that the author sees all reasons at once.
 */

#include "builder/build/unit.h"

#include "builder/compare/inlined.h"
#include "builder/rules/rules.h"
#include "util/str.h"

static bool changes_code(const Changes *c, uint32_t symbol) {
        const SymbolChange *s = c->symbols + symbol;

        return (s->kind == CHANGE_CHANGED || s->kind == CHANGE_NEW) && object_symbol_is_function(c->after, symbol);
}

/** unit_is_changed() - is there any function in it that the fix changed or added? */
bool unit_is_changed(const BuildUnit *u) {
        for (uint32_t i = 1; u->changes && i < u->after->n_symbols; i++)
                if (changes_code(u->changes, i))
                        return true;
        return false;
}

static int prove_original(BuildUnit *u, uint32_t before, Findings *findings) {
        const Match **grown, *match;
        int r;

        r = matcher_prove(u->matcher, before, &match, findings);
        if (r <= 0)
                return r;
        grown = reallocarray(u->originals, u->n_originals + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        u->originals = grown;
        grown[u->n_originals++] = match;
        return 1;
}

/* Returns 1: all are what the kernel has; 0: a finding says which is not. */
static int prove_originals(BuildUnit *u, Findings *findings) {
        bool proved = true;

        for (uint32_t i = 1; i < u->after->n_symbols; i++) {
                int r;

                if (!changes_code(u->changes, i) || u->changes->symbols[i].before == 0)
                        continue;
                r = prove_original(u, u->changes->symbols[i].before, findings);
                if (r < 0)
                        return r;
                proved &= r > 0;
        }
        return proved;
}

static int read_objects(BuildUnit *u, sd_bus_error *error) {
        int r;

        r = object_read(u->compiled->before, &u->before, error);
        if (r >= 0)
                r = object_read(u->compiled->after, &u->after, error);
        if (r >= 0)
                r = changes_find(u->before, u->after, &u->changes, error);
        return r;
}

static int check_rules(const BuildUnit *u, const UnitContext *c, sd_bus_error *error) {
        RuleInput in = {
                .changes = u->changes,
                .image = u->image,
                .kernel = c->kernel,
                .before_path = u->compiled->before,
                .after_path = u->compiled->after,
                .work_dir = c->work_dir,
        };

        return rules_check(&in, c->findings, error);
}

static void begin(const BuildUnit *u, const UnitContext *c) {
        c->findings->object = u->compiled->object;
        c->findings->file = u->compiled->source;
}

/**
 * unit_examine() - compare, check and prove one object
 * @u: with compiled and image filled in
 * @c: what all objects share; refusals and remarks go to its findings
 * @error: what kept us from examining it; never a refusal of the fix
 *
 * Return: 0 or a negative errno.
 */
int unit_examine(BuildUnit *u, const UnitContext *c, sd_bus_error *error) {
        int r;

        begin(u, c);
        r = read_objects(u, error);
        if (r >= 0)
                r = check_rules(u, c, error);
        if (r < 0 || !unit_is_changed(u))
                return r;
        r = changes_name_inlined(u->changes, c->fix, u->compiled->before, u->compiled->after);
        if (r >= 0)
                r = matcher_new(u->before, u->image, &u->matcher);
        if (r >= 0)
                r = prove_originals(u, c->findings);
        if (r >= 0)
                u->proved = r > 0;
        return r < 0 ? r : 0;
}

/**
 * unit_extract() - take out of an examined object what goes into the module
 * @u: examined; without a change, or when its originals were not proved, nothing is done
 * @c: what all objects share
 * @provided: new global symbols of all objects and of the author's files, see struct ExtractInput
 * @number: of the object in the build, from 0
 * @error: what kept us from it; never a refusal of the fix
 *
 * Return: 0 or a negative errno.
 */
int unit_extract(BuildUnit *u, const UnitContext *c, const Provided *provided, unsigned number, sd_bus_error *error) {
        ExtractInput in = {
                .changes = u->changes,
                .image = u->image,
                .kernel = c->kernel,
                .matcher = u->matcher,
                .symvers = c->symvers,
                .provided = provided,
                .number = number,
        };

        if (!u->proved)
                return 0;
        begin(u, c);
        if (str_printf(&u->extracted_path, "%s/unit-%u.o", c->work_dir, number) < 0)
                return -ENOMEM;
        return extract(&in, u->extracted_path, &u->extracted, c->findings, error);
}

void unit_done(BuildUnit *u) {
        extracted_done(&u->extracted);
        free(u->extracted_path);
        free(u->originals);
        matcher_free(u->matcher);
        changes_free(u->changes);
        object_free(u->before);
        object_free(u->after);
        *u = (BuildUnit) {};
}
