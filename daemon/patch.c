/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The merged view: kernel × records × job × spool.
 *
 * The kernel is asked anew in each turn of the event loop in which somebody wants to know, because
 * it sends no event when a transition ends or a livepatch comes or goes; nothing is polled when
 * nobody asks. What changed since the last look is signalled.
 *
 * A loaded module is the patch of a record if what the module itself shows (the bundle id in its
 * note, its build-id) does not speak against it. Without a record a livepatch with our note is
 * adopted, see drift.c: it has the id of its note and nothing else, because nobody verified it.
 * Everything else that redirects functions is foreign: reported, never touched.
 *
 * Titles of staged bundles are read from files only root can write, after their signatures were
 * checked, and kept until the file changes; while nothing in the spool does, no file is looked at. Their
 * payloads are not hashed here; Apply does that.
 */

#include <inttypes.h>
#include <sys/stat.h>

#include "daemon/admit.h"
#include "daemon/bus.h"
#include "daemon/drift.h"
#include "daemon/facts.h"
#include "daemon/manager.h"
#include "daemon/patch.h"
#include "daemon/quarantine.h"
#include "daemon/restored.h"
#include "daemon/tripwire.h"
#include "dbus/names.h"
#include "livepatch/state.h"
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
        free(p->path);
        free(p->staged_key);
        free(p);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP(Patch *, patch_free);

/** patch_set_done() - free the patches of a set */
void patch_set_done(PatchSet *s) {
        for (size_t i = 0; i < s->n_patches; i++)
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

        if (s->sorted) {
                found = bsearch(id, s->patches, s->n_patches, sizeof(*s->patches), compare_id);
                return found ? *found : NULL;
        }
        for (size_t i = 0; i < s->n_patches; i++)
                if (streq(s->patches[i]->id, id))
                        return s->patches[i];
        return NULL;
}

/* Whose is a loaded module? A bundle that is only staged has a module of that name too, but no claim. */
static Patch *find_loaded(const PatchSet *s, const char *module) {
        for (size_t i = 0; i < s->n_patches; i++)
                if (s->patches[i]->state != PATCH_STAGED && streq(s->patches[i]->module, module))
                        return s->patches[i];
        return NULL;
}

static int set_string(char **field, const char *value) {
        char *copy = strdup(strempty(value));

        if (!copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

static int patch_set_add(Manager *m, PatchSet *s, const char *id, Patch **ret) {
        _cleanup_(patch_freep) Patch *p = NULL;
        Patch **grown;

        grown = reallocarray(s->patches, s->n_patches + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        s->patches = grown;
        p = malloc(sizeof(*p));
        if (!p)
                return -ENOMEM;
        s->sorted = false;
        *p = (Patch) { .manager = m, .state = PATCH_STAGED };
        if (set_string(&p->id, id) < 0 || set_string(&p->title, NULL) < 0 ||
            set_string(&p->severity, NULL) < 0 || set_string(&p->stream, NULL) < 0 ||
            set_string(&p->module, NULL) < 0 || set_string(&p->digest, NULL) < 0 ||
            set_string(&p->restore_result, NULL) < 0 || set_string(&p->restore_reason, NULL) < 0 ||
            sd_bus_path_encode(HOTPATCH_PATCH_PATH, id, &p->path) < 0)
                return -ENOMEM;
        *ret = p;
        s->patches[s->n_patches++] = TAKE_PTR(p);
        return 0;
}

static PatchState state_from_kernel(LivepatchState s) {
        static const PatchState map[_LIVEPATCH_STATE_MAX] = {
                [LIVEPATCH_ABSENT] = PATCH_STAGED,
                [LIVEPATCH_INACTIVE] = PATCH_INACTIVE,
                [LIVEPATCH_PATCHING] = PATCH_TRANSITION,
                [LIVEPATCH_PATCHED] = PATCH_ACTIVE,
                [LIVEPATCH_UNPATCHING] = PATCH_REMOVING,
                [LIVEPATCH_HELD] = PATCH_PINNED,
        };

        return map[s];
}

static int fill_from_manifest(Patch *p, const Manifest *manifest, const KernelIdentity *kernel) {
        const ManifestTarget *target =
                manifest_find_target(manifest, kernel->arch, kernel->release, kernel->build_id);

        if (set_string(&p->title, manifest->title) < 0 ||
            set_string(&p->severity, severity_to_string(manifest->severity)) < 0 ||
            set_string(&p->stream, manifest->stream) < 0 ||
            set_string(&p->module, target ? target->module : NULL) < 0)
                return -ENOMEM;
        p->sequence = manifest->sequence;
        for (size_t i = 0; i < manifest->n_fixes; i++) {
                int r = strv_extend(&p->fixes, manifest->fixes[i].id);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_record(Manager *m, PatchSet *s, const AdmittedRecord *record) {
        LivepatchState state = LIVEPATCH_ABSENT;
        Patch *p;
        int r;

        r = patch_set_add(m, s, record->id, &p);
        if (r < 0)
                return r;
        if (set_string(&p->title, record->title) < 0 ||
            set_string(&p->severity, record->severity) < 0 ||
            set_string(&p->stream, record->stream) < 0 ||
            set_string(&p->digest, record->digest) < 0)
                return -ENOMEM;
        p->recorded = true;
        p->sequence = record->sequence;
        p->applied_usec = record->applied_usec;
        p->trial_until_usec = trials_until(m->trials, record->id);
        r = strv_copy(record->fixes, &p->fixes);
        if (r < 0)
                return r;
        if (!streq_ptr(record->release, m->identity.release))
                return 0; /* made for another kernel; can be staged and applied again */
        r = livepatch_state(m->kernel, record->module, &state);
        if (r < 0)
                return r;
        r = state == LIVEPATCH_ABSENT ? 1 : facts_record_fits(m->kernel, record);
        if (r <= 0)
                return r;
        p->state = state_from_kernel(state);
        return set_string(&p->module, record->module);
}

static int add_records(Manager *m, PatchSet *s) {
        AdmittedRecord *records = NULL;
        size_t n = 0;
        int r;

        r = store_admitted_list(m->store, &records, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = add_record(m, s, &records[i]);
        admitted_records_free(records, n);
        return r;
}

/* The staged bundle of that id, or NULL; @ret_taken: a patch that is wanted or loaded has the id. */
static Patch *find_free_id(const PatchSet *s, const char *id, bool *ret_taken) {
        Patch *p = patch_find(s, id);

        *ret_taken = p && (p->state != PATCH_STAGED || p->recorded);
        return *ret_taken ? NULL : p;
}

/* A staged bundle of that id is not what was loaded, as far as anybody knows. */
static int forget_staged(Patch *p) {
        p->fixes = strv_free(p->fixes);
        free(p->staged_key);
        p->staged_key = NULL;
        p->sequence = 0;
        if (set_string(&p->title, NULL) < 0 || set_string(&p->severity, NULL) < 0 ||
            set_string(&p->stream, NULL) < 0 || set_string(&p->digest, NULL) < 0)
                return -ENOMEM;
        return 0;
}

/* A livepatch without a record is ours if its note says so, see drift.c. Return: 1 when it is. */
static int add_adopted(Manager *m, PatchSet *s, const char *module, LivepatchState state) {
        _cleanup_free_ char *id = NULL;
        bool taken;
        Patch *p;
        int r = drift_adopted_id(m->kernel, module, &id);

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        p = find_free_id(s, id, &taken);
        if (taken)
                return 0;
        r = p ? forget_staged(p) : patch_set_add(m, s, id, &p);
        if (r < 0)
                return r;
        p->state = state_from_kernel(state);
        r = set_string(&p->module, module);
        return r < 0 ? r : 1;
}

/* What the running job works on has no record yet, or one that lags behind. */
static int add_job(Manager *m, PatchSet *s) {
        Job *job = manager_running_job(m);
        PreparedBundle *bundles = NULL;
        size_t n = 0;
        int r;

        if (!job)
                return 0;
        if (job->preparation)
                bundles = preparation_bundles(job->preparation, &n);
        for (size_t i = 0; i < n; i++) {
                Patch *p;

                if (!bundles[i].verified || patch_find(s, bundles[i].id))
                        continue;
                r = patch_set_add(m, s, bundles[i].id, &p);
                if (r >= 0)
                        r = fill_from_manifest(p, verified_manifest(bundles[i].verified), &m->identity);
                if (r < 0)
                        return r;
        }
        for (char **id = job->ids; id && *id; id++) {
                Patch *p = patch_find(s, *id);
                PatchState state = job_patch_state(job, *id);

                if (p && state >= 0)
                        p->state = state;
        }
        return 0;
}

static int add_foreign(Manager *m, PatchSet *s) {
        _cleanup_strv_free_ char **modules = NULL;
        int r;

        r = livepatch_list(m->kernel, &modules);
        if (r < 0)
                return r;
        for (char **module = modules; module && *module; module++) {
                _cleanup_free_ char *id = NULL;
                LivepatchState state;
                Patch *p;

                if (find_loaded(s, *module))
                        continue;
                r = livepatch_state(m->kernel, *module, &state);
                if (r < 0)
                        return r;
                if (state == LIVEPATCH_ABSENT)
                        continue; /* went away between the two looks */
                r = add_adopted(m, s, *module, state);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                /* Somebody else's module may be called as one of our ids. */
                if (asprintf(&id, "%s%s", *module, patch_find(s, *module) ? ".foreign" : "") < 0)
                        return -ENOMEM;
                r = patch_set_add(m, s, id, &p);
                if (r < 0)
                        return r;
                p->foreign = true;
                p->state = state_from_kernel(state);
                r = set_string(&p->module, *module);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int file_key(int fd, char **ret) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        return asprintf(ret, "%ju:%ju:%jd:%jd.%09ld:%jd.%09ld",
                (uintmax_t) st.st_dev, (uintmax_t) st.st_ino, (intmax_t) st.st_size,
                (intmax_t) st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                (intmax_t) st.st_ctim.tv_sec, st.st_ctim.tv_nsec) < 0 ? -ENOMEM : 0;
}

static int copy_staged(Patch *p, const Patch *old) {
        if (set_string(&p->staged_key, old->staged_key) < 0 ||
            set_string(&p->title, old->title) < 0 || set_string(&p->severity, old->severity) < 0 ||
            set_string(&p->stream, old->stream) < 0 || set_string(&p->module, old->module) < 0 ||
            set_string(&p->digest, old->digest) < 0)
                return -ENOMEM;
        p->sequence = old->sequence;
        return strv_copy(old->fixes, &p->fixes);
}

/* A file that is no good bundle stays listed, without a title: Plan and Apply say what is wrong. */
static int fill_staged(Manager *m, Patch *p, int fd) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_verified_free_ Verified *v = NULL;
        const Manifest *manifest;
        int r;

        r = admit_open(fd, m->root, &m->config->trust, bundle_present(clock_usec(CLOCK_REALTIME)), &v, &error);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return 0;
        manifest = verified_manifest(v);
        if (!streq(manifest->id, p->id))
                return 0;
        r = set_string(&p->digest, verified_digest(v));
        return r < 0 ? r : fill_from_manifest(p, manifest, &m->identity);
}

static int add_staged(Manager *m, PatchSet *s, const char *id, bool same_spool) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        const Patch *old = patch_find(&m->patches, id);
        _cleanup_close_ int fd = -EBADF;
        Patch *p;
        int r;

        if (same_spool && old && old->staged_key) {
                r = patch_set_add(m, s, id, &p);
                return r < 0 ? r : copy_staged(p, old);
        }
        fd = store_spool_open(m->store, id, &error);
        if (fd < 0)
                return fd == -ENOMEM ? fd : 0; /* gone meanwhile, or not a regular file */
        r = patch_set_add(m, s, id, &p);
        if (r < 0)
                return r;
        r = file_key(fd, &p->staged_key);
        if (r < 0)
                return r;
        if (old && streq_ptr(old->staged_key, p->staged_key))
                return copy_staged(p, old);
        return fill_staged(m, p, fd);
}

static int add_spool(Manager *m, PatchSet *s) {
        const size_t n_records = s->n_patches;
        bool same = !store_spool_changed(m->store) && m->spool_ids;
        int r = 0;

        if (!same) {
                m->spool_ids = strv_free(m->spool_ids);
                r = store_spool_list(m->store, &m->spool_ids);
        }
        for (char **id = m->spool_ids; r >= 0 && id && *id; id++)
                if (!patch_find(&(PatchSet) { .patches = s->patches, .n_patches = n_records }, *id))
                        r = add_staged(m, s, *id, same);
        return r;
}

/* What the start of the machine made of those that are wanted still. */
static int mark_restored(const Manager *m, PatchSet *s) {
        _cleanup_(restored_done) Restored restored = {};
        int r = restored_read(kernel_root_fd(m->kernel), &restored);

        if (r < 0)
                return r == -ENOMEM ? r : 0; /* nothing was restored, or nobody can tell */
        for (size_t i = 0; restored.ids && restored.ids[i]; i++) {
                Patch *p = patch_find(s, restored.ids[i]);

                if (!p || !p->recorded)
                        continue;
                if (set_string(&p->restore_result, restored.results[i]) < 0 ||
                    set_string(&p->restore_reason, restored.reasons[i]) < 0)
                        return -ENOMEM;
        }
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

static void signal_change(Patch *p, const Patch *old) {
        char *properties[8] = {};
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
}

/* What the kernel shows of the objects of those that it has; one that goes at this moment has none. */
static int add_objects(const Manager *m, const PatchSet *s) {
        for (size_t i = 0; i < s->n_patches; i++) {
                Patch *p = s->patches[i];

                if (p->state != PATCH_STAGED && *p->module &&
                    livepatch_patched(m->kernel, p->module, &p->objects, &p->n_objects) == -ENOMEM)
                        return -ENOMEM;
        }
        return 0;
}

/* Put the new view in the place of the old one and tell the bus what differs. */
static void install(Manager *m, PatchSet *next) {
        PatchSet old = m->patches;

        /* A patch whose constant properties changed is another patch of the same id. */
        for (size_t i = 0; i < old.n_patches; i++) {
                const Patch *p = patch_find(next, old.patches[i]->id);
                if (!p || !same_constants(p, old.patches[i]))
                        bus_patch_removed(old.patches[i]);
        }
        m->patches = *next;
        *next = (PatchSet) {};
        if (old.n_patches != m->patches.n_patches)
                findings_look_later(m->findings);
        for (size_t i = 0; i < m->patches.n_patches; i++) {
                Patch *p = m->patches.patches[i], *before = patch_find(&old, p->id);
                bool same = before && same_constants(p, before);

                tripwire_watch(p, same ? before : NULL);
                if (same)
                        signal_change(p, before);
                else
                        bus_patch_added(p);
        }
        patch_set_done(&old);
        watch_update(m->watch);
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
        r = add_records(m, &next);
        if (r >= 0)
                r = add_spool(m, &next);
        if (r >= 0)
                r = add_job(m, &next);
        if (r >= 0 && m->livepatch_supported)
                r = add_foreign(m, &next);
        if (r >= 0)
                r = add_objects(m, &next);
        if (r >= 0)
                r = quarantine_mark(m->store, &next);
        if (r >= 0)
                r = mark_restored(m, &next);
        if (r < 0) {
                /* Then the old view is not of the spool that was listed. */
                m->spool_ids = strv_free(m->spool_ids);
                return r;
        }
        if (next.n_patches > 0)
                qsort(next.patches, next.n_patches, sizeof(*next.patches), compare_patches);
        next.sorted = true;
        install(m, &next);
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
