/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What hotpatchd tells about itself, its patches and its jobs, read in two calls. */

#include "ctl/blockers.h"
#include "ctl/ctl.h"

/** struct FindingInfo - one finding of hotpatchd; strings are never NULL */
typedef struct FindingInfo {
        char *kind;
        char *severity; /* alert, attention, info */
        char *patch;
        char *object;
        char *sentence;
        char *remedy;
} FindingInfo;

/** struct FindingList - worst first */
typedef struct FindingList {
        FindingInfo *items;
        size_t n;
} FindingList;

/** struct RebootInfo - one reason why the machine has to be restarted; strings are never NULL */
typedef struct RebootInfo {
        char *reason;
        char *sentence;
} RebootInfo;

typedef struct RebootList {
        RebootInfo *items;
        size_t n;
} RebootList;

/** struct RollbackInfo - a patch that failed its trial since the machine started */
typedef struct RollbackInfo {
        char *patch;
        uint64_t when_usec;
        char *reason;
} RollbackInfo;

typedef struct RollbackList {
        RollbackInfo *items;
        size_t n;
} RollbackList;

/** struct ManagerInfo - properties of org.hotpatch.Hotpatch1.Manager; strings are never NULL */
typedef struct ManagerInfo {
        char *version;
        char *release;
        char *build_id;
        char *arch;
        char *lockdown;
        char *disabled;
        char *denied;
        char *ineligible;
        char *ineligible_remedy;
        char *baseline_state;
        char *baseline_text;
        uint64_t covered_until_usec;
        uint64_t audited_usec; /* 0: not since the machine started */
        uint64_t restart_usec; /* when it is planned; 0: it is not */
        bool signature_required;
        bool supported;
        FindingList findings;
        RebootList reboot;
        RollbackList rolled_back;
} ManagerInfo;

/**
 * struct PatchInfo - properties of org.hotpatch.Hotpatch1.Patch
 * @rolled_back: it is among those of the manager
 */
typedef struct PatchInfo {
        char *id;
        char *title;
        char *severity;
        char *state;
        char *module;
        char *stream;
        char **fixes;
        uint64_t sequence;
        uint64_t applied_usec;
        uint64_t tripped;
        uint64_t trial_until_usec;
        char *trial_kind;
        bool foreign;
        bool wanted;
        bool quarantined;
        char **strikes;
        char *restore_result;
        char *retired_by;
        char *restore_reason;
        bool rolled_back;
} PatchInfo;

/** struct JobInfo - properties of org.hotpatch.Hotpatch1.Job */
typedef struct JobInfo {
        char *path;
        char *type;
        char *state;
        char *result;
        char *error_name;
        char *error_message;
        char **patches;
        BlockerList blockers;
        char *blockers_note;
        double progress;
        uint32_t id;
} JobInfo;

/** struct Snapshot - @now_usec: when it was made */
typedef struct Snapshot {
        uint64_t now_usec;
        ManagerInfo manager;
        PatchInfo *patches;
        size_t n_patches;
        JobInfo *jobs;
        size_t n_jobs;
} Snapshot;

Snapshot *snapshot_free(Snapshot *s);
DEFINE_TRIVIAL_CLEANUP(Snapshot *, snapshot_free);
#define _cleanup_snapshot_ _cleanup_(snapshot_freep)

int snapshot_read(Ctl *ctl, Snapshot **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3);
bool patch_is_active(const PatchInfo *p);
bool patch_is_missing(const PatchInfo *p);
bool job_is_running(const JobInfo *j);

int job_read_properties(sd_bus_message *m, JobInfo *job) _must_check_ _nonnull_(1, 2);
void job_info_done(JobInfo *j);
DEFINE_TRIVIAL_CLEANUP(JobInfo *, job_info_done);
