/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Has this content gone wrong here too often? A bundle that took the machine down twice is not tried
 * a third time, neither by hand nor at the next start, until a person releases it. It is the content
 * that counts: the same id built again has no strikes.
 */

#include "daemon/plan-internal.h"

static const PlanStrikes *find_strikes(const PlanBuild *b, const PlanItem *item) {
        for (size_t i = 0; i < b->facts->n_strikes; i++) {
                const PlanStrikes *s = &b->facts->strikes[i];

                if (streq(s->id, item->manifest->id) && streq_ptr(s->digest, item->digest))
                        return s;
        }
        return NULL;
}

/** plan_check_quarantine() - refuse what is quarantined. Return: 0 or -ENOMEM. */
int plan_check_quarantine(PlanBuild *b, const PlanItem *item) {
        const PlanStrikes *s = find_strikes(b, item);
        bool ok = !s || !s->quarantined;
        char found[32];
        int r;

        snprintf(found, sizeof(found), "%zu", s ? s->count : 0);
        r = plan_condition(b->plan, item->manifest->id, ok, found, "less than 2", "strikes");
        if (r < 0 || ok)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("Quarantined"),
                        "The bundle '%s' is quarantined on this machine: %s", item->manifest->id,
                        s->last ?: "what speaks against it cannot be read");
}
