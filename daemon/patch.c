/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The patches that the bus shows, as a set that is replaced as a whole.
 *
 * The kernel is asked anew in each turn of the event loop in which somebody wants to know, because
 * it sends no event when a transition ends or a livepatch comes or goes; nothing is polled when
 * nobody asks. What changed since the last look is signalled. Where the patches come from is in patch-gather.c.
 */

#include "daemon/bus.h"
#include "daemon/manager.h"
#include "daemon/patch-internal.h"
#include "daemon/reboot.h"
#include "daemon/tripwire.h"
#include "dbus/names.h"
#include "util/strv.h"

static const char *const patch_states[_PATCH_STATE_MAX] = {
        [PATCH_STAGED] = "staged",
        [PATCH_APPLYING] = "applying",
        [PATCH_TRANSITION] = "transition",
        [PATCH_ACTIVE] = "active",
        [PATCH_REVERSING] = "reversing",
        [PATCH_REMOVING] = "removing",
        [PATCH_PINNED] = "pinned",
        [PATCH_INACTIVE] = "inactive",
};

/** patch_state_to_string() - the word of the D-Bus contract */
const char *patch_state_to_string(PatchState s) {
        return patch_states[s];
}

static Patch *patch_free(Patch *p) {
        if (!p)
                return NULL;
        tripwire_free(p->tripwire);
        patched_objects_free(p->objects, p->n_objects);
        free(p->id);
        free(p->title);
        free(p->severity);
        free(p->stream);
        free(p->module);
        strv_free(p->fixes);
        free(p->digest);
        strv_free(p->strikes);
        free(p->restore_result);
        free(p->restore_reason);
        free(p->retired_by);
        free(p->path);
        free(p->staged_key);
        free(p);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP(Patch *, patch_free);

/** patch_set_done() - free the patches of a set, but for those that are in another one as well */
void patch_set_done(PatchSet *s) {
        for (size_t i = 0; i < s->n_patches; i++)
                if (s->patches[i] && s->patches[i]->kept)
                        s->patches[i]->kept = false;
                else
                        patch_free(s->patches[i]);
        free(s->patches);
        *s = (PatchSet) {};
}

static int compare_id(const void *id, const void *patch) {
        return strcmp(id, (*(Patch *const *) patch)->id);
}

/** patch_find() - the patch of an id, or NULL */
Patch *patch_find(const PatchSet *s, const char *id) {
        Patch **found;

        if (s->sorted && s->n_patches > 0) { /* bsearch(3) wants an array */
                found = bsearch(id, s->patches, s->n_patches, sizeof(*s->patches), compare_id);
                return found ? *found : NULL;
        }
        for (size_t i = 0; i < s->n_patches; i++)
                if (streq(s->patches[i]->id, id))
                        return s->patches[i];
        return NULL;
}

/** patch_set_string() - replace a string by a copy; NULL stands for "". Return: 0 or -ENOMEM. */
int patch_set_string(char **field, const char *value) {
        char *copy = strdup(strempty(value));

        if (!copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

static int patch_new(Manager *m, const char *id, Patch **ret) {
        _cleanup_(patch_freep) Patch *p = malloc(sizeof(*p));

        if (!p)
                return -ENOMEM;
        *p = (Patch) { .manager = m, .state = PATCH_STAGED, .trial_kind = "" };
        if (patch_set_string(&p->id, id) < 0 || patch_set_string(&p->title, NULL) < 0 ||
            patch_set_string(&p->severity, NULL) < 0 || patch_set_string(&p->stream, NULL) < 0 ||
            patch_set_string(&p->module, NULL) < 0 || patch_set_string(&p->digest, NULL) < 0 ||
            patch_set_string(&p->restore_result, NULL) < 0 || patch_set_string(&p->restore_reason, NULL) < 0 ||
            patch_set_string(&p->retired_by, NULL) < 0 ||
            sd_bus_path_encode(HOTPATCH_PATCH_PATH, id, &p->path) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(p);
        return 0;
}

static int make_room(PatchSet *s) {
        Patch **grown = reallocarray(s->patches, s->n_patches + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        s->patches = grown;
        return 0;
}

/** patch_set_add() - one more, staged and with empty properties. Return: 0 or -ENOMEM. */
int patch_set_add(Manager *m, PatchSet *s, const char *id, Patch **ret) {
        Patch *p;
        int r = make_room(s);

        if (r >= 0)
                r = patch_new(m, id, &p);
        if (r < 0)
                return r;
        s->sorted = false;
        s->patches[s->n_patches++] = *ret = p;
        return 0;
}

/** patch_copy_staged() - make the properties of a staged bundle those of @old. Return: 0 or -ENOMEM. */
int patch_copy_staged(Patch *p, const Patch *old) {
        if (patch_set_string(&p->staged_key, old->staged_key) < 0 ||
            patch_set_string(&p->title, old->title) < 0 || patch_set_string(&p->severity, old->severity) < 0 ||
            patch_set_string(&p->stream, old->stream) < 0 || patch_set_string(&p->module, old->module) < 0 ||
            patch_set_string(&p->digest, old->digest) < 0)
                return -ENOMEM;
        p->sequence = old->sequence;
        return strv_copy(old->fixes, &p->fixes);
}

/* Is there nothing about it but its bundle? */
static bool is_only_staged(const Patch *p) {
        return p->state == PATCH_STAGED && p->staged_key && !p->recorded && !p->foreign && !p->quarantined && !p->strikes &&
                p->applied_usec == 0 && p->tripped == 0 && p->trial_until_usec == 0 && !*p->restore_result &&
                !*p->restore_reason && !*p->retired_by && p->n_objects == 0 && !p->tripwire;
}

/**
 * patch_keep() - put a staged bundle whose file has not changed into the next set
 * @s: the next set
 * @old: of the set that is in place
 * @ret: in @s
 *
 * Most bundles are staged and nothing else, and a hundred copies of a dozen strings are what a call would wait for. So such a
 * patch is in both sets, until one of them goes. Who wants to change it calls patch_own() before.
 *
 * Return: 0 or -ENOMEM.
 */
int patch_keep(PatchSet *s, Patch *old, Patch **ret) {
        int r;

        if (!is_only_staged(old)) {
                r = patch_set_add(old->manager, s, old->id, ret);
                return r < 0 ? r : patch_copy_staged(*ret, old);
        }
        r = make_room(s);
        if (r < 0)
                return r;
        old->kept = true;
        s->sorted = false;
        s->patches[s->n_patches++] = *ret = old;
        return 0;
}

/**
 * patch_own() - make sure that a patch can be changed
 * @s: the next set
 * @p: in @s; replaced by a copy, there too, when it is in the set that is in place
 *
 * Return: 0 or -ENOMEM.
 */
int patch_own(PatchSet *s, Patch **p) {
        _cleanup_(patch_freep) Patch *own = NULL;
        Patch *kept = *p;
        size_t i = 0;

        if (!kept->kept)
                return 0;
        if (patch_new(kept->manager, kept->id, &own) < 0 || patch_copy_staged(own, kept) < 0)
                return -ENOMEM;
        while (s->patches[i] != kept)
                i++;
        kept->kept = false;
        s->patches[i] = *p = TAKE_PTR(own);
        return 0;
}

static bool same_constants(const Patch *a, const Patch *b) {
        return streq(a->title, b->title) && streq(a->severity, b->severity) &&
                streq(a->module, b->module) && streq(a->stream, b->stream) &&
                a->sequence == b->sequence && a->foreign == b->foreign;
}

static bool same_objects(const Patch *a, const Patch *b) {
        if (a->n_objects != b->n_objects)
                return false;
        for (size_t i = 0; i < a->n_objects; i++)
                if (!streq(a->objects[i].name, b->objects[i].name) || a->objects[i].state != b->objects[i].state)
                        return false;
        return true;
}

/* Return: whether anything did. */
static bool signal_change(Patch *p, const Patch *old) {
        char *properties[9 + 1] = {}; /* and NULL */
        size_t n = 0;

        if (p->state != old->state) {
                properties[n++] = (char *) "State";
                if (p->state == PATCH_PINNED || old->state == PATCH_PINNED)
                        bus_reboot_changed(p->manager);
        }
        if (p->applied_usec != old->applied_usec)
                properties[n++] = (char *) "AppliedUSec";
        if (p->trial_until_usec != old->trial_until_usec)
                properties[n++] = (char *) "TrialUntilUSec";
        if (!streq(p->trial_kind, old->trial_kind))
                properties[n++] = (char *) "TrialKind";
        if (p->tripped != old->tripped)
                properties[n++] = (char *) "Tripped";
        if (!same_objects(p, old))
                properties[n++] = (char *) "Objects";
        if (p->recorded != old->recorded)
                properties[n++] = (char *) "Wanted";
        if (strv_length(p->strikes) != strv_length(old->strikes))
                properties[n++] = (char *) "Strikes";
        if (p->quarantined != old->quarantined)
                properties[n++] = (char *) "Quarantined";
        if (p->state != old->state)
                findings_look_later(p->manager->findings);
        if (n > 0)
                bus_patch_changed(p, properties);
        return n > 0;
}

/* Put the new view in the place of the old one and tell the bus what differs. */
static void install(Manager *m, PatchSet *next) {
        PatchSet old = m->patches;
        bool changed = old.n_patches != next->n_patches;

        /* A patch whose constant properties changed is another patch of the same id. */
        for (size_t i = 0; i < old.n_patches; i++) {
                const Patch *p = old.patches[i]->kept ? NULL : patch_find(next, old.patches[i]->id);
                if (!old.patches[i]->kept && (!p || !same_constants(p, old.patches[i])))
                        bus_patch_removed(old.patches[i]);
        }
        m->patches = *next;
        *next = (PatchSet) {};
        if (old.n_patches != m->patches.n_patches)
                findings_look_later(m->findings);
        for (size_t i = 0; i < m->patches.n_patches; i++) {
                Patch *p = m->patches.patches[i], *before = p->kept ? p : patch_find(&old, p->id);
                bool same = before && same_constants(p, before);

                if (before == p)
                        continue;
                tripwire_watch(p, same ? before : NULL);
                if (!same)
                        bus_patch_added(p);
                if (!same || signal_change(p, before))
                        changed = true;
        }
        patch_set_done(&old);
        watch_update(m->watch);
        publisher_look(m->publisher, changed);
}

static int compare_patches(const void *a, const void *b) {
        return strcmp((*(Patch *const *) a)->id, (*(Patch *const *) b)->id);
}

/**
 * patches_refresh() - look at kernel, records, job and spool again
 * @m: the manager; its patches are replaced and changes signalled
 *
 * Does so at most once in a turn of the event loop. Pointers to patches do not survive the call.
 *
 * Return: 0 or a negative errno; the old view stays then.
 */
int patches_refresh(Manager *m) {
        _cleanup_(patch_set_done) PatchSet next = {};
        uint64_t iteration;
        int r;

        r = sd_event_get_iteration(m->event, &iteration);
        if (r >= 0 && iteration == m->refreshed_iteration)
                return 0;
        m->refreshed_iteration = iteration;
        (void) (manager_renew_store(m, NULL) < 0); /* what cannot be read then is seen below */
        r = patch_set_gather(m, &next);
        if (r < 0) {
                /* Then the old view is not of the spool that was listed. */
                m->spool_ids = strv_free(m->spool_ids);
                return r;
        }
        if (next.n_patches > 0)
                qsort(next.patches, next.n_patches, sizeof(*next.patches), compare_patches);
        next.sorted = true;
        install(m, &next);
        reboot_look(m);
        return 0;
}

/** patches_pending() - is a transition running, or a patch of ours in the kernel and watched? Then the daemon stays. */
bool patches_pending(const Manager *m) {
        for (size_t i = 0; i < m->patches.n_patches; i++) {
                const Patch *p = m->patches.patches[i];
                if ((p->state == PATCH_ACTIVE && !p->foreign) || p->state == PATCH_TRANSITION ||
                    p->state == PATCH_REMOVING)
                        return true;
        }
        return false;
}
