/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The package manager's part of a baseline: which run belongs to a phase, how it stands, and what it means that one could
 * not even begin.
 */

#include "daemon/baseline-internal.h"
#include "daemon/manager.h"
#include "dbus/errors.h"
#include "util/str.h"

/** baseline_verb() - what the package manager does in a phase; negative: nothing */
RunVerb baseline_verb(BaselinePhase phase) {
        return phase == BASELINE_DUE        ? RUN_PLAN
             : phase == BASELINE_PLANNED    ? RUN_DOWNLOAD
             : phase == BASELINE_INSTALLING ? RUN_INSTALL
                                            : _RUN_VERB_INVALID;
}

/** baseline_take_result() - what a run has come to; @f borrows it */
void baseline_take_result(const RunResult *result, BaselineFacts *f) {
        f->run = result->outcome == RUN_DONE     ? BASELINE_RUN_DONE
               : result->outcome == RUN_RUNNING  ? BASELINE_RUN_RUNNING
               : result->cause == RUN_CAUSE_INTERRUPTED ? BASELINE_RUN_INTERRUPTED
                                                 : BASELINE_RUN_FAILED;
        f->run_text = result->text;
        f->run_retry = result->retry;
        f->run_boot_id = result->boot_id;
        f->run_kernel = result->kernel;
        f->run_restart = result->restart || (result->verb == RUN_PLAN && result->n_changes > 0);
}

/*
 * The run that this phase has started, by its id: clocks are set back. What failed may be tried again the next day,
 * and at once when it seems to have failed in the future.
 */
static bool is_current(const Baseline *b, const RunResult *result, uint64_t now_usec) {
        sd_id128_t id;

        if (sd_id128_from_string(result->id, &id) < 0 || sd_id128_is_null(id) || !sd_id128_equal(id, b->state.run))
                return false;
        return result->verb == RUN_INSTALL || result->outcome != RUN_FAILED ||
                (result->ended_usec <= now_usec && result->ended_usec + BASELINE_AGAIN_USEC > now_usec);
}

/**
 * baseline_find_run() - how the run of this phase stands
 * @f: borrows from @ret_result, which stays NULL where there is none
 *
 * Return: 0 or a negative errno.
 */
int baseline_find_run(const Baseline *b, BaselineFacts *f, RunResult **ret_result) {
        RunVerb verb = baseline_verb(b->state.phase);
        int root_fd = kernel_root_fd(b->manager->kernel), r;

        if (verb < 0)
                return 0;
        if (baseline_call_pending(b->manager)) {
                f->run = BASELINE_RUN_RUNNING;
                return 0;
        }
        r = verb == RUN_INSTALL ? run_settle(root_fd, ret_result) : run_result_read_at(root_fd, verb, ret_result);
        if (r >= 0 && is_current(b, *ret_result, f->now_usec))
                baseline_take_result(*ret_result, f);
        return r == -ENOENT || r == -EBADMSG || r >= 0 ? 0 : r;
}

/**
 * baseline_fail_start() - the package manager was not run at all
 * @error: why
 *
 * So nothing was begun; perhaps somebody lets it another time.
 *
 * Return: 0 or a negative errno.
 */
int baseline_fail_start(Baseline *b, const sd_bus_error *error) {
        const char *why = error->message ?: strempty(error->name);
        BaselineDecision d = { .action = BASELINE_WAIT, .phase = b->state.phase };
        _cleanup_(baseline_state_done) BaselineState next = { 0 };
        BaselineFacts facts;
        int r = baseline_prepare(b, &facts, &next);

        if (r < 0)
                return r;
        if (b->state.phase == BASELINE_INSTALLING) {
                bool again = sd_bus_error_has_name(error, HOTPATCH_ERROR("BackendFailed"));

                d.action = BASELINE_ENTER;
                d.phase = again ? BASELINE_DOWNLOADED : BASELINE_FAILED;
                d.cause = again ? BASELINE_CAUSE_NONE : BASELINE_INSTALL_FAILED;
                d.again_usec = facts.now_usec + BASELINE_AGAIN_USEC;
        }
        baseline_wake_at(b, facts.now_usec + BASELINE_AGAIN_USEC);
        r = str_printf(&d.text, "Baseline %s: %s", b->state.name, why);
        if (r < 0)
                return r;
        r = baseline_enter(&next, &d, &facts);
        baseline_decision_done(&d);
        if (r >= 0)
                r = baseline_commit(b, &next, NULL);
        if (r >= 0 && d.phase == BASELINE_FAILED)
                baseline_tell(b);
        return r;
}

/** baseline_start_run() - let the package manager do it; the state knows the run. Return: 0 or a negative errno. */
int baseline_start_run(Baseline *b, RunVerb verb) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        /* baseline_ran() is told of every run, also of those that a daemon before this one began. */
        r = baseline_call_automatic(b->manager, verb, b->state.run, &error);
        if (r >= 0)
                return 0;
        if (!sd_bus_error_is_set(&error))
                (void) sd_bus_error_set_errno(&error, r);
        return baseline_fail_start(b, &error);
}
