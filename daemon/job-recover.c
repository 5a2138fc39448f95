/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * After an unclean end: an open intent in the state directory says what the last daemon was doing.
 *
 *   of another boot          the kernel it was about is gone: aftermath.c
 *   "apply", all committed   what it superseded is removed, or only the closing was missing
 *   "apply"                  undone: nobody watched the transition end, nobody committed it
 *   "remove"                 finished: it was authorised, and every part of it can be done again
 *   "rollback"               begun again: the record of the trial has the reason, see job-rollback.c
 *
 * The work is an ordinary job, visible on the bus, that keeps others out until it is over.
 */

#include <syslog.h>

#include "daemon/aftermath.h"
#include "daemon/job-internal.h"
#include "daemon/loaddir.h"
#include "daemon/messages.h"
#include "dbus/errors.h"
#include "util/strv.h"

/* Did the Apply of this intent write that down, or one before it? Not the clock tells, which can be set back, but
 * the order of records; an intent of a hotpatchd that did not note it has only the clock. */
static bool is_of_intent(const AdmittedRecord *record, const Intent *intent) {
        return intent->order > 0 ? record->order >= intent->order : record->applied_usec >= intent->started_usec;
}

static bool is_committed(const Store *s, const char *id, const Intent *intent) {
        _cleanup_(admitted_record_done) AdmittedRecord record = {};

        return store_admitted_find(s, id, &record) >= 0 && is_of_intent(&record, intent);
}

static int copy_committed(const Store *s, const Intent *intent, char ***ret) {
        _cleanup_strv_free_ char **committed = NULL;

        for (char **id = intent->ids; id && *id; id++) {
                int r = is_committed(s, *id, intent) ? strv_extend(&committed, *id) : 0;
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(committed);
        return 0;
}

static int add_step(Plan *plan, StepAction action, const char *id, const char *module) {
        PlanStep *s = &plan->steps[plan->n_steps];

        *s = (PlanStep) { .action = action, .id = strdup(id), .module = strdup(module) };
        plan->n_steps++;
        return s->id && s->module ? 0 : -ENOMEM;
}

/* The removal of the intent, from its beginning: each step that is done already is over at once. */
static int plan_rest(const Intent *intent, Plan **ret) {
        static const StepAction actions[] = { STEP_DISABLE, STEP_VANISH, STEP_UNLOAD, STEP_FORGET };
        _cleanup_(plan_freep) Plan *plan = NULL;
        size_t n = strv_length(intent->modules);

        plan = calloc(1, sizeof(*plan));
        if (!plan)
                return -ENOMEM;
        plan->steps = calloc(n * ELEMENTSOF(actions) + 1, sizeof(*plan->steps));
        if (!plan->steps)
                return -ENOMEM;
        plan->changed = true;
        for (size_t i = 0; i < n; i++)
                for (size_t a = 0; a < ELEMENTSOF(actions); a++)
                        if (add_step(plan, actions[a], intent->ids[i], intent->modules[i]) < 0)
                                return -ENOMEM;
        *ret = TAKE_PTR(plan);
        return 0;
}

static int finish_removal(Job *j, const Intent *intent) {
        int r;

        r = plan_rest(intent, &j->plan);
        if (r < 0)
                return r;
        j->past_return = true;
        job_run(j);
        return 0;
}

static bool is_superseded(const AdmittedRecord *records, size_t n, const AdmittedRecord *old, char *const *by) {
        for (size_t i = 0; i < n; i++)
                if (strv_contains(by, records[i].id) && admitted_record_displaces(&records[i], old->id, old->order))
                        return !strv_contains(by, old->id);
        return false;
}

/* What the patches @by supersede and is still wanted: with its modules, as in an intent. */
static int list_superseded(const Store *s, char *const *by, Intent *intent) {
        AdmittedRecord *records;
        size_t n;
        int r;

        r = store_admitted_list(s, &records, &n);
        if (r < 0)
                return r;
        /* the last one first, as everywhere */
        for (size_t i = n; r >= 0 && i-- > 0;) {
                if (!is_superseded(records, n, &records[i], by))
                        continue;
                r = strv_extend(&intent->ids, records[i].id);
                if (r >= 0)
                        r = strv_extend(&intent->modules, records[i].module);
        }
        admitted_records_free(records, n);
        return r;
}

/* Interrupted between the last commit and the record of the trial? */
static int begin_trial(Manager *m, Job *j, sd_bus_error *error) {
        _cleanup_strv_free_ char **modules = NULL, **digests = NULL, **ids = NULL;
        AdmittedRecord *records;
        uint64_t seconds = 0, its_seconds;
        size_t n;
        int r;

        r = store_admitted_list(m->store, &records, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                if (!strv_contains(j->committed, records[i].id) || trials_have(m->trials, records[i].id))
                        continue;
                its_seconds = trials_seconds(m, &records[i]);
                if (its_seconds > seconds)
                        seconds = its_seconds;
                r = strv_extend(&ids, records[i].id);
                if (r >= 0)
                        r = strv_extend(&modules, records[i].module);
                if (r >= 0)
                        r = strv_extend(&digests, records[i].digest);
        }
        admitted_records_free(records, n);
        return r < 0 ? r : trials_begin(m->trials, j, ids, modules, digests, seconds, error);
}

static int recover_committed(Manager *m, Job *j) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(intent_done) Intent rest = {};
        int r;

        r = begin_trial(m, j, &error);
        if (r == -ECANCELED) {
                job_fail(j, r, NULL); /* the job knows why */
                return 0;
        }
        if (r >= 0)
                r = list_superseded(m->store, j->committed, &rest);
        if (r < 0) {
                job_set_error(j, r, &error);
                return r;
        }
        if (!rest.ids) {
                job_close_intent(j);
                job_finish(j, JOB_DONE);
                return 0;
        }
        r = job_open_intent(j, job_type_to_string(JOB_REMOVE), rest.ids, rest.modules, &error);
        if (r < 0) {
                job_set_error(j, r, &error);
                return r;
        }
        return finish_removal(j, &rest);
}

static int recover_apply(Manager *m, Job *j, const Intent *intent) {
        int r;

        r = copy_committed(m->store, intent, &j->committed);
        if (r >= 0)
                r = strv_copy(intent->modules, &j->inserted);
        if (r >= 0)
                r = strv_copy(intent->replaced, &j->replaced);
        if (r >= 0)
                r = strv_copy(intent->replaced_foreign, &j->replaced_foreign);
        if (r < 0)
                return r;
        if (strv_length(j->committed) == strv_length(intent->ids))
                return recover_committed(m, j);
        r = sd_bus_error_set(&j->error, HOTPATCH_ERROR("Interrupted"),
                "hotpatchd was interrupted before the patch was active");
        job_fail(j, r, NULL);
        return 0;
}

/* The job itself is begun by trials_start(). */
static int recover_rollback(Manager *m, const Intent *intent) {
        int r;

        r = trials_resume_rollback(m->trials, intent, "hotpatchd was interrupted while it took the patch out");
        /* With such a trial the new job writes an intent in this one's place. Without, all was done but to tidy up. */
        if (r == 0)
                r = store_intent_clear(m->store);
        if (r == 0)
                (void) (store_superseded_clean(m->store) < 0);
        return r;
}

static int recover(Manager *m, const Intent *intent) {
        JobType type = streq(intent->type, job_type_to_string(JOB_REMOVE)) ? JOB_REMOVE : JOB_APPLY;
        _cleanup_(job_freep) Job *j = NULL;
        Job *added;
        int r;

        if (streq(intent->type, job_type_to_string(JOB_ROLLBACK)))
                return recover_rollback(m, intent);
        r = job_new(m, type, &j);
        if (r < 0)
                return r;
        j->unclean = true;
        j->intent_open = true;
        j->touched = true;
        r = strv_copy(intent->ids, &j->ids);
        if (r < 0)
                return r;
        added = TAKE_PTR(j);
        r = manager_add_job(m, added);
        if (r < 0) {
                job_free(added);
                return r;
        }
        job_record(added, HOTPATCH_MESSAGE_INTERRUPTED, LOG_WARNING, added->ids ? added->ids[0] : NULL,
                NULL, "hotpatchd was interrupted; it %s now",
                type == JOB_APPLY ? "undoes what was not finished" : "finishes the removal");
        r = type == JOB_APPLY ? recover_apply(m, added, intent) : finish_removal(added, intent);
        if (r < 0) {
                /* The intent stays for the next start. Until then somebody must be able to look, and to remove. */
                job_set_error(added, r, NULL);
                job_finish(added, JOB_FAILED);
        }
        return 0;
}

/**
 * job_recover() - clean up after a daemon that did not end well
 * @m: a manager with a bus, before it owns its name
 *
 * Return: 0 or a negative errno.
 */
int job_recover(Manager *m) {
        _cleanup_(intent_done) Intent intent = {};
        sd_id128_t boot;
        int r;

        loaddir_clear(kernel_root_fd(m->kernel));
        r = sd_id128_get_boot(&boot);
        if (r < 0)
                return r;
        /* hotpatch-restore has done it, if it is enabled; then there is nothing left. A state directory
         * that cannot be written keeps nobody from looking and removing. */
        (void) (aftermath_settle(m->store, kernel_root_fd(m->kernel), boot, clock_usec(CLOCK_REALTIME)) < 0);
        r = store_intent_read(m->store, &intent);
        if (r == -ENOENT)
                return 0;
        /* Somebody must look at it, with a daemon that lists what is active: findings_record() tells,
         * and job_open_intent() keeps everybody from changing more. */
        if (r == -EBADMSG)
                return 0;
        if (r < 0)
                return r;
        r = sd_id128_equal(boot, intent.boot_id) ? recover(m, &intent) : 0;
        return r < 0 ? r : 0;
}
