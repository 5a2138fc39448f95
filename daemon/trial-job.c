/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What jobs and callers of the bus say to the trials: patches came into force, left it, were taken out because
 * their trial failed; an administrator is content. What becomes of the list by that is in trial.c.
 *
 * What a patch had superseded stays with its transaction, also when that patch leaves a trial that
 * goes on with others: should they fail, a fix too many comes back rather than one too few.
 */

#include <inttypes.h>
#include <syslog.h>

#include "daemon/bus.h"
#include "daemon/job.h"
#include "daemon/messages.h"
#include "daemon/trial-checks.h"
#include "daemon/trial-internal.h"
#include "daemon/trial-selftest.h"
#include "daemon/trial-units.h"
#include "dbus/errors.h"
#include "util/strv.h"

/* --- those that were given up --- */

static bool drop_all(TrialRecord *record, char *const *ids) {
        size_t n = strv_length(record->ids);

        for (; ids && *ids; ids++)
                trial_record_drop(record, *ids);
        return strv_length(record->ids) < n;
}

static int move_all(Trials *t, const char *from, const char *to, char *const *ids) {
        int r = 0;

        for (; r >= 0 && ids && *ids; ids++) {
                r = store_superseded_move(t->manager->store, from, to, *ids);
                if (r == -ENOENT || r == -EBADMSG)
                        r = 0;
        }
        return r;
}

/* What these patches had superseded or replaced then. */
static int bequeath(Trials *t, const TrialRecord *from, char *const *ids, const char *heir) {
        AdmittedRecord *records;
        size_t n;
        int r;

        r = store_admitted_list(t->manager->store, &records, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                if (!strv_contains(ids, records[i].id))
                        continue;
                r = move_all(t, from->transaction, heir, records[i].supersedes);
                if (r >= 0)
                        r = move_all(t, from->transaction, heir, records[i].replaced);
        }
        admitted_records_free(records, n);
        return r;
}

/**
 * trials_forgive() - patches of failed trials that were given up have been applied again
 * @heir: their new transaction, which may have to bring back what they had superseded; NULL: they are not on trial
 * @which: a daemon does not know what the one before it has given up: no record says so
 *
 * Somebody took out what the rollback could not, and wanted it once more: the old failure says nothing any more, and
 * what it left must not be rolled back at the next start. A trial that has failed and whose rollback waits for its turn
 * is another thing.
 *
 * Return: 0 or a negative errno.
 */
int trials_forgive(Trials *t, char *const *ids, const char *heir, TrialsForgiven which) {
        int r = 0;

        for (size_t i = t->n; r >= 0 && i-- > 0;) {
                Trial *trial = t->list[i];

                if (trial_is_running(trial) || (which == TRIALS_GIVEN_UP && !trial->given_up) ||
                    !drop_all(&trial->record, ids))
                        continue;
                if (strv_length(trial->record.ids) > 0) {
                        r = heir ? bequeath(t, &trial->record, ids, heir) : 0;
                        if (r >= 0)
                                r = store_trial_write(t->manager->store, &trial->record, NULL);
                        continue;
                }
                r = heir ? store_superseded_adopt(t->manager->store, trial->record.transaction, heir) : 0;
                if (r >= 0)
                        trials_forget(t, i);
        }
        return r;
}

/* --- a job begins one --- */

/** trials_job_plans() - an Apply may soon change the kernel: ask what takes a while to be answered */
void trials_job_plans(Trials *t) {
        const TrialPolicy *policy = &t->manager->config->trial;

        if (policy->max_usec == 0 || !(policy->signs & TRIAL_SIGN_UNITS))
                return;
        if (t->units)
                trial_units_ask(t->units);
        else
                (void) (trial_units_new(t, &t->units) < 0); /* the other signs still count */
}

/** trials_job_begins() - an Apply is about to change the kernel: remember how it was */
void trials_job_begins(Trials *t) {
        if (t->manager->config->trial.max_usec == 0)
                return;
        t->taint_before = trial_taint(t);
        t->memory_before = trial_kernel_memory(t);
        if (!t->log)
                trial_log_open(t, KERNEL_LOG_NOW);
        t->mark = t->log ? kernel_log_follower_sequence(t->log) : KERNEL_LOG_NOW;
}

/* How the kernel was before these patches a daemon before us knew. What it logged and which bits it had until now
 * may be years older than they are, and is not held against them. */
static void begin_from_now(Trials *t) {
        t->taint_before = trial_taint(t);
        t->memory_before = trial_kernel_memory(t);
        if (!t->log)
                trial_log_open(t, trials_log_begin(t));
        trial_log_catch_up(t);
        t->mark = t->log ? kernel_log_follower_sequence(t->log) : KERNEL_LOG_NOW;
}

static uint64_t clamp_length(const TrialPolicy *policy, uint64_t usec) {
        if (usec < policy->min_usec)
                usec = policy->min_usec;
        return usec > policy->max_usec ? policy->max_usec : usec;
}

static int fill_record(Trials *t, const Job *j, char **ids, char **modules, char **digests, uint64_t usec,
                TrialRecord *ret) {
        int r;

        *ret = (TrialRecord) {
                .transaction = strdup(j->transaction),
                .kind = strdup("apply"),
                .started_usec = clock_usec(CLOCK_REALTIME),
                .until_boottime_usec = clock_usec(CLOCK_BOOTTIME) + usec,
                .until_realtime_usec = clock_usec(CLOCK_REALTIME) + usec,
                /* Inserting a livepatch writes to the log, so the mark is known; otherwise the first
                 * record that comes is it, see trial-log.c. */
                .kmsg_sequence = t->mark,
                .taint = trial_taint_allowed(t, t->taint_before),
                .kernel_memory = t->memory_before,
        };
        if (!ret->transaction || !ret->kind)
                return -ENOMEM;
        r = sd_id128_get_boot(&ret->boot_id);
        if (r >= 0)
                r = strv_copy(ids, &ret->ids);
        if (r >= 0)
                r = strv_copy(modules, &ret->modules);
        if (r >= 0)
                r = strv_copy(j->replaced_foreign, &ret->replaced_foreign);
        if (r >= 0)
                r = strv_copy(digests, &ret->digests);
        return r < 0 ? r : trial_units_copy(t->units, &ret->services);
}

/**
 * trials_begin() - patches came into force: watch them
 * @t: the trials
 * @j: the job that put them there
 * @ids, @modules, @digests: of the same length; copied
 * @seconds: what the bundles want
 * @error: StateUnwritable
 *
 * To be called when all is committed and before the intent is closed. Policy may make the time 0;
 * then there is no trial.
 *
 * Return: 0; -ECANCELED when the kernel complained until now, then the job knows why; or another negative errno. On
 * failure there is no trial.
 */
int trials_begin(Trials *t, const Job *j, char **ids, char **modules, char **digests, uint64_t seconds,
                sd_bus_error *error) {
        uint64_t usec = clamp_length(&t->manager->config->trial, seconds * USEC_PER_SEC);
        TrialsForgiven forgiven = j->unclean ? TRIALS_FAILED : TRIALS_GIVEN_UP;
        _cleanup_(trial_record_done) TrialRecord record = {};
        int r;

        if (trials_find(t, j->transaction))
                return 0; /* it has begun */
        if (usec == 0 || !ids)
                return trials_forgive(t, ids, NULL, forgiven);
        if (j->unclean)
                begin_from_now(t);
        trial_log_catch_up(t);
        /* The patch itself did it, or another has to be taken out first: what is done of the job is undone, with the
         * records that are committed. From here on a sign finds a trial. */
        if (j->cancelled)
                return -ECANCELED;
        r = fill_record(t, j, ids, modules, digests, usec, &record);
        if (r >= 0)
                r = store_trial_write(t->manager->store, &record, error);
        if (r >= 0)
                r = trials_add(t, &record);
        if (r < 0) {
                (void) (store_trial_remove(t->manager->store, j->transaction) < 0);
                return r;
        }
        (void) (trials_forgive(t, ids, j->transaction, forgiven) < 0); /* the next start tries again */
        if (trial_set_timer(t->list[t->n - 1]) < 0)
                t->list[t->n - 1]->due = true; /* it ends with this job */
        trials_watch(t);
        trial_checks_run(t->checks);
        trial_self_tests_run(t->self_tests);
        trial_say(t->list[t->n - 1], HOTPATCH_MESSAGE_TRIAL_BEGUN, LOG_NOTICE,
                "The patches of transaction %s are on trial for %" PRIu64 " seconds", j->transaction,
                usec / USEC_PER_SEC);
        return 0;
}

/* --- a job goes on --- */

/* There may be one that has failed, too. */
static Trial *find_running(const Trials *t, const char *id) {
        for (size_t i = 0; i < t->n; i++)
                if (trial_is_running(t->list[i]) && strv_contains(t->list[i]->record.ids, id))
                        return t->list[i];
        return NULL;
}

/** trials_transaction() - the transaction whose trial this patch is on, and has not failed; or NULL */
const char *trials_transaction(const Trials *t, const char *id) {
        const Trial *trial = find_running(t, id);

        return trial ? trial->record.transaction : NULL;
}

/** trials_know() - has this transaction a trial, or had one that failed and is not over? */
bool trials_know(const Trials *t, const char *transaction) {
        return trials_find(t, transaction);
}

/** trials_failed() - has this patch failed a trial, and is to be taken out? */
bool trials_failed(const Trials *t, const char *id) {
        for (size_t i = 0; i < t->n; i++)
                if (t->list[i]->failed && strv_contains(t->list[i]->record.ids, id))
                        return true;
        return false;
}

/** trials_have() - is this patch on trial? */
bool trials_have(const Trials *t, const char *id) {
        return trials_transaction(t, id);
}

static uint64_t order_of(const AdmittedRecord *records, size_t n, const char *id) {
        const AdmittedRecord *record = admitted_records_find(records, n, id);

        return record ? record->order : 0;
}

/**
 * trials_superseder() - the trial that would bring a patch back if it failed
 * @id: a patch that is being taken out
 * @ret: its transaction, or NULL when nothing on trial supersedes or has replaced the patch
 *
 * Return: 0 or a negative errno.
 */
int trials_superseder(const Trials *t, const char *id, const char **ret) {
        const char *transaction = NULL;
        AdmittedRecord *records;
        size_t n;
        int r;

        r = store_admitted_list(t->manager->store, &records, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; !transaction && i < n; i++) {
                const Trial *trial = trials_find_patch(t, records[i].id);

                /* Also one that has failed meanwhile: its rollback begins when this job has ended. */
                if (trial && admitted_record_displaces(&records[i], id, order_of(records, n, id)))
                        transaction = trial->record.transaction;
        }
        admitted_records_free(records, n);
        *ret = transaction;
        return 0;
}

/**
 * trials_drop_patch() - a patch was removed or superseded; its trial is over
 * @id: the patch
 * @reason: which of the two, for the journal
 */
void trials_drop_patch(Trials *t, const char *id, const char *reason) {
        Trial *trial = find_running(t, id);

        /* What failed is taken out by its own job, and ends with it. */
        if (!trial)
                return;
        for (size_t i = 0; i < t->n; i++) {
                if (t->list[i] != trial)
                        continue;
                if (strv_length(trial->record.ids) == 1)
                        return trials_end_one(t, i, "ended", reason);
                break;
        }
        trial_record_drop(&trial->record, id);
        (void) (store_trial_write(t->manager->store, &trial->record, NULL) < 0);
        bus_trial_ended(t->manager, (char *[]) { (char *) id, NULL }, "ended", reason);
}

/* Whose rollback it was: the trial knows that it has failed. If that could not be written, its patches come first. */
static Trial *find_rolled_back(const Trials *t, const Intent *intent) {
        for (size_t i = 0; i < t->n; i++)
                if (t->list[i]->record.reason && strv_contains(intent->ids, t->list[i]->record.ids[0]))
                        return t->list[i];
        return trials_find_patch(t, intent->ids[0]);
}

/**
 * trials_resume_rollback() - a daemon before us was taking out what failed its trial
 * @intent: of that rollback
 * @reason: used when the record does not know a better one
 *
 * Besides what has failed it lists what had to leave because it requires that. Some of this is out already, and nobody
 * could tell any more why; it goes on from there, and nothing speaks against it.
 *
 * Return: 1 when there is such a trial, 0 when not, or a negative errno.
 */
int trials_resume_rollback(Trials *t, const Intent *intent, const char *reason) {
        Trial *trial = find_rolled_back(t, intent);
        int r = 0;

        if (!trial)
                return 0;
        trial->failed = true;
        trial->resumed = true;
        /* With these everything was out, and so it is. */
        for (size_t i = 0; r >= 0 && !trial->record.returns && intent->ids[i]; i++) {
                r = strv_extend(&trial->out_ids, intent->ids[i]);
                if (r >= 0)
                        r = strv_extend(&trial->out_modules, intent->modules[i]);
        }
        if (r < 0)
                return r;
        if (trial->record.reason)
                return 1;
        trial->record.reason = strdup(reason);
        if (!trial->record.reason)
                return -ENOMEM;
        (void) (store_trial_write(t->manager->store, &trial->record, NULL) < 0);
        return 1;
}

/**
 * trials_note_returns() - these patches are wanted again, and must get back into the kernel
 * @transaction: of the trial
 * @ids: what it had superseded
 *
 * Return: 0 or a negative errno.
 */
int trials_note_returns(Trials *t, const char *transaction, char *const *ids) {
        Trial *trial = trials_find(t, transaction);
        char **copy;
        int r;

        if (!trial)
                return -ENOENT;
        r = strv_copy(ids, &copy);
        if (r < 0)
                return r;
        strv_free(trial->record.returns);
        trial->record.returns = copy;
        return store_trial_write(t->manager->store, &trial->record, NULL);
}

/**
 * trials_rolled_back() - a failed trial is over: its patches are out
 * @transaction: of the trial
 * @reason: why, for the signal
 */
void trials_rolled_back(Trials *t, const char *transaction, const char *reason) {
        for (size_t i = 0; i < t->n; i++)
                if (streq(t->list[i]->record.transaction, transaction))
                        return trials_end_one(t, i, "failed", reason);
}

/**
 * trials_gave_up() - the patches of a failed trial cannot be taken out by this daemon
 * @transaction: of the trial; its record stays, for the next start
 */
void trials_gave_up(Trials *t, const char *transaction) {
        Trial *trial = trials_find(t, transaction);

        if (trial)
                trial->given_up = true;
}

/* --- for the bus --- */

/** trials_until() - when the trial of a patch ends, CLOCK_REALTIME; 0: it is not on trial */
uint64_t trials_until(const Trials *t, const char *id) {
        const Trial *trial = find_running(t, id);

        return trial ? trial->record.until_realtime_usec : 0;
}

/**
 * trials_end() - an administrator is content: the trials of these patches have passed
 * @ids: patches, each on trial
 * @error: NotOnTrial
 *
 * A trial is one for all patches of its transaction and ends for all of them.
 *
 * Return: 0 or a negative errno; no trial has ended then.
 */
int trials_end(Trials *t, char *const *ids, sd_bus_error *error) {
        for (char *const *id = ids; id && *id; id++)
                if (!find_running(t, *id))
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("NotOnTrial"),
                                "The patch '%s' is not on trial", *id);
        for (size_t i = t->n; i-- > 0;)
                for (char *const *id = ids; trial_is_running(t->list[i]) && id && *id; id++)
                        if (strv_contains(t->list[i]->record.ids, *id)) {
                                trials_pass(t, i);
                                break;
                        }
        return 0;
}
