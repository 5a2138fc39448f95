/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The merged view: kernel × records × job × spool.
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
#include "daemon/drift.h"
#include "daemon/facts.h"
#include "daemon/job.h"
#include "daemon/manager.h"
#include "daemon/patch-internal.h"
#include "daemon/quarantine.h"
#include "daemon/restored.h"
#include "livepatch/state.h"
#include "util/str.h"
#include "util/strv.h"

/* Whose is a loaded module? A bundle that is only staged has a module of that name too, but no claim. */
static Patch *find_loaded(const PatchSet *s, const char *module) {
        for (size_t i = 0; i < s->n_patches; i++)
                if (s->patches[i]->state != PATCH_STAGED && streq(s->patches[i]->module, module))
                        return s->patches[i];
        return NULL;
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

        if (patch_set_string(&p->title, manifest->title) < 0 ||
            patch_set_string(&p->severity, severity_to_string(manifest->severity)) < 0 ||
            patch_set_string(&p->stream, manifest->stream) < 0 ||
            patch_set_string(&p->module, target ? target->module : NULL) < 0)
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
        if (patch_set_string(&p->title, record->title) < 0 ||
            patch_set_string(&p->severity, record->severity) < 0 ||
            patch_set_string(&p->stream, record->stream) < 0 ||
            patch_set_string(&p->digest, record->digest) < 0)
                return -ENOMEM;
        p->recorded = true;
        p->sequence = record->sequence;
        p->applied_usec = record->applied_usec;
        p->trial_until_usec = trials_until(m->trials, record->id);
        p->trial_kind = trials_kind(m->trials, record->id);
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
        return patch_set_string(&p->module, record->module);
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
        if (patch_set_string(&p->title, NULL) < 0 || patch_set_string(&p->severity, NULL) < 0 ||
            patch_set_string(&p->stream, NULL) < 0 || patch_set_string(&p->digest, NULL) < 0)
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
        r = p ? patch_own(s, &p) : patch_set_add(m, s, id, &p);
        if (r >= 0)
                r = forget_staged(p);
        if (r < 0)
                return r;
        p->state = state_from_kernel(state);
        r = patch_set_string(&p->module, module);
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

                if (!p || state < 0)
                        continue;
                if (patch_own(s, &p) < 0)
                        return -ENOMEM;
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
                if (str_printf(&id, "%s%s", *module, patch_find(s, *module) ? ".foreign" : "") < 0)
                        return -ENOMEM;
                r = patch_set_add(m, s, id, &p);
                if (r < 0)
                        return r;
                p->foreign = true;
                p->state = state_from_kernel(state);
                r = patch_set_string(&p->module, *module);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int file_key(int fd, char **ret) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        return str_printf(ret, "%ju:%ju:%jd:%jd.%09ld:%jd.%09ld",
                (uintmax_t) st.st_dev, (uintmax_t) st.st_ino, (intmax_t) st.st_size,
                (intmax_t) st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                (intmax_t) st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
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
        r = patch_set_string(&p->digest, verified_digest(v));
        return r < 0 ? r : fill_from_manifest(p, manifest, &m->identity);
}

static int add_staged(Manager *m, PatchSet *s, const char *id, bool same_spool) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Patch *old = patch_find(&m->patches, id);
        _cleanup_close_ int fd = -EBADF;
        Patch *p;
        int r;

        if (same_spool && old && old->staged_key)
                return patch_keep(s, old, &p);
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
                return patch_copy_staged(p, old);
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
                if (patch_set_string(&p->restore_result, restored.results[i]) < 0 ||
                    patch_set_string(&p->restore_reason, restored.reasons[i]) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* Contained in the kernel since that baseline, unless somebody has applied it again. */
static int mark_retired(const Manager *m, PatchSet *s) {
        for (size_t i = 0; m->baseline && i < s->n_patches; i++) {
                Patch *p = s->patches[i];
                char name[BASELINE_NAME_SIZE];

                if (p->state == PATCH_STAGED && !p->recorded &&
                    baseline_retired_by(baseline_state(m->baseline), p->id, name) &&
                    (patch_own(s, &p) < 0 || patch_set_string(&p->retired_by, name) < 0))
                        return -ENOMEM;
        }
        return 0;
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

/**
 * patch_set_gather() - all patches there are now
 * @s: filled, in no order; on failure some may be in it
 *
 * Return: 0 or a negative errno.
 */
int patch_set_gather(Manager *m, PatchSet *s) {
        int r = add_records(m, s);

        if (r >= 0)
                r = add_spool(m, s);
        if (r >= 0)
                r = add_job(m, s);
        if (r >= 0 && m->livepatch_supported)
                r = add_foreign(m, s);
        if (r >= 0)
                r = add_objects(m, s);
        if (r >= 0)
                r = quarantine_mark(m->store, s);
        if (r >= 0)
                r = mark_retired(m, s);
        return r < 0 ? r : mark_restored(m, s);
}
