/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which livepatches there are, and whose: a record names its module, and the build-id written down when it was loaded must
 * still be that of the loaded one. Without a record, our note in the module tells the bundle. Anything else is
 * somebody else's. The note is a claim (whoever may load modules may write one); it is believed for naming, never
 * for loading.
 */

#include "daemon/drift.h"
#include "daemon/facts-internal.h"
#include "livepatch/functions.h"
#include "util/limits.h"
#include "util/strv.h"

/* Modules named in one call, patches of kernel and records: far above what a machine has. */
#define PATCHES_MAX (HOTPATCH_LIVEPATCHES_MAX + HOTPATCH_ADMITTED_MAX)

/** facts_patches_free() - what they own */
void facts_patches_free(Facts *f) {
        for (size_t i = 0; i < f->n_patches; i++) {
                free(f->owned[i].module);
                free(f->owned[i].id);
                free(f->owned[i].build_id);
                inspected_objects_free(f->owned[i].objects, f->owned[i].n_objects);
                free(f->owned[i].views);
        }
        free(f->owned);
        free(f->patches);
}

static PlanPatch *patch_append(Facts *f) {
        PlanPatch *patches;
        FactsPatch *owned;

        if (f->n_patches >= PATCHES_MAX)
                return NULL;
        owned = reallocarray(f->owned, f->n_patches + 1, sizeof(*owned));
        if (!owned)
                return NULL;
        f->owned = owned;
        patches = reallocarray(f->patches, f->n_patches + 1, sizeof(*patches));
        if (!patches)
                return NULL;
        f->patches = patches;
        f->owned[f->n_patches] = (FactsPatch) { 0 };
        f->patches[f->n_patches] = (PlanPatch) { .state = LIVEPATCH_ABSENT };
        return &f->patches[f->n_patches++];
}

/* The functions, where the kernel shows them. A livepatch that vanishes meanwhile has none; one with
 * more than we could hold keeps them unknown, and the plan takes its functions for a stranger's. */
static int patch_read_functions(Facts *f, const Kernel *k, PlanPatch *p) {
        FactsPatch *o = &f->owned[p - f->patches];
        int r = livepatch_functions(k, p->module, &o->objects, &o->n_objects);

        if (r == -ENOENT || r == -E2BIG || r == -EBADMSG)
                return 0;
        if (r < 0)
                return r;
        o->views = calloc(o->n_objects + 1, sizeof(*o->views));
        if (!o->views)
                return -ENOMEM;
        for (size_t i = 0; i < o->n_objects; i++)
                o->views[i] = (ManifestObject) {
                        .name = o->objects[i].name, .functions = o->objects[i].functions,
                };
        p->objects = o->views;
        p->n_objects = o->n_objects;
        return 0;
}

static int patch_read_state(Facts *f, const Kernel *k, PlanPatch *p) {
        int r = livepatch_state(k, p->module, &p->state);

        if (r < 0 || p->state == LIVEPATCH_ABSENT)
                return r;
        return patch_read_functions(f, k, p);
}

/**
 * facts_record_fits() - is the loaded module of that name the one the record was written for?
 *
 * It is not when it has another bundle's note or another build-id, or no build-id where one is recorded.
 *
 * Return: 1, 0, or a negative errno.
 */
int facts_record_fits(const Kernel *k, const AdmittedRecord *record) {
        _cleanup_free_ char *build_id = NULL;
        PatchNote note;
        int r;

        if (livepatch_note(k, record->module, &note) >= 0) {
                bool same = streq(note.bundle_id, record->id);

                patch_note_done(&note);
                if (!same)
                        return 0;
        }
        if (!record->module_build_id)
                return 1;
        r = kernel_module_build_id(k, record->module, &build_id);
        if (r == -ENOENT || r == -EBADMSG)
                return 0;
        return r < 0 ? r : streq(build_id, record->module_build_id);
}

static int add_record(Facts *f, const Kernel *k, const AdmittedRecord *record) {
        PlanPatch *p = patch_append(f);
        int r;

        if (!p)
                return -ENOMEM;
        *p = (PlanPatch) {
                .module = record->module,
                .id = record->id,
                .stream = record->stream,
                .digest = record->digest,
                .recorded = true,
                .sequence = record->sequence,
                .order = record->order,
                .requires = record->requires,
                .conflicts = record->conflicts,
                .supersedes = record->supersedes,
                .states = record->states,
                .state = LIVEPATCH_ABSENT,
        };
        r = kernel_module_loaded(k, record->module);
        if (r > 0)
                r = facts_record_fits(k, record);
        return r <= 0 ? r : patch_read_state(f, k, p);
}

static bool module_is_known(const Facts *f, const char *module) {
        for (size_t i = 0; i < f->n_patches; i++)
                if (f->patches[i].state != LIVEPATCH_ABSENT && streq(f->patches[i].module, module))
                        return true;
        return false;
}

/* A loaded module that no record fits. Newer than any record: it was loaded after them, as far as anybody
 * knows. @id is taken over on success. */
static int add_unrecorded(Facts *f, const Kernel *k, const char *module, char **id) {
        PlanPatch *p = patch_append(f);
        FactsPatch *o;

        if (!p)
                return -ENOMEM;
        o = &f->owned[p - f->patches];
        o->module = strdup(module);
        if (!o->module)
                return -ENOMEM;
        p->module = o->module;
        p->order = UINT64_MAX;
        if (id)
                p->id = o->id = TAKE_PTR(*id);
        if (id && kernel_module_build_id(k, module, &o->build_id) == -ENOMEM)
                return -ENOMEM;
        p->build_id = o->build_id;
        return patch_read_state(f, k, p);
}

/* A livepatch in effect without a record: adopted by our note, which names it and nothing else, because nobody
 * verified what was loaded; somebody else's without one, or when the id has an owner. */
static int add_unknown(Facts *f, const Kernel *k, const char *module) {
        _cleanup_free_ char *id = NULL;
        int r;

        if (module_is_known(f, module))
                return 0;
        r = drift_adopted_id(k, module, &id);
        if (r < 0 && r != -ENOENT)
                return r;
        for (size_t i = 0; id && i < f->n_patches; i++)
                if (streq_ptr(f->patches[i].id, id)) {
                        free(id);
                        id = NULL;
                }
        return add_unrecorded(f, k, module, id ? &id : NULL);
}

/**
 * facts_add_leftover() - what is loaded under a name that a bundle wants
 * @m: of the bundle
 * @module: its name
 *
 * What is loaded without effect redirects nothing, and is in no list of the kernel's: by its note it is a leftover of the
 * bundle that is to be loaded under that name.
 *
 * Return: 0 or a negative errno.
 */
int facts_add_leftover(Facts *f, const Kernel *k, const Manifest *m, const char *module) {
        LivepatchState state;
        PatchNote note;
        int r;

        if (module_is_known(f, module))
                return 0;
        r = livepatch_state(k, module, &state);
        if (r < 0 || (state != LIVEPATCH_INACTIVE && state != LIVEPATCH_HELD))
                return r;
        if (livepatch_note(k, module, &note) < 0)
                return 0;
        r = streq(note.bundle_id, m->id) ? add_unrecorded(f, k, module, &note.bundle_id) : 0;
        patch_note_done(&note);
        return r;
}

/** facts_gather_patches() - the records, and what the kernel has. Return: 0 or a negative errno. */
int facts_gather_patches(Facts *f, const Kernel *k, const Store *s) {
        _cleanup_strv_free_ char **loaded = NULL;
        int r = store_admitted_list_all(s, &f->records, &f->n_records, &f->unreadable);

        if (r < 0)
                return r;
        for (size_t i = 0; i < f->n_records; i++) {
                r = add_record(f, k, &f->records[i]);
                if (r < 0)
                        return r;
        }
        r = livepatch_list(k, &loaded);
        if (r < 0)
                return r;
        for (char **module = loaded; module && *module; module++) {
                r = add_unknown(f, k, *module);
                if (r < 0)
                        return r;
        }
        return 0;
}
