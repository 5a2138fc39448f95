/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What becomes of each problem that a bundle on this machine says to repair. No I/O. */

#include "ctl/json.h"
#include "ctl/snapshot.h"

/* The order is that of preference: what stands further up wins when several bundles repair the same. */
typedef enum CveState {
        CVE_FIXED,     /* by code that runs now */
        CVE_UNDER_WAY, /* a job is changing it */
        CVE_STAGED,    /* by a bundle that can be applied to this kernel as it runs */
        CVE_RESTART,   /* by a baseline only */
        CVE_OPEN,      /* by nothing that can be used here */
        CVE_UNKNOWN,   /* no bundle here speaks of it */
        _CVE_STATE_MAX,
} CveState;

/**
 * struct Cve - strings owned
 * @severity, @summary: NULL when no bundle at hand tells
 * @patches: ids of the bundles that put it into @state
 * @reason: why it is not fixed; NULL when it is
 */
typedef struct Cve {
        char *id;
        CveState state;
        char *severity;
        char *summary;
        char **references;
        char **patches;
        char *reason;
} Cve;

/** struct CveList - by state, then by id */
typedef struct CveList {
        Cve *items;
        size_t n;
} CveList;

int cve_list_make(const Snapshot *s, const Value *const *descriptions, CveList *ret) _must_check_ _nonnull_(1, 2, 3);
int cve_list_select(CveList *l, char *const *ids) _must_check_ _nonnull_(1);
void cve_list_done(CveList *l) _nonnull_(1);
size_t cve_list_count(const CveList *l, CveState state) _nonnull_(1);
const char *cve_state_to_string(CveState state);
