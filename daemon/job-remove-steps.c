/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Out of the kernel, in the kernel's own order: disable, wait until the livepatch is gone and its last
 * reference dropped, unload, forget. An Apply takes what it superseded out by the same steps.
 */

#include <syslog.h>

#include "daemon/job-internal.h"
#include "daemon/messages.h"
#include "dbus/errors.h"
#include "livepatch/state.h"

/** job_step_disable() - JobStep: begin the transition back */
int job_step_disable(Job *j, _unused_ sd_bus_error *error) {
        const PlanStep *s = job_step(j);
        LivepatchState state;
        int r;

        job_set_state(j, JOB_DISABLING);
        r = livepatch_state(j->manager->kernel, s->module, &state);
        if (r < 0)
                return r;
        if (state != LIVEPATCH_PATCHED && state != LIVEPATCH_PATCHING)
                return STEP_OVER; /* on its way already */
        r = job_call(j, JOB_CALL_DISABLE, s->module, job_step_called);
        return r < 0 ? r : STEP_UNDER_WAY;
}

/* A leftover of an earlier life of the patch is unloaded before its insertion. */
static bool is_taken_out(const Job *j) {
        return j->type == JOB_REMOVE || j->past_return;
}

/* What a patch on trial has superseded or replaced is kept, to come back if that fails. */
static int forget(Job *j, const char *id) {
        Manager *m = j->manager;
        const char *transaction;
        int r;

        r = trials_superseder(m->trials, id, &transaction);
        if (r < 0)
                return r;
        r = transaction ? store_superseded_retire(m->store, transaction, id) : store_admitted_remove(m->store, id);
        if (r >= 0 || r == -ENOENT)
                trials_drop_patch(m->trials, id, transaction ? "it was superseded" : "it was removed");
        return r;
}

/* The new patches are in force and written down: that a module of an old one stays in memory is to be
 * told, and is no failure of what was asked for. */
static bool is_only_tidying(const Job *j) {
        return j->type == JOB_APPLY && j->past_return;
}

static void pass_pinned(Job *j) {
        const Plan *plan = job_plan(j);
        const char *module = job_step(j)->module;

        job_record(j, HOTPATCH_MESSAGE_UNDO_FAILED, LOG_WARNING, job_step(j)->id, job_step(j)->module,
                "Module '%s' has no effect any more and stays in memory until the restart", job_step(j)->module);
        /* no use in trying to unload it */
        while (j->step + 1 < plan->n_steps && plan->steps[j->step + 1].action == STEP_UNLOAD &&
               streq_ptr(plan->steps[j->step + 1].module, module))
                j->step++;
        job_step_over(j);
}

/* The module stays. The record of a removed patch must not: with it the next start would put the patch
 * into force again. */
static void fail_unload(Job *j, const char *why) {
        _cleanup_(sd_bus_error_free) sd_bus_error pinned = SD_BUS_ERROR_NULL;
        const PlanStep *s = job_step(j);
        bool forgotten;
        int r;

        j->pinned = true;
        if (is_only_tidying(j))
                return pass_pinned(j);
        r = is_taken_out(j) ? forget(j, s->id) : 0;
        forgotten = r >= 0 || r == -ENOENT;
        if (forgotten && is_taken_out(j))
                job_record(j, HOTPATCH_MESSAGE_REMOVED, LOG_NOTICE, s->id, s->module,
                        "Patch '%s' was removed, but its module '%s' stays in memory until the restart",
                        s->id, s->module);
        r = sd_bus_error_setf(&pinned, HOTPATCH_ERROR("PinnedUntilReboot"),
                "Module '%s' has no effect any more but cannot be unloaded%s: %s", s->module,
                forgotten ? "" : ", and its record cannot be removed", why);
        job_fail(j, r, &pinned);
}

static int fail_pinned(Job *j) {
        fail_unload(j, j->forced ? "its transition was forced" : "the kernel does not let it go");
        return WAIT_OVER;
}

static int check_vanished(Job *j) {
        LivepatchState state;
        int r;

        r = livepatch_state(j->manager->kernel, job_step(j)->module, &state);
        if (r < 0) {
                job_fail(j, r, NULL);
                return WAIT_OVER;
        }
        switch (state) {
        case LIVEPATCH_ABSENT:
        case LIVEPATCH_INACTIVE:
                job_step_over(j);
                return WAIT_OVER;
        case LIVEPATCH_HELD:
                return job_held_too_long(j, job_step(j)->module, state) ? fail_pinned(j)
                                                                            : WAIT_AGAIN;
        case LIVEPATCH_UNPATCHING:
                if (j->cancelled)
                        return job_fail_cancelled(j);
                if (job_past_deadline(j))
                        return job_fail_stalled(j, "The transition back from");
                stall_look(j, job_step(j)->module, false);
                return WAIT_AGAIN;
        default:
                return job_fail_surprise(j, state);
        }
}

/** job_step_vanish() - JobStep: wait until the kernel has dropped the livepatch */
int job_step_vanish(Job *j, _unused_ sd_bus_error *error) {
        int r;

        job_set_state(j, JOB_DISABLING);
        r = job_wait(j, check_vanished);
        return r < 0 ? r : STEP_UNDER_WAY;
}

static int unload_again(Job *j);

static void unload_done(Job *j, int r, const sd_bus_error *error) {
        LivepatchState state;

        j->failures = r < 0 ? j->failures + 1 : 0;
        if (r >= 0)
                return job_step_over(j);
        if (j->failures < JOB_FAILURES_MAX) {
                if (job_wait_after(j, unload_again, JOB_RETRY_USEC) < 0)
                        job_fail(j, r, error);
                return;
        }
        if (livepatch_state(j->manager->kernel, job_step(j)->module, &state) >= 0 &&
            (state == LIVEPATCH_INACTIVE || state == LIVEPATCH_HELD))
                fail_unload(j, strempty(error->message));
        else
                job_fail(j, r, error);
}

static int unload_again(Job *j) {
        int r;

        job_wait_stop(j);
        if (j->cancelled && !is_taken_out(j))
                return job_fail_cancelled(j);
        r = job_call(j, JOB_CALL_UNLOAD, job_step(j)->module, unload_done);
        if (r < 0)
                job_fail(j, r, NULL);
        return WAIT_OVER;
}

/** job_step_unload() - JobStep: take the module out of memory */
int job_step_unload(Job *j, _unused_ sd_bus_error *error) {
        const PlanStep *s = job_step(j);
        LivepatchState state;
        int r;

        job_set_state(j, JOB_UNLOADING);
        r = livepatch_state(j->manager->kernel, s->module, &state);
        if (r < 0)
                return r;
        if (state == LIVEPATCH_ABSENT)
                return STEP_OVER;
        r = job_call(j, JOB_CALL_UNLOAD, s->module, unload_done);
        return r < 0 ? r : STEP_UNDER_WAY;
}

/** job_step_forget() - JobStep: the patch is not wanted any more */
int job_step_forget(Job *j, sd_bus_error *error) {
        const PlanStep *s = job_step(j);
        int r;

        r = forget(j, s->id);
        if (r < 0 && r != -ENOENT)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("StateUnwritable"),
                        "The record of patch '%s' cannot be removed: %s", s->id, strerror(-r));
        job_record(j, HOTPATCH_MESSAGE_REMOVED, LOG_NOTICE, s->id, s->module,
                "Patch '%s' was removed", s->id);
        return STEP_OVER;
}
