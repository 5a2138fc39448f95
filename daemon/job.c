/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The job as an object: its life, its words, its end.
 *
 * A job is carried forward by callbacks of workers and timers; there is no moment at which the event
 * loop waits for it. The caller who started it may leave: the job does not depend on any client.
 * When it is finished it keeps its result and gives everything else back at once.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <syslog.h>

#include "daemon/bus.h"
#include "daemon/job-internal.h"
#include "daemon/leftovers.h"
#include "daemon/loaddir.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "dbus/errors.h"
#include "dbus/names.h"
#include "util/str.h"
#include "util/strv.h"

/* A person sees four steps a second as movement; more is only traffic. */
#define PROGRESS_INTERVAL_USEC (250 * USEC_PER_MSEC)

static const char *const job_types[_JOB_TYPE_MAX] = {
        [JOB_APPLY] = "apply",
        [JOB_REMOVE] = "remove",
        [JOB_ROLLBACK] = "rollback",
        [JOB_RESTORE] = "restore",
};

static const char *const job_states[_JOB_STATE_MAX] = {
        [JOB_VERIFYING] = "verifying",
        [JOB_PLANNING] = "planning",
        [JOB_LOADING] = "loading",
        [JOB_TRANSITION] = "transition",
        [JOB_REVERSING] = "reversing",
        [JOB_DISABLING] = "disabling",
        [JOB_UNLOADING] = "unloading",
        [JOB_FINISHED] = "finished",
};

static const char *const job_results[_JOB_RESULT_MAX] = {
        [JOB_RUNNING] = "",
        [JOB_DONE] = "done",
        [JOB_FAILED] = "failed",
        [JOB_CANCELLED] = "cancelled",
};

/** job_type_to_string() - the word of the D-Bus contract and of the intent */
const char *job_type_to_string(JobType t) {
        return job_types[t];
}

/** job_state_to_string() - the word of the D-Bus contract */
const char *job_state_to_string(JobState s) {
        return job_states[s];
}

/** job_result_to_string() - the word of the D-Bus contract; empty while it runs */
const char *job_result_to_string(JobResult r) {
        return job_results[r];
}

/* Job numbers begin anew with each boot. */
static int make_transaction(uint32_t id, char **ret) {
        sd_id128_t boot;
        int r;

        r = sd_id128_get_boot(&boot);
        if (r < 0)
                return r;
        return str_printf(ret, SD_ID128_FORMAT_STR "-%" PRIu32, SD_ID128_FORMAT_VAL(boot), id);
}

/* A number that could not be written down may come again, and its trial may still be on. */
static int take_number(Job *j) {
        Manager *m = j->manager;

        do {
                int r;

                m->last_job = loaddir_next_number(kernel_root_fd(m->kernel), m->last_job);
                j->id = m->last_job;
                free(j->transaction);
                j->transaction = NULL;
                r = make_transaction(j->id, &j->transaction);
                if (r < 0)
                        return r;
        } while (trials_know(m->trials, j->transaction));
        return 0;
}

/**
 * job_new() - make a job that does nothing yet
 * @m: the manager; numbers the job
 * @type: what it will do
 * @ret: job_free() it, or give it to manager_add_job()
 *
 * Return: 0 or a negative errno.
 */
int job_new(Manager *m, JobType type, Job **ret) {
        _cleanup_(job_freep) Job *j = NULL;
        int r;

        j = malloc(sizeof(*j));
        if (!j)
                return -ENOMEM;
        *j = (Job) {
                .manager = m,
                .config = config_ref(m->config),
                .type = type,
                .state = JOB_VERIFYING,
                .caller_uid = UINT32_MAX,
                .load_dir_fd = -EBADF,
                .action = type == JOB_APPLY ? HOTPATCH_ACTION_APPLY : HOTPATCH_ACTION_REMOVE,
        };
        r = take_number(j);
        if (r < 0)
                return r;
        if (str_printf(&j->path, "%s/%" PRIu32, HOTPATCH_JOB_PATH, j->id) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(j);
        return 0;
}

/* Give everything back but the result. */
static void job_release(Job *j) {
        char name[16];

        job_wait_stop(j);
        if (j->preparation)
                store_release(j->manager->store);
        j->force_call = sd_bus_message_unref(j->force_call);
        j->worker = worker_free(j->worker);
        job_call_forget(j);
        free(j->call_argument);
        j->call_argument = NULL;
        j->preparation = preparation_free(j->preparation);
        plan_free(j->plan);
        j->plan = NULL;
        j->request = request_free(j->request);
        if (j->load_dir_fd >= 0) {
                snprintf(name, sizeof(name), "%" PRIu32, j->id);
                loaddir_remove(kernel_root_fd(j->manager->kernel), name);
                j->load_dir_fd = safe_close(j->load_dir_fd);
        }
}

/** job_free() - free a job; a running one is dropped where it stands. Returns NULL. */
Job *job_free(Job *j) {
        if (!j)
                return NULL;
        job_release(j);
        config_unref(j->config);
        strv_free(j->ids);
        strv_free(j->inserted);
        strv_free(j->committed);
        trial_record_done(&j->rollback);
        strv_free(j->replaced);
        strv_free(j->replaced_foreign);
        strv_free(j->return_ids);
        strv_free(j->returns);
        forced_done(&j->forced_before);
        free(j->path);
        free(j->transaction);
        sd_bus_error_free(&j->error);
        free(j);
        return NULL;
}

/** job_plan() - the plan it carries out, or NULL */
const Plan *job_plan(const Job *j) {
        if (j->plan)
                return j->plan;
        return j->preparation ? preparation_plan(j->preparation) : NULL;
}

/** job_set_state() - enter a state and tell the bus */
void job_set_state(Job *j, JobState state) {
        if (j->state == state)
                return;
        j->state = state;
        bus_job_changed(j);
}

/** job_progress_due() - whether news of the progress would be sent now; counting tasks is not free */
bool job_progress_due(const Job *j) {
        return clock_usec(CLOCK_MONOTONIC) - j->progress_sent_usec >= PROGRESS_INTERVAL_USEC;
}

/** job_set_progress() - 0.0 to 1.0, never backwards; told to the bus a few times a second */
void job_set_progress(Job *j, double progress) {
        if (progress <= j->progress)
                return;
        j->progress = progress;
        if (!job_progress_due(j))
                return;
        j->progress_sent_usec = clock_usec(CLOCK_MONOTONIC);
        bus_job_changed(j);
}

/**
 * job_set_error() - keep the reason for the end; the first one counts
 * @j: the job
 * @r: negative errno, used when @error says nothing
 * @error: the refusal, or NULL; copied
 */
void job_set_error(Job *j, int r, const sd_bus_error *error) {
        if (sd_bus_error_is_set(&j->error))
                return;
        if (sd_bus_error_is_set(error))
                (void) sd_bus_error_copy(&j->error, error);
        else
                (void) sd_bus_error_set_errno(&j->error, r);
}

/** job_record() - write what happened to the journal */
void job_record(const Job *j, const char *message_id, int priority, const char *patch,
                const char *module, const char *format, ...) {
        const Patch *known = patch ? patch_find(&j->manager->patches, patch) : NULL;
        va_list ap;

        va_start(ap, format);
        record_vsay(&(Record) {
                .message_id = message_id,
                .priority = priority,
                .transaction = j->transaction,
                .patch = patch,
                .module = module,
                .digest = known ? known->digest : NULL,
                .fixes = known ? known->fixes : NULL,
                .caller_uid = j->caller_uid,
                .error = sd_bus_error_is_set(&j->error) ? &j->error : NULL,
        }, format, ap);
        va_end(ap);
}

/* AlreadyApplied and NotApplied end a job without a failure: what was asked for is so. */
static bool had_nothing_to_do(const Job *j) {
        const HotpatchError *row = j->error.name ? hotpatch_error_find(j->error.name) : NULL;

        return row && row->exit == HOTPATCH_EXIT_OK;
}

static void record_end(const Job *j) {
        _cleanup_free_ char *ids = NULL;

        if (strv_quote(j->ids, &ids) < 0)
                return;
        if (j->result == JOB_DONE)
                job_record(j, HOTPATCH_MESSAGE_JOB_DONE, LOG_INFO, j->ids ? j->ids[0] : NULL, NULL,
                        "Job %" PRIu32 " (%s %s) is done", j->id, job_type_to_string(j->type),
                        strempty(ids));
        else if (had_nothing_to_do(j))
                job_record(j, HOTPATCH_MESSAGE_JOB_DONE, LOG_INFO, j->ids ? j->ids[0] : NULL, NULL,
                        "Job %" PRIu32 " (%s %s) had nothing to do: %s", j->id,
                        job_type_to_string(j->type), strempty(ids), j->error.message);
        else
                job_record(j, HOTPATCH_MESSAGE_JOB_FAILED, j->touched ? LOG_ERR : LOG_NOTICE,
                        j->ids ? j->ids[0] : NULL, NULL,
                        "Job %" PRIu32 " (%s %s) %s: %s", j->id, job_type_to_string(j->type),
                        strempty(ids), j->result == JOB_CANCELLED ? "was cancelled"
                                : j->touched ? "failed" : "was refused",
                        strempty(j->error.message));
}

/**
 * job_finish() - end it: result, records, signals; everything else is given back
 * @j: a running job; nothing of it may be under way
 * @result: how it ended; for anything but JOB_DONE the error is set before
 */
void job_finish(Job *j, JobResult result) {
        j->result = result;
        if (j->intent_open && !j->resolved && j->type != JOB_ROLLBACK)
                j->manager->unfinished_job = j->id;
        record_end(j);
        job_release(j);
        j->state = JOB_FINISHED;
        if (result == JOB_DONE)
                j->progress = 1.0;
        bus_job_finished(j);
        bus_job_changed(j); /* the patches changed with it */
        if (j->pinned)
                bus_reboot_changed(j->manager);
        findings_look_later(j->manager->findings);
        audit_later(j->manager->audit);
        j->manager->activity_usec = clock_usec(CLOCK_MONOTONIC);
        trials_job_finished(j->manager->trials);
        leftovers_sweep(j->manager);
}

/**
 * job_start() - begin to carry out a request
 * @m: the manager; no job may run
 * @request: Apply, ApplyBundle or Remove; taken over on success
 * @ret: the job, owned by the manager
 * @error: why it could not begin
 *
 * Return: 0 or a negative errno; nothing happened then.
 */
int job_start(Manager *m, Request **request, Job **ret, sd_bus_error *error) {
        _cleanup_(job_freep) Job *j = NULL;
        Job *added;
        int r;

        r = manager_renew_store(m, error);
        if (r < 0)
                return r;
        r = job_new(m, (*request)->verb == REQUEST_REMOVE ? JOB_REMOVE : JOB_APPLY, &j);
        if (r < 0)
                return r;
        /* To stop it takes what it took to start it; of several actions, the last. */
        for (size_t i = 0; request_action(*request, i); i++)
                j->action = request_action(*request, i);
        j->caller_uid = (*request)->caller_uid;
        r = strv_copy((*request)->ids, &j->ids);
        if (r < 0)
                return r;
        j->request = TAKE_PTR(*request);
        r = j->type == JOB_APPLY ? job_start_apply(j, error) : job_start_remove(j, error);
        if (r < 0)
                return r;
        added = TAKE_PTR(j);
        r = manager_add_job(m, added);
        if (r < 0) {
                job_free(added);
                return r;
        }
        *ret = added;
        return 0;
}

/**
 * job_cancel() - stop it and undo what it did
 * @j: the job
 * @error: NotCancellable, when what it adds is in force already or when it has ended
 *
 * Return: 0, the job goes on until it is undone; or a negative errno.
 */
int job_cancel(Job *j, sd_bus_error *error) {
        if (j->state == JOB_FINISHED)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NotCancellable"),
                        "Job %" PRIu32 " has ended", j->id);
        if (j->past_return || j->unclean || j->returning || j->type == JOB_ROLLBACK || j->type == JOB_RESTORE)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NotCancellable"),
                        "Job %" PRIu32 " is past the point of no return", j->id);
        if (j->cancelled || j->state == JOB_REVERSING)
                return 0;
        j->cancelled = true;
        job_record(j, HOTPATCH_MESSAGE_JOB_CANCEL, LOG_NOTICE, j->ids ? j->ids[0] : NULL, NULL,
                "Job %" PRIu32 " is being cancelled", j->id);
        if (j->state == JOB_VERIFYING || j->state == JOB_PLANNING) {
                _cleanup_(sd_bus_error_free) sd_bus_error reason = SD_BUS_ERROR_NULL;
                int r = sd_bus_error_set(&reason, HOTPATCH_ERROR("Cancelled"), "The job was cancelled");

                job_fail(j, r, &reason);
        }
        /* Otherwise the next look at the kernel finds the flag. */
        return 0;
}

static void stop(Job *j, const char *name, const char *sentence) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_error_set(&error, name, sentence);

        job_set_error(j, r, &error);
        j->cancelled = true;
        if (j->state == JOB_VERIFYING || j->state == JOB_PLANNING)
                job_fail(j, r, &error);
        /* Otherwise the next look at the kernel finds the flag. */
}

/** job_reverse() - a bad sign while the patch is on its way in: turn around; @reason is a sentence */
void job_reverse(Job *j, const char *reason) {
        if (j->type != JOB_APPLY || j->past_return || j->returning || j->cancelled || j->state == JOB_REVERSING)
                return;
        job_record(j, HOTPATCH_MESSAGE_TRIAL_FAILED, LOG_ALERT, j->ids ? j->ids[0] : NULL, NULL,
                "Job %" PRIu32 " is turned around: %s", j->id, reason);
        stop(j, HOTPATCH_ERROR("TrialFailed"), reason);
}

/**
 * job_make_room() - a patch that failed its trial must be taken out: no other job may run
 * @m: the manager
 * @transaction, @reason: of the trial, and why it failed
 *
 * An Apply is stopped and undone, and so is what puts back the very patch. A removal, and what an Apply has committed, is
 * waited for.
 *
 * Return: whether a job still runs; trials_job_finished() tells when it does not.
 */
bool job_make_room(Manager *m, const char *transaction, const char *reason) {
        _cleanup_free_ char *text = NULL;
        Job *j = manager_running_job(m);

        if (!j)
                return false;
        if (j->type == JOB_RESTORE && streq(j->transaction, transaction) && !j->cancelled && j->state != JOB_REVERSING) {
                stop(j, HOTPATCH_ERROR("TrialFailed"), strempty(reason));
                return manager_running_job(m);
        }
        if (j->type != JOB_APPLY || j->past_return || j->unclean || j->returning || j->cancelled ||
            j->state == JOB_REVERSING)
                return true;
        (void) (str_printf(&text, "Another patch has to be taken out first: %s", strempty(reason)) < 0);
        job_record(j, HOTPATCH_MESSAGE_JOB_CANCEL, LOG_NOTICE, j->ids ? j->ids[0] : NULL, NULL,
                "Job %" PRIu32 " is being cancelled: %s", j->id, strempty(text));
        stop(j, HOTPATCH_ERROR("Cancelled"), text ?: "Another patch has to be taken out first");
        return manager_running_job(m);
}

/**
 * job_patch_state() - what a job makes of one of its patches
 *
 * Return: the state, or _PATCH_STATE_INVALID when the kernel's own word is right.
 */
PatchState job_patch_state(const Job *j, const char *id) {
        const Plan *plan = job_plan(j);
        const PlanStep *step = plan && j->step < plan->n_steps ? &plan->steps[j->step] : NULL;
        bool current = step && streq_ptr(step->id, id);

        if (j->state == JOB_FINISHED)
                return _PATCH_STATE_INVALID;
        if (j->returning)
                return _PATCH_STATE_INVALID;
        if (j->type == JOB_ROLLBACK)
                return PATCH_REVERSING;
        if (strv_contains(j->committed, id))
                return _PATCH_STATE_INVALID;
        if (j->type == JOB_REMOVE)
                return current && j->state != JOB_REVERSING ? PATCH_REMOVING : _PATCH_STATE_INVALID;
        if (j->state == JOB_REVERSING)
                return PATCH_REVERSING;
        return current && step->action == STEP_TRANSITION ? PATCH_TRANSITION : PATCH_APPLYING;
}
