/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The steps of a plan.
 *
 * Every module is inserted and its transition waited for before anything is committed, so that a
 * failure on the way can be undone as a whole; what was superseded leaves last, so that no moment
 * is without a fix. A module that is in force already and only lost its record is committed, no more.
 */

#include "daemon/plan-internal.h"
#include "util/strv.h"

/* A leftover of the same id (disabled by hand, say) holds the name of the module. */
static int steps_insert(PlanBuild *b, const PlanItem *item) {
        const char *id = item->manifest->id, *module = item->target->module;
        int r;

        if (item->patch && item->patch->state == LIVEPATCH_INACTIVE) {
                r = plan_add_step(b->plan, STEP_UNLOAD, id, item->patch->module);
                if (r < 0)
                        return r;
        }
        r = plan_add_step(b->plan, STEP_INSERT, id, module);
        if (r < 0)
                return r;
        return plan_add_step(b->plan, STEP_TRANSITION, id, module);
}

static int add_steps(Plan *p, const PlanPatch *patch, const StepAction *actions, size_t n) {
        for (size_t i = 0; i < n; i++) {
                int r = plan_add_step(p, actions[i], patch->id, patch->module);
                if (r < 0)
                        return r;
        }
        return 0;
}

#define ADD_STEPS(p, patch, ...)                                                              \
        add_steps((p), (patch), (const StepAction[]) { __VA_ARGS__ },                         \
                        sizeof((const StepAction[]) { __VA_ARGS__ }) / sizeof(StepAction))

/*
 * What takes a patch out, from the state it is in. A module that is held without being enabled may be
 * pinned for good: it is forgotten first, so that it does not come back with the next start.
 */
static int steps_remove(Plan *p, const PlanPatch *patch, bool replaced) {
        /* Somebody else's, replaced with consent: its module is his to unload. */
        if (!patch->id)
                return 0;
        switch (patch->state) {
        case LIVEPATCH_PATCHING:
        case LIVEPATCH_PATCHED:
        case LIVEPATCH_UNPATCHING:
                if (replaced) /* the kernel disabled it */
                        return ADD_STEPS(p, patch, STEP_VANISH, STEP_UNLOAD, STEP_FORGET);
                return ADD_STEPS(p, patch, STEP_DISABLE, STEP_VANISH, STEP_UNLOAD, STEP_FORGET);
        case LIVEPATCH_INACTIVE:
                return ADD_STEPS(p, patch, STEP_UNLOAD, STEP_FORGET);
        case LIVEPATCH_HELD:
                return ADD_STEPS(p, patch, STEP_FORGET, STEP_VANISH, STEP_UNLOAD);
        default:
                return ADD_STEPS(p, patch, STEP_FORGET);
        }
}

/* Index of the wanted patch with the highest order that is not done, or n_patches. */
static size_t latest(const PlanFacts *facts, const bool *wanted, const bool *done) {
        size_t best = facts->n_patches;

        for (size_t i = 0; i < facts->n_patches; i++)
                if (wanted[i] && !done[i] &&
                    (best == facts->n_patches || facts->patches[i].order > facts->patches[best].order))
                        best = i;
        return best;
}

/**
 * plan_steps_remove() - take patches out, latest first: the reverse of their application
 * @wanted: for each patch of the facts: take it out
 * @replaced: the kernel has disabled them already
 *
 * Return: 0 or -ENOMEM.
 */
int plan_steps_remove(Plan *p, const PlanFacts *facts, const bool *wanted, bool replaced) {
        _cleanup_free_ bool *done = calloc(facts->n_patches + 1, sizeof(*done));

        if (!done)
                return -ENOMEM;
        for (;;) {
                size_t i = latest(facts, wanted, done);
                int r;

                if (i == facts->n_patches)
                        return 0;
                done[i] = true;
                r = steps_remove(p, &facts->patches[i], replaced);
                if (r < 0)
                        return r;
        }
}

/* Whoever carries the plan out must be able to say, and to mend, what the kernel will not turn around. */
static int note_replaced(PlanBuild *b, const PlanItem *item) {
        Plan *p = b->plan;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < b->facts->n_patches; i++) {
                const PlanPatch *patch = &b->facts->patches[i];

                if (!b->dropped[i] || !plan_patch_in_kernel(patch))
                        continue;
                r = patch->id ? strv_extend(&p->replaced, patch->id) : strv_extend(&p->replaced_foreign, patch->module);
        }
        if (r < 0 || (!p->replaced && !p->replaced_foreign))
                return r;
        p->replacer = strdup(item->manifest->id);
        return p->replacer ? 0 : -ENOMEM;
}

/** plan_steps_apply() - the steps of a plan that is not refused. Return: 0 or -ENOMEM. */
int plan_steps_apply(PlanBuild *b) {
        bool replaced = false;
        int r;

        for (size_t i = 0; i < b->n_items; i++) {
                if (b->items[i].active || b->items[i].adopted)
                        continue;
                r = steps_insert(b, &b->items[i]);
                if (r >= 0 && b->items[i].target->replace && !replaced) {
                        replaced = true;
                        r = note_replaced(b, &b->items[i]);
                }
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < b->n_items; i++) {
                const PlanItem *item = &b->items[i];

                if (item->active)
                        continue;
                r = plan_add_step(b->plan, STEP_COMMIT, item->manifest->id, item->target->module);
                if (r < 0)
                        return r;
        }
        return plan_steps_remove(b->plan, b->facts, b->dropped, replaced);
}
