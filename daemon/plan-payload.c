/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the kernel asks of the module itself, before it looks at any function: a signature, where it
 * enforces them, and system states that fit.
 *
 * The kernel's word for both is one errno after the fact (EKEYREJECTED or EPERM; EINVAL), so they are
 * looked at beforehand. A key that cannot be told to be there or not is left to the kernel, and the
 * report says so.
 *
 * System states (struct klp_state, kernel/livepatch/state.c) say what a livepatch changes beside code.
 * The kernel compares with every enabled livepatch: one that replaces all must know each of their
 * states, and no state may be of a lower version than before. sysfs does not show them; of our patches
 * the record tells, of others nobody.
 */

#include <inttypes.h>

#include "daemon/plan-internal.h"
#include "util/str.h"

/* --- signature --- */

static const char *enforced_by(const KernelGates *g, char *buf, size_t size) {
        if (streq_ptr(g->lockdown, "none") || !g->lockdown)
                return "module.sig_enforce is on";
        snprintf(buf, size, "lockdown is '%s'", g->lockdown);
        return buf;
}

static int note_signature(PlanBuild *b, const PlanItem *item, bool ok, const char *found) {
        bool required = b->facts->gates->module_signature_required;

        return plan_condition(b->plan, item->manifest->id, ok, found,
                        required ? "by a key that the kernel has" : "any", "signature %s",
                        item->target->module);
}

static int refuse_signature(PlanBuild *b, const PlanItem *item, const char *what) {
        const char *keys = b->facts->trusted_keys;
        char by[64];

        return plan_refuse(b->plan, HOTPATCH_ERROR("ModuleSignatureRequired"),
                        "The module '%s' of the bundle '%s' %s, and this kernel loads only modules that "
                        "are signed with a key it trusts (%s)%s%s", item->target->module, item->manifest->id,
                        what, enforced_by(b->facts->gates, by, sizeof(by)), keys ? "; it trusts " : "", strempty(keys));
}

/* Signed by a key of which the kernel may know. */
static int check_key(PlanBuild *b, const PlanItem *item, const PlanPayload *p) {
        bool required = b->facts->gates->module_signature_required;
        _cleanup_free_ char *found = NULL, *what = NULL;
        int r;

        if (str_printf(&found, "by %s%s%s, %s%s", p->name ? "'" : "", p->name ?: p->signer, p->name ? "'" : "",
                     p->key == CERTAINLY && p->ring ? "in " :
                     p->key == CERTAINLY ? "which the kernel has" :
                     p->key == CERTAINLY_NOT ? "which the kernel does not have" : "perhaps not the kernel's",
                     p->key == CERTAINLY && p->ring ? p->ring : "") < 0)
                return -ENOMEM;
        if (p->key == UNCERTAIN && required)
                return plan_note(b->plan, item->manifest->id, found, "by a key that the kernel has",
                                "signature %s", item->target->module);
        r = note_signature(b, item, !required || p->key != CERTAINLY_NOT, found);
        if (r < 0 || !required || p->key != CERTAINLY_NOT)
                return r;
        if (str_printf(&what, "is signed by %s, which is in none of the kernel's keyrings", p->signer) < 0)
                return -ENOMEM;
        return refuse_signature(b, item, what);
}

static int check_signature(PlanBuild *b, const PlanItem *item, const PlanPayload *p) {
        bool required = b->facts->gates->module_signature_required;
        int r;

        if (p->is_signed && p->signer)
                return check_key(b, item, p);
        r = note_signature(b, item, !required, p->is_signed ? "cannot be read" : "none");
        if (r < 0 || !required)
                return r;
        return refuse_signature(b, item, p->is_signed ? "has a signature that cannot be read" : "is not signed");
}

/* --- system states --- */

/* Of "ID:VERSION", which was checked. */
static uint64_t state_id(const char *state) {
        return strtoull(state, NULL, 10);
}

static uint64_t state_version(const char *state) {
        const char *colon = strchr(state, ':');

        return colon ? strtoull(colon + 1, NULL, 10) : 0;
}

static const char *find_state(char *const *states, uint64_t id) {
        for (; states && *states; states++)
                if (state_id(*states) == id)
                        return *states;
        return NULL;
}

/* One livepatch that is in the kernel then: our item must do for each of its states. Return: 0 or -ENOMEM. */
static int compare_states(PlanBuild *b, const PlanItem *item, const PlanPayload *p, char *const *states,
                const char *name, bool *ok) {
        for (; states && *states; states++) {
                uint64_t id = state_id(*states);
                const char *mine = find_state(p->states, id);
                int r;

                if (mine ? state_version(mine) >= state_version(*states) : !item->target->replace)
                        continue;
                *ok = false;
                if (mine)
                        r = plan_refuse(b->plan, HOTPATCH_ERROR("SystemStateIncompatible"),
                                        "The bundle '%s' has the system state %" PRIu64 " in version %" PRIu64
                                        ", and '%s' has it in version %" PRIu64, item->manifest->id, id,
                                        state_version(mine), name, state_version(*states));
                else
                        r = plan_refuse(b->plan, HOTPATCH_ERROR("SystemStateIncompatible"),
                                        "The bundle '%s' takes the place of all livepatches, and does not "
                                        "know the system state %" PRIu64 " of '%s'", item->manifest->id, id, name);
                if (r < 0)
                        return r;
        }
        return 0;
}

static char *join_states(char *const *states, const char *unknown_of) {
        char *text = NULL;
        size_t size;
        FILE *f = open_memstream(&text, &size);

        if (!f)
                return NULL;
        for (char *const *s = states; s && *s; s++)
                fprintf(f, "%s%s", s == states ? "" : ", ", *s);
        if (!states || !*states)
                fputs("none", f);
        if (unknown_of)
                fprintf(f, "; those of '%s' are not known", unknown_of);
        if (fclose(f) != 0) {
                free(text);
                return NULL;
        }
        return text;
}

static int report_states(PlanBuild *b, const PlanItem *item, const PlanPayload *p, const char *unknown_of, bool ok) {
        _cleanup_free_ char *found = p->states_known ? join_states(p->states, unknown_of) : strdup("not known");

        if (!found)
                return -ENOMEM;
        if (ok && (unknown_of || !p->states_known))
                return plan_note(b->plan, item->manifest->id, found, "compatible", "system-states");
        return plan_condition(b->plan, item->manifest->id, ok, found, "compatible", "system-states");
}

static int check_states(PlanBuild *b, const PlanItem *item, const PlanPayload *p) {
        const char *unknown_of = NULL;
        bool ok = true;
        int r = 0;

        /* What it supersedes is enabled still when the kernel compares. */
        for (size_t i = 0; i < b->facts->n_patches && r >= 0 && p->states_known; i++) {
                const PlanPatch *other = &b->facts->patches[i];

                if (!plan_patch_in_kernel(other))
                        continue;
                if (!other->recorded && (item->target->replace || p->states))
                        unknown_of = plan_patch_name(other);
                r = compare_states(b, item, p, other->states, plan_patch_name(other), &ok);
        }
        for (const PlanItem *other = b->items; other < item && r >= 0 && p->states_known; other++)
                if (!other->active && other->payload)
                        r = compare_states(b, item, p, other->payload->states, other->manifest->id, &ok);
        return r < 0 ? r : report_states(b, item, p, unknown_of, ok);
}

/**
 * plan_check_payload() - will the kernel take the module
 *
 * Without a module for this kernel there is nothing to check; then the bundle is refused anyway.
 *
 * Return: 0 or -ENOMEM.
 */
int plan_check_payload(PlanBuild *b, const PlanItem *item) {
        int r;

        if (!item->target || !item->payload)
                return 0;
        r = check_signature(b, item, item->payload);
        return r < 0 ? r : check_states(b, item, item->payload);
}
