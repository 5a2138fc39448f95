/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Answers of the daemon as JSON, a file for each: describe-*.c. doc/json-shapes.md and org.hotpatch.Hotpatch1(5)
 * document the shapes.
 */

#include <systemd/sd-bus.h>

#include "baseline/state.h"
#include "bundle/bundle.h"
#include "config/config.h"
#include "daemon/audit-report.h"
#include "daemon/plan.h"
#include "daemon/store.h"
#include "livepatch/patched.h"

/** struct Description - what Describe() knows about one patch; all borrowed, unset when unknown */
typedef struct Description {
        const char *id;
        const char *state;
        bool foreign;
        const char *module;
        const char *release;          /* of the running kernel */
        const AdmittedRecord *record; /* NULL: not admitted */
        const Manifest *manifest;     /* NULL: bundle not at hand */
        const Signer *signers;
        size_t n_signers;
        const char *digest;
        uint64_t tripped;
        const PatchedObject *patched; /* what the kernel shows */
        size_t n_patched;
        bool quarantined;
        char *const *strikes;       /* sentences */
        const char *restore_result; /* of this boot; NULL: it was not wanted then */
        const char *restore_reason;
        uint64_t trial_until_usec;    /* 0: not on trial */
        const char *trial_kind;       /* "apply", "restore", "return"; NULL: not on trial */
} Description;

/**
 * struct CalendarDescription - the year of this machine; all borrowed
 * @months: twelve, of @policy
 * @monthly_because: why each month has a baseline; NULL: by configuration
 * @enabled: baselines are installed by themselves
 * @covered_until_usec: hotpatches for the running kernel; 0: not known
 * @release: of the running kernel
 */
typedef struct CalendarDescription {
        uint64_t now_usec;
        const CalendarPolicy *policy;
        const CalendarMonth *months;
        const char *monthly_because;
        bool enabled;
        uint64_t covered_until_usec;
        const BaselineState *state;
        const char *release;
} CalendarDescription;

int describe_plan(const Plan *plan, const char *type, const KernelIdentity *kernel, char *const *ids, char **ret)
        _must_check_ _nonnull_(1, 2, 3, 5);
int describe_bundle(const Verified *v, const KernelIdentity *kernel, char **ret) _must_check_ _nonnull_(1, 2, 3);
int describe_audit(const AuditReport *report, const FindingSet *findings, const KernelIdentity *kernel, char **ret)
        _must_check_ _nonnull_(1, 2, 3, 4);
int describe_policy(const Config *c, char *const *warnings, char **ret) _must_check_ _nonnull_(1, 3);
int describe_calendar(const CalendarDescription *d, char **ret) _must_check_ _nonnull_(1, 2);
int describe_patch(const Description *d, char **ret) _must_check_ _nonnull_(1, 2);
