/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The table of DESIGN: check, found, needed, remedy; which are required is policy, all are shown. */

#include "config/config.h"
#include "eligibility/facts.h"

typedef enum EligibilityVerdict {
        ELIGIBILITY_OK,
        ELIGIBILITY_MISSING,
        ELIGIBILITY_UNKNOWN, /* it cannot be told */
} EligibilityVerdict;

/**
 * struct EligibilityRow - strings owned
 * @required: by policy, or because nothing works without
 * @blocks: required, and not there; one that cannot be told blocks only where policy wants it
 * @remedy: "" when there is nothing to do
 */
typedef struct EligibilityRow {
        EligibilityCheck check;
        EligibilityVerdict verdict;
        bool required;
        bool blocks;
        char *found;
        const char *needed;
        const char *remedy;
} EligibilityRow;

/** struct EligibilityTable - one row for each check, in their order */
typedef struct EligibilityTable {
        EligibilityRow rows[_CHECK_MAX];
} EligibilityTable;

int eligibility_judge(const EligibilityFacts *f, const Config *policy, EligibilityTable *ret)
        _must_check_ _nonnull_(1, 2, 3);
void eligibility_table_done(EligibilityTable *t);
const EligibilityRow *eligibility_first_blocker(const EligibilityTable *t) _nonnull_(1);
int eligibility_reason(const EligibilityTable *t, bool with_policy, char **ret) _must_check_ _nonnull_(1, 3);

const char *eligibility_verdict_to_string(EligibilityVerdict v);
