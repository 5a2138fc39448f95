/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the job share, job*.c. */

#include "daemon/job.h"
#include "daemon/manager.h"
#include "livepatch/state.h"

/* The kernel drops the last reference of a disabled patch from a workqueue. kpatch waits as long. */
#define HELD_TIMEOUT_USEC (15 * USEC_PER_SEC)
/* After a forced transition it keeps it for ever. */
#define HELD_FORCED_USEC USEC_PER_SEC

/* The kernel says EBUSY while somebody else's livepatch is in transition, so a failed write to `enabled`
 * or unload is tried again. One that fails so often in a row will not succeed: the module has no exit
 * function, kernel.modules_disabled is set, /sys is read-only, or the kernel is broken. */
#define JOB_FAILURES_MAX 20U
#define JOB_RETRY_USEC USEC_PER_SEC
/* What brings patches back is tried so often. A shortage that lasts longer than that is not ours to wait out: others
 * want the kernel, too. */
#define JOB_RETURN_TRIES_MAX 3U

/* job.c */
int job_new(Manager *m, JobType type, Job **ret) _must_check_;
void job_set_state(Job *j, JobState state);
bool job_progress_due(const Job *j);
void job_set_progress(Job *j, double progress);
void job_set_error(Job *j, int r, const sd_bus_error *error);
void job_finish(Job *j, JobResult result);
void job_record(const Job *j, const char *message_id, int priority, const char *patch,
                const char *module, const char *format, ...) _printf_(6, 7);
const Plan *job_plan(const Job *j);

/* job-commit.c */
int job_prepare_commit(Job *j, sd_bus_error *error) _must_check_;

/* job-digests.c */
int job_digests(const Job *j, char *const *ids, char ***ret) _must_check_;

/* job-intent.c */
int job_open_intent(Job *j, const char *type, char **ids, char **modules, sd_bus_error *error)
        _must_check_;
void job_close_intent(Job *j);

/* job-start.c */
int job_start_apply(Job *j, sd_bus_error *error) _must_check_;
int job_start_remove(Job *j, sd_bus_error *error) _must_check_;

/* job-steps.c: the runner, and what every step needs */
typedef enum StepResult {
        STEP_UNDER_WAY, /* a worker or a wait goes on with job_step_over() or job_fail() */
        STEP_OVER,
} StepResult;
typedef int (*JobStep)(Job *j, sd_bus_error *error); /* returns a StepResult or a negative errno */
void job_run(Job *j);
const PlanStep *job_step(const Job *j);
void job_step_progress(Job *j, double share);
void job_step_over(Job *j);
void job_step_called(Job *j, int r, const sd_bus_error *error);
int job_fail_cancelled(Job *j);
int job_fail_surprise(Job *j, LivepatchState state);

/* job-transition.c */
int job_step_insert(Job *j, sd_bus_error *error) _must_check_;
int job_step_transition(Job *j, sd_bus_error *error) _must_check_;
bool job_past_deadline(const Job *j);
int job_fail_stalled(Job *j, const char *what);

/* job-commit.c */
int job_step_commit(Job *j, sd_bus_error *error) _must_check_;

/* job-dependants.c */
int job_rollback_forget(Job *j, const char *id) _must_check_;

/* job-rollback.c */
void job_rollback_over(Job *j);
void job_rollback_is_out(Job *j);
void job_rollback_end_trials(const Job *j);

/* job-restore.c */
void job_restore_over(Job *j);

/* job-return.c */
void job_return(Job *j, char *const *ids);
void job_returned(Job *j);
void job_return_failed(Job *j, int r, const sd_bus_error *error);
void job_return_undone(Job *j);
bool job_return_may_pass(int r, const sd_bus_error *error);
bool job_return_tries_again(Job *j, int r, const sd_bus_error *error);
void job_return_give_up(Job *j, int r, const sd_bus_error *error);
void job_error_extend(Job *j, const char *format, ...) _printf_(2, 3);

/* job-replaced.c */
int job_note_replaced(Job *j) _must_check_;
void job_bring_back_replaced(Job *j);
void job_replaced_over(Job *j);
void job_tell_foreign(Job *j, char *const *modules);

/* job-remove-steps.c */
int job_step_disable(Job *j, sd_bus_error *error) _must_check_;
int job_step_vanish(Job *j, sd_bus_error *error) _must_check_;
int job_step_unload(Job *j, sd_bus_error *error) _must_check_;
int job_step_forget(Job *j, sd_bus_error *error) _must_check_;

/* job-wait.c: look at a module again and again, without sleeping */
typedef enum WaitResult {
        WAIT_AGAIN, /* not yet */
        WAIT_OVER,  /* the callback has gone on; the timer stops */
} WaitResult;
typedef int (*WaitCheck)(Job *j); /* returns a WaitResult */
int job_wait(Job *j, WaitCheck check) _must_check_;
int job_wait_after(Job *j, WaitCheck check, uint64_t delay_usec) _must_check_;
void job_wait_stop(Job *j);
uint64_t job_waited_usec(const Job *j);
bool job_held_too_long(Job *j, const char *module, LivepatchState state);

/* job-undo.c */
void job_fail(Job *j, int r, const sd_bus_error *error);
void job_undo(Job *j);
void job_finish_undone(Job *j);
void job_drop_last_inserted(Job *j);

/* job-worker.c: the blocking calls */
typedef void (*JobCallDone)(Job *j, int r, const sd_bus_error *error);
typedef enum JobCall {
        JOB_CALL_LOAD,
        JOB_CALL_ENABLE,
        JOB_CALL_DISABLE,
        JOB_CALL_UNLOAD,
        JOB_CALL_FORCE,
} JobCall;
void job_call_forget(Job *j);
int job_call(Job *j, JobCall call, const char *module, JobCallDone done_function) _must_check_;
