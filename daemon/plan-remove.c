/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Taking patches out: the way back must be open as long as it is safe, so the checks are few. What
 * another patch requires stays, what is not ours is not touched, and two transitions at a time the
 * kernel does not do.
 */

#include "daemon/plan-internal.h"
#include "util/strv.h"

static bool provides(const PlanPatch *p, const char *id) {
        return p->id && p->state == LIVEPATCH_PATCHED &&
                (streq(p->id, id) || strv_contains(p->supersedes, id));
}

/* The requirement of a patch that stays which nobody that stays would satisfy; NULL: none. */
static const char *broken_requirement(const PlanFacts *facts, const bool *removed, const PlanPatch *stays) {
        for (char *const *id = stays->requires; id && *id; id++) {
                bool now = false, then = false;

                for (size_t i = 0; i < facts->n_patches; i++)
                        if (provides(&facts->patches[i], *id)) {
                                now = true;
                                then = then || !removed[i];
                        }
                if (now && !then)
                        return *id;
        }
        return NULL;
}

static int mark_dependants(const PlanFacts *facts, bool *removed) {
        int marked = 0;

        for (size_t i = 0; i < facts->n_patches; i++) {
                const PlanPatch *p = &facts->patches[i];

                if (removed[i] || !p->id || !p->module || !plan_patch_in_kernel(p) ||
                    !broken_requirement(facts, removed, p))
                        continue;
                removed[i] = true;
                marked = 1;
        }
        return marked;
}

/* The next in the order of application that was not taken yet. */
static const PlanPatch *take_first(const PlanFacts *facts, bool *taken) {
        const PlanPatch *first = NULL;

        for (size_t i = 0; i < facts->n_patches; i++)
                if (taken[i] && (!first || facts->patches[i].order < first->order))
                        first = &facts->patches[i];
        if (first)
                taken[first - facts->patches] = false;
        return first;
}

/**
 * plan_dependants() - which patches cannot stay in force when these go
 * @ids: patches that are taken out in any case
 * @facts: symbols are not needed
 * @ret_ids, @ret_modules: without those of @ids, in the order of application; free with strv_free()
 *
 * Return: 0 or -ENOMEM.
 */
int plan_dependants(char *const *ids, const PlanFacts *facts, char ***ret_ids, char ***ret_modules) {
        _cleanup_strv_free_ char **dependants = NULL, **modules = NULL;
        _cleanup_free_ bool *removed = calloc(facts->n_patches + 1, sizeof(*removed));
        const PlanPatch *p;
        int r;

        if (!removed)
                return -ENOMEM;
        for (char *const *id = ids; id && *id; id++) {
                p = plan_find_patch(facts, *id);
                if (p)
                        removed[p - facts->patches] = true;
        }
        while (mark_dependants(facts, removed) > 0)
                ;
        while ((p = take_first(facts, removed))) {
                if (strv_contains(ids, strempty(p->id)))
                        continue;
                r = strv_extend(&dependants, p->id);
                if (r >= 0)
                        r = strv_extend(&modules, p->module);
                if (r < 0)
                        return r;
        }
        *ret_ids = TAKE_PTR(dependants);
        *ret_modules = TAKE_PTR(modules);
        return 0;
}

/* "'a', 'b'": the patches that stay and require it; NULL: none, or memory is out. */
static char *list_requirers(const PlanFacts *facts, const bool *removed, const char *id) {
        char *text = NULL;
        size_t size, n = 0;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (size_t i = 0; i < facts->n_patches; i++) {
                const PlanPatch *p = &facts->patches[i];

                if (!removed[i] && p->id && p->state == LIVEPATCH_PATCHED && strv_contains(p->requires, id))
                        fprintf(f, "%s'%s'", n++ ? ", " : "", p->id);
        }
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

static int check_required_by(Plan *p, const PlanFacts *facts, const bool *removed) {
        for (size_t i = 0; i < facts->n_patches; i++) {
                const PlanPatch *stays = &facts->patches[i];
                _cleanup_free_ char *names = NULL;
                const char *id;
                int r;

                if (removed[i] || !stays->id || stays->state != LIVEPATCH_PATCHED)
                        continue;
                id = broken_requirement(facts, removed, stays);
                if (!id)
                        continue;
                names = list_requirers(facts, removed, id);
                if (!names)
                        return -ENOMEM;
                r = plan_condition(p, id, false, names, "none", "required-by");
                if (r < 0)
                        return r;
                return plan_refuse(p, HOTPATCH_ERROR("Conflict"), "'%s' is required by the active %s %s",
                                id, strchr(names, ',') ? "patches" : "patch", names);
        }
        return plan_condition(p, NULL, true, "nobody", "nobody", "required-by");
}

static int refuse_unknown(Plan *p, const PlanFacts *facts, const char *id) {
        for (size_t i = 0; i < facts->n_patches; i++)
                if (!facts->patches[i].id && streq_ptr(facts->patches[i].module, id))
                        return plan_refuse(p, HOTPATCH_ERROR("NotOurs"),
                                        "The livepatch '%s' was not loaded by hotpatch", id);
        return plan_refuse(p, HOTPATCH_ERROR("NoSuchPatch"), "There is no patch '%s'", id);
}

static int report_removed(Plan *p, const PlanPatch *patch) {
        int r = plan_condition(p, patch->id, true, livepatch_state_to_string(patch->state), "any", "state");

        if (r < 0 || !plan_patch_in_kernel(patch))
                return r;
        for (size_t i = 0; i < patch->n_objects; i++)
                for (char **f = patch->objects[i].functions; f && *f; f++) {
                        r = plan_add_function(p, patch->id, patch->objects[i].name, *f,
                                        FUNCTION_DROPPED, false);
                        if (r < 0)
                                return r;
                }
        return 0;
}

static int mark_removed(Plan *p, char *const *ids, const PlanFacts *facts, bool *removed, bool *ret_in_kernel) {
        bool in_kernel = false;

        for (; *ids; ids++) {
                const PlanPatch *patch = plan_find_patch(facts, *ids);
                int r;

                if (!patch && strv_contains(facts->staged, *ids)) {
                        r = plan_condition(p, *ids, true, "staged", "any", "state");
                        if (r < 0)
                                return r;
                        continue;
                }
                if (!patch) {
                        r = refuse_unknown(p, facts, *ids);
                        if (r < 0)
                                return r;
                        continue;
                }
                if (removed[patch - facts->patches])
                        continue;
                removed[patch - facts->patches] = true;
                in_kernel = in_kernel || plan_patch_in_kernel(patch);
                r = report_removed(p, patch);
                if (r < 0)
                        return r;
        }
        *ret_in_kernel = in_kernel;
        return 0;
}

/* Only what touches the kernel must wait for another transition; forgetting need not. */
static int check_transition(Plan *p, const PlanFacts *facts) {
        const char *module = facts->transition_module;
        int r = plan_condition(p, NULL, !module, module ?: "none", "none", "transition");

        if (r < 0 || !module)
                return r;
        return plan_refuse(p, HOTPATCH_ERROR("TransitionInProgress"),
                        "The livepatch '%s' is in transition, and the kernel does one at a time", module);
}

/**
 * plan_remove() - what removing these patches would do
 * @ids: bundle ids; one named twice counts once
 * @facts: symbols are not needed
 * @ret: the plan, refused or not; free with plan_free()
 *
 * Removing is allowed where hotpatching is switched off: it leads back to the original code.
 * A patch that is wanted but not loaded is only forgotten; one that is only staged stays staged, there
 * is nothing to do.
 *
 * Return: 0 or -ENOMEM.
 */
int plan_remove(char *const *ids, const PlanFacts *facts, Plan **ret) {
        _cleanup_(plan_freep) Plan *plan = NULL;
        _cleanup_free_ bool *removed = NULL;
        bool in_kernel;
        int r;

        r = plan_new(&plan);
        if (r < 0)
                return r;
        removed = calloc(facts->n_patches + 1, sizeof(*removed));
        if (!removed)
                return -ENOMEM;
        r = mark_removed(plan, ids, facts, removed, &in_kernel);
        if (r < 0)
                return r;
        if (in_kernel) {
                r = check_transition(plan, facts);
                if (r < 0)
                        return r;
        }
        r = check_required_by(plan, facts, removed);
        if (r < 0)
                return r;
        if (!sd_bus_error_is_set(&plan->refusal)) {
                r = plan_steps_remove(plan, facts, removed, false);
                if (r < 0)
                        return r;
                plan->changed = plan->n_steps > 0;
        }
        *ret = TAKE_PTR(plan);
        return 0;
}
