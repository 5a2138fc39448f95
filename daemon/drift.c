/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Drift: the kernel, the records and the state files do not say the same.
 *
 * What is wanted stands in the admitted records, what is in force shows the kernel. Between the two
 * any administrator, another tool or a crash may have done something, and the kernel sends no event
 * for most of it. So this is a look at one moment; it reads some small files for each record and each
 * livepatch, takes no lock and changes nothing. Bundles are not opened here: that is audit-store.c.
 *
 * Adoption: a livepatch without a record whose module carries our note belongs to the bundle that
 * the note names. It can be removed as if this daemon had loaded it. But the note is a claim of the
 * module about itself: it is not taken for the verified patch of that id, has no fixes, and is not
 * wanted, so it does not come back with the next start. A livepatch without our note is somebody
 * else's and is never touched.
 */

#include "bundle/manifest.h"
#include "daemon/drift.h"
#include "daemon/facts.h"
#include "livepatch/hooks.h"
#include "livepatch/identity.h"
#include "livepatch/patched.h"
#include "livepatch/state.h"
#include "util/strv.h"

/**
 * drift_adopted_id() - the bundle that a loaded module says it came from
 * @ret: an id by our rules, to be freed
 *
 * Return: 0, -ENOENT when the module is not of our making or its note names no possible bundle, or
 * another negative errno.
 */
int drift_adopted_id(const Kernel *k, const char *module, char **ret) {
        PatchNote note;
        int r = livepatch_note(k, module, &note);

        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return -ENOENT;
        if (!manifest_id_is_valid(note.bundle_id)) {
                patch_note_done(&note);
                return -ENOENT;
        }
        *ret = TAKE_PTR(note.bundle_id);
        patch_note_done(&note);
        return 0;
}

/* --- records against the kernel --- */

/* Bytes that somebody else chose, in a sentence for people. */
static char *printable(const char *s) {
        char *copy = strdup(s);

        for (char *p = copy; p && *p; p++)
                if (*p < ' ' || *p >= 0x7f)
                        *p = '?';
        return copy;
}

static int look_at_objects(const DriftQuestion *q, const AdmittedRecord *record, FindingSet *found) {
        PatchedObject *objects;
        size_t n;
        int r = livepatch_patched(q->kernel, record->module, &objects, &n);

        if (r < 0)
                return r == -ENOMEM ? r : 0; /* gone, or changing at this moment */
        for (size_t i = 0; i < n && r >= 0; i++)
                if (objects[i].state == PATCHED_NO)
                        r = finding_set_add(found, FINDING_TARGET_UNPATCHED, record->id, objects[i].name,
                                        "The module '%s' is loaded, but the patch '%s' is not in force on it",
                                        objects[i].name, record->id);
        patched_objects_free(objects, n);
        return r;
}

static int look_at_loaded(const DriftQuestion *q, const AdmittedRecord *record, LivepatchState state,
                FindingSet *found) {
        int r = facts_record_fits(q->kernel, record);

        if (r < 0)
                return r;
        if (r == 0)
                return finding_set_add(found, FINDING_ALTERED, record->id, record->module,
                                "The loaded module '%s' is not the one of the patch '%s'", record->module,
                                record->id);
        if (state == LIVEPATCH_INACTIVE || state == LIVEPATCH_HELD)
                return finding_set_add(found, FINDING_NOT_IN_FORCE, record->id, record->module,
                                "The patch '%s' is wanted, but its module '%s' is loaded without effect",
                                record->id, record->module);
        return state == LIVEPATCH_PATCHED ? look_at_objects(q, record, found) : 0;
}

/* Then it is kept out on purpose, and Patch says so. A damaged record of strikes counts as one. */
static bool is_quarantined(const DriftQuestion *q, const AdmittedRecord *record) {
        StrikeRecord strikes;
        bool quarantined;
        int r = store_strike_get(q->store, record->id, record->digest, &strikes);

        if (r < 0)
                return r == -EBADMSG;
        quarantined = strike_record_is_quarantined(&strikes);
        strike_record_done(&strikes);
        return quarantined;
}

static int look_at_record(const DriftQuestion *q, const AdmittedRecord *record, FindingSet *found) {
        LivepatchState state;
        int r;

        if (!streq_ptr(record->release, q->release))
                return finding_set_add(found, FINDING_OTHER_KERNEL, record->id, record->release,
                                "The patch '%s' was applied to Linux %s and is kept for it", record->id,
                                strempty(record->release));
        r = livepatch_state(q->kernel, record->module, &state);
        if (r < 0)
                return r;
        if (state != LIVEPATCH_ABSENT)
                return look_at_loaded(q, record, state, found);
        if (q->off || is_quarantined(q, record))
                return 0;
        return finding_set_add(found, FINDING_NOT_LOADED, record->id, record->module,
                        "The patch '%s' is wanted, but its module '%s' is not in the kernel", record->id,
                        record->module);
}

/* --- the kernel against the records --- */

static bool is_recorded(const DriftQuestion *q, const AdmittedRecord *records, size_t n, const char *module) {
        for (size_t i = 0; i < n; i++)
                if (streq(records[i].module, module) && streq_ptr(records[i].release, q->release))
                        return true;
        return false;
}

static int look_at_livepatch(const DriftQuestion *q, const char *module, FindingSet *found) {
        _cleanup_free_ char *id = NULL;
        int r = drift_adopted_id(q->kernel, module, &id);

        if (r == -ENOENT)
                return finding_set_add(found, FINDING_FOREIGN, module, module,
                                "The livepatch '%s' in the kernel is not ours", module);
        if (r < 0)
                return r;
        return finding_set_add(found, FINDING_UNRECORDED, id, module,
                        "The livepatch '%s' has the note of the patch '%s', but there is no record of it",
                        module, id);
}

static int look_at_kernel(const DriftQuestion *q, const AdmittedRecord *records, size_t n, FindingSet *found) {
        _cleanup_strv_free_ char **modules = NULL;
        int r = livepatch_list(q->kernel, &modules);

        if (r < 0)
                return r;
        for (char **module = modules; module && *module; module++) {
                if (is_recorded(q, records, n, *module))
                        continue;
                r = look_at_livepatch(q, *module, found);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int look_at_hooks(const DriftQuestion *q, FindingSet *found) {
        FunctionHook *hooks;
        size_t n;
        int r = function_hooks_list(q->kernel, &hooks, &n);

        if (r < 0)
                return r == -ENOMEM ? r : 0; /* no tracefs: Apply says so, where it matters */
        for (size_t i = 0; i < n && r >= 0; i++)
                r = finding_set_add(found, FINDING_HOOK, NULL, hooks[i].function,
                                "The function '%s' of '%s' is redirected by %s%s%s, which is not a livepatch",
                                hooks[i].function, hooks[i].object, *hooks[i].handler ? "'" : "",
                                *hooks[i].handler ? hooks[i].handler : "somebody",
                                *hooks[i].handler ? "'" : "");
        function_hooks_free(hooks, n);
        return r;
}

static int look_at_files(const DriftQuestion *q, FindingSet *found) {
        _cleanup_strv_free_ char **names = NULL;
        int r = store_damaged(q->store, &names);

        if (r < 0)
                return r;
        for (char **name = names; name && *name; name++) {
                _cleanup_free_ char *shown = printable(*name);

                if (!shown)
                        return -ENOMEM;
                r = finding_set_add(found, FINDING_DAMAGED, NULL, shown,
                                "The state file '%s' cannot be read and is left as it is", shown);
                if (r < 0)
                        return r;
        }
        return 0;
}

/**
 * drift_look() - compare kernel, records and state files now
 * @ret: findings are added, unsorted; on failure some may have been
 *
 * Return: 0 or a negative errno.
 */
int drift_look(const DriftQuestion *q, FindingSet *ret) {
        AdmittedRecord *records;
        size_t n;
        int r = store_admitted_list(q->store, &records, &n);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n && r >= 0; i++)
                r = look_at_record(q, &records[i], ret);
        if (r >= 0)
                r = look_at_kernel(q, records, n, ret);
        admitted_records_free(records, n);
        if (r >= 0)
                r = look_at_hooks(q, ret);
        return r < 0 ? r : look_at_files(q, ret);
}
