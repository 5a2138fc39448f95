/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Modules that take the place of all livepatches (klp_patch.replace).
 *
 * The kernel does what they ask for, whoever's the others are: with the transition every other
 * livepatch is out of force, and nothing brings it back. So it is said by name beforehand. Patches of ours
 * that the bundle supersedes are meant to go, and so says its vendor's signature. For anything else,
 * ours or another vendor's, somebody has to consent (the option allow-replace-foreign, with a polkit
 * action of its own). Nobody can consent to a transaction that throws out what it has just put in.
 *
 * Modules of others that are thrown out stay loaded without effect: they are not ours to unload.
 */

#include "daemon/plan-internal.h"
#include "util/str.h"

static bool is_item(const PlanBuild *b, const PlanPatch *p) {
        for (size_t i = 0; i < b->n_items; i++)
                if (streq_ptr(b->items[i].manifest->id, p->id))
                        return true;
        return false;
}

/** plan_mark_replaced() - with consent: mark all patches that are in the kernel as dropped */
void plan_mark_replaced(PlanBuild *b) {
        bool replace = false;

        if (!b->options->allow_replace_foreign)
                return;
        for (size_t i = 0; i < b->n_items; i++)
                replace = replace || (!b->items[i].active && b->items[i].target && b->items[i].target->replace);
        for (size_t i = 0; replace && i < b->facts->n_patches; i++)
                if (plan_patch_in_kernel(&b->facts->patches[i]) && !is_item(b, &b->facts->patches[i]))
                        b->dropped[i] = true;
}

/* Names in single quotes, separated by commas, into a growing text. */
static int names_add(char **names, const char *name) {
        char *joined;

        if (str_printf(&joined, "%s%s'%s'", strempty(*names), *names ? ", " : "", name) < 0)
                return -ENOMEM;
        free(*names);
        *names = joined;
        return 0;
}

/* What it would take out: @ret_ours and @ret_foreign without being superseded, @ret_within of the same
 * transaction. */
static int list_bystanders(const PlanBuild *b, const PlanItem *item, char **ret_ours, char **ret_foreign,
                char **ret_within) {
        int r = 0;

        for (size_t i = 0; i < b->facts->n_patches && r >= 0; i++) {
                const PlanPatch *p = &b->facts->patches[i];

                if (!plan_patch_in_kernel(p) || b->dropped[i])
                        continue;
                r = names_add(is_item(b, p) ? ret_within : p->id ? ret_ours : ret_foreign, plan_patch_name(p));
        }
        for (const PlanItem *other = b->items; other < item && r >= 0; other++)
                if (!other->active)
                        r = names_add(ret_within, other->manifest->id);
        return r;
}

static int refuse_replace(PlanBuild *b, const PlanItem *item, const char *ours, const char *foreign) {
        const char *id = item->manifest->id;

        if (!foreign)
                return plan_refuse(b->plan, HOTPATCH_ERROR("WouldReplaceOthers"),
                                "The module of the bundle '%s' takes the place of all livepatches, and it "
                                "does not supersede %s", id, ours);
        return plan_refuse(b->plan, HOTPATCH_ERROR("WouldReplaceOthers"),
                        "The module of the bundle '%s' takes the place of all livepatches; it would take out "
                        "%s, which %s not ours%s%s%s", id, foreign, strchr(foreign, ',') ? "are" : "is",
                        ours ? ", and " : "", strempty(ours), ours ? ", which it does not supersede" : "");
}

/* With consent: those that go for it, in the order of the facts. */
static int note_replaced(PlanBuild *b, const PlanItem *item) {
        _cleanup_free_ char *names = NULL;

        for (size_t i = 0; i < b->facts->n_patches; i++) {
                const PlanPatch *p = &b->facts->patches[i];
                int r = plan_patch_in_kernel(p) && b->dropped[i] ? names_add(&names, plan_patch_name(p)) : 0;
                if (r < 0)
                        return r;
        }
        if (!names)
                return plan_condition(b->plan, item->manifest->id, true, "none", "any", "replaces");
        return plan_note(b->plan, item->manifest->id, names, "any", "replaces");
}

/**
 * plan_check_replace() - whom would the bundle's module take out
 *
 * Return: 0 or -ENOMEM.
 */
int plan_check_replace(PlanBuild *b, const PlanItem *item) {
        _cleanup_free_ char *ours = NULL, *foreign = NULL, *within = NULL;
        int r;

        if (!item->target || !item->target->replace)
                return 0;
        r = list_bystanders(b, item, &ours, &foreign, &within);
        if (r < 0)
                return r;
        if (within) {
                r = plan_condition(b->plan, item->manifest->id, false, within, "none of its transaction", "replaces");
                return r < 0 ? r : plan_refuse(b->plan, HOTPATCH_ERROR("Conflict"),
                                "The module of the bundle '%s' takes the place of all livepatches, also of "
                                "%s in the same transaction", item->manifest->id, within);
        }
        if (!ours && !foreign)
                return note_replaced(b, item);
        r = plan_condition(b->plan, item->manifest->id, false, foreign ?: ours, "superseded ones", "replaces");
        return r < 0 ? r : refuse_replace(b, item, ours, foreign);
}
