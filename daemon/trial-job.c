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

#include "bundle/manifest.h"
#include "daemon/admit.h"
#include "daemon/bus.h"
#include "daemon/dump.h"
#include "daemon/job.h"
#include "daemon/messages.h"
#include "daemon/trial-checks.h"
#include "daemon/trial-internal.h"
#include "daemon/trial-length.h"
#include "daemon/trial-selftest.h"
#include "daemon/trial-units.h"
#include "dbus/errors.h"
#include "livepatch/state.h"
#include "util/strv.h"

/* As long as a trial after a start of the machine lasts at most: it has been in force before, see trial-length.c. */
#define RETURN_TRIAL_USEC (10 * 60 * USEC_PER_SEC)

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
                        trials_forget(t, i, false);
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

static int fill_record(Trials *t, const Job *j, const char *kind, char **ids, char **modules, char **digests,
                uint64_t usec, TrialRecord *ret) {
        int r;

        *ret = (TrialRecord) {
                .transaction = strdup(j->transaction),
                .kind = strdup(kind),
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
        return r < 0 ? r : strv_copy(digests, &ret->digests);
}

/* The first write is on disk before it is known here; without it there is no trial. */
static int add_trial(Trials *t, TrialRecord *record, sd_bus_error *error) {
        _cleanup_free_ char *transaction = strdup(record->transaction);
        int r = transaction ? store_trial_write(t->manager->store, record, error) : -ENOMEM;

        if (r >= 0)
                r = trials_add(t, record);
        if (r < 0) {
                if (transaction)
                        (void) (store_trial_remove(t->manager->store, transaction) < 0);
                return r;
        }
        if (trial_set_timer(t->list[t->n - 1]) < 0)
                t->list[t->n - 1]->due = true; /* it ends with this job */
        trials_watch(t);
        return 0;
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
        uint64_t usec = trial_length(&t->manager->config->trial, seconds * USEC_PER_SEC);
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
        r = fill_record(t, j, "apply", ids, modules, digests, usec, &record);
        if (r >= 0)
                r = strv_copy(j->replaced_foreign, &record.replaced_foreign);
        if (r >= 0)
                r = trial_units_copy(t->units, &record.services);
        if (r >= 0)
                r = add_trial(t, &record, error);
        if (r < 0)
                return r;
        (void) (trials_forgive(t, ids, j->transaction, forgiven) < 0); /* the next start tries again */
        trial_checks_run(t->checks);
        trial_self_tests_run(t->self_tests);
        trial_say(t->list[t->n - 1], HOTPATCH_MESSAGE_TRIAL_BEGUN, LOG_NOTICE,
                "The patches of transaction %s are on trial for %" PRIu64 " seconds", j->transaction,
                usec / USEC_PER_SEC);
        return 0;
}

/* There may be one that has failed, too. */
static Trial *find_running(const Trials *t, const char *id) {
        for (size_t i = 0; i < t->n; i++)
                if (trial_is_running(t->list[i]) && strv_contains(t->list[i]->record.ids, id))
                        return t->list[i];
        return NULL;
}

/* Who is about to come back and not on trial yet: a daemon before us may have come some way. */
static int find_returns(const Trials *t, char *const *ids, char ***ret_ids, char ***modules, char ***digests) {
        for (; ids && *ids; ids++) {
                _cleanup_(admitted_record_done) AdmittedRecord record = {};
                int r;

                if (trials_have(t, *ids))
                        continue;
                r = store_admitted_find(t->manager->store, *ids, &record);
                if (r >= 0)
                        r = strv_extend(ret_ids, record.id);
                if (r >= 0)
                        r = strv_extend(modules, record.module);
                if (r >= 0)
                        r = strv_extend(digests, record.digest);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* How the kernel is now is what the patch that failed has left. */
static int begin_return(Trials *t, const Job *j, char **ids, char **modules, char **digests, uint64_t usec,
                sd_bus_error *error) {
        _cleanup_(trial_record_done) TrialRecord record = {};
        int r;

        begin_from_now(t);
        r = fill_record(t, j, j->type == JOB_RESTORE ? "restore" : "return", ids, modules, digests, usec, &record);
        if (r < 0)
                return r;
        record.dumps = dump_expected(kernel_root_fd(t->manager->kernel));
        r = add_trial(t, &record, error);
        if (r < 0)
                return r;
        trial_say(t->list[t->n - 1], HOTPATCH_MESSAGE_TRIAL_BEGUN, LOG_NOTICE,
                "The patches that come back are on trial for %" PRIu64 " seconds%s", usec / USEC_PER_SEC,
                j->type == JOB_RESTORE ? "" : ", for what names them");
        return 0;
}

/**
 * trials_seconds() - how long the manifest of an admitted patch asks to have it watched
 * @record: its record; when the bundle cannot be read, what a manifest means that does not say
 */
uint64_t trials_seconds(const Manager *m, const AdmittedRecord *record) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_close_ int fd = store_admitted_open(m->store, record->id);
        _cleanup_verified_free_ Verified *v = NULL;

        if (fd < 0 || admit_open(fd, m->root, &m->config->trust, record->admitted_usec, &v, &error) < 0)
                return MANIFEST_TRIAL_SECONDS;
        return verified_manifest(v)->trial_seconds;
}

/* What a restore postponed is watched as if hotpatch-restore had put it back. */
static uint64_t return_length(const Trials *t, const Job *j, char *const *ids) {
        const TrialPolicy *policy = &t->manager->config->trial;
        _cleanup_(admitted_record_done) AdmittedRecord record = {};

        if (j->type != JOB_RESTORE || !ids || store_admitted_find(t->manager->store, ids[0], &record) < 0)
                return trial_length(policy, RETURN_TRIAL_USEC);
        return trial_length_restore(policy, trials_seconds(t->manager, &record) * USEC_PER_SEC);
}

/**
 * trials_begin_return() - a rollback is about to bring patches back, or what a restore postponed comes: watch them, too
 * @j: the job
 * @ids: wanted again
 * @error: StateUnwritable; then they must not be loaded
 *
 * Before their modules are given to the kernel: it is these that a crash from then on is held against. Nothing when they
 * are on trial already, or when policy makes the time 0.
 *
 * Return: 0 or a negative errno.
 */
int trials_begin_return(Trials *t, const Job *j, char *const *ids, sd_bus_error *error) {
        _cleanup_strv_free_ char **new_ids = NULL, **modules = NULL, **digests = NULL;
        uint64_t usec = return_length(t, j, ids);
        int r;

        if (usec == 0 || trials_find(t, j->transaction))
                return 0;
        r = find_returns(t, ids, &new_ids, &modules, &digests);
        return r < 0 || !new_ids ? r : begin_return(t, j, new_ids, modules, digests, usec, error);
}

static bool is_in_force(const Trials *t, const char *id) {
        _cleanup_(admitted_record_done) AdmittedRecord record = {};
        LivepatchState state;

        return store_admitted_find(t->manager->store, id, &record) >= 0 &&
                livepatch_state(t->manager->kernel, record.module, &state) >= 0 && state == LIVEPATCH_PATCHED;
}

/* It never came, and nobody was told. */
static void forget_return(Trials *t, Trial *trial, const char *id) {
        for (size_t i = 0; i < t->n; i++)
                if (t->list[i] == trial && strv_length(trial->record.ids) == 1)
                        return trials_forget(t, i, streq(trial->record.kind, "restore"));
        trial_record_drop(&trial->record, id);
        (void) (store_trial_write(t->manager->store, &trial->record, NULL) < 0);
}

/** trials_returned() - they are in force, or @j does not try it any more */
void trials_returned(Trials *t, const Job *j, char *const *ids) {
        for (; ids && *ids; ids++) {
                Trial *trial = find_running(t, *ids);

                if (trial && (trial_must_be_named(trial) || streq(trial->record.transaction, j->transaction)) &&
                    !is_in_force(t, *ids))
                        forget_return(t, trial, *ids);
        }
        trial_self_tests_run(t->self_tests);
}

/* --- a job goes on --- */

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

/** trials_kind() - what the trial of a patch began with: "apply", "restore", "return"; "" when it is not on trial */
const char *trials_kind(const Trials *t, const char *id) {
        const Trial *trial = find_running(t, id);

        if (!trial)
                return "";
        return trial_must_be_named(trial) ? "return" : streq(trial->record.kind, "restore") ? "restore" : "apply";
}

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
