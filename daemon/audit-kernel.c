/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The rows of an audit: each wanted patch and each livepatch that the kernel has, with what it
 * redirects. What is wrong with them is drift.c's.
 */

#include "daemon/audit-report.h"
#include "daemon/drift.h"
#include "daemon/facts.h"
#include "livepatch/functions.h"
#include "livepatch/state.h"
#include "util/strv.h"

/** audit_bundle_to_string() - the word of the JSON answer */
const char *audit_bundle_to_string(AuditBundle b) {
        static const char *const names[_AUDIT_BUNDLE_MAX] = {
                [AUDIT_BUNDLE_NONE] = "none",
                [AUDIT_BUNDLE_GOOD] = "good",
                [AUDIT_BUNDLE_MISSING] = "missing",
                [AUDIT_BUNDLE_CHANGED] = "changed",
                [AUDIT_BUNDLE_REFUSED] = "refused",
        };

        return names[b];
}

/** audit_report_done() - free what a report holds */
void audit_report_done(AuditReport *r) {
        for (size_t i = 0; i < r->n_patches; i++) {
                free(r->patches[i].id);
                free(r->patches[i].module);
                free(r->patches[i].last_event);
                patched_objects_free(r->patches[i].objects, r->patches[i].n_objects);
        }
        free(r->patches);
        finding_set_done(&r->findings);
        *r = (AuditReport) {};
}

/** audit_report_find() - the row of an id, or NULL */
AuditPatch *audit_report_find(AuditReport *r, const char *id) {
        for (size_t i = 0; i < r->n_patches; i++)
                if (streq(r->patches[i].id, id))
                        return &r->patches[i];
        return NULL;
}

static int add_row(AuditReport *r, const char *id, const char *module, AuditPatch **ret) {
        AuditPatch *grown = reallocarray(r->patches, r->n_patches + 1, sizeof(*grown));
        AuditPatch *p;

        if (!grown)
                return -ENOMEM;
        r->patches = grown;
        p = &grown[r->n_patches++];
        *p = (AuditPatch) {
                .id = strdup(id),
                .module = module ? strdup(module) : NULL,
                .state = livepatch_state_to_string(LIVEPATCH_ABSENT),
        };
        if (!p->id || (module && !p->module))
                return -ENOMEM;
        *ret = p;
        return 0;
}

/* What the kernel shows of it; one that changes at this moment shows nothing. */
static int fill_row(const AuditQuestion *q, AuditPatch *p) {
        InspectedObject *objects;
        LivepatchState state;
        size_t n;
        int r = livepatch_state(q->kernel, p->module, &state);

        if (r < 0)
                return r;
        p->state = livepatch_state_to_string(state);
        r = livepatch_patched(q->kernel, p->module, &p->objects, &p->n_objects);
        if (r == -ENOMEM)
                return r;
        r = livepatch_functions(q->kernel, p->module, &objects, &n);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        for (size_t i = 0; i < n; i++)
                p->n_functions += strv_length(objects[i].functions);
        inspected_objects_free(objects, n);
        return 0;
}

static int add_record(const AuditQuestion *q, const AdmittedRecord *record, AuditReport *report) {
        bool here = streq_ptr(record->release, q->identity->release);
        AuditPatch *p;
        int r = add_row(report, record->id, here ? record->module : NULL, &p);

        if (r < 0)
                return r;
        p->wanted = true;
        if (!here)
                return 0;
        r = facts_record_fits(q->kernel, record);
        return r > 0 ? fill_row(q, p) : r;
}

static bool is_shown(const AuditReport *r, const char *module) {
        for (size_t i = 0; i < r->n_patches; i++)
                if (streq_ptr(r->patches[i].module, module) &&
                    !streq(r->patches[i].state, livepatch_state_to_string(LIVEPATCH_ABSENT)))
                        return true;
        return false;
}

static int add_livepatch(const AuditQuestion *q, const char *module, AuditReport *report) {
        _cleanup_free_ char *id = NULL;
        AuditPatch *p;
        int r;

        if (is_shown(report, module))
                return 0;
        r = drift_adopted_id(q->kernel, module, &id);
        if (r < 0 && r != -ENOENT)
                return r;
        /* An id has one owner, as in patch.c. */
        if (id && audit_report_find(report, id)) {
                free(id);
                id = NULL;
        }
        r = add_row(report, id ?: module, module, &p);
        if (r < 0)
                return r;
        p->foreign = !id;
        return fill_row(q, p);
}

static int compare_rows(const void *a, const void *b) {
        const AuditPatch *x = a, *y = b;

        return x->foreign != y->foreign ? x->foreign - y->foreign : strcmp(x->id, y->id);
}

/**
 * audit_kernel() - the rows of the report
 *
 * Return: 0 or a negative errno.
 */
int audit_kernel(const AuditQuestion *q, AuditReport *report) {
        _cleanup_strv_free_ char **modules = NULL;
        AdmittedRecord *records;
        size_t n;
        int r = store_admitted_list(q->store, &records, &n);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n && r >= 0; i++)
                r = add_record(q, &records[i], report);
        admitted_records_free(records, n);
        if (r >= 0)
                r = livepatch_list(q->kernel, &modules);
        if (r == -ENOENT)
                r = 0; /* a kernel without livepatch */
        for (char **module = modules; module && *module && r >= 0; module++)
                r = add_livepatch(q, *module, report);
        if (r >= 0 && report->n_patches > 1)
                qsort(report->patches, report->n_patches, sizeof(*report->patches), compare_rows);
        return r;
}
