/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the job share: job.c, job-start.c, job-steps.c, job-wait.c, job-undo.c. */

#include "daemon/job.h"
#include "daemon/manager.h"

/* The kernel drops the last reference of a disabled patch from a workqueue. kpatch waits as long. */
#define HELD_TIMEOUT_USEC (15 * USEC_PER_SEC)

/* The kernel says EBUSY while somebody else's livepatch is in transition, so a failed write to `enabled`
 * or unload is tried again. One that fails so often in a row will not succeed: the module has no exit
 * function, kernel.modules_disabled is set, /sys is read-only, or the kernel is broken. */
#define JOB_FAILURES_MAX 20U
#define JOB_RETRY_USEC USEC_PER_SEC

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
int job_open_intent(Job *j, const char *type, char **ids, char **modules, sd_bus_error *error)
        _must_check_;
void job_close_intent(Job *j);

/* job-start.c */
int job_start_apply(Job *j, sd_bus_error *error) _must_check_;
int job_start_remove(Job *j, sd_bus_error *error) _must_check_;

/* job-steps.c */
void job_run(Job *j);

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
void job_drop_last_inserted(Job *j);

/* job-worker.c: the blocking calls */
typedef void (*JobCallDone)(Job *j, int r, const sd_bus_error *error);
typedef enum JobCall {
        JOB_CALL_LOAD,
        JOB_CALL_ENABLE,
        JOB_CALL_DISABLE,
        JOB_CALL_UNLOAD,
} JobCall;
int job_call(Job *j, JobCall call, const char *module, JobCallDone done_function) _must_check_;
