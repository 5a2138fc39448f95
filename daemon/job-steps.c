/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Forwards: carries out the steps of a plan in their order. A step begins with a function of the
 * table and is over at once, or later from a worker or a wait; then comes the next.
 *
 * The point of no return of an Apply is its last commit: until then everything it did to the kernel
 * is undone when something goes wrong; afterwards the new patches are in force and written down, and
 * what is left is to take superseded ones out. That rest gets an intent of its own, of the kind that
 * is finished and not undone after a crash.
 */

#include "daemon/job-internal.h"
#include "dbus/errors.h"
#include "livepatch/state.h"

/** job_step() - the step that is under way */
const PlanStep *job_step(const Job *j) {
        return &job_plan(j)->steps[j->step];
}

/** job_step_progress() - tell what is done: the steps before, and @share (0.0 to 1.0) of the current one */
void job_step_progress(Job *j, double share) {
        const Plan *plan = job_plan(j);

        job_set_progress(j, 0.2 + 0.8 * ((double) j->step + share) / (double) plan->n_steps);
}

/** job_step_over() - the current step has ended well after a wait; go on */
void job_step_over(Job *j) {
        job_wait_stop(j);
        j->step++;
        job_step_progress(j, 0);
        job_run(j);
}

/** job_step_called() - JobCallDone of a step that is over with its call */
void job_step_called(Job *j, int r, const sd_bus_error *error) {
        if (r < 0)
                job_fail(j, r, error);
        else
                job_step_over(j);
}

/** job_fail_cancelled() - somebody said stop; returns WAIT_OVER */
int job_fail_cancelled(Job *j) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_error_set(&error, HOTPATCH_ERROR("Cancelled"), "The job was cancelled");

        job_fail(j, r, &error);
        return WAIT_OVER;
}

/** job_fail_surprise() - the kernel has the module in a state that is not ours; returns WAIT_OVER */
int job_fail_surprise(Job *j, LivepatchState state) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_error_setf(&error, HOTPATCH_ERROR("RefusedByKernel"),
                "Somebody else changed module '%s' meanwhile: it is %s now",
                job_step(j)->module, livepatch_state_to_string(state));

        job_fail(j, r, &error);
        return WAIT_OVER;
}

static const JobStep steps[_STEP_ACTION_MAX] = {
        [STEP_INSERT] = job_step_insert,
        [STEP_TRANSITION] = job_step_transition,
        [STEP_COMMIT] = job_step_commit,
        [STEP_DISABLE] = job_step_disable,
        [STEP_VANISH] = job_step_vanish,
        [STEP_UNLOAD] = job_step_unload,
        [STEP_FORGET] = job_step_forget,
};

/* A patch that is disabled is also unloaded and forgotten: half a removal explains itself to nobody. */
static bool may_stop_before(StepAction action) {
        return action == STEP_INSERT || action == STEP_TRANSITION || action == STEP_COMMIT ||
                action == STEP_DISABLE;
}

/**
 * job_run() - carry out steps from the current one on, as far as goes without waiting
 * @j: a job with a plan
 */
void job_run(Job *j) {
        const Plan *plan = job_plan(j);

        while (j->step < plan->n_steps) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                StepAction action = plan->steps[j->step].action;
                int r;

                if (j->cancelled && may_stop_before(action)) {
                        (void) job_fail_cancelled(j);
                        return;
                }
                r = steps[action](j, &error);
                if (r < 0)
                        return job_fail(j, r, &error);
                if (r == STEP_UNDER_WAY)
                        return;
                j->step++;
                job_step_progress(j, 0);
        }
        if (j->returning)
                return job_returned(j);
        job_close_intent(j);
        job_finish(j, JOB_DONE);
}
