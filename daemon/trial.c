/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The trials as a list: how one begins, goes on after a restart of the daemon, and ends.
 *
 * A trial is a record in the state directory, written before the intent of its Apply is closed; what is
 * in memory can be made from it again. Its end is a time of CLOCK_BOOTTIME, so that a machine cannot
 * sleep through it unwatched. Nothing polls for the kernel log, units and checks; taint is looked at each second, pressure
 * and memory every few seconds, and only while a trial is on.
 *
 *   passed   the time is over, the last look found nothing: the record and what was superseded go
 *   failed   a bad sign: the reason is written into the record first, so that the decision survives a
 *            crash, then a job of the type `rollback` takes the patches out (job-rollback.c)
 *   ended    somebody removed or superseded its patches, or said that he is content
 *
 * A sign belongs to the trial whose patch it names; one that names nobody belongs to the youngest, as
 * what changed last is what most likely did it. What a rollback has brought back is on trial, too, for signs that
 * name it: it was good before, and services that flap, say, must not take out one good patch after the other.
 *
 * What jobs and callers say to them is in trial-job.c.
 */

#include <inttypes.h>
#include <syslog.h>

#include "daemon/bus.h"
#include "daemon/job.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "daemon/timer.h"
#include "daemon/trial-checks.h"
#include "daemon/trial-internal.h"
#include "daemon/trial-selftest.h"
#include "daemon/trial-units.h"
#include "dbus/errors.h"
#include "util/strv.h"

/* --- one trial --- */

static Trial *trial_free(Trial *t) {
        if (!t)
                return NULL;
        sd_event_source_disable_unref(t->timer);
        trial_record_done(&t->record);
        strv_free(t->out_ids);
        strv_free(t->out_modules);
        free(t);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP(Trial *, trial_free);

/** trial_say() - write to the journal, once for each patch */
void trial_say(const Trial *t, const char *message_id, int priority, const char *format, ...) {
        va_list ap;

        for (size_t i = 0; t->record.ids && t->record.ids[i]; i++) {
                va_start(ap, format);
                record_vsay(&(Record) {
                        .message_id = message_id,
                        .priority = priority,
                        .transaction = t->record.transaction,
                        .patch = t->record.ids[i],
                        .module = t->record.modules[i],
                        .digest = t->record.digests[i],
                        .caller_uid = UINT32_MAX,
                }, format, ap);
                va_end(ap);
        }
}

/**
 * trials_say_blind() - write to the journal that a sign could not be looked for
 * @module: which was to be asked; NULL: none
 *
 * That is no sign itself: the patches stay, and the others still count.
 */
void trials_say_blind(const char *module, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        record_vsay(&(Record) {
                .message_id = HOTPATCH_MESSAGE_TRIAL_BLIND,
                .priority = LOG_WARNING,
                .module = module,
                .caller_uid = UINT32_MAX,
        }, format, ap);
        va_end(ap);
}

static int on_end(sd_event_source *source, uint64_t usec, void *userdata);

/** trial_set_timer() - wake up when it ends. Return: 0 or a negative errno. */
int trial_set_timer(Trial *t) {
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

/** trials_find() - the trial of a transaction, or NULL */
Trial *trials_find(const Trials *t, const char *transaction) {
        for (size_t i = 0; i < t->n; i++)
                if (streq(t->list[i]->record.transaction, transaction))
                        return t->list[i];
        return NULL;
}

/** trials_find_patch() - the trial that a patch is on, also one that has failed; or NULL */
Trial *trials_find_patch(const Trials *t, const char *id) {
        for (size_t i = 0; i < t->n; i++)
                if (strv_contains(t->list[i]->record.ids, id))
                        return t->list[i];
        return NULL;
}

/* --- watching --- */

static bool any_running(const Trials *t) {
        for (size_t i = 0; i < t->n; i++)
                if (trial_is_running(t->list[i]))
                        return true;
        return false;
}

/** trials_log_begin() - where the kernel log begins that the trials have not seen; 0: its beginning */
uint64_t trials_log_begin(const Trials *t) {
        uint64_t from = KERNEL_LOG_NOW;

        for (size_t i = 0; i < t->n; i++)
                if (trial_is_running(t->list[i]) && t->list[i]->record.kmsg_sequence < from)
                        from = t->list[i]->record.kmsg_sequence;
        return from;
}

/* What is still busy since the last time is not asked for more. */
static int on_interval(sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Trials *t = userdata;
        int r = timer_again(source, t->manager->config->trial.check_interval_usec);

        if (r < 0)
                return r;
        if (!trial_checks_running(t->checks))
                trial_checks_run(t->checks);
        if (!trial_self_tests_running(t->self_tests))
                trial_self_tests_run(t->self_tests);
        return 0;
}

/** trials_watch() - a trial is on: look for all signs that the policy counts */
void trials_watch(Trials *t) {
        const TrialPolicy *policy = &t->manager->config->trial;

        if (!t->log)
                trial_log_open(t, trials_log_begin(t));
        /* What cannot be watched is not watched: the other signs still count. */
        if (!t->look)
                (void) (trial_look_start(t) < 0);
        if (!t->units && (policy->signs & TRIAL_SIGN_UNITS))
                (void) (trial_units_new(t, &t->units) < 0);
        if (!t->checks && (policy->signs & TRIAL_SIGN_CHECKS))
                (void) (trial_checks_new(t, &t->checks) < 0);
        if (!t->self_tests && (policy->signs & TRIAL_SIGN_SELF_TEST))
                (void) (trial_self_tests_new(t, &t->self_tests) < 0);
        if (!t->interval && (t->checks || t->self_tests))
                (void) (timer_arm(t->manager->event, &t->interval, policy->check_interval_usec, USEC_PER_SEC, on_interval,
                                t) < 0);
}

static void unwatch(Trials *t) {
        trial_look_stop(t);
        t->interval = sd_event_source_disable_unref(t->interval);
        t->checks = trial_checks_free(t->checks);
        t->self_tests = trial_self_tests_free(t->self_tests);
        /* A job watches these too. */
        if (manager_running_job(t->manager))
                return;
        t->units = trial_units_free(t->units);
        trial_log_close(t);
}

/* --- ends --- */

static void erase(Trials *t, const Trial *trial) {
        (void) (store_trial_remove(t->manager->store, trial->record.transaction) < 0);
        (void) (store_superseded_drop(t->manager->store, trial->record.transaction) < 0);
}

static void forget(Trials *t, Trial *trial) {
        trial_free(trial);
        if (!any_running(t))
                unwatch(t);
        bus_patches_changed(t->manager);
}

/**
 * trials_forget() - the trial at place @i of the list is over, and nothing is said about it
 * @tried_later: it begins anew when its patches come; what they superseded is kept for it
 */
void trials_forget(Trials *t, size_t i, bool tried_later) {
        Trial *trial = list_take(t, i);

        if (tried_later)
                (void) (store_trial_remove(t->manager->store, trial->record.transaction) < 0);
        else
                erase(t, trial);
        forget(t, trial);
}

/** trials_end_one() - the trial at place @i of the list is over: it "passed", "failed", or has "ended" */
void trials_end_one(Trials *t, size_t i, const char *result, const char *reason) {
        _cleanup_free_ char *ids = NULL;
        Trial *trial = list_take(t, i);

        (void) (strv_quote(trial->record.ids, &ids) < 0);
        /* Before anybody is told: after a power cut, what was said to be over must not be a trial that crashed. */
        erase(t, trial);
        if (streq(result, "passed"))
                trial_say(trial, HOTPATCH_MESSAGE_TRIAL_PASSED, LOG_NOTICE, "The trial of %s has passed",
                        strempty(ids));
        else if (streq(result, "ended"))
                trial_say(trial, HOTPATCH_MESSAGE_TRIAL_ENDED, LOG_NOTICE, "The trial of %s has ended: %s",
                        strempty(ids), reason);
        bus_trial_ended(t->manager, trial->record.ids, result, reason);
        forget(t, trial);
}

/** trials_pass() - the trial at place @i of the list has passed */
void trials_pass(Trials *t, size_t i) {
        const TrialRecord *record = &t->list[i]->record;

        /* A patch that has proved itself does not carry an old crash with it. */
        for (size_t k = 0; record->ids && record->ids[k]; k++)
                (void) (store_strike_clear(t->manager->store, record->ids[k], record->digests[k]) < 0);
        trials_end_one(t, i, "passed", "");
}

/**
 * trials_settle() - end the trials whose time is over and that nothing speaks against
 *
 * Called when a trial becomes due, when the last checks have ended, and when a job has.
 */
void trials_settle(Trials *t) {
        /* A job may be about to take its patches out. */
        if (manager_running_job(t->manager) || trial_checks_running(t->checks) ||
            trial_self_tests_running(t->self_tests))
                return;
        /* In the order in which they began. */
        for (size_t i = 0; i < t->n;)
                if (t->list[i]->due && trial_is_running(t->list[i]))
                        trials_pass(t, i);
                else
                        i++;
}

/* The site's, and the patches' own. */
static void run_checks(Trials *t) {
        trial_checks_run(t->checks);
        trial_self_tests_run(t->self_tests);
}

static int on_end(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Trial *trial = userdata;
        Trials *t = trial->trials;

        trial->due = true;
        /* The last look; it may fail this trial, or another. */
        trial_log_catch_up(t);
        trial_look_at_taint(t);
        run_checks(t);
        trials_settle(t);
        return 0;
}

/* --- failing --- */

/* What a daemon before us had begun, then the youngest. */
static Trial *next_to_roll_back(const Trials *t) {
        Trial *found = NULL;

        for (size_t i = t->n; i-- > 0;) {
                Trial *trial = t->list[i];

                if (trial->failed && !trial->given_up && (!found || trial->resumed))
                        found = trial;
        }
        return found;
}

static void roll_back(Trials *t) {
        Trial *trial;

        while ((trial = next_to_roll_back(t))) {
                int r;

                /* One at a time; when it has ended comes the next. */
                if (job_make_room(t->manager, trial->record.transaction, trial->record.reason))
                        return;
                r = job_start_rollback(t->manager, &trial->record, trial->out_ids, trial->out_modules);
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
        (void) (strv_quote(t->record.ids, &ids) < 0);
        trial_say(t, HOTPATCH_MESSAGE_TRIAL_FAILED, LOG_ALERT, "The trial of %s has failed, it is taken out: %s",
                strempty(ids), reason);
        /* Not durable is better than not done: the intent of the rollback comes too. */
        if (store_trial_write(trials->manager->store, &t->record, &error) < 0)
                trial_say(t, HOTPATCH_MESSAGE_TRIAL_FAILED, LOG_WARNING, "%s", error.message);
        trial_look_consume(trials);
        if (!any_running(trials))
                unwatch(trials);
        roll_back(trials);
}

/**
 * trials_youngest() - whom a sign that names nobody is held against
 * @sequence: of the kernel log record that it is; UINT64_MAX: of none
 *
 * Return: the running trial that began last, of those that had begun by then and that need not be named; or NULL.
 */
Trial *trials_youngest(const Trials *t, uint64_t sequence) {
        for (size_t i = t->n; i-- > 0;)
                if (trial_is_running(t->list[i]) && !trial_must_be_named(t->list[i]) &&
                    t->list[i]->record.kmsg_sequence <= sequence)
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
        trial_self_tests_free(t->self_tests);
        sd_event_source_disable_unref(t->interval);
        sd_event_source_disable_unref(t->next);
        for (size_t i = 0; i < t->n; i++)
                trial_free(t->list[i]);
        free(t->list);
        free(t);
        return NULL;
}

/** trials_add() - append a trial; @record is taken over on success. Return: 0 or -ENOMEM. */
int trials_add(Trials *t, TrialRecord *record) {
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

static void forgive_all(Trials *t) {
        for (size_t i = 0; i < t->n; i++) {
                const Trial *trial = t->list[i];
                size_t n = t->n;

                if (!trial_is_running(trial))
                        continue;
                if (trials_forgive(t, trial->record.ids, trial->record.transaction, TRIALS_FAILED) < 0)
                        return;
                if (t->n < n)
                        i = (size_t) -1; /* they have moved; what is over does not come again */
        }
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
        /* Before a crash can come. One that cannot be written costs no more than the strike it is about. */
        (void) (store_mark_running(t->manager->store, boot, NULL) < 0);
        r = store_trial_list(t->manager->store, &records, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < n; i++)
                if (sd_id128_equal(records[i].boot_id, boot))
                        r = trials_add(t, &records[i]);
        trial_records_free(records, n);
        if (r >= 0)
                forgive_all(t);
        return r;
}

/**
 * trials_start() - go on with what was loaded
 *
 * The kernel log is read from where the trials began, so that nothing is missed that came while there
 * was no daemon.
 */
void trials_start(Trials *t) {
        trial_look_at_dump(t);
        if (any_running(t)) {
                trials_watch(t);
                trial_log_catch_up(t);
        }
        for (size_t i = 0; i < t->n; i++)
                if (trial_is_running(t->list[i]) && trial_set_timer(t->list[i]) < 0)
                        t->list[i]->due = true;
        roll_back(t);
        if (any_running(t))
                run_checks(t);
}

/** trials_pending() - is there a trial? Then the daemon stays. */
bool trials_pending(const Trials *t) {
        for (size_t i = 0; i < t->n; i++)
                if (!t->list[i]->given_up)
                        return true;
        return false;
}

/* --- after a job --- */

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
