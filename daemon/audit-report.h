/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The parts of an audit: what each looks at, and the report they fill. They block: call them in a worker. */

#include "bundle/trust.h"
#include "daemon/finding.h"
#include "daemon/store.h"
#include "livepatch/identity.h"
#include "livepatch/patched.h"

typedef enum AuditBundle {
        AUDIT_BUNDLE_NONE,    /* none belongs to it: not ours, or not recorded */
        AUDIT_BUNDLE_GOOD,
        AUDIT_BUNDLE_MISSING,
        AUDIT_BUNDLE_CHANGED,
        AUDIT_BUNDLE_REFUSED,
        _AUDIT_BUNDLE_MAX,
} AuditBundle;

/** struct AuditPatch - one row of the report; strings owned */
typedef struct AuditPatch {
        char *id;
        char *module; /* NULL: none for this kernel */
        const char *state; /* livepatch_state_to_string() */
        bool wanted;
        bool foreign;
        AuditBundle bundle;
        size_t n_functions; /* that are redirected now */
        PatchedObject *objects;
        size_t n_objects;
        char *last_event; /* "applied" or "removed", by the journal; NULL: it knows of none */
        uint64_t last_event_usec;
} AuditPatch;

/**
 * struct AuditReport
 * @n_bundles, @bytes: admitted and staged bundles whose every byte was checked
 * @journal: the journal could be read; @n_records then counts records about patches
 */
typedef struct AuditReport {
        AuditPatch *patches; /* sorted by id */
        size_t n_patches;
        FindingSet findings;
        size_t n_bundles;
        uint64_t bytes;
        bool journal;
        size_t n_records;
} AuditReport;

/** struct AuditQuestion - everything borrowed; @root: as for kernel_new() */
typedef struct AuditQuestion {
        const Kernel *kernel;
        const KernelIdentity *identity;
        const Store *store;
        const char *root;
        const TrustPolicy *trust;
        uint64_t now_usec;
} AuditQuestion;

void audit_report_done(AuditReport *r);
const char *audit_bundle_to_string(AuditBundle b);

/* audit-kernel.c */
int audit_kernel(const AuditQuestion *q, AuditReport *report) _must_check_ _nonnull_(1, 2);
/* audit-store.c */
int audit_store(const AuditQuestion *q, AuditReport *report) _must_check_ _nonnull_(1, 2);
/* audit-journal.c; after audit_kernel() */
int audit_journal(const AuditQuestion *q, AuditReport *report) _must_check_ _nonnull_(1, 2);

AuditPatch *audit_report_find(AuditReport *r, const char *id) _nonnull_(1, 2);
