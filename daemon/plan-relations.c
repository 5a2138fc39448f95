/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a bundle means for the patches that are there: the order of its stream, what it requires,
 * conflicts with, supersedes, and whether the kernel has room for its module name.
 *
 * Superseding is providing: a bundle that supersedes another satisfies whoever requires that one,
 * so superseding never breaks a requirement.
 */

#include <inttypes.h>

#include "daemon/plan-internal.h"
#include "util/strv.h"

/* Wanted or in effect: both will meet it, now or at the next start. */
static bool counts(const PlanBuild *b, const PlanPatch *p) {
        return !b->dropped[p - b->facts->patches] && (p->recorded || plan_patch_in_kernel(p));
}

static const PlanItem *find_item(const PlanBuild *b, const char *id) {
        for (size_t i = 0; i < b->n_items; i++)
                if (streq(b->items[i].manifest->id, id))
                        return &b->items[i];
        return NULL;
}

/** plan_mark_dropped() - mark the patches that the items supersede */
void plan_mark_dropped(PlanBuild *b) {
        for (size_t i = 0; i < b->n_items; i++) {
                if (b->items[i].active)
                        continue;
                for (size_t j = 0; j < b->facts->n_patches; j++) {
                        const char *id = b->facts->patches[j].id;

                        if (id && strv_contains(b->items[i].manifest->supersedes, id) && !find_item(b, id))
                                b->dropped[j] = true;
                }
        }
}

/* --- sequence --- */

/* The highest sequence that is known of the stream: its mark, or an active patch if the mark is lost. */
static uint64_t stream_mark(const PlanBuild *b, const char *stream, const char **ret_digest) {
        uint64_t mark = 0;

        *ret_digest = NULL;
        for (size_t i = 0; i < b->facts->n_streams; i++)
                if (streq(b->facts->streams[i].name, stream)) {
                        mark = b->facts->streams[i].sequence;
                        *ret_digest = b->facts->streams[i].digest;
                }
        for (size_t i = 0; i < b->facts->n_patches; i++) {
                const PlanPatch *p = &b->facts->patches[i];

                if (p->id && streq_ptr(p->stream, stream) && plan_patch_in_kernel(p) && p->sequence > mark) {
                        mark = p->sequence;
                        *ret_digest = p->digest;
                }
        }
        return mark;
}

static int check_sequence(PlanBuild *b, const PlanItem *item) {
        const Manifest *m = item->manifest;
        char found[32], needed[48];
        const char *digest;
        uint64_t mark = stream_mark(b, m->stream, &digest);
        bool lower = m->sequence < mark;
        bool reused = m->sequence == mark && digest && item->digest && !streq(digest, item->digest);
        bool ok = (!lower && !reused) || b->options->allow_downgrade;
        int r;

        snprintf(found, sizeof(found), "%" PRIu64, m->sequence);
        snprintf(needed, sizeof(needed), "%s %" PRIu64, reused ? "above" : "at least", mark);
        r = plan_condition(b->plan, m->id, ok, found, b->options->allow_downgrade ? "any" : needed,
                        "sequence %s", m->stream);
        if (r < 0 || ok)
                return r;
        if (reused)
                return plan_refuse(b->plan, HOTPATCH_ERROR("SequenceReused"),
                                "The bundle '%s' has the sequence %" PRIu64 " of the stream '%s', under "
                                "which this machine has seen other content", m->id, m->sequence, m->stream);
        return plan_refuse(b->plan, HOTPATCH_ERROR("Downgrade"),
                        "The bundle '%s' has the sequence %" PRIu64 ", the stream '%s' has reached %" PRIu64
                        " on this machine", m->id, m->sequence, m->stream, mark);
}

/*
 * Sequences of two streams say nothing about each other, so a patch that this machine knows under the same
 * id in another stream would be a way around the mark. A bundle that supersedes a patch of another stream
 * says by its signature that it is the later one; that is shown.
 */
static int check_stream(PlanBuild *b, const PlanItem *item) {
        const Manifest *m = item->manifest;
        const PlanPatch *p = item->patch;
        int r = 0;

        if (p && p->stream && !streq(p->stream, m->stream)) {
                bool ok = b->options->allow_downgrade;

                r = plan_condition(b->plan, m->id, ok, m->stream, ok ? "any" : p->stream, "stream");
                if (r < 0 || ok)
                        return r;
                return plan_refuse(b->plan, HOTPATCH_ERROR("Downgrade"),
                                "The bundle '%s' is of the stream '%s', and this machine knows it in the stream "
                                "'%s', whose sequences cannot be compared", m->id, m->stream, p->stream);
        }
        for (size_t i = 0; i < b->facts->n_patches && r >= 0; i++) {
                const PlanPatch *old = &b->facts->patches[i];

                if (b->dropped[i] && old->id && old->stream && !streq(old->stream, m->stream) &&
                    strv_contains(m->supersedes, old->id))
                        r = plan_note(b->plan, m->id, old->stream, m->stream, "stream of %s", old->id);
        }
        return r;
}

/* Two bundles of one transaction: the order makes the higher one second, equal ones have no order. */
static int check_sequence_within(PlanBuild *b, const PlanItem *item) {
        const Manifest *m = item->manifest;

        for (const PlanItem *other = b->items; other < item; other++)
                if (streq(other->manifest->stream, m->stream) && other->manifest->sequence >= m->sequence)
                        return plan_refuse(b->plan,
                                        other->manifest->sequence == m->sequence ?
                                                HOTPATCH_ERROR("SequenceReused") : HOTPATCH_ERROR("Downgrade"),
                                        "The bundle '%s' with the sequence %" PRIu64 " of the stream '%s' would "
                                        "follow '%s' with %" PRIu64, m->id, m->sequence, m->stream,
                                        other->manifest->id, other->manifest->sequence);
        return 0;
}

/**
 * plan_check_superseded_within() - somebody asks for a bundle and for what takes its place
 *
 * Also for one that is active: to take it out would not be what was asked for, nor to let it stay.
 *
 * Return: 0 or -ENOMEM.
 */
int plan_check_superseded_within(PlanBuild *b, const PlanItem *item) {
        const char *id = item->manifest->id;

        for (size_t i = 0; i < b->n_items; i++) {
                const PlanItem *other = &b->items[i];

                /* Both active: that is so already, whatever came of it. */
                if ((item->active && other->active) || !strv_contains(other->manifest->supersedes, id))
                        continue;
                return plan_refuse(b->plan, HOTPATCH_ERROR("Conflict"),
                                "The bundle '%s' supersedes '%s', which is in the same transaction",
                                other->manifest->id, id);
        }
        return 0;
}

static int check_superseded(PlanBuild *b, const PlanItem *item) {
        const Manifest *m = item->manifest;
        int r = plan_check_superseded_within(b, item);

        if (r < 0)
                return r;
        for (size_t i = 0; i < b->facts->n_patches; i++) {
                const PlanPatch *p = &b->facts->patches[i];

                if (!p->id || !plan_patch_in_kernel(p) || b->dropped[i] || !strv_contains(p->supersedes, m->id))
                        continue;
                if (b->options->allow_downgrade)
                        continue;
                return plan_refuse(b->plan, HOTPATCH_ERROR("Downgrade"),
                                "The bundle '%s' is superseded by the active patch '%s'", m->id, p->id);
        }
        return 0;
}

/* --- requires, conflicts --- */

/* Who satisfies a requirement: an earlier bundle of the transaction or an active patch; NULL: nobody. */
static const char *provider(const PlanBuild *b, const PlanItem *item, const char *id) {
        for (const PlanItem *other = b->items; other < item; other++)
                if (streq(other->manifest->id, id) || strv_contains(other->manifest->supersedes, id))
                        return other->manifest->id;
        for (size_t i = 0; i < b->facts->n_patches; i++) {
                const PlanPatch *p = &b->facts->patches[i];

                /* What only its note names was verified by nobody: it satisfies nobody. */
                if (p->id && p->recorded && p->state == LIVEPATCH_PATCHED && !b->dropped[i] &&
                    (streq(p->id, id) || strv_contains(p->supersedes, id)))
                        return p->id;
        }
        return NULL;
}

/* It is active, and leaves with this very transaction: NULL: it does not. */
static const PlanPatch *leaving(const PlanBuild *b, const char *id) {
        const PlanPatch *p = plan_find_patch(b->facts, id);

        return p && p->state == LIVEPATCH_PATCHED && b->dropped[p - b->facts->patches] ? p : NULL;
}

static int refuse_requires(PlanBuild *b, const Manifest *m, const char *id) {
        if (leaving(b, id))
                return plan_refuse(b->plan, HOTPATCH_ERROR("MissingRequirement"),
                                "The bundle '%s' requires '%s', which this transaction takes out", m->id, id);
        return plan_refuse(b->plan, HOTPATCH_ERROR("MissingRequirement"),
                        "The bundle '%s' requires '%s', which is neither active nor applied with it", m->id, id);
}

static int check_requires(PlanBuild *b, const PlanItem *item) {
        const Manifest *m = item->manifest;

        for (char **id = m->requires; id && *id; id++) {
                const char *by = provider(b, item, *id);
                int r = plan_condition(b->plan, m->id, by, by ?: "missing", *id, "requires %s", *id);

                if (r < 0)
                        return r;
                if (by)
                        continue;
                r = refuse_requires(b, m, *id);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The other side of a conflict that either of the two declares; NULL: none. */
static const char *opponent(const PlanBuild *b, const Manifest *m) {
        for (size_t i = 0; i < b->n_items; i++)
                if (b->items[i].manifest != m && strv_contains(m->conflicts, b->items[i].manifest->id))
                        return b->items[i].manifest->id;
        for (size_t i = 0; i < b->facts->n_patches; i++) {
                const PlanPatch *p = &b->facts->patches[i];

                if (!p->id || streq(p->id, m->id) || !counts(b, p))
                        continue;
                if (strv_contains(m->conflicts, p->id) || strv_contains(p->conflicts, m->id))
                        return p->id;
        }
        return NULL;
}

static int check_conflicts(PlanBuild *b, const PlanItem *item) {
        const Manifest *m = item->manifest;
        const char *other = opponent(b, m);
        int r = plan_condition(b->plan, m->id, !other, other ?: "none", "none", "conflicts");

        if (r < 0 || !other)
                return r;
        return plan_refuse(b->plan, HOTPATCH_ERROR("Conflict"),
                        "The bundle '%s' and '%s' are declared to conflict", m->id, other);
}

/* --- the same id, the module name --- */

static int check_same_id(PlanBuild *b, const PlanItem *item) {
        const PlanPatch *p = item->patch;

        if (!p || !plan_patch_in_kernel(p))
                return 0;
        if (item->adopted)
                return plan_condition(b->plan, item->manifest->id, true, "in the kernel, without a record", "any",
                                "state");
        if (!p->recorded)
                return plan_refuse(b->plan, HOTPATCH_ERROR("Conflict"),
                                "The patch '%s' is in the kernel without a record, and its module is not the one of "
                                "the bundle", p->id);
        return plan_refuse(b->plan, HOTPATCH_ERROR("Conflict"),
                        "The patch '%s' is in the kernel with other content (sequence %" PRIu64
                        ", the bundle has %" PRIu64 ")", p->id, p->sequence, item->manifest->sequence);
}

static int refuse_module_name(PlanBuild *b, const PlanItem *item, const char *owner) {
        return plan_refuse(b->plan, HOTPATCH_ERROR("ModuleNameInUse"),
                        "The bundle '%s' brings the module '%s', but %s has that name", item->manifest->id,
                        item->target->module, owner);
}

/* Who has the name: "free" when the kernel can take it. A leftover of the same id counts as free: the
 * plan unloads it first. */
static const char *module_name_owner(const PlanBuild *b, const PlanItem *item, bool *ret_pinned) {
        const char *name = item->target->module;
        const PlanModule *module = plan_find_module(b->facts, name);

        *ret_pinned = false;
        for (const PlanItem *other = b->items; other < item; other++)
                if (other->target && streq(other->target->module, name))
                        return "another bundle of the transaction";
        for (size_t i = 0; i < b->facts->n_patches; i++) {
                const PlanPatch *p = &b->facts->patches[i];

                if (!streq_ptr(p->module, name) || p->state == LIVEPATCH_ABSENT)
                        continue;
                *ret_pinned = p->state == LIVEPATCH_HELD;
                if (p->state == LIVEPATCH_INACTIVE && streq_ptr(p->id, item->manifest->id))
                        return NULL;
                if (p == item->patch && item->adopted)
                        return NULL;
                return p->id ? "a patch that is loaded" : "a livepatch that is not ours";
        }
        return module && module->loaded ? "a loaded module" : NULL;
}

static int check_module_name(PlanBuild *b, const PlanItem *item) {
        const char *owner;
        bool pinned;
        int r;

        if (!item->target)
                return 0;
        owner = module_name_owner(b, item, &pinned);
        r = plan_condition(b->plan, item->manifest->id, !owner, owner ?: "free", "free", "module-name %s",
                        item->target->module);
        if (r < 0 || !owner)
                return r;
        if (!pinned)
                return refuse_module_name(b, item, owner);
        return plan_refuse(b->plan, HOTPATCH_ERROR("PinnedUntilReboot"),
                        "The module '%s' of an earlier patch is still held in memory", item->target->module);
}

/**
 * plan_check_relations() - may the bundle join the patches that are there
 *
 * Return: 0 or -ENOMEM.
 */
int plan_check_relations(PlanBuild *b, const PlanItem *item) {
        static int (*const checks[])(PlanBuild *, const PlanItem *) = {
                check_same_id,         check_stream,     check_sequence,
                check_sequence_within, check_superseded, check_requires,
                check_conflicts,       check_module_name,
        };

        for (size_t i = 0; i < ELEMENTSOF(checks); i++) {
                int r = checks[i](b, item);
                if (r < 0)
                        return r;
        }
        return 0;
}
