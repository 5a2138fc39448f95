/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The rollback: what failed its trial is taken out of the kernel, and what it had superseded comes back.
 *
 *   out      the patches of the transaction and all that require them, the last one first. This is what
 *            job-undo.c does after a crash: it asks the kernel what each module is now and does the next thing
 *            towards "not there", without a deadline, so that it may be begun again at any point.
 *   return   the records of what was superseded go back to admitted/, which makes those patches wanted; then
 *            they come into force again, see job-return.c. So do those that had to leave only because they require
 *            what comes back; these go on with the trials that they are on.
 *
 * The bad patch leaves before the old one returns: for a moment the original code runs, with its hole. The
 * other order would insert a module into a kernel that has just shown a bad sign, and wait for that
 * transition with the cause of it still in force.
 *
 * Nothing here can be undone or cancelled. A patch that cannot be brought back stays wanted: the next start of the machine
 * tries again. The trial's record knows how far it came (its reason, its returns) and is deleted last.
 */

#include <inttypes.h>
#include <syslog.h>

#include "daemon/bus.h"
#include "daemon/facts.h"
#include "daemon/job-internal.h"
#include "daemon/messages.h"
#include "daemon/returns.h"
#include "dbus/errors.h"
#include "util/strv.h"

/* --- over --- */

static bool is_in_force(const Job *j, const char *id) {
        _cleanup_(admitted_record_done) AdmittedRecord record = {};
        LivepatchState state;

        return store_admitted_find(j->manager->store, id, &record) >= 0 &&
                livepatch_state(j->manager->kernel, record.module, &state) >= 0 && state == LIVEPATCH_PATCHED;
}

/** job_rollback_end_trials() - what was to come back and has not is on no trial any more */
void job_rollback_end_trials(const Job *j) {
        char **lists[] = { j->ids, j->rollback.returns }; /* after a crash only the latter knows them */

        for (size_t i = 0; i < ELEMENTSOF(lists); i++)
                for (char **id = lists[i]; id && *id; id++)
                        if (!is_in_force(j, *id))
                                trials_drop_patch(j->manager->trials, *id,
                                        "it required a patch that failed its trial");
}

/** job_rollback_over() - what failed is out, and what had to come back has, or could not */
void job_rollback_over(Job *j) {
        _cleanup_free_ char *reason = strdup(strempty(j->error.message));

        job_rollback_end_trials(j);
        /* With its record goes what it had superseded: not before that is wanted again. */
        if (j->wanted_back)
                trials_rolled_back(j->manager->trials, j->rollback.transaction, strempty(reason));
        else
                trials_gave_up(j->manager->trials, j->rollback.transaction);
        job_close_intent(j);
        job_finish(j, j->return_failed ? JOB_FAILED : JOB_DONE);
}

/* --- return --- */

/* Wanted again, whatever becomes of the rest. */
static int restore_records(Job *j) {
        _cleanup_strv_free_ char **ids = NULL;
        Store *s = j->manager->store;
        int r;

        r = returns_decide(s, &j->rollback, &ids);
        for (char **id = ids; r >= 0 && id && *id; id++)
                if (!strv_contains(j->rollback.returns, *id))
                        r = strv_extend(&j->rollback.returns, *id);
        if (r < 0 || !j->rollback.returns)
                return r;
        r = trials_note_returns(j->manager->trials, j->rollback.transaction, j->rollback.returns);
        for (char **id = j->rollback.returns; r >= 0 && *id; id++) {
                r = store_superseded_restore(s, j->rollback.transaction, *id);
                if (r == -ENOENT || r == -EEXIST)
                        r = 0; /* done already */
        }
        return r;
}

static void strike(const Job *j) {
        const TrialRecord *t = &j->rollback;

        for (size_t i = 0; t->ids && t->ids[i]; i++)
                (void) (store_strike_add(j->manager->store, t->ids[i], t->digests[i], t->transaction,
                                clock_usec(CLOCK_REALTIME), strempty(t->reason), NULL) < 0);
}

static int bring_back(Job *j) {
        int r = restore_records(j);

        job_wait_stop(j);
        j->wanted_back = r >= 0;
        if (r < 0 && job_return_tries_again(j, r, NULL) && job_wait_after(j, bring_back, JOB_RETRY_USEC) >= 0)
                return WAIT_OVER;
        if (r < 0)
                job_return_give_up(j, r, NULL);
        if (r < 0 || !j->rollback.returns)
                job_rollback_over(j);
        else
                job_return(j, j->rollback.returns);
        return WAIT_OVER;
}

/*
 * Who comes back goes on with the trial that it is on: what it had superseded there has to come if that fails. The others
 * are on none any more.
 */
static void end_trials_of_dependants(const Job *j) {
        AdmittedRecord *back = NULL;
        size_t n = 0;

        if (store_superseded_list(j->manager->store, j->rollback.transaction, &back, &n) < 0)
                n = 0;
        for (char **id = j->committed; id && *id; id++)
                if (!admitted_records_find(back, n, *id))
                        trials_drop_patch(j->manager->trials, *id, "it required a patch that failed its trial");
        admitted_records_free(back, n);
}

/** job_rollback_is_out() - everything is out of the kernel, and its records are gone */
void job_rollback_is_out(Job *j) {
        if (j->returning)
                return job_return_undone(j);
        end_trials_of_dependants(j);
        for (char **id = j->committed; id && *id; id++)
                job_record(j, HOTPATCH_MESSAGE_REMOVED, LOG_WARNING, *id, NULL, "Patch '%s' was taken out", *id);
        strike(j);
        job_tell_foreign(j, j->rollback.replaced_foreign);
        j->returning = true;
        /* The way back has all its tries, however many it took to get here. */
        j->return_tries = 0;
        strv_free(j->committed);
        j->committed = NULL;
        (void) bring_back(j);
}

/* --- out --- */

static int add_out(Job *j, const char *id, const char *module) {
        int r;

        if (strv_contains(j->ids, id))
                return 0;
        r = strv_extend(&j->ids, id);
        if (r >= 0)
                r = strv_extend(&j->committed, id);
        return r < 0 ? r : strv_extend(&j->inserted, module);
}

static int add_all_out(Job *j, char *const *ids, char *const *modules) {
        int r = 0;

        for (size_t i = 0; r >= 0 && ids && ids[i]; i++)
                r = add_out(j, ids[i], modules[i]);
        return r;
}

/* In the order of application; undone backwards. */
static int list_out(Job *j, char *const *out_ids, char *const *out_modules) {
        _cleanup_strv_free_ char **ids = NULL, **modules = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(facts_freep) Facts *facts = NULL;
        Manager *m = j->manager;
        int r;

        r = add_all_out(j, j->rollback.ids, j->rollback.modules);
        if (r >= 0)
                r = add_all_out(j, out_ids, out_modules);
        if (r < 0)
                return r;
        r = facts_gather(m->kernel, m->store, NULL, 0, NULL, clock_usec(CLOCK_REALTIME), &facts, &error);
        /* To take what failed out alone is better than to leave it in. */
        if (r < 0) {
                job_record(j, HOTPATCH_MESSAGE_UNDO_FAILED, LOG_WARNING, j->rollback.ids[0], NULL,
                        "Patches that require what failed its trial cannot be found, and stay: %s",
                        error.message ?: strerror(-r));
                return 0;
        }
        r = plan_dependants(j->rollback.ids, facts_for_plan(facts), &ids, &modules);
        return r < 0 ? r : add_all_out(j, ids, modules);
}

static int on_begin(Job *j) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        job_wait_stop(j);
        /* Without an intent the record of the trial tells the next start what to do. */
        if (job_open_intent(j, job_type_to_string(JOB_ROLLBACK), j->ids, j->inserted, &error) < 0)
                job_record(j, HOTPATCH_MESSAGE_UNDO_FAILED, LOG_WARNING, j->ids[0], NULL, "%s",
                        strempty(error.message));
        j->touched = true;
        job_record(j, HOTPATCH_MESSAGE_REVERSING, LOG_WARNING, j->ids[0], NULL,
                "Job %" PRIu32 " takes out what failed its trial: %s", j->id, strempty(j->error.message));
        job_set_state(j, JOB_REVERSING);
        job_undo(j);
        return WAIT_OVER;
}

static int copy_trial(const TrialRecord *trial, TrialRecord *ret) {
        int r;

        ret->transaction = strdup(trial->transaction);
        ret->reason = strdup(trial->reason ?: "the reason is not known any more");
        if (!ret->transaction || !ret->reason)
                return -ENOMEM;
        r = strv_copy(trial->ids, &ret->ids);
        if (r >= 0)
                r = strv_copy(trial->modules, &ret->modules);
        if (r >= 0)
                r = strv_copy(trial->digests, &ret->digests);
        if (r >= 0)
                r = strv_copy(trial->replaced_foreign, &ret->replaced_foreign);
        return r < 0 || !trial->returns ? r : strv_copy(trial->returns, &ret->returns);
}

/**
 * job_start_rollback() - begin to take out what failed its trial
 * @m: the manager; no job may run
 * @trial: with its reason; copied
 * @out_ids, @out_modules: what a daemon before us was taking out with it, in the order of application; NULL: nothing
 *
 * The job begins its work in the next turn of the event loop.
 *
 * Return: 0 or a negative errno.
 */
int job_start_rollback(Manager *m, const TrialRecord *trial, char *const *out_ids, char *const *out_modules) {
        _cleanup_(job_freep) Job *j = NULL;
        int r;

        r = job_new(m, JOB_ROLLBACK, &j);
        if (r >= 0)
                r = copy_trial(trial, &j->rollback);
        if (r >= 0)
                r = list_out(j, out_ids, out_modules);
        if (r < 0)
                return r;
        (void) sd_bus_error_set(&j->error, HOTPATCH_ERROR("TrialFailed"), j->rollback.reason);
        j->state = JOB_REVERSING;
        r = job_wait(j, on_begin);
        if (r < 0)
                return r;
        r = manager_add_job(m, j);
        if (r < 0)
                return r;
        (void) TAKE_PTR(j);
        return 0;
}
