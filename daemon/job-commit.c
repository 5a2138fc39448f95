/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is in force is written down. The last commit of an Apply is its point of no return, see
 * job-steps.c.
 */

#include <syslog.h>

#include "daemon/admit.h"
#include "daemon/job-internal.h"
#include "daemon/messages.h"
#include "dbus/errors.h"
#include "util/strv.h"

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

/* All but what is only known when it is written. */
static int fill_record(const Job *j, const PreparedBundle *b, AdmittedRecord *ret) {
        int r = admit_record(b->verified, &j->manager->identity, b->admitted_usec, ret);

        if (r < 0)
                return r;
        r = strv_copy(b->payload.states, &ret->states);
        if (r >= 0 && streq_ptr(job_plan(j)->replacer, b->id))
                r = strv_copy(job_plan(j)->replaced, &ret->replaced);
        if (r < 0 || !b->payload.build_id)
                return r;
        ret->module_build_id = strdup(b->payload.build_id);
        return ret->module_build_id ? 0 : -ENOMEM;
}

static int write_record(Job *j, const PreparedBundle *b, sd_bus_error *error) {
        _cleanup_(admitted_record_done) AdmittedRecord record = {};
        const Manager *m = j->manager;
        int r = fill_record(j, b, &record);

        if (r < 0)
                return r;
        record.applied_usec = clock_usec(CLOCK_REALTIME);
        r = store_admitted_next_order(m->store, &record.order);
        if (r < 0)
                return r;
        return store_admitted_commit(m->store, b->copy_fd, &record, error);
}

/**
 * job_prepare_commit() - look, before the kernel is touched, for what could keep the commit from being written
 *
 * What a module took the place of is gone when its transition has ended, and then it is too late.
 *
 * Return: 0 or a negative errno with StateUnwritable.
 */
int job_prepare_commit(Job *j, sd_bus_error *error) {
        const Plan *plan = job_plan(j);
        size_t n = 0;

        for (size_t i = 0; i < plan->n_steps; i++) {
                _cleanup_(admitted_record_done) AdmittedRecord record = {};
                PreparedBundle *b;
                int r;

                if (plan->steps[i].action != STEP_COMMIT)
                        continue;
                r = bundle_of(j, plan->steps[i].id, &b);
                if (r >= 0)
                        r = fill_record(j, b, &record);
                if (r >= 0)
                        r = store_admitted_check(&record, error);
                if (r < 0)
                        return r;
                n++;
        }
        return store_reserve(j->manager->store, n, error);
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

static const char *module_of(const Plan *plan, const char *id) {
        for (size_t i = 0; i < plan->n_steps; i++)
                if (plan->steps[i].action == STEP_COMMIT && streq_ptr(plan->steps[i].id, id))
                        return plan->steps[i].module;
        return "";
}

/* The longest trial that one of the bundles wants is that of the whole transaction. */
static int begin_trial(Job *j, sd_bus_error *error) {
        _cleanup_strv_free_ char **modules = NULL, **digests = NULL;
        uint64_t seconds = 0;
        int r = 0;

        for (char **id = j->committed; r >= 0 && id && *id; id++) {
                PreparedBundle *b;

                r = bundle_of(j, *id, &b);
                if (r < 0)
                        return r;
                if (verified_manifest(b->verified)->trial_seconds > seconds)
                        seconds = verified_manifest(b->verified)->trial_seconds;
                r = strv_extend(&modules, module_of(job_plan(j), *id));
                if (r >= 0)
                        r = strv_extend(&digests, verified_digest(b->verified));
        }
        return r < 0 ? r : trials_begin(j->manager->trials, j, j->committed, modules, digests, seconds, error);
}

/* What is left, if anything, is a removal. */
static int open_rest(Job *j, sd_bus_error *error) {
        _cleanup_strv_free_ char **ids = NULL, **modules = NULL;
        const Plan *plan = job_plan(j);

        for (size_t i = j->step + 1; i < plan->n_steps; i++)
                if (plan->steps[i].action == STEP_UNLOAD) {
                        int r = strv_extend(&ids, strempty(plan->steps[i].id));
                        if (r >= 0)
                                r = strv_extend(&modules, strempty(plan->steps[i].module));
                        if (r < 0)
                                return r;
                }
        if (modules)
                return job_open_intent(j, job_type_to_string(JOB_REMOVE), ids, modules, error);
        job_close_intent(j);
        return 0;
}

static int commit(Job *j, const PlanStep *s, sd_bus_error *error) {
        PreparedBundle *b;
        int r;

        r = bundle_of(j, s->id, &b);
        if (r < 0)
                return r;
        store_release(j->manager->store);
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
        return write_record(j, b, error);
}

/**
 * job_step_commit() - JobStep: the patch is in force on every task; from now on it is wanted
 *
 * Past the point of no return it is called again when the intent of the rest could not be written, see job-undo.c: that
 * is all that is done then.
 */
int job_step_commit(Job *j, sd_bus_error *error) {
        const PlanStep *s = job_step(j);
        int r = 0;

        if (!j->past_return)
                r = commit(j, s, error);
        if (r >= 0 && !more_to_add(j)) {
                /* Before the intent is closed: whoever is interrupted between the two finds one of them. */
                if (!j->past_return)
                        r = begin_trial(j, error);
                if (r >= 0) {
                        j->past_return = true;
                        r = open_rest(j, error);
                }
        }
        if (r < 0)
                return r;
        job_record(j, HOTPATCH_MESSAGE_APPLIED, LOG_NOTICE, s->id, s->module,
                "Patch '%s' is active", s->id);
        return STEP_OVER;
}
