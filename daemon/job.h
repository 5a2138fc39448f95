/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One transaction on the kernel, forwards step by step and, when it must, back again. At most one
 * runs; the finished ones stay readable for a while.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "config/config.h"
#include "daemon/patch.h"
#include "daemon/plan.h"
#include "daemon/prepare.h"
#include "daemon/request.h"
#include "daemon/stall.h"
#include "daemon/store-forced.h"
#include "daemon/store.h"
#include "daemon/worker.h"
#include "util/base.h"

typedef enum JobType {
        JOB_APPLY,
        JOB_REMOVE,
        JOB_ROLLBACK,
        JOB_RESTORE,
        _JOB_TYPE_MAX,
        _JOB_TYPE_INVALID = -EINVAL,
} JobType;

typedef enum JobState {
        JOB_VERIFYING,
        JOB_PLANNING,
        JOB_LOADING,
        JOB_TRANSITION,
        JOB_REVERSING,
        JOB_DISABLING,
        JOB_UNLOADING,
        JOB_FINISHED,
        _JOB_STATE_MAX,
} JobState;

typedef enum JobResult {
        JOB_RUNNING,
        JOB_DONE,
        JOB_FAILED,
        JOB_CANCELLED,
        _JOB_RESULT_MAX,
} JobResult;

/**
 * struct Job
 * @ids: patches it works on
 * @action: polkit action that its caller needed, and that Cancel needs
 * @error: why it failed or was cancelled; also the reason while it is being undone
 * @request: what was asked; NULL for a job that cleans up after an unclean end
 * @inserted: modules this job may have put into the kernel, in order; undone backwards
 * @committed: ids this job has written down as wanted
 * @intent_open: an intent of this job lies in the state directory
 * @resolved: nothing is left to be explained by that
 * @touched: it went as far as writing an intent; before that it is refused, afterwards it fails
 * @past_return: everything it adds is committed; what is left only removes superseded patches
 * @cancelled: somebody called Cancel
 * @unclean: it cleans up what a daemon before this one began
 * @rollback: the trial that failed; of a rollback only
 * @replaced: patches that its module takes out of force with its transition, in the order of application
 * @replaced_foreign: modules of others that it takes out so
 * @foreign_told: that these do not come back
 * @returning: what failed is out; what it had superseded or replaced is on its way in
 * @return_ids, @returns: that; without what may not
 * @return_filtered: it is known what may not
 * @return_tries: how often something of it did not work
 * @return_again: it is tried again when what got stuck is out
 * @wanted_back: of a rollback: the records of that lie in admitted/ again
 * @return_failed: some of that could not be brought back
 * @call_*: the blocking call that a worker makes for it; late: it should have come back long ago
 * @stall: its transition does not end; NULL: none, or it is early
 * @force_call: the call of Force() that waits for its answer
 * @forced: its transition was forced
 * @pinned: a module that it took out of force stays in memory
 * @forced_before: what had been forced before that in this boot
 * @wait_*: the wait for the kernel that is under way
 */
typedef struct Job {
        Manager *manager;
        Config *config; /* as it was when the job began */
        uint32_t id;
        JobType type;
        JobState state;
        JobResult result;
        double progress;
        char **ids;
        char *path;
        char *transaction;
        const char *action;
        sd_bus_error error;
        uint32_t caller_uid;

        Request *request;
        Preparation *preparation;
        int load_dir_fd;
        Plan *plan;
        size_t step;

        char **inserted;
        char **committed;
        bool intent_open;
        bool resolved;
        bool touched;
        bool past_return;
        bool cancelled;
        bool unclean;

        TrialRecord rollback;
        char **replaced;
        char **replaced_foreign;
        bool foreign_told;
        bool returning;
        char **return_ids;
        char **returns;
        bool return_filtered;
        unsigned return_tries;
        bool return_again;
        bool wanted_back;
        bool return_failed;

        Worker *worker;
        int (*call_function)(const Kernel *k, const char *argument, sd_bus_error *error);
        char *call_argument;
        void (*call_done)(struct Job *j, int r, const sd_bus_error *error);
        const char *call_name;
        const char *call_doing;
        char *call_module;
        sd_event_source *call_timer;
        bool call_late;

        sd_event_source *timer;
        int (*wait_check)(struct Job *j);
        uint64_t wait_started_usec;
        uint64_t held_since_usec;
        unsigned failures; /* of the same call to the kernel, in a row */

        Stall *stall;
        sd_bus_message *force_call;
        bool forced;
        bool pinned;
        Forced forced_before;

        uint64_t progress_sent_usec;
        bool changed;
        bool blockers_changed;
} Job;

int job_start(Manager *m, Request **request, Job **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 3);
Job *job_free(Job *j);
DEFINE_TRIVIAL_CLEANUP(Job *, job_free);
int job_cancel(Job *j, sd_bus_error *error) _must_check_ _nonnull_(1);
int job_force_check(const Job *j, sd_bus_error *error) _must_check_ _nonnull_(1);
int job_force(Job *j, const Request *request, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
bool job_make_room(Manager *m, const char *transaction, const char *reason) _nonnull_(1, 2);
void job_reverse(Job *j, const char *reason) _nonnull_(1, 2);
int job_start_restore(Manager *m, const AdmittedRecord *record) _must_check_ _nonnull_(1, 2);
int job_start_rollback(Manager *m, const TrialRecord *trial, char *const *out_ids, char *const *out_modules)
        _must_check_ _nonnull_(1, 2);
int job_recover(Manager *m) _must_check_ _nonnull_(1);
int job_append_blockers(const Job *j, sd_bus_message *reply) _must_check_ _nonnull_(1, 2);
PatchState job_patch_state(const Job *j, const char *id);

const char *job_type_to_string(JobType t);
const char *job_state_to_string(JobState s);
const char *job_result_to_string(JobResult r);
