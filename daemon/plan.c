/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From verified manifests and facts to a list of steps, or a named refusal.
 *
 * plan_apply() is the one place where it is decided whether and how the kernel is changed; it has
 * no eyes and no hands. What it sees is in PlanFacts, what is to be done is in Plan, so the same
 * function answers a dry run, a real one and a test.
 *
 * The checks run in the order in which a person would want to hear of them: the request itself,
 * the machine, then for each bundle whether it is for this kernel, how it stands to the other
 * patches, and each function. All of them run; the first that fails is the refusal.
 *
 * Nothing to do is not a refusal: `changed` is false then, and the answer to AlreadyApplied is the
 * caller's.
 */

#include "daemon/plan-internal.h"

/* --- the items --- */

/* The note names the patch, the build-id is that of the verified module. One that replaces others does not
 * say any more which ones: that is for a person. */
static bool is_adopted(const PlanItem *item) {
        const PlanPatch *p = item->patch;

        return p && !p->recorded && p->state == LIVEPATCH_PATCHED && p->build_id && item->target &&
                !item->target->replace && streq_ptr(p->module, item->target->module) && item->payload &&
                streq_ptr(p->build_id, item->payload->build_id);
}

static void fill_item(PlanItem *item, const Manifest *m, const char *digest, const PlanFacts *facts, size_t i) {
        *item = (PlanItem) {
                .manifest = m,
                .digest = digest,
                .target = manifest_find_target(m, facts->kernel->arch, facts->kernel->release,
                                facts->kernel->build_id),
                .patch = plan_find_patch(facts, m->id),
                .payload = facts->payloads ? &facts->payloads[i] : NULL,
        };
        item->active = item->patch && item->patch->state == LIVEPATCH_PATCHED &&
                streq_ptr(item->patch->digest, digest);
        item->adopted = is_adopted(item);
}

static bool nothing_to_do(const PlanBuild *b) {
        for (size_t i = 0; i < b->n_items; i++)
                if (!b->items[i].active)
                        return false;
        return true;
}

static int check_items(PlanBuild *b) {
        static const struct {
                int (*check)(PlanBuild *, const PlanItem *);
                bool of_loading; /* it is loaded already, if it is adopted */
        } checks[] = {
                { plan_check_target, false }, { plan_check_quarantine, false },
                { plan_check_policy, false }, { plan_check_payload, true },
                { plan_check_relations, false }, { plan_check_functions, true }, { plan_check_replace, true },
        };
        int r;

        for (size_t i = 0; i < b->n_items; i++) {
                const PlanItem *item = &b->items[i];

                if (item->active) {
                        r = plan_condition(b->plan, item->manifest->id, true, "active", "active", "state");
                        if (r >= 0)
                                r = plan_check_superseded_within(b, item);
                        if (r < 0)
                                return r;
                        continue;
                }
                for (size_t j = 0; j < ELEMENTSOF(checks); j++) {
                        r = item->adopted && checks[j].of_loading ? 0 : checks[j].check(b, item);
                        if (r < 0)
                                return r;
                }
        }
        return plan_report_dropped(b);
}

static int check_all(PlanBuild *b) {
        int r = plan_order(b);

        if (r < 0)
                return r;
        plan_mark_dropped(b);
        plan_mark_replaced(b);
        if (nothing_to_do(b) && !sd_bus_error_is_set(&b->plan->refusal))
                return check_items(b);
        r = plan_check_machine(b);
        return r < 0 ? r : check_items(b);
}

/**
 * plan_apply() - what applying these bundles together would do
 * @manifests: of verified bundles
 * @digests: verified_digest() of each
 * @n_manifests: at least 1; more than HOTPATCH_TRANSACTION_MAX are refused
 * @facts: including a SymbolFacts for each function of the targets for this kernel
 * @ret: the plan, refused or not; free with plan_free()
 *
 * A refusal is a result: look at plan->refusal. Return: 0, -ENODATA when a function was not looked
 * up, -EINVAL without manifests, or -ENOMEM.
 */
int plan_apply(const Manifest *const *manifests, const char *const *digests, size_t n_manifests,
                const PlanFacts *facts, const PlanOptions *options, Plan **ret) {
        _cleanup_(plan_freep) Plan *plan = NULL;
        _cleanup_free_ bool *dropped = NULL;
        PlanBuild b = { .facts = facts, .options = options };
        int r;

        if (n_manifests == 0)
                return -EINVAL;
        r = plan_new(&plan);
        if (r < 0)
                return r;
        dropped = calloc(facts->n_patches + 1, sizeof(*dropped));
        if (!dropped)
                return -ENOMEM;
        b.plan = plan;
        b.dropped = dropped;
        if (n_manifests > HOTPATCH_TRANSACTION_MAX) {
                r = plan_refuse(plan, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                "One transaction takes at most %u bundles", HOTPATCH_TRANSACTION_MAX);
                if (r < 0)
                        return r;
                *ret = TAKE_PTR(plan);
                return 0;
        }
        for (; b.n_items < n_manifests; b.n_items++)
                fill_item(&b.items[b.n_items], manifests[b.n_items], digests[b.n_items], facts,
                                b.n_items);
        r = check_all(&b);
        if (r < 0)
                return r;
        if (!sd_bus_error_is_set(&plan->refusal)) {
                r = plan_steps_apply(&b);
                if (r < 0)
                        return r;
                plan->changed = plan->n_steps > 0;
        }
        *ret = TAKE_PTR(plan);
        return 0;
}
