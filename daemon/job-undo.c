/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Backwards: what a failed or cancelled job did to the kernel is taken back, the last first.
 *
 * For every module that may have been inserted the kernel is asked what it is now, and the next thing
 * towards "not there" is done: a running or finished transition is reversed by writing 0, a disabled
 * module is unloaded, anything else is waited for. That one function also serves after a crash, where
 * nobody knows how far it had come. The order of taking a livepatch out is the kernel's: disable, wait
 * until its directory is gone, wait for the last reference, unload.
 *
 * There is no deadline here. A transition back that stalls is waited for, once a second, and the job
 * stays visible as reversing: giving up would leave a patch in force that nobody has on record. Only a
 * module that is out of force may stay behind: one without an exit function can never be unloaded.
 *
 * What is undone may have taken others out of force before: job-replaced.c.
 */

#include <inttypes.h>
#include <syslog.h>

#include "daemon/job-internal.h"
#include "daemon/messages.h"
#include "daemon/restore-rest.h"
#include "dbus/errors.h"
#include "livepatch/state.h"
#include "util/strv.h"

/*
 * What was on its way back is not, or nobody knows, and it is not tried any more. Whoever waits for that goes on, and the
 * trial of what did not come must not pass.
 */
static void end_return(Job *j) {
        if (j->return_again)
                job_return_give_up(j, -EBUSY, NULL);
        if (j->returning && (j->type == JOB_ROLLBACK || j->type == JOB_RESTORE))
                trials_returned(j->manager->trials, j, j->returns);
        if (j->returning && j->type == JOB_ROLLBACK)
                job_rollback_end_trials(j);
        if (j->type == JOB_RESTORE) {
                j->return_failed = true;
                restore_rest_over(j->manager, j);
        }
}

/** job_finish_undone() - the end of a job that did not do what it was to do */
void job_finish_undone(Job *j) {
        end_return(j);
        /* The end that a rollback must not have; the others go to job_rollback_is_out(). */
        if (j->type == JOB_ROLLBACK)
                trials_gave_up(j->manager->trials, j->rollback.transaction);
        job_finish(j, sd_bus_error_has_name(&j->error, HOTPATCH_ERROR("Cancelled")) ? JOB_CANCELLED : JOB_FAILED);
}

static const char *last_inserted(const Job *j) {
        size_t n = strv_length(j->inserted);

        return n > 0 ? j->inserted[n - 1] : NULL;
}

/** job_drop_last_inserted() - the module that was inserted last is not, or no longer, in the kernel */
void job_drop_last_inserted(Job *j) {
        size_t n = strv_length(j->inserted);

        free(j->inserted[n - 1]);
        j->inserted[n - 1] = NULL;
}

/* Somebody else may have loaded a module of the same name just before us. One with our note tells whose
 * it is; without a note the intent is the best that is known, and the name was free when it was planned. */
static bool is_somebody_elses(const Job *j, const char *module) {
        PatchNote note;
        bool ours;

        if (livepatch_note(j->manager->kernel, module, &note) < 0)
                return false;
        ours = strv_contains(j->ids, note.bundle_id) || strv_contains(j->returns, note.bundle_id);
        patch_note_done(&note);
        return !ours;
}

static void give_up(Job *j) {
        job_record(j, HOTPATCH_MESSAGE_UNDO_FAILED, LOG_CRIT, j->ids ? j->ids[0] : NULL,
                last_inserted(j), "Job %" PRIu32 " cannot be undone: the kernel does not let module "
                "'%s' go", j->id, last_inserted(j));
        job_finish_undone(j);
}

/* It is out of force, and the kernel will not let go of the module: nothing is left to be undone. */
static void pinned(Job *j) {
        job_record(j, HOTPATCH_MESSAGE_UNDO_FAILED, LOG_ERR, NULL, last_inserted(j),
                "Module '%s' has no effect any more but stays in memory until the restart",
                last_inserted(j));
        j->failures = 0;
        j->pinned = true;
        job_drop_last_inserted(j);
}

static bool is_inactive(const Job *j) {
        LivepatchState state;

        return livepatch_state(j->manager->kernel, last_inserted(j), &state) >= 0 &&
                state == LIVEPATCH_INACTIVE;
}

static int look(Job *j);

static void undo_call_done(Job *j, int r, _unused_ const sd_bus_error *error) {
        j->failures = r < 0 ? j->failures + 1 : 0;
        if (j->failures >= JOB_FAILURES_MAX) {
                if (!is_inactive(j))
                        return give_up(j);
                pinned(j);
                r = 0;
        }
        r = job_wait_after(j, look, r < 0 ? JOB_RETRY_USEC : 0);
        if (r < 0)
                give_up(j);
}

static int undo_call(Job *j, JobCall call) {
        job_wait_stop(j);
        if (job_call(j, call, last_inserted(j), undo_call_done) < 0)
                give_up(j);
        return WAIT_OVER;
}

/* The intent stays open: the next start tries again. */
static int give_up_record(Job *j, const char *id) {
        job_record(j, HOTPATCH_MESSAGE_UNDO_FAILED, LOG_ERR, id, NULL,
                "The record of patch '%s' cannot be removed", id);
        job_finish_undone(j);
        return WAIT_OVER;
}

static bool is_out(LivepatchState state) {
        return state == LIVEPATCH_ABSENT || state == LIVEPATCH_INACTIVE || state == LIVEPATCH_HELD;
}

/* Nothing of the job is in the kernel any more. */
static int all_undone(Job *j) {
        job_wait_stop(j);
        /* The last first: who requires another is seen to before that one is gone. */
        for (size_t i = strv_length(j->committed); i-- > 0;) {
                const char *id = j->committed[i];
                int r = j->type == JOB_ROLLBACK ? job_rollback_forget(j, id)
                                                : store_admitted_remove(j->manager->store, id);

                /* The last one may be the one that could not be written. */
                if (r >= 0 || r == -ENOENT)
                        continue;
                if (j->type == JOB_ROLLBACK && job_return_tries_again(j, r, NULL) &&
                    job_wait_after(j, look, JOB_RETRY_USEC) >= 0)
                        return WAIT_OVER;
                return give_up_record(j, id);
        }
        if (j->type == JOB_ROLLBACK) {
                job_rollback_is_out(j);
                return WAIT_OVER;
        }
        job_bring_back_replaced(j);
        return WAIT_OVER;
}

static int look_at(Job *j, LivepatchState state) {
        switch (state) {
        case LIVEPATCH_ABSENT:
                job_drop_last_inserted(j);
                return WAIT_AGAIN;
        case LIVEPATCH_PATCHED:
                /* It was to come back, and has: job_return_failed() could not see it. */
                if (j->returning) {
                        job_drop_last_inserted(j);
                        return WAIT_AGAIN;
                }
                return undo_call(j, JOB_CALL_DISABLE);
        case LIVEPATCH_PATCHING:
                return undo_call(j, JOB_CALL_DISABLE);
        case LIVEPATCH_INACTIVE:
                return undo_call(j, JOB_CALL_UNLOAD);
        case LIVEPATCH_UNPATCHING:
                stall_look(j, last_inserted(j), false);
                return WAIT_AGAIN;
        default:
                if (job_held_too_long(j, last_inserted(j), state))
                        pinned(j);
                return WAIT_AGAIN;
        }
}

static int look(Job *j) {
        const char *module = last_inserted(j);
        LivepatchState state;

        if (!module)
                return all_undone(j);
        if (is_somebody_elses(j, module)) {
                job_drop_last_inserted(j);
                return WAIT_AGAIN;
        }
        if (livepatch_state(j->manager->kernel, module, &state) < 0) {
                if (++j->failures < JOB_FAILURES_MAX)
                        return WAIT_AGAIN;
                job_wait_stop(j);
                give_up(j);
                return WAIT_OVER;
        }
        return look_at(j, state);
}

/* --- a removal that is stopped halfway: only the transition that runs can be turned around --- */

static const char *removal_module(const Job *j) {
        const Plan *plan = job_plan(j);

        return plan && j->step < plan->n_steps ? plan->steps[j->step].module : NULL;
}

static int end_removal(Job *j) {
        job_wait_stop(j);
        /* A removal that could not be finished now is not finished behind the caller's back later. */
        job_close_intent(j);
        job_finish_undone(j);
        return WAIT_OVER;
}

/* The transition ended just before it was turned around: the patch has no effect any more. To leave it
 * there, wanted and not in force, would be the half of a removal; what began is carried to its end. A job
 * that was cancelled stops before the next patch. */
static void go_on(Job *j) {
        job_wait_stop(j);
        sd_bus_error_free(&j->error);
        job_run(j);
}

static int check_turned(Job *j) {
        LivepatchState state;

        if (livepatch_state(j->manager->kernel, removal_module(j), &state) < 0)
                return end_removal(j);
        if (state == LIVEPATCH_PATCHING || state == LIVEPATCH_UNPATCHING) {
                stall_look(j, removal_module(j), state == LIVEPATCH_PATCHING);
                return WAIT_AGAIN;
        }
        if (!is_out(state))
                return end_removal(j);
        go_on(j);
        return WAIT_OVER;
}

static void turned(Job *j, _unused_ int r, _unused_ const sd_bus_error *error) {
        if (job_wait(j, check_turned) < 0)
                (void) end_removal(j);
}

static int try_again(Job *j) {
        go_on(j);
        return WAIT_OVER;
}

/* The patch is out of force, and nobody wished to stop: memory, descriptors or the disk were wanting. To end here
 * would leave it wanted and not in force. What is not finished after some tries, the next start finishes. */
static void insist(Job *j) {
        if (++j->failures < JOB_FAILURES_MAX && job_wait_after(j, try_again, JOB_RETRY_USEC) >= 0)
                return;
        job_wait_stop(j);
        job_finish_undone(j);
}

static void undo_removal(Job *j) {
        const char *module = removal_module(j);
        bool stopped = sd_bus_error_has_names(&j->error, HOTPATCH_ERROR("Cancelled"),
                        HOTPATCH_ERROR("TransitionStalled"));
        bool pinned_there = sd_bus_error_has_name(&j->error, HOTPATCH_ERROR("PinnedUntilReboot"));
        LivepatchState state;

        if (!module || pinned_there)
                return (void) end_removal(j);
        if (livepatch_state(j->manager->kernel, module, &state) < 0)
                return insist(j);
        if (is_out(state))
                return stopped ? go_on(j) : insist(j);
        /* What was superseded has to go, or both would be in force: also when only the look at its way out failed. */
        if (j->past_return && !stopped && (state == LIVEPATCH_PATCHED || state == LIVEPATCH_UNPATCHING))
                return insist(j);
        if (state == LIVEPATCH_UNPATCHING) {
                job_set_state(j, JOB_REVERSING);
                if (job_call(j, JOB_CALL_ENABLE, module, turned) >= 0)
                        return;
        }
        (void) end_removal(j);
}

/**
 * job_undo() - take back what is taken back of this job, then finish it
 * @j: a job with its error set; nothing of it is under way
 */
void job_undo(Job *j) {
        job_wait_stop(j);
        if (j->type == JOB_REMOVE || j->past_return)
                return undo_removal(j);
        if (j->intent_open)
                job_set_state(j, JOB_REVERSING);
        if (job_wait(j, look) < 0)
                give_up(j);
}

/**
 * job_fail() - the job cannot go on
 * @j: the job
 * @r: negative errno
 * @error: the refusal, or NULL
 *
 * A job that has not touched anything yet ends at once.
 */
void job_fail(Job *j, int r, const sd_bus_error *error) {
        if (j->returning || j->type == JOB_ROLLBACK)
                return job_return_failed(j, r, error);
        job_set_error(j, r, error);
        if (!j->intent_open && !j->inserted)
                return job_finish_undone(j);
        if (!j->past_return)
                job_record(j, HOTPATCH_MESSAGE_REVERSING, LOG_WARNING, j->ids ? j->ids[0] : NULL, NULL,
                        "Job %" PRIu32 " is being undone: %s", j->id, strempty(j->error.message));
        job_undo(j);
}
