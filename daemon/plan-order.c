/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The order of a transaction: what a bundle requires comes before it. Where nothing forces an
 * order, a bundle that replaces all livepatches goes first (it would take out the others), then a
 * lower sequence of the same stream, then the order of the caller.
 *
 * The number of bundles is small (HOTPATCH_TRANSACTION_MAX), so each round looks for the first
 * bundle with nothing left to wait for; if there is none, they wait for each other.
 */

#include "daemon/plan-internal.h"
#include "util/strv.h"

/* Superseding is providing: a cumulative bundle stands in for those it took the place of. */
static bool provides(const Manifest *m, const char *id) {
        return streq(m->id, id) || strv_contains(m->supersedes, id);
}

static bool requires(const Manifest *a, const Manifest *b) {
        for (char **id = a->requires; id && *id; id++)
                if (provides(b, *id))
                        return true;
        return false;
}

static bool replaces_all(const PlanItem *item) {
        return item->target && item->target->replace;
}

/* Whether @a goes before @b where dependencies leave the choice. */
static bool goes_first(const PlanItem *a, const PlanItem *b) {
        if (replaces_all(a) != replaces_all(b))
                return replaces_all(a);
        return streq(a->manifest->stream, b->manifest->stream) &&
                a->manifest->sequence < b->manifest->sequence;
}

static bool waits(const PlanItem *items, size_t n, size_t i) {
        for (size_t j = 0; j < n; j++)
                if (j != i && requires(items[i].manifest, items[j].manifest))
                        return true;
        return false;
}

/* Index of the item to take next, or n when all wait. */
static size_t pick(const PlanItem *items, size_t n) {
        size_t best = n;

        for (size_t i = 0; i < n; i++)
                if (!waits(items, n, i) && (best == n || goes_first(&items[i], &items[best])))
                        best = i;
        return best;
}

static int refuse_duplicates(PlanBuild *b) {
        for (size_t i = 0; i < b->n_items; i++)
                for (size_t j = 0; j < i; j++)
                        if (streq(b->items[i].manifest->id, b->items[j].manifest->id))
                                return plan_refuse(b->plan, SD_BUS_ERROR_INVALID_ARGS,
                                                "The bundle '%s' is named twice",
                                                b->items[i].manifest->id);
        return 0;
}

/**
 * plan_order() - sort the items into the order of application
 *
 * Bundles that wait for each other, and a bundle named twice, refuse the plan; the items stay
 * complete then, so that the report is too.
 *
 * Return: 0 or -ENOMEM.
 */
int plan_order(PlanBuild *b) {
        PlanItem left[HOTPATCH_TRANSACTION_MAX];
        size_t n = b->n_items;
        int r = refuse_duplicates(b);

        if (r < 0)
                return r;
        memcpy(left, b->items, n * sizeof(*left));
        for (size_t done = 0; n > 0; done++) {
                size_t i = pick(left, n);

                if (i == n) {
                        r = plan_refuse(b->plan, HOTPATCH_ERROR("RequirementCycle"),
                                        "The bundles '%s' and '%s' require each other, directly or by others",
                                        left[0].manifest->id, left[n - 1].manifest->id);
                        if (r < 0)
                                return r;
                        i = 0;
                }
                b->items[done] = left[i];
                memmove(left + i, left + i + 1, (n - i - 1) * sizeof(*left));
                n--;
        }
        return 0;
}
