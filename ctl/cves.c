/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which problem is fixed, which one could be, which one needs a restart. All that is said comes from
 * signed manifests: a hotpatch says what it repairs, and so does a baseline. That a problem cannot be
 * repaired without a restart is known only where a baseline on this machine lists it and no hotpatch
 * on this machine does; about what nobody brought here nothing is known, and nothing is said.
 *
 * A baseline counts as fixed by when the kernel that it promises is the one that runs.
 */

#include "ctl/cves.h"
#include "util/strv.h"

const char *cve_state_to_string(CveState state) {
        static const char *const names[_CVE_STATE_MAX] = {
                [CVE_FIXED] = "fixed",
                [CVE_UNDER_WAY] = "under-way",
                [CVE_STAGED] = "staged",
                [CVE_RESTART] = "restart",
                [CVE_OPEN] = "open",
                [CVE_UNKNOWN] = "unknown",
        };

        return names[state];
}

static void cve_done(Cve *c) {
        free(c->id);
        free(c->severity);
        free(c->summary);
        strv_free(c->references);
        strv_free(c->patches);
        free(c->reason);
        *c = (Cve) { 0 };
}

/** cve_list_done() - free what it holds */
void cve_list_done(CveList *l) {
        for (size_t i = 0; i < l->n; i++)
                cve_done(&l->items[i]);
        free(l->items);
        *l = (CveList) { 0 };
}

/* Why nothing can be applied on this machine; NULL when something can. */
static const char *closed_gate(const ManagerInfo *m) {
        if (!m->supported)
                return "this kernel cannot be hotpatched";
        if (*m->disabled)
                return "hotpatching is switched off";
        if (*m->denied)
                return "hotpatches are not allowed on this machine";
        return *m->ineligible ? "this machine is not eligible for hotpatches" : NULL;
}

static CveState judge_baseline(const Snapshot *s, const Value *description, const char **ret_reason) {
        const char *kernel = value_string(description, "kernel_release");

        if (streq_ptr(kernel, s->manager.release))
                return CVE_FIXED;
        *ret_reason = "needs its baseline, and a restart";
        return CVE_RESTART;
}

static CveState judge_staged(const Snapshot *s, const PatchInfo *p, const char **ret_reason) {
        const struct {
                bool holds;
                const char *reason;
        } rows[] = {
                { p->quarantined, "quarantined: the machine went down with it twice" },
                { p->rolled_back, "failed its trial and was taken out again" },
                { strv_length(p->strikes) > 0, "the machine went down while it was new" },
                { patch_is_missing(p) && streq_ptr(p->restore_result, "forbidden"), "the policy of this machine forbids it" },
                { !*p->module, "not made for the kernel that runs" },
                { closed_gate(&s->manager) != NULL, closed_gate(&s->manager) },
                { patch_is_missing(p), "wanted, but not in force" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (rows[i].holds) {
                        *ret_reason = rows[i].reason;
                        return CVE_OPEN;
                }
        *ret_reason = "staged, and not applied yet";
        return CVE_STAGED;
}

static CveState judge(const Snapshot *s, const PatchInfo *p, const Value *description, const char **ret_reason) {
        static const struct {
                const char *patch_state;
                CveState state;
                const char *reason;
        } rows[] = {
                { "active", CVE_FIXED, NULL },
                { "applying", CVE_UNDER_WAY, "being applied right now" },
                { "transition", CVE_UNDER_WAY, "being applied right now" },
                { "reversing", CVE_UNDER_WAY, "being taken out again right now" },
                { "removing", CVE_UNDER_WAY, "being removed right now" },
                { "pinned", CVE_OPEN, "switched off, but in memory until the restart" },
                { "failed", CVE_OPEN, "could not be applied" },
                { "inactive", CVE_OPEN, "loaded without effect" },
        };

        *ret_reason = NULL;
        if (streq_ptr(value_string(description, "kind"), "baseline"))
                return judge_baseline(s, description, ret_reason);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (streq(rows[i].patch_state, p->state)) {
                        *ret_reason = rows[i].reason;
                        return rows[i].state;
                }
        return judge_staged(s, p, ret_reason);
}

/* Nobody cares how he writes "cve". */
static Cve *find(const CveList *l, const char *id) {
        for (size_t i = 0; i < l->n; i++)
                if (strcasecmp(l->items[i].id, id) == 0)
                        return &l->items[i];
        return NULL;
}

static int add(CveList *l, const char *id, Cve **ret) {
        Cve *grown = reallocarray(l->items, l->n + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        l->items = grown;
        grown[l->n] = (Cve) { .id = strdup(id), .state = CVE_UNKNOWN };
        if (!grown[l->n].id)
                return -ENOMEM;
        *ret = &grown[l->n++];
        return 0;
}

static int set_once(char **field, const char *text) {
        if (*field || !text)
                return 0;
        *field = strdup(text);
        return *field ? 0 : -ENOMEM;
}

/* What the manifest tells of this fix; the first that tells wins. */
static int add_details(Cve *c, const Value *description) {
        const Value *fixes = value_get(description, "fixes");
        const bool known = c->references != NULL;
        int r = 0;

        for (size_t i = 0; i < value_length(fixes) && r >= 0; i++) {
                const Value *fix = value_at(fixes, i), *references = value_get(fix, "references");

                if (!streq_ptr(value_string(fix, "id"), c->id))
                        continue;
                r = set_once(&c->severity, value_string(fix, "severity"));
                if (r >= 0)
                        r = set_once(&c->summary, value_string(fix, "summary"));
                for (size_t j = 0; !known && j < value_length(references) && r >= 0; j++)
                        r = strv_extend(&c->references, strempty(value_text(value_at(references, j))));
        }
        return r;
}

static int add_source(CveList *l, const char *id, const PatchInfo *p, const Value *description, CveState state,
                const char *reason) {
        Cve *c = find(l, id);
        int r = c ? 0 : add(l, id, &c);

        if (r < 0)
                return r;
        if (state < c->state) {
                c->patches = strv_free(c->patches);
                free(c->reason);
                c->reason = NULL;
                c->state = state;
        }
        if (state == c->state)
                r = strv_extend(&c->patches, p->id);
        if (r >= 0 && state == c->state)
                r = set_once(&c->reason, reason);
        return r < 0 ? r : add_details(c, description);
}

static int compare(const void *a, const void *b) {
        const Cve *x = a, *y = b;

        return x->state != y->state ? (int) x->state - (int) y->state : strverscmp(x->id, y->id);
}

/**
 * cve_list_make() - all problems that a bundle here speaks of
 * @s: the snapshot
 * @descriptions: of each patch of it what Describe answered; NULL: nothing
 * @ret: to be cleared with cve_list_done()
 *
 * Return: 0 or -ENOMEM.
 */
int cve_list_make(const Snapshot *s, const Value *const *descriptions, CveList *ret) {
        CveList l = { 0 };
        int r = 0;

        for (size_t i = 0; i < s->n_patches && r >= 0; i++) {
                const PatchInfo *p = &s->patches[i];
                const char *reason;
                CveState state;

                if (p->foreign)
                        continue;
                state = judge(s, p, descriptions[i], &reason);
                for (char **id = p->fixes; id && *id && r >= 0; id++)
                        r = add_source(&l, *id, p, descriptions[i], state, reason);
        }
        if (r < 0) {
                cve_list_done(&l);
                return r;
        }
        if (l.n > 0)
                qsort(l.items, l.n, sizeof(*l.items), compare);
        *ret = l;
        return 0;
}

/**
 * cve_list_select() - keep these, in this order; those that no bundle speaks of are added as unknown
 * @ids: at least one
 *
 * Return: 0 or -ENOMEM.
 */
int cve_list_select(CveList *l, char *const *ids) {
        CveList selected = { 0 };

        for (; *ids; ids++) {
                Cve *known = find(l, *ids), *c, fresh;

                if (find(&selected, *ids))
                        continue;
                if (add(&selected, *ids, &c) < 0) {
                        cve_list_done(&selected);
                        return -ENOMEM;
                }
                if (!known)
                        continue;
                fresh = *c;
                *c = *known;
                *known = fresh;
        }
        cve_list_done(l);
        *l = selected;
        return 0;
}

/** cve_list_count() - how many are in that state */
size_t cve_list_count(const CveList *l, CveState state) {
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++)
                n += l->items[i].state == state;
        return n;
}
