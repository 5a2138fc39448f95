/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Into the kernel: a patch module is inserted, and the transition to it is watched until every task
 * has changed over, the deadline of the policy has passed, or somebody says stop.
 */

#include <inttypes.h>
#include <syslog.h>

#include "daemon/job-internal.h"
#include "daemon/messages.h"
#include "dbus/errors.h"
#include "livepatch/state.h"
#include "util/strv.h"

static void insert_done(Job *j, int r, const sd_bus_error *error) {
        const PlanStep *s = job_step(j);

        if (r >= 0)
                job_record(j, HOTPATCH_MESSAGE_LOADED, LOG_INFO, s->id, s->module,
                        "Patch module '%s' of '%s' was loaded", s->module, s->id);
        /* A refused module is not in the kernel; one of the same name may be, and is somebody else's
         * then. Without a named refusal, which only the child can give, nobody knows whether it was inserted
         * (the child may have died, or its answer could not be read): the kernel is asked, by job-undo.c. */
        if (r < 0 && sd_bus_error_is_set(error))
                job_drop_last_inserted(j);
        job_step_called(j, r, error);
}

/** job_step_insert() - JobStep: load the patch module; the transition begins with it */
int job_step_insert(Job *j, sd_bus_error *error) {
        const PlanStep *s = job_step(j);
        int r;

        /* Whatever becomes of the call, from now on the module may be in the kernel. */
        r = strv_extend(&j->inserted, s->module);
        if (r < 0)
                return r;
        job_set_state(j, JOB_LOADING);
        r = job_call(j, JOB_CALL_LOAD, s->module, insert_done);
        return r < 0 ? sd_bus_error_set_errno(error, r) : STEP_UNDER_WAY;
}

/** job_past_deadline() - has the transition lasted longer than the policy allows? */
bool job_past_deadline(const Job *j) {
        uint64_t timeout = j->config->transition_timeout_usec;

        return timeout > 0 && job_waited_usec(j) >= timeout;
}

/**
 * job_fail_stalled() - the transition did not end in time; it is turned around
 * @j: the job
 * @what: begin of the sentence, "The transition to"
 *
 * Return: WAIT_OVER.
 */
int job_fail_stalled(Job *j, const char *what) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        bool patched = job_step(j)->action == STEP_TRANSITION;
        _cleanup_free_ char *summary = NULL;
        unsigned done = 0, total = 0;
        int r;

        if (stall_summary(j->stall, &summary) < 0)
                summary = NULL;
        if (livepatch_progress(j->manager->kernel, patched, &done, &total) < 0)
                done = total = 0; /* the sentence is still true */
        r = sd_bus_error_setf(&error, HOTPATCH_ERROR("TransitionStalled"),
                "%s module '%s' did not end within %" PRIu64 " seconds (%u of %u tasks had changed over)%s%s",
                what, job_step(j)->module,
                j->config->transition_timeout_usec / USEC_PER_SEC, done, total,
                summary && *summary ? "; it waited for " : "", strempty(summary));
        job_fail(j, r, &error);
        return WAIT_OVER;
}
static int check_transition(Job *j) {
        const char *module = job_step(j)->module;
        LivepatchState state;
        int r;

        r = livepatch_state(j->manager->kernel, module, &state);
        if (r < 0) {
                job_fail(j, r, NULL);
                return WAIT_OVER;
        }
        if (j->cancelled)
                return job_fail_cancelled(j);
        if (state == LIVEPATCH_PATCHED) {
                job_step_over(j);
                return WAIT_OVER;
        }
        if (state != LIVEPATCH_PATCHING)
                return job_fail_surprise(j, state);
        if (job_past_deadline(j))
                return job_fail_stalled(j, "The transition to");
        stall_look(j, module, true);
        return WAIT_AGAIN;
}

/** job_step_transition() - JobStep: wait until every task has changed over */
int job_step_transition(Job *j, _unused_ sd_bus_error *error) {
        int r;

        job_set_state(j, JOB_TRANSITION);
        r = job_wait(j, check_transition);
        return r < 0 ? r : STEP_UNDER_WAY;
}
