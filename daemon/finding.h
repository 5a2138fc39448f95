/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A finding: one thing that is not as the records of this machine say it should be. What it means
 * and what to do about it stands in one table; a finding itself has only what differs.
 */

#include "util/base.h"

typedef enum FindingSeverity {
        FINDING_INFO,      /* good to know, nothing is wrong */
        FINDING_ATTENTION, /* somebody should look at it */
        FINDING_ALERT,     /* the machine is less safe than its records say */
        _FINDING_SEVERITY_MAX,
} FindingSeverity;

typedef enum FindingKind {
        FINDING_NOT_LOADED,       /* wanted, but not in the kernel */
        FINDING_NOT_IN_FORCE,     /* wanted and loaded, but disabled */
        FINDING_ALTERED,          /* the loaded module is not the one of the record */
        FINDING_TARGET_MISMATCH,  /* a patched module is another build than the patch was made for */
        FINDING_TARGET_UNPATCHED, /* a module is loaded that the patch should have patched */
        FINDING_TARGET_REFUSED,   /* the kernel refused a module because of the patch */
        FINDING_BUNDLE_CHANGED,   /* an admitted bundle is not the one that was admitted */
        FINDING_BUNDLE_REFUSED,   /* an admitted bundle is not trusted any more */
        FINDING_HOOK_IN_THE_WAY,  /* somebody else redirects a function of a wanted patch */
        FINDING_RESTART_HELD_UP,  /* another shutdown is scheduled, and the baseline's deadline is over */
        FINDING_UNRECORDED,       /* ours by its note, and nobody wrote down that it is wanted */
        FINDING_FOREIGN,          /* another vendor's livepatch */
        FINDING_HOOK,             /* somebody else redirects a function */
        FINDING_DRIVER_UPDATE,    /* the module on disk is another build than the patch was made for */
        FINDING_BUNDLE_MISSING,   /* an admitted bundle is gone */
        FINDING_STAGED_REFUSED,   /* a staged bundle is no good bundle (any more) */
        FINDING_DAMAGED,          /* a state file cannot be read */
        FINDING_RECORD_LOST,      /* the journal knows a patch that nothing else knows */
        FINDING_OTHER_KERNEL,     /* wanted for another kernel than the one that runs */
        FINDING_STRUCK,           /* something speaks against a bundle that is not here */
        FINDING_KILLED,           /* the last hotpatchd of this boot did not end in order */
        _FINDING_KIND_MAX,
        _FINDING_KIND_INVALID = -EINVAL,
} FindingKind;

/**
 * struct Finding - strings owned and never NULL
 * @patch: bundle id, or module name of a livepatch that is not ours; "" when it is about no patch
 * @object: module, function or file it is about; may be ""
 * @sentence: one sentence, for people
 */
typedef struct Finding {
        FindingKind kind;
        char *patch;
        char *object;
        char *sentence;
} Finding;

typedef struct FindingSet {
        Finding *items;
        size_t n;
} FindingSet;

/* A machine with more is not described better by a longer list. */
#define FINDINGS_MAX 512U

void finding_done(Finding *f) _nonnull_(1);
void finding_set_done(FindingSet *s);
int finding_set_add(FindingSet *s, FindingKind kind, const char *patch, const char *object,
                const char *format, ...) _must_check_ _nonnull_(1, 5) _printf_(5, 6);
int finding_set_copy(FindingSet *to, const FindingSet *from) _must_check_ _nonnull_(1, 2);
void finding_set_sort(FindingSet *s) _nonnull_(1);
bool finding_set_equal(const FindingSet *a, const FindingSet *b) _nonnull_(1, 2);
int finding_set_write(const FindingSet *s, void **ret, size_t *ret_size) _must_check_ _nonnull_(1, 2, 3);
int finding_set_read(FindingSet *s, const void *data, size_t size) _must_check_ _nonnull_(1);

bool finding_is_drift(const Finding *f) _nonnull_(1);
FindingSeverity finding_severity(FindingKind kind);
const char *finding_kind_to_string(FindingKind kind);
const char *finding_severity_to_string(FindingSeverity severity);
const char *finding_remedy(FindingKind kind);
