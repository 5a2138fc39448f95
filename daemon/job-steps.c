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

#include <inttypes.h>
#include <syslog.h>

#include "daemon/admit.h"
#include "daemon/job-internal.h"
#include "daemon/messages.h"
#include "dbus/errors.h"
#include "livepatch/state.h"
#include "util/strv.h"

typedef enum StepResult {
        STEP_UNDER_WAY,
        STEP_OVER,
} StepResult;

static const PlanStep *current_step(const Job *j) {
        return &job_plan(j)->steps[j->step];
}

/* What is left after the steps before, and @share of the current one. */
static void update_progress(Job *j, double share) {
        const Plan *plan = job_plan(j);

        job_set_progress(j, 0.2 + 0.8 * ((double) j->step + share) / (double) plan->n_steps);
}

static void step_over(Job *j) {
        job_wait_stop(j);
        j->step++;
        update_progress(j, 0);
        job_run(j);
}

static void call_done(Job *j, int r, const sd_bus_error *error) {
        if (r < 0)
                job_fail(j, r, error);
        else
                step_over(j);
}

/* --- insert, transition --- */

static void insert_done(Job *j, int r, const sd_bus_error *error) {
        const PlanStep *s = current_step(j);

        if (r >= 0)
                job_record(j, HOTPATCH_MESSAGE_LOADED, LOG_INFO, s->id, s->module,
                        "Patch module '%s' of '%s' was loaded", s->module, s->id);
        /* A refused module is not in the kernel; one of the same name may be, and is somebody else's
         * then. Only when the child did not live to tell is the kernel asked, by job-undo.c. */
        if (r < 0 && r != -ETIME && r != -ECHILD)
                job_drop_last_inserted(j);
        call_done(j, r, error);
}

static int step_insert(Job *j, sd_bus_error *error) {
        const PlanStep *s = current_step(j);
        int r;

        /* Whatever becomes of the call, from now on the module may be in the kernel. */
        r = strv_extend(&j->inserted, s->module);
        if (r < 0)
                return r;
        job_set_state(j, JOB_LOADING);
        r = job_call(j, JOB_CALL_LOAD, s->module, insert_done);
        return r < 0 ? sd_bus_error_set_errno(error, r) : STEP_UNDER_WAY;
}

static bool past_deadline(const Job *j) {
        uint64_t timeout = j->manager->config.transition_timeout_usec;

        return timeout > 0 && job_waited_usec(j) >= timeout;
}

static int fail_stalled(Job *j, const char *what) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        unsigned done = 0, total = 0;
        bool patched = current_step(j)->action == STEP_TRANSITION;
        int r;

        if (livepatch_progress(j->manager->kernel, patched, &done, &total) < 0)
                done = total = 0; /* the sentence is still true */
        r = sd_bus_error_setf(&error, HOTPATCH_ERROR("TransitionStalled"),
                "%s module '%s' did not end within %" PRIu64 " seconds (%u of %u tasks had changed over)",
                what, current_step(j)->module,
                j->manager->config.transition_timeout_usec / USEC_PER_SEC, done, total);
        job_fail(j, r, &error);
        return WAIT_OVER;
}

static int fail_cancelled(Job *j) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_error_set(&error, HOTPATCH_ERROR("Cancelled"), "The job was cancelled");

        job_fail(j, r, &error);
        return WAIT_OVER;
}

static int fail_surprise(Job *j, LivepatchState state) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_error_setf(&error, HOTPATCH_ERROR("RefusedByKernel"),
                "Somebody else changed module '%s' meanwhile: it is %s now",
                current_step(j)->module, livepatch_state_to_string(state));

        job_fail(j, r, &error);
        return WAIT_OVER;
}

static void show_transition(Job *j, bool patched) {
        unsigned done, total;

        if (!job_progress_due(j))
                return;
        if (livepatch_progress(j->manager->kernel, patched, &done, &total) >= 0 && total > 0)
                update_progress(j, (double) done / total);
}

static int check_transition(Job *j) {
        const char *module = current_step(j)->module;
        LivepatchState state;
        int r;

        r = livepatch_state(j->manager->kernel, module, &state);
        if (r < 0) {
                job_fail(j, r, NULL);
                return WAIT_OVER;
        }
        if (j->cancelled)
                return fail_cancelled(j);
        if (state == LIVEPATCH_PATCHED) {
                step_over(j);
                return WAIT_OVER;
        }
        if (state != LIVEPATCH_PATCHING)
                return fail_surprise(j, state);
        if (past_deadline(j))
                return fail_stalled(j, "The transition to");
        show_transition(j, true);
        return WAIT_AGAIN;
}

static int step_transition(Job *j, _unused_ sd_bus_error *error) {
        int r;

        job_set_state(j, JOB_TRANSITION);
        r = job_wait(j, check_transition);
        return r < 0 ? r : STEP_UNDER_WAY;
}

/* --- commit --- */

static uint64_t next_order(const Store *s) {
        AdmittedRecord *records;
        uint64_t order = 0;
        size_t n;

        if (store_admitted_list(s, &records, &n) < 0)
                return 1;
        for (size_t i = 0; i < n; i++)
                if (records[i].order > order)
                        order = records[i].order;
        admitted_records_free(records, n);
        return order + 1;
}

static int bundle_of(Job *j, const char *id, PreparedBundle **ret) {
        PreparedBundle *bundles;
        size_t n;

        bundles = preparation_bundles(j->preparation, &n);
        for (size_t i = 0; i < n; i++)
                if (streq(bundles[i].id, id)) {
                        *ret = &bundles[i];
                        return 0;
                }
        return -ENOENT;
}

static int write_record(Job *j, const PreparedBundle *b, const char *module, sd_bus_error *error) {
        _cleanup_(admitted_record_done) AdmittedRecord record = {};
        const Manager *m = j->manager;
        int r;

        r = admit_record(b->verified, &m->identity, b->admitted_usec, &record);
        if (r < 0)
                return r;
        if (!record.module_build_id) {
                r = kernel_module_build_id(m->kernel, module, &record.module_build_id);
                if (r == -ENOMEM)
                        return r; /* any other: the module has none */
        }
        record.applied_usec = clock_usec(CLOCK_REALTIME);
        /* A clock that was set back meanwhile must not make it older than the intent, see job-recover.c. */
        if (record.applied_usec < j->intent_usec)
                record.applied_usec = j->intent_usec;
        record.order = next_order(m->store);
        return store_admitted_commit(m->store, b->copy_fd, &record, error);
}

static int raise_stream(const Store *s, const Verified *v) {
        const Manifest *manifest = verified_manifest(v);
        uint64_t seen = 0;
        int r;

        r = store_stream_get(s, manifest->stream, &seen, NULL);
        if (r < 0 || seen >= manifest->sequence)
                return r;
        return store_stream_set(s, manifest->stream, manifest->sequence, verified_digest(v));
}

static bool more_to_add(const Job *j) {
        const Plan *plan = job_plan(j);

        for (size_t i = j->step + 1; i < plan->n_steps; i++)
                if (plan->steps[i].action == STEP_INSERT || plan->steps[i].action == STEP_TRANSITION ||
                    plan->steps[i].action == STEP_COMMIT)
                        return true;
        return false;
}

/* The new patches are in force. What is left, if anything, is a removal. */
static int pass_return(Job *j, sd_bus_error *error) {
        _cleanup_strv_free_ char **ids = NULL, **modules = NULL;
        const Plan *plan = job_plan(j);
        int r = 0;

        j->past_return = true;
        for (size_t i = j->step + 1; r >= 0 && i < plan->n_steps; i++)
                if (plan->steps[i].action == STEP_UNLOAD) {
                        r = strv_extend(&ids, strempty(plan->steps[i].id));
                        if (r >= 0)
                                r = strv_extend(&modules, strempty(plan->steps[i].module));
                }
        if (r < 0)
                return r;
        if (modules)
                return job_open_intent(j, job_type_to_string(JOB_REMOVE), ids, modules, error);
        job_close_intent(j);
        return 0;
}

static int step_commit(Job *j, sd_bus_error *error) {
        const PlanStep *s = current_step(j);
        PreparedBundle *b;
        int r;

        r = bundle_of(j, s->id, &b);
        if (r < 0)
                return r;
        /* First the name in the undo list, then the file. */
        r = strv_extend(&j->committed, s->id);
        if (r < 0)
                return r;
        /* The mark before the record: with the record the commit is complete, also after a crash. */
        r = raise_stream(j->manager->store, b->verified);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("StateUnwritable"),
                        "The sequence of stream '%s' cannot be written: %s",
                        verified_manifest(b->verified)->stream, strerror(-r));
        r = write_record(j, b, s->module, error);
        if (r < 0)
                return r;
        if (!more_to_add(j)) {
                r = pass_return(j, error);
                if (r < 0)
                        return r;
        }
        job_record(j, HOTPATCH_MESSAGE_APPLIED, LOG_NOTICE, s->id, s->module,
                "Patch '%s' is active", s->id);
        return STEP_OVER;
}

/* --- disable, vanish, unload, forget --- */

static int step_disable(Job *j, _unused_ sd_bus_error *error) {
        const PlanStep *s = current_step(j);
        LivepatchState state;
        int r;

        job_set_state(j, JOB_DISABLING);
        r = livepatch_state(j->manager->kernel, s->module, &state);
        if (r < 0)
                return r;
        if (state != LIVEPATCH_PATCHED && state != LIVEPATCH_PATCHING)
                return STEP_OVER; /* on its way already */
        r = job_call(j, JOB_CALL_DISABLE, s->module, call_done);
        return r < 0 ? r : STEP_UNDER_WAY;
}

static int fail_pinned(Job *j) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_error_setf(&error, HOTPATCH_ERROR("PinnedUntilReboot"),
                "Module '%s' has no effect any more but cannot be unloaded", current_step(j)->module);

        job_fail(j, r, &error);
        return WAIT_OVER;
}

static int check_vanished(Job *j) {
        LivepatchState state;
        int r;

        r = livepatch_state(j->manager->kernel, current_step(j)->module, &state);
        if (r < 0) {
                job_fail(j, r, NULL);
                return WAIT_OVER;
        }
        switch (state) {
        case LIVEPATCH_ABSENT:
        case LIVEPATCH_INACTIVE:
                step_over(j);
                return WAIT_OVER;
        case LIVEPATCH_HELD:
                return job_held_too_long(j, current_step(j)->module, state) ? fail_pinned(j)
                                                                            : WAIT_AGAIN;
        case LIVEPATCH_UNPATCHING:
                if (j->cancelled)
                        return fail_cancelled(j);
                if (past_deadline(j))
                        return fail_stalled(j, "The transition back from");
                show_transition(j, false);
                return WAIT_AGAIN;
        default:
                return fail_surprise(j, state);
        }
}

static int step_vanish(Job *j, _unused_ sd_bus_error *error) {
        int r;

        job_set_state(j, JOB_DISABLING);
        r = job_wait(j, check_vanished);
        return r < 0 ? r : STEP_UNDER_WAY;
}

/* A leftover of an earlier life of the patch is unloaded before its insertion. */
static bool is_taken_out(const Job *j) {
        return j->type == JOB_REMOVE || j->past_return;
}

/* The module stays. The record of a removed patch must not: with it the next start would put the patch
 * into force again. */
static void fail_unload(Job *j, const sd_bus_error *error) {
        _cleanup_(sd_bus_error_free) sd_bus_error pinned = SD_BUS_ERROR_NULL;
        const PlanStep *s = current_step(j);
        bool forgotten;
        int r;

        r = is_taken_out(j) ? store_admitted_remove(j->manager->store, s->id) : 0;
        forgotten = r >= 0 || r == -ENOENT;
        if (forgotten && is_taken_out(j))
                job_record(j, HOTPATCH_MESSAGE_REMOVED, LOG_NOTICE, s->id, s->module,
                        "Patch '%s' was removed, but its module '%s' stays in memory until the restart",
                        s->id, s->module);
        r = sd_bus_error_setf(&pinned, HOTPATCH_ERROR("PinnedUntilReboot"),
                "Module '%s' has no effect any more but cannot be unloaded%s: %s", s->module,
                forgotten ? "" : ", and its record cannot be removed", strempty(error->message));
        job_fail(j, r, &pinned);
}

static int unload_again(Job *j);

static void unload_done(Job *j, int r, const sd_bus_error *error) {
        LivepatchState state;

        j->failures = r < 0 ? j->failures + 1 : 0;
        if (r >= 0)
                return step_over(j);
        if (j->failures < JOB_FAILURES_MAX) {
                if (job_wait_after(j, unload_again, JOB_RETRY_USEC) < 0)
                        job_fail(j, r, error);
                return;
        }
        if (livepatch_state(j->manager->kernel, current_step(j)->module, &state) >= 0 &&
            (state == LIVEPATCH_INACTIVE || state == LIVEPATCH_HELD))
                fail_unload(j, error);
        else
                job_fail(j, r, error);
}

static int unload_again(Job *j) {
        int r;

        job_wait_stop(j);
        if (j->cancelled && !is_taken_out(j))
                return fail_cancelled(j);
        r = job_call(j, JOB_CALL_UNLOAD, current_step(j)->module, unload_done);
        if (r < 0)
                job_fail(j, r, NULL);
        return WAIT_OVER;
}

static int step_unload(Job *j, _unused_ sd_bus_error *error) {
        const PlanStep *s = current_step(j);
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

static int step_forget(Job *j, sd_bus_error *error) {
        const PlanStep *s = current_step(j);
        int r;

        r = store_admitted_remove(j->manager->store, s->id);
        if (r < 0 && r != -ENOENT)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("StateUnwritable"),
                        "The record of patch '%s' cannot be removed: %s", s->id, strerror(-r));
        job_record(j, HOTPATCH_MESSAGE_REMOVED, LOG_NOTICE, s->id, s->module,
                "Patch '%s' was removed", s->id);
        return STEP_OVER;
}

/* --- the runner --- */

static int (*const steps[_STEP_ACTION_MAX])(Job *j, sd_bus_error *error) = {
        [STEP_INSERT] = step_insert,
        [STEP_TRANSITION] = step_transition,
        [STEP_COMMIT] = step_commit,
        [STEP_DISABLE] = step_disable,
        [STEP_VANISH] = step_vanish,
        [STEP_UNLOAD] = step_unload,
        [STEP_FORGET] = step_forget,
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
                        (void) fail_cancelled(j);
                        return;
                }
                r = steps[action](j, &error);
                if (r < 0)
                        return job_fail(j, r, &error);
                if (r == STEP_UNDER_WAY)
                        return;
                j->step++;
                update_progress(j, 0);
        }
        job_close_intent(j);
        job_finish(j, JOB_DONE);
}
