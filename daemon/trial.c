/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The trials as a list: how one begins, goes on after a restart of the daemon, and ends.
 *
 * A trial is a record in the state directory, written before the intent of its Apply is closed; what is
 * in memory can be made from it again. Its end is a time of CLOCK_BOOTTIME, so that a machine cannot
 * sleep through it unwatched. Nothing polls for the kernel log, units and checks; taint and pressure are
 * looked at every few seconds, and only while a trial is on.
 *
 *   passed   the time is over, the last look found nothing: the record and what was superseded go
 *   failed   a bad sign: the reason is written into the record first, so that the decision survives a
 *            crash, then a job of the type `rollback` takes the patches out (job-rollback.c)
 *   ended    somebody removed or superseded its patches, or said that he is content
 *
 * A sign belongs to the trial whose patch it names; one that names nobody belongs to the youngest, as
 * what changed last is what most likely did it.
 *
 * What a patch had superseded stays with its transaction, also when that patch leaves a trial that
 * goes on with others: should they fail, a fix too many comes back rather than one too few.
 */

#include <inttypes.h>
#include <syslog.h>

#include "daemon/bus.h"
#include "daemon/job.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "daemon/trial-checks.h"
#include "daemon/trial-internal.h"
#include "daemon/trial-units.h"
#include "dbus/errors.h"
#include "util/strv.h"

/* --- one trial --- */

static Trial *trial_free(Trial *t) {
        if (!t)
                return NULL;
        sd_event_source_disable_unref(t->timer);
        trial_record_done(&t->record);
        free(t);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP(Trial *, trial_free);

static void trial_say(const Trial *t, const char *message_id, int priority, const char *format, ...)
        _printf_(4, 5);
static void trial_say(const Trial *t, const char *message_id, int priority, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&text, format, ap);
        va_end(ap);
        if (r < 0) {
                text = NULL;
                return;
        }
        for (size_t i = 0; t->record.ids && t->record.ids[i]; i++)
                (void) record_write(&(Record) {
                        .message_id = message_id,
                        .priority = priority,
                        .text = text,
                        .transaction = t->record.transaction,
                        .patch = t->record.ids[i],
                        .module = t->record.modules[i],
                        .digest = t->record.digests[i],
                        .caller_uid = UINT32_MAX,
                });
}

/* "'a', 'b'" */
static char *quote_ids(char *const *ids) {
        char *text = strdup("");

        for (; text && ids && *ids; ids++) {
                char *longer;

                if (asprintf(&longer, "%s%s'%s'", text, *text ? ", " : "", *ids) < 0)
                        longer = NULL;
                free(text);
                text = longer;
        }
        return text;
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata);

static int trial_set_timer(Trial *t) {
        /* A second is precise enough for ten minutes, and lets the machine gather its wake-ups. */
        return sd_event_add_time(t->trials->manager->event, &t->timer, CLOCK_BOOTTIME,
                t->record.until_boottime_usec, USEC_PER_SEC, on_end, t);
}

static int list_add(Trials *t, Trial *trial) {
        Trial **grown = reallocarray(t->list, t->n + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        t->list = grown;
        t->list[t->n++] = trial;
        return 0;
}

static Trial *list_take(Trials *t, size_t i) {
        Trial *trial = t->list[i];

        memmove(t->list + i, t->list + i + 1, (--t->n - i) * sizeof(*t->list));
        return trial;
}

static Trial *list_find(const Trials *t, const char *transaction) {
        for (size_t i = 0; i < t->n; i++)
                if (streq(t->list[i]->record.transaction, transaction))
                        return t->list[i];
        return NULL;
}

/* --- watching --- */

static bool is_running(const Trial *t) {
        return !t->failed;
}

static bool any_running(const Trials *t) {
        for (size_t i = 0; i < t->n; i++)
                if (is_running(t->list[i]))
                        return true;
        return false;
}

/* Where the kernel log begins that the trials have not seen; 0: its beginning. */
static uint64_t log_begin(const Trials *t) {
        uint64_t from = KERNEL_LOG_NOW;

        for (size_t i = 0; i < t->n; i++)
                if (is_running(t->list[i]) && t->list[i]->record.kmsg_sequence < from)
                        from = t->list[i]->record.kmsg_sequence;
        return from;
}

static void watch(Trials *t) {
        const TrialPolicy *policy = &t->manager->config.trial;

        if (!t->log)
                trial_log_open(t, log_begin(t));
        /* What cannot be watched is not watched: the other signs still count. */
        if (!t->look && (policy->signs & (TRIAL_SIGN_TAINT | TRIAL_SIGN_PRESSURE)))
                (void) (trial_look_start(t) < 0);
        if (!t->units && (policy->signs & TRIAL_SIGN_UNITS))
                (void) (trial_units_new(t, &t->units) < 0);
        if (!t->checks && (policy->signs & TRIAL_SIGN_CHECKS))
                (void) (trial_checks_new(t, &t->checks) < 0);
}

static void unwatch(Trials *t) {
        trial_look_stop(t);
        t->units = trial_units_free(t->units);
        t->checks = trial_checks_free(t->checks);
        if (!manager_running_job(t->manager))
                trial_log_close(t);
}

/* --- ends --- */

static void forget(Trials *t, Trial *trial) {
        (void) (store_trial_remove(t->manager->store, trial->record.transaction) < 0);
        (void) (store_superseded_drop(t->manager->store, trial->record.transaction) < 0);
        trial_free(trial);
        if (!any_running(t))
                unwatch(t);
        bus_patches_changed(t->manager);
}

static void end(Trials *t, size_t i, const char *result, const char *reason) {
        _cleanup_free_ char *ids = NULL;
        Trial *trial = list_take(t, i);

        ids = quote_ids(trial->record.ids);
        if (streq(result, "passed"))
                trial_say(trial, HOTPATCH_MESSAGE_TRIAL_PASSED, LOG_NOTICE, "The trial of %s has passed",
                        strempty(ids));
        else if (streq(result, "ended"))
                trial_say(trial, HOTPATCH_MESSAGE_TRIAL_ENDED, LOG_NOTICE, "The trial of %s has ended: %s",
                        strempty(ids), reason);
        bus_trial_ended(t->manager, trial->record.ids, result, reason);
        forget(t, trial);
}

static void pass(Trials *t, size_t i) {
        const TrialRecord *record = &t->list[i]->record;

        /* A patch that has proved itself does not carry an old crash with it. */
        for (size_t k = 0; record->ids && record->ids[k]; k++)
                (void) (store_strike_clear(t->manager->store, record->ids[k], record->digests[k]) < 0);
        end(t, i, "passed", "");
}

/**
 * trials_settle() - end the trials whose time is over and that nothing speaks against
 *
 * Called when a trial becomes due, when the last checks have ended, and when a job has.
 */
void trials_settle(Trials *t) {
        /* A job may be about to take its patches out. */
        if (manager_running_job(t->manager) || trial_checks_running(t->checks))
                return;
        for (size_t i = t->n; i-- > 0;)
                if (t->list[i]->due && is_running(t->list[i]))
                        pass(t, i);
}

static int on_end(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Trial *trial = userdata;
        Trials *t = trial->trials;

        trial->due = true;
        /* The last look; it may fail this trial, or another. */
        trial_log_catch_up(t);
        if (any_running(t) && t->manager->config.trial.signs & (TRIAL_SIGN_TAINT | TRIAL_SIGN_PRESSURE))
                trial_look(t);
        trial_checks_run(t->checks);
        trials_settle(t);
        return 0;
}

/* --- failing --- */

static void roll_back(Trials *t) {
        for (size_t i = t->n; i-- > 0;) {
                Trial *trial = t->list[i];
                int r;

                if (!trial->failed || trial->given_up)
                        continue;
                /* One at a time; when it has ended comes the next. */
                if (job_make_room(t->manager, trial->record.reason))
                        return;
                r = job_start_rollback(t->manager, &trial->record);
                if (r >= 0)
                        return;
                trial->given_up = true;
                trial_say(trial, HOTPATCH_MESSAGE_UNDO_FAILED, LOG_CRIT,
                        "The patches of transaction %s cannot be taken out: %s", trial->record.transaction,
                        strerror(-r));
        }
}

/**
 * trial_fail() - a bad sign was seen: take the patches out
 * @t: the trial
 * @reason: which sign; one sentence
 */
void trial_fail(Trial *t, const char *reason) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *ids = NULL;
        Trials *trials = t->trials;

        if (t->failed)
                return;
        t->record.reason = strdup(reason);
        t->failed = true;
        t->timer = sd_event_source_disable_unref(t->timer);
        ids = quote_ids(t->record.ids);
        trial_say(t, HOTPATCH_MESSAGE_TRIAL_FAILED, LOG_ALERT, "The trial of %s has failed, it is taken out: %s",
                strempty(ids), reason);
        /* Not durable is better than not done: the intent of the rollback comes too. */
        if (store_trial_write(trials->manager->store, &t->record, &error) < 0)
                trial_say(t, HOTPATCH_MESSAGE_TRIAL_FAILED, LOG_WARNING, "%s", error.message);
        if (!any_running(trials))
                unwatch(trials);
        roll_back(trials);
}

/** trials_youngest() - the running trial that began last, of those that had begun at a kernel log record */
Trial *trials_youngest(const Trials *t, uint64_t sequence) {
        for (size_t i = t->n; i-- > 0;)
                if (is_running(t->list[i]) && t->list[i]->record.kmsg_sequence <= sequence)
                        return t->list[i];
        return NULL;
}

/* --- the object --- */

/**
 * trials_new() - no trials yet
 * @m: with a kernel, a store and an event loop
 * @ret: trials_free() it
 *
 * Return: 0 or -ENOMEM.
 */
int trials_new(Manager *m, Trials **ret) {
        Trials *t = malloc(sizeof(*t));

        if (!t)
                return -ENOMEM;
        *t = (Trials) { .manager = m, .mark = KERNEL_LOG_NOW };
        *ret = t;
        return 0;
}

/** trials_free() - stop watching; the records stay. Returns NULL. */
Trials *trials_free(Trials *t) {
        if (!t)
                return NULL;
        trial_look_stop(t);
        trial_log_close(t);
        trial_units_free(t->units);
        trial_checks_free(t->checks);
        sd_event_source_disable_unref(t->next);
        for (size_t i = 0; i < t->n; i++)
                trial_free(t->list[i]);
        free(t->list);
        free(t);
        return NULL;
}

static int load_one(Trials *t, TrialRecord *record) {
        _cleanup_(trial_freep) Trial *trial = malloc(sizeof(*trial));
        int r;

        if (!trial)
                return -ENOMEM;
        *trial = (Trial) { .trials = t, .record = *record, .failed = record->reason };
        *record = (TrialRecord) {};
        r = list_add(t, trial);
        if (r < 0)
                return r;
        (void) TAKE_PTR(trial);
        return 0;
}

/**
 * trials_load() - learn which trials of this boot a daemon before us has left
 *
 * Those of other boots are not ours to end: what they mean is decided when patches are restored.
 *
 * Return: 0 or a negative errno.
 */
int trials_load(Trials *t) {
        TrialRecord *records;
        sd_id128_t boot;
        size_t n;
        int r;

        r = sd_id128_get_boot(&boot);
        if (r < 0)
                return r;
        r = store_trial_list(t->manager->store, &records, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < n; i++)
                if (sd_id128_equal(records[i].boot_id, boot))
                        r = load_one(t, &records[i]);
        trial_records_free(records, n);
        return r;
}

/**
 * trials_start() - go on with what was loaded
 *
 * The kernel log is read from where the trials began, so that nothing is missed that came while there
 * was no daemon.
 */
void trials_start(Trials *t) {
        if (any_running(t)) {
                watch(t);
                trial_log_catch_up(t);
        }
        for (size_t i = 0; i < t->n; i++)
                if (is_running(t->list[i]) && trial_set_timer(t->list[i]) < 0)
                        t->list[i]->due = true;
        roll_back(t);
        if (any_running(t))
                trial_checks_run(t->checks);
}

/** trials_pending() - is there a trial? Then the daemon stays. */
bool trials_pending(const Trials *t) {
        for (size_t i = 0; i < t->n; i++)
                if (!t->list[i]->given_up)
                        return true;
        return false;
}

/* --- for the job --- */

/** trials_job_begins() - an Apply is about to change the kernel: remember how it was */
void trials_job_begins(Trials *t) {
        if (t->manager->config.trial.max_usec == 0)
                return;
        t->taint_before = trial_taint(t);
        if (!t->log)
                trial_log_open(t, KERNEL_LOG_NOW);
        t->mark = t->log ? kernel_log_follower_sequence(t->log) : KERNEL_LOG_NOW;
}

/* How the kernel was before these patches a daemon before us knew. What it logged and which bits it had until now
 * may be years older than they are, and is not held against them. */
static void begin_from_now(Trials *t) {
        t->taint_before = trial_taint(t);
        if (!t->log)
                trial_log_open(t, log_begin(t));
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
 * Return: 0 or a negative errno; there is no trial then.
 */
int trials_begin(Trials *t, const Job *j, char **ids, char **modules, char **digests, uint64_t seconds,
                sd_bus_error *error) {
        uint64_t usec = clamp_length(&t->manager->config.trial, seconds * USEC_PER_SEC);
        _cleanup_(trial_record_done) TrialRecord record = {};
        int r;

        if (usec == 0 || !ids)
                return 0;
        if (j->unclean)
                begin_from_now(t);
        trial_log_catch_up(t);
        r = fill_record(t, j, ids, modules, digests, usec, &record);
        if (r >= 0)
                r = store_trial_write(t->manager->store, &record, error);
        if (r >= 0)
                r = load_one(t, &record);
        if (r < 0) {
                (void) (store_trial_remove(t->manager->store, j->transaction) < 0);
                return r;
        }
        if (trial_set_timer(t->list[t->n - 1]) < 0)
                t->list[t->n - 1]->due = true; /* it ends with this job */
        watch(t);
        trial_checks_run(t->checks);
        trial_say(t->list[t->n - 1], HOTPATCH_MESSAGE_TRIAL_BEGUN, LOG_NOTICE,
                "The patches of transaction %s are on trial for %" PRIu64 " seconds", j->transaction,
                usec / USEC_PER_SEC);
        return 0;
}

static Trial *find_patch(const Trials *t, const char *id) {
        for (size_t i = 0; i < t->n; i++)
                if (strv_contains(t->list[i]->record.ids, id))
                        return t->list[i];
        return NULL;
}

/** trials_have() - is this patch on trial? */
bool trials_have(const Trials *t, const char *id) {
        return find_patch(t, id);
}

/**
 * trials_superseder() - the trial that would bring a patch back if it failed
 * @id: a patch that is being taken out
 *
 * Return: its transaction, or NULL when nothing on trial supersedes the patch.
 */
const char *trials_superseder(const Trials *t, const char *id) {
        const char *transaction = NULL;
        AdmittedRecord *records;
        size_t n;

        if (store_admitted_list(t->manager->store, &records, &n) < 0)
                return NULL;
        for (size_t i = 0; !transaction && i < n; i++) {
                const Trial *trial = find_patch(t, records[i].id);

                /* Also one that has failed meanwhile: its rollback begins when this job has ended. */
                if (trial && strv_contains(records[i].supersedes, id))
                        transaction = trial->record.transaction;
        }
        admitted_records_free(records, n);
        return transaction;
}

static void strv_drop(char **v, size_t i) {
        free(v[i]);
        do
                v[i] = v[i + 1];
        while (v[i++]);
}

/**
 * trials_drop_patch() - a patch was removed or superseded; its trial is over
 * @id: the patch
 * @reason: which of the two, for the journal
 */
void trials_drop_patch(Trials *t, const char *id, const char *reason) {
        Trial *trial = find_patch(t, id);

        /* What failed is taken out by its own job, and ends with it. */
        if (!trial || !is_running(trial))
                return;
        for (size_t i = 0; i < t->n; i++) {
                if (t->list[i] != trial)
                        continue;
                if (strv_length(trial->record.ids) == 1)
                        return end(t, i, "ended", reason);
                break;
        }
        for (size_t i = 0; trial->record.ids[i]; i++)
                if (streq(trial->record.ids[i], id)) {
                        strv_drop(trial->record.ids, i);
                        strv_drop(trial->record.modules, i);
                        strv_drop(trial->record.digests, i);
                        break;
                }
        (void) (store_trial_write(t->manager->store, &trial->record, NULL) < 0);
        bus_trial_ended(t->manager, (char *[]) { (char *) id, NULL }, "ended", reason);
}

static int on_next(sd_event_source *source, void *userdata) {
        Trials *t = userdata;

        (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (manager_running_job(t->manager)) {
                /* Somebody was quicker than what waited for its turn. */
                roll_back(t);
                return 0;
        }
        t->mark = KERNEL_LOG_NOW;
        roll_back(t);
        trials_settle(t);
        if (!any_running(t))
                unwatch(t);
        return 0;
}

/** trials_job_finished() - a job has ended; what waited for that comes soon, from the event loop */
void trials_job_finished(Trials *t) {
        if (t->next)
                (void) sd_event_source_set_enabled(t->next, SD_EVENT_ONESHOT);
        else
                (void) (sd_event_add_defer(t->manager->event, &t->next, on_next, t) < 0);
}

/**
 * trials_mark_failed() - an intent says that these patches were being rolled back
 * @ids: of the intent
 * @reason: used when the record does not know a better one
 *
 * Return: 1 when there is such a trial, 0 when not, or a negative errno.
 */
int trials_mark_failed(Trials *t, char *const *ids, const char *reason) {
        int found = 0;

        for (; ids && *ids; ids++) {
                Trial *trial = find_patch(t, *ids);

                if (!trial)
                        continue;
                found = 1;
                trial->failed = true;
                if (trial->record.reason)
                        continue;
                trial->record.reason = strdup(reason);
                if (!trial->record.reason)
                        return -ENOMEM;
                (void) (store_trial_write(t->manager->store, &trial->record, NULL) < 0);
        }
        return found;
}

/**
 * trials_note_returns() - these patches are wanted again, and must get back into the kernel
 * @transaction: of the trial
 * @ids: what it had superseded
 *
 * Return: 0 or a negative errno.
 */
int trials_note_returns(Trials *t, const char *transaction, char *const *ids) {
        Trial *trial = list_find(t, transaction);
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
                        return end(t, i, "failed", reason);
}

/**
 * trials_gave_up() - the patches of a failed trial cannot be taken out by this daemon
 * @transaction: of the trial; its record stays, for the next start
 */
void trials_gave_up(Trials *t, const char *transaction) {
        Trial *trial = list_find(t, transaction);

        if (trial)
                trial->given_up = true;
}

/* --- for the bus --- */

/** trials_until() - when the trial of a patch ends, CLOCK_REALTIME; 0: it is not on trial */
uint64_t trials_until(const Trials *t, const char *id) {
        const Trial *trial = find_patch(t, id);

        return trial && is_running(trial) ? trial->record.until_realtime_usec : 0;
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
        for (char *const *id = ids; id && *id; id++) {
                const Trial *trial = find_patch(t, *id);

                if (!trial || !is_running(trial))
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("NotOnTrial"),
                                "The patch '%s' is not on trial", *id);
        }
        for (size_t i = t->n; i-- > 0;)
                for (char *const *id = ids; id && *id; id++)
                        if (strv_contains(t->list[i]->record.ids, *id)) {
                                pass(t, i);
                                break;
                        }
        return 0;
}
