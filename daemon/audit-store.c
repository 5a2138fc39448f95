/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The store against itself, against the trust of today, and against the kernel.
 *
 * Each admitted bundle is verified as a restart would verify it: with the anchors and revocation lists
 * of today, at the time when it was admitted; then every byte of it is hashed. Its manifest, which only
 * now is known to be what was signed, says which functions the loaded module must replace and for which
 * builds of other modules it was made. Each staged bundle is verified as Apply would, now.
 *
 * Reading the whole store takes as long as its disk does. Nothing is repaired.
 */

#include <sys/stat.h>

#include "bundle/bundle.h"
#include "daemon/admit.h"
#include "daemon/audit-report.h"
#include "daemon/facts.h"
#include "dbus/errors.h"
#include "livepatch/functions.h"
#include "livepatch/hooks.h"
#include "livepatch/modulefile.h"
#include "livepatch/state.h"
#include "util/str.h"
#include "util/strv.h"

/* --- one bundle --- */

static void count(AuditReport *report, int fd) {
        struct stat st;

        report->n_bundles++;
        if (fstat(fd, &st) >= 0)
                report->bytes += (uint64_t) st.st_size;
}

/* All of it: signatures and every byte. */
static int check_bytes(const AuditQuestion *q, int fd, uint64_t at_usec, AuditReport *report, Verified **ret,
                sd_bus_error *error) {
        _cleanup_verified_free_ Verified *v = NULL;
        int r = admit_open(fd, q->root, q->trust, at_usec, &v, error);

        if (r >= 0)
                r = verified_check_members(v, error);
        if (r < 0)
                return r;
        count(report, fd);
        *ret = TAKE_PTR(v);
        return 0;
}

/* Is it the machine's trust that changed, and not the file? */
static bool is_refusal_of_trust(const sd_bus_error *error) {
        static const char *const prefixes[] = {
                HOTPATCH_ERROR("Signer"), HOTPATCH_ERROR("SignaturesTooFew"), HOTPATCH_ERROR("RevocationUnknown"),
                HOTPATCH_ERROR("NoTrustAnchors"), HOTPATCH_ERROR("TrustStoreInvalid"),
        };

        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++)
                if (startswith(strempty(error->name), prefixes[i]))
                        return true;
        return false;
}

static int add_refusal(const AdmittedRecord *record, const sd_bus_error *error, int r, AuditReport *report,
                AuditBundle *ret) {
        const char *why = error->message ?: strerror(-r);

        if (is_refusal_of_trust(error)) {
                *ret = AUDIT_BUNDLE_REFUSED;
                return finding_set_add(&report->findings, FINDING_BUNDLE_REFUSED, record->id, NULL,
                                "The bundle of the patch '%s' would be refused now: %s", record->id, why);
        }
        *ret = AUDIT_BUNDLE_CHANGED;
        return finding_set_add(&report->findings, FINDING_BUNDLE_CHANGED, record->id, NULL,
                        "The bundle of the patch '%s' is not as it was admitted: %s", record->id, why);
}

/* --- the manifest against the kernel --- */

static char *const *functions_of(const InspectedObject *objects, size_t n, const char *object) {
        for (size_t i = 0; i < n; i++)
                if (streq(objects[i].name, object))
                        return objects[i].functions;
        return NULL;
}

/* "f" and "f,1" are the same to the kernel when the name is unique. */
static bool same_function(const char *a, const char *b) {
        size_t n = strcspn(a, ","), m = strcspn(b, ",");

        return n == m && memcmp(a, b, n) == 0 && streq(a[n] ? a + n : ",1", b[m] ? b + m : ",1");
}

static bool has_function(char *const *functions, const char *function) {
        for (; functions && *functions; functions++)
                if (same_function(*functions, function))
                        return true;
        return false;
}

/* The first function that only one of the two lists; NULL: they are the same. A patch that replaced others
 * shows theirs too (the kernel's "nops"), so there only what is missing counts. */
static const char *odd_function(const ManifestTarget *t, const InspectedObject *objects, size_t n) {
        for (size_t i = 0; i < t->n_objects; i++)
                for (char **f = t->objects[i].functions; f && *f; f++)
                        if (!has_function(functions_of(objects, n, t->objects[i].name), *f))
                                return *f;
        for (size_t i = 0; i < n && !t->replace; i++) {
                char *const *listed = NULL;

                for (size_t j = 0; j < t->n_objects; j++)
                        if (streq(t->objects[j].name, objects[i].name))
                                listed = t->objects[j].functions;
                for (char **f = objects[i].functions; f && *f; f++)
                        if (!has_function(listed, *f))
                                return *f;
        }
        return NULL;
}

static int check_functions(const AuditQuestion *q, const AdmittedRecord *record, const ManifestTarget *t,
                AuditReport *report) {
        InspectedObject *objects;
        const char *odd;
        size_t n;
        int r = livepatch_functions(q->kernel, record->module, &objects, &n);

        if (r < 0)
                return r == -ENOMEM ? r : 0;
        odd = odd_function(t, objects, n);
        r = odd ? finding_set_add(&report->findings, FINDING_ALTERED, record->id, odd,
                                  "The loaded module '%s' does not replace the functions that the manifest of "
                                  "'%s' lists: '%s' differs", record->module, record->id, odd) : 0;
        inspected_objects_free(objects, n);
        return r;
}

static int check_target_loaded(const AuditQuestion *q, const AdmittedRecord *record, const ManifestObject *o,
                AuditReport *report) {
        _cleanup_free_ char *build_id = NULL;
        int r = kernel_module_build_id(q->kernel, o->name, &build_id);

        if (r < 0)
                return r == -ENOMEM ? r : 0; /* not loaded, or without one */
        if (streq(build_id, o->build_id))
                return 0;
        return finding_set_add(&report->findings, FINDING_TARGET_MISMATCH, record->id, o->name,
                        "The patch '%s' is in force on the module '%s', which is another build than it was made for",
                        record->id, o->name);
}

static int check_target_on_disk(const AuditQuestion *q, const AdmittedRecord *record, const ManifestObject *o,
                AuditReport *report) {
        _cleanup_free_ char *folder = NULL, *path = NULL, *build_id = NULL;
        int r;

        if (str_printf(&folder, "%s/lib/modules/%s", streq(q->root, "/") ? "" : q->root, q->identity->release) < 0)
                return -ENOMEM;
        r = module_file_find(folder, o->name, &path);
        if (r >= 0)
                r = module_file_build_id(path, &build_id);
        if (r < 0)
                return r == -ENOMEM ? r : 0; /* built in, removed, or not understood */
        if (streq(build_id, o->build_id))
                return 0;
        return finding_set_add(&report->findings, FINDING_DRIVER_UPDATE, record->id, o->name,
                        "The file of the module '%s' is another build than the patch '%s' was made for; when it "
                        "is loaded, the kernel may refuse it", o->name, record->id);
}

static int check_targets(const AuditQuestion *q, const AdmittedRecord *record, const ManifestTarget *t,
                AuditReport *report) {
        for (size_t i = 0; i < t->n_objects; i++) {
                const ManifestObject *o = &t->objects[i];
                int r;

                if (!o->build_id || streq(o->name, "vmlinux"))
                        continue;
                r = check_target_loaded(q, record, o, report);
                if (r >= 0)
                        r = check_target_on_disk(q, record, o, report);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A wanted patch that is not in force, and a function of it that somebody else has. */
static int check_hooks(const AuditQuestion *q, const AdmittedRecord *record, const ManifestTarget *t,
                AuditReport *report) {
        FunctionHook *hooks;
        size_t n;
        int r = function_hooks_list(q->kernel, &hooks, &n);

        if (r < 0)
                return r == -ENOMEM ? r : 0;
        for (size_t i = 0; i < n && r >= 0; i++)
                for (size_t j = 0; j < t->n_objects && r >= 0; j++) {
                        if (!streq(t->objects[j].name, hooks[i].object))
                                continue;
                        for (char **f = t->objects[j].functions; f && *f && r >= 0; f++)
                                if (strcspn(*f, ",") == strlen(hooks[i].function) &&
                                    startswith(*f, hooks[i].function))
                                        r = finding_set_add(&report->findings, FINDING_HOOK_IN_THE_WAY, record->id,
                                                        hooks[i].function,
                                                        "The function '%s', which the patch '%s' replaces, is "
                                                        "redirected by '%s'", hooks[i].function, record->id,
                                                        *hooks[i].handler ? hooks[i].handler : "somebody");
                }
        function_hooks_free(hooks, n);
        return r;
}

static int check_in_kernel(const AuditQuestion *q, const AdmittedRecord *record, const Manifest *m,
                AuditReport *report) {
        const ManifestTarget *t = manifest_find_target(m, q->identity->arch, q->identity->release,
                        q->identity->build_id);
        LivepatchState state;
        int r;

        if (!t || !streq_ptr(record->release, q->identity->release))
                return 0;
        r = livepatch_state(q->kernel, record->module, &state);
        if (r < 0)
                return r;
        if (state == LIVEPATCH_ABSENT || state == LIVEPATCH_INACTIVE)
                return check_hooks(q, record, t, report);
        r = facts_record_fits(q->kernel, record);
        if (r <= 0 || state != LIVEPATCH_PATCHED)
                return r;
        r = check_functions(q, record, t, report);
        return r < 0 ? r : check_targets(q, record, t, report);
}

/* --- admitted --- */

static int check_admitted_file(const AuditQuestion *q, const AdmittedRecord *record, int fd, AuditReport *report,
                AuditBundle *ret) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_verified_free_ Verified *v = NULL;
        int r = check_bytes(q, fd, record->admitted_usec, report, &v, &error);

        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return add_refusal(record, &error, r, report, ret);
        if (!streq(verified_digest(v), record->digest) || !streq(verified_manifest(v)->id, record->id)) {
                *ret = AUDIT_BUNDLE_CHANGED;
                return finding_set_add(&report->findings, FINDING_BUNDLE_CHANGED, record->id, NULL,
                                "The bundle kept for the patch '%s' is another one than its record names",
                                record->id);
        }
        *ret = AUDIT_BUNDLE_GOOD;
        return check_in_kernel(q, record, verified_manifest(v), report);
}

static int check_admitted(const AuditQuestion *q, const AdmittedRecord *record, AuditReport *report) {
        _cleanup_close_ int fd = store_admitted_open(q->store, record->id);
        AuditBundle bundle = AUDIT_BUNDLE_MISSING;
        AuditPatch *row;
        int r;

        if (fd == -ENOMEM)
                return fd;
        if (fd < 0)
                r = finding_set_add(&report->findings, FINDING_BUNDLE_MISSING, record->id, NULL,
                                "The bundle of the patch '%s' is not in the store: %s", record->id, strerror(-fd));
        else
                r = check_admitted_file(q, record, fd, report, &bundle);
        row = audit_report_find(report, record->id);
        if (row)
                row->bundle = bundle;
        return r;
}

/* --- staged --- */

static int check_staged(const AuditQuestion *q, const char *id, AuditReport *report) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_verified_free_ Verified *v = NULL;
        _cleanup_close_ int fd = store_spool_open(q->store, id, &error);
        int r;

        if (fd < 0)
                return fd == -ENOMEM ? fd : 0; /* gone meanwhile, or not a regular file */
        r = check_bytes(q, fd, q->now_usec, report, &v, &error);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return finding_set_add(&report->findings, FINDING_STAGED_REFUSED, id, NULL,
                                "The staged bundle '%s' would be refused: %s", id,
                                error.message ?: strerror(-r));
        if (streq(verified_manifest(v)->id, id))
                return 0;
        return finding_set_add(&report->findings, FINDING_STAGED_REFUSED, id, NULL,
                        "The file staged as '%s' holds the bundle '%s'", id, verified_manifest(v)->id);
}

/**
 * audit_store() - every admitted and every staged bundle
 * @report: findings are added; rows of admitted patches get their bundle
 *
 * Return: 0 or a negative errno.
 */
int audit_store(const AuditQuestion *q, AuditReport *report) {
        _cleanup_strv_free_ char **staged = NULL;
        AdmittedRecord *records;
        size_t n;
        int r = store_admitted_list(q->store, &records, &n);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n && r >= 0; i++)
                r = check_admitted(q, &records[i], report);
        admitted_records_free(records, n);
        if (r >= 0)
                r = store_spool_list(q->store, &staged);
        for (char **id = staged; id && *id && r >= 0; id++)
                r = check_staged(q, *id, report);
        return r;
}
