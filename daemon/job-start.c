/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Before the kernel is touched: admit, look, decide, and write the intent. Up to the end of this file
 * a job can be dropped without a trace.
 */

#include <inttypes.h>
#include <syslog.h>

#include "daemon/bus.h"
#include "daemon/facts.h"
#include "daemon/job-internal.h"
#include "daemon/loaddir.h"
#include "daemon/messages.h"
#include "dbus/errors.h"
#include "util/strv.h"

/* Module names of the plan, each once, in the order of the first step about it. */
static int plan_modules(const Plan *plan, StepAction action, char ***ret_ids, char ***ret_modules) {
        _cleanup_strv_free_ char **ids = NULL, **modules = NULL;
        int r;

        for (size_t i = 0; i < plan->n_steps; i++) {
                const PlanStep *s = &plan->steps[i];

                if (s->action != action || strv_contains(modules, strempty(s->module)))
                        continue;
                r = strv_extend(&ids, strempty(s->id));
                if (r >= 0)
                        r = strv_extend(&modules, strempty(s->module));
                if (r < 0)
                        return r;
        }
        *ret_ids = TAKE_PTR(ids);
        *ret_modules = TAKE_PTR(modules);
        return 0;
}

/* The plan is made: refuse, be done with nothing to do, or begin. */
static int begin(Job *j, sd_bus_error *error) {
        _cleanup_strv_free_ char **ids = NULL, **modules = NULL;
        const Plan *plan = job_plan(j);
        int r;

        if (sd_bus_error_is_set(&plan->refusal))
                return sd_bus_error_copy(error, &plan->refusal);
        if (!plan->changed)
                return sd_bus_error_set(error,
                        j->type == JOB_APPLY ? HOTPATCH_ERROR("AlreadyApplied")
                                             : HOTPATCH_ERROR("NotApplied"),
                        j->type == JOB_APPLY ? "Everything asked for is active already"
                                             : "Nothing of what was named is applied");
        r = plan_modules(plan, j->type == JOB_APPLY ? STEP_INSERT : STEP_UNLOAD, &ids, &modules);
        if (r < 0)
                return r;
        if (j->type == JOB_APPLY)
                trials_job_begins(j->manager->trials);
        /* Without a module there is no intent: writing or forgetting a record is one step in itself. */
        if (modules) {
                r = j->type == JOB_APPLY ? job_prepare_commit(j, error) : 0;
                if (r >= 0)
                        r = job_note_replaced(j);
                if (r < 0)
                        return r;
                r = job_open_intent(j, job_type_to_string(j->type), ids, modules, error);
                if (r < 0)
                        return r;
                job_record(j, HOTPATCH_MESSAGE_JOB_STARTED, LOG_INFO, j->ids ? j->ids[0] : NULL, NULL,
                        "Job %" PRIu32 " (%s) changes the kernel now", j->id, job_type_to_string(j->type));
        }
        job_run(j);
        return 0;
}

static void prepared(void *userdata, int r, const sd_bus_error *refusal) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        Job *j = userdata;

        if (r < 0)
                return job_fail(j, r, refusal);
        r = begin(j, &error);
        if (r < 0)
                job_fail(j, r, &error);
}

/* All bundles are admitted: now their ids are known, also those that came as a file. */
static void admitted(void *userdata) {
        Job *j = userdata;
        PreparedBundle *bundles;
        size_t n;

        bundles = preparation_bundles(j->preparation, &n);
        if (strv_length(j->ids) == 0)
                for (size_t i = 0; i < n; i++)
                        if (strv_extend(&j->ids, bundles[i].id) < 0)
                                break;
        job_set_state(j, JOB_PLANNING);
        job_set_progress(j, 0.1);
        trials_job_plans(j->manager->trials);
}

/**
 * job_start_apply() - begin to admit the bundles of an Apply or ApplyBundle
 * @j: a new job with its request
 * @error: NoSuchBundle, …
 *
 * Return: 0 or a negative errno.
 */
int job_start_apply(Job *j, sd_bus_error *error) {
        char name[16];
        int r;

        snprintf(name, sizeof(name), "%" PRIu32, j->id);
        r = loaddir_make(kernel_root_fd(j->manager->kernel), name, &j->load_dir_fd);
        if (r < 0)
                return sd_bus_error_set_errnof(error, -r, "/run/hotpatch/load cannot be used: %s",
                        strerror(-r));
        return preparation_new(&(PreparationParameters) {
                .manager = j->manager,
                .request = j->request,
                .load_dir_fd = j->load_dir_fd,
                .want_plan = true,
                .phase = admitted,
                .done = prepared,
                .userdata = j,
        }, &j->preparation, error);
}

static int plan_removal(Job *j, sd_bus_error *error) {
        _cleanup_(facts_freep) Facts *facts = NULL;
        Manager *m = j->manager;
        int r;

        r = facts_gather(m->kernel, m->store, NULL, 0, NULL, clock_usec(CLOCK_REALTIME), &facts, error);
        if (r < 0)
                return r;
        return plan_remove(j->ids, facts_for_plan(facts), &j->plan);
}

static int on_removal_planned(Job *j) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        job_wait_stop(j);
        r = plan_removal(j, &error);
        if (r >= 0)
                r = begin(j, &error);
        if (r < 0)
                job_fail(j, r, &error);
        return WAIT_OVER;
}

/**
 * job_start_remove() - begin a removal
 * @j: a new job with its request
 *
 * The plan is made in the next turn of the loop, after the caller got the job.
 *
 * Return: 0 or a negative errno.
 */
int job_start_remove(Job *j, _unused_ sd_bus_error *error) {
        j->state = JOB_PLANNING;
        return job_wait(j, on_removal_planned);
}
