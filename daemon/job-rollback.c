/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The rollback: what failed its trial is taken out of the kernel, and what it had superseded comes back.
 *
 *   out      the patches of the transaction and all that require them, the last one first. This is what
 *            job-undo.c does after a crash: it asks the kernel what each module is now and does the next thing
 *            towards "not there", without a deadline, so that it may be begun again at any point.
 *   return   the records of what was superseded go back to admitted/, which makes those patches wanted; then
 *            their modules, checked like any bundle, go into the kernel, as steps of a plan. So do those that had to
 *            leave only because they require what comes back. Not what has been forbidden meanwhile, see readmit.c.
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

#include "daemon/admit.h"
#include "daemon/bus.h"
#include "daemon/facts.h"
#include "daemon/job-internal.h"
#include "daemon/loaddir.h"
#include "daemon/messages.h"
#include "daemon/readmit.h"
#include "daemon/returns.h"
#include "dbus/errors.h"
#include "util/strv.h"

/* A bundle is read, checked and its module written to a tmpfs. */
#define RETURN_TIMEOUT_USEC (120 * USEC_PER_SEC)

/* --- over --- */

static void over(Job *j) {
        _cleanup_free_ char *reason = strdup(strempty(j->error.message));

        /* With its record goes what it had superseded: not before that is wanted again. */
        if (j->wanted_back)
                trials_rolled_back(j->manager->trials, j->rollback.transaction, strempty(reason));
        else
                trials_gave_up(j->manager->trials, j->rollback.transaction);
        job_close_intent(j);
        job_finish(j, j->return_failed ? JOB_FAILED : JOB_DONE);
}

/** job_rollback_ended() - all steps of the return are done */
void job_rollback_ended(Job *j) {
        for (char **id = j->rollback.returns; id && *id; id++)
                job_record(j, HOTPATCH_MESSAGE_APPLIED, LOG_NOTICE, *id, NULL, "Patch '%s' is active again", *id);
        over(j);
}

static void keep_what_is_back(Job *j) {
        size_t n = 0;

        for (char **module = j->inserted; j->returning && module && *module; module++) {
                LivepatchState state;

                if (livepatch_state(j->manager->kernel, *module, &state) >= 0 && state == LIVEPATCH_PATCHED)
                        free(*module);
                else
                        j->inserted[n++] = *module;
        }
        if (j->returning && j->inserted)
                j->inserted[n] = NULL;
}

/* Behind the reason why it was taken out. */
static void say_more(Job *j, const char *what, const char *why) {
        _cleanup_(sd_bus_error_free) sd_bus_error longer = SD_BUS_ERROR_NULL;

        (void) sd_bus_error_setf(&longer, j->error.name, "%s; %s: %s", strempty(j->error.message), what, why);
        if (!sd_bus_error_is_set(&longer))
                return;
        sd_bus_error_free(&j->error);
        j->error = longer;
        longer = SD_BUS_ERROR_NULL;
}

/**
 * job_rollback_failed() - something of a rollback did not work
 * @j: the job
 * @r: negative errno
 * @error: the refusal, or NULL
 *
 * What came back into force stays, what got stuck on its way in goes out again; all of it stays wanted.
 */
void job_rollback_failed(Job *j, int r, const sd_bus_error *error) {
        say_more(j, "what it had superseded could not be brought back",
                sd_bus_error_is_set(error) && error->message ? error->message : strerror(-r));
        j->return_failed = true;
        job_record(j, HOTPATCH_MESSAGE_UNDO_FAILED, LOG_CRIT, j->ids ? j->ids[0] : NULL, NULL, "%s",
                strempty(j->error.message));
        keep_what_is_back(j);
        job_undo(j);
}

/* --- return --- */

static int find_record(const Store *s, const char *id, AdmittedRecord *ret) {
        AdmittedRecord *records;
        size_t n;
        int r;

        r = store_admitted_list(s, &records, &n);
        if (r < 0)
                return r;
        r = -ENOENT;
        for (size_t i = 0; i < n; i++)
                if (streq(records[i].id, id)) {
                        *ret = records[i];
                        records[i] = (AdmittedRecord) {};
                        r = 0;
                }
        admitted_records_free(records, n);
        return r;
}

/* As it was admitted: certificates may have expired since. */
static int extract(const Job *j, const char *id, int output_fd, sd_bus_error *error) {
        _cleanup_(admitted_record_done) AdmittedRecord record = {};
        _cleanup_close_ int fd = -EBADF, copy_fd = -EBADF;
        const Manager *m = j->manager;
        int r;

        r = find_record(m->store, id, &record);
        if (r < 0)
                return r;
        fd = store_admitted_open(m->store, id);
        if (fd < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NoSuchBundle"), "The bundle of '%s' is gone", id);
        copy_fd = store_tmpfile(m->store, error);
        if (copy_fd < 0)
                return copy_fd;
        return admit_copy(&(AdmitRequest) {
                .source_fd = fd,
                .copy_fd = copy_fd,
                .root = m->root,
                .policy = &j->config->trust,
                .now_usec = record.admitted_usec,
                .kernel = &m->identity,
                .load_dir_fd = j->load_dir_fd,
                .expected_id = id,
        }, output_fd, error);
}

static int extract_all(void *userdata, int output_fd, sd_bus_error *error) {
        const Job *j = userdata;

        for (char **id = j->rollback.returns; id && *id; id++) {
                int r = extract(j, *id, output_fd, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_step(Plan *plan, StepAction action, const AdmittedRecord *record) {
        PlanStep *s = &plan->steps[plan->n_steps];

        *s = (PlanStep) { .action = action, .id = strdup(record->id), .module = strdup(record->module) };
        plan->n_steps++;
        return s->id && s->module ? 0 : -ENOMEM;
}

/* What is missing until it is in force; a daemon before us may have come some way. */
static int add_steps(const Job *j, Plan *plan, const char *id) {
        _cleanup_(admitted_record_done) AdmittedRecord record = {};
        LivepatchState state;
        int r;

        r = find_record(j->manager->store, id, &record);
        if (r < 0)
                return r;
        r = livepatch_state(j->manager->kernel, record.module, &state);
        if (r < 0 || state == LIVEPATCH_PATCHED)
                return r;
        if (state == LIVEPATCH_INACTIVE)
                r = add_step(plan, STEP_UNLOAD, &record);
        if (r >= 0 && state != LIVEPATCH_PATCHING)
                r = add_step(plan, STEP_INSERT, &record);
        return r < 0 ? r : add_step(plan, STEP_TRANSITION, &record);
}

static int plan_return(Job *j) {
        _cleanup_(plan_freep) Plan *plan = calloc(1, sizeof(*plan));

        if (!plan)
                return -ENOMEM;
        plan->steps = calloc(strv_length(j->rollback.returns) * 3 + 1, sizeof(*plan->steps));
        if (!plan->steps)
                return -ENOMEM;
        plan->changed = true;
        for (char **id = j->rollback.returns; id && *id; id++) {
                int r = add_steps(j, plan, *id);
                if (r < 0)
                        return r;
        }
        j->plan = TAKE_PTR(plan);
        j->step = 0;
        return 0;
}

static void extracted(void *userdata, int r, const sd_bus_error *error, _unused_ const void *output,
                _unused_ size_t size) {
        Job *j = userdata;

        j->worker = worker_free(j->worker);
        if (r >= 0)
                r = plan_return(j);
        if (r < 0)
                return job_rollback_failed(j, r, error);
        job_run(j);
}

static int begin_return(Job *j) {
        char name[16];
        int r;

        job_set_state(j, JOB_LOADING);
        snprintf(name, sizeof(name), "%" PRIu32, j->id);
        r = loaddir_make(kernel_root_fd(j->manager->kernel), name, &j->load_dir_fd);
        if (r < 0)
                return r;
        return worker_start(j->manager->event, "return", RETURN_TIMEOUT_USEC, extract_all, j, extracted, j,
                &j->worker);
}

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

/* ReadmitTold */
static void stays_out(void *userdata, const char *id, const char *why) {
        _cleanup_free_ char *what = NULL;
        Job *j = userdata;

        if (asprintf(&what, "'%s', which it had superseded, is not put back", id) < 0)
                what = NULL;
        say_more(j, what ?: "something is not put back", why);
        job_record(j, HOTPATCH_MESSAGE_UNDO_FAILED, LOG_WARNING, id, NULL, "Patch '%s' is not put back: %s", id, why);
        j->return_failed = true;
}

/* Wanted they are, all of them; but not whatever else has been decided meanwhile. */
static int choose_returns(Job *j) {
        char **ids;
        int r = readmit_filter(j->manager, j->config, j->rollback.returns, stays_out, j, &ids);

        if (r < 0)
                return r;
        strv_free(j->rollback.returns);
        j->rollback.returns = ids;
        return 0;
}

static void strike(const Job *j) {
        const TrialRecord *t = &j->rollback;

        for (size_t i = 0; t->ids && t->ids[i]; i++)
                (void) (store_strike_add(j->manager->store, t->ids[i], t->digests[i], t->transaction,
                                clock_usec(CLOCK_REALTIME), strempty(t->reason), NULL) < 0);
}

/** job_rollback_is_out() - everything is out of the kernel, and its records are gone */
void job_rollback_is_out(Job *j) {
        int r;

        if (j->returning)
                return over(j);
        for (char **id = j->committed; id && *id; id++) {
                trials_drop_patch(j->manager->trials, *id, "it required a patch that failed its trial");
                job_record(j, HOTPATCH_MESSAGE_REMOVED, LOG_WARNING, *id, NULL, "Patch '%s' was taken out", *id);
        }
        strike(j);
        j->returning = true;
        strv_free(j->committed);
        j->committed = NULL;
        r = restore_records(j);
        j->wanted_back = r >= 0;
        if (r >= 0)
                r = choose_returns(j);
        if (r >= 0 && !j->rollback.returns)
                return over(j);
        if (r >= 0)
                r = begin_return(j);
        if (r < 0)
                job_rollback_failed(j, r, NULL);
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
