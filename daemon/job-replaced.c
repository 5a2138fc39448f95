/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a module that takes the place of all livepatches (klp_patch.replace) has thrown out, when the Apply that brought
 * it is undone after all.
 *
 * The kernel takes the others out of force with the end of the transition, and nothing turns that around. What comes
 * later may fail: the commit, the daemon itself. Then the new module goes out as any, and what was in force before and
 * is wanted is brought back; for a moment the original code runs, with its holes. To go forwards instead would
 * need somebody who watched the transition end.
 *
 * Before the kernel is touched the intent says whom the module will throw out, as nobody could tell afterwards: a
 * patch that is wanted and not in force may have been taken out by hand. Patches whose trial has failed meanwhile do not
 * come back, nor what requires them. Modules of others are not ours to insert; that they are out is said.
 */

#include <syslog.h>

#include "daemon/job-internal.h"
#include "daemon/messages.h"
#include "util/strv.h"

/**
 * job_note_replaced() - keep what the plan says will be thrown out
 *
 * Return: 0 or -ENOMEM.
 */
int job_note_replaced(Job *j) {
        const Plan *plan = job_plan(j);
        int r;

        if (!plan->replacer)
                return 0;
        r = strv_copy(plan->replaced, &j->replaced);
        return r < 0 ? r : strv_copy(plan->replaced_foreign, &j->replaced_foreign);
}

static bool is_out(const Job *j, const char *module) {
        LivepatchState state;

        return livepatch_state(j->manager->kernel, module, &state) >= 0 &&
                (state == LIVEPATCH_ABSENT || state == LIVEPATCH_INACTIVE || state == LIVEPATCH_HELD);
}

static bool may_return(const Job *j, const AdmittedRecord *r, char *const *stay_out) {
        for (char **id = r->requires; id && *id; id++)
                if (strv_contains(stay_out, *id))
                        return false;
        return !trials_failed(j->manager->trials, r->id);
}

/* One that is in transition is on its way back already: a daemon before us began it. */
static bool is_missing(const Job *j, const AdmittedRecord *r) {
        LivepatchState state;

        return strv_contains(j->replaced, r->id) &&
                livepatch_state(j->manager->kernel, r->module, &state) >= 0 &&
                state != LIVEPATCH_PATCHED && state != LIVEPATCH_UNPATCHING;
}

static int list_missing(const Job *j, char ***ret) {
        _cleanup_strv_free_ char **ids = NULL, **stay_out = NULL;
        AdmittedRecord *records;
        size_t n;
        int r;

        r = store_admitted_list(j->manager->store, &records, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; r >= 0 && i < n; i++)
                if (is_missing(j, &records[i]))
                        r = strv_extend(may_return(j, &records[i], stay_out) ? &ids : &stay_out, records[i].id);
        admitted_records_free(records, n);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(ids);
        return 0;
}

/** job_tell_foreign() - say which livepatches of others are out of force because of this */
void job_tell_foreign(Job *j, char *const *modules) {
        for (; modules && *modules; modules++) {
                if (!is_out(j, *modules))
                        continue;
                job_record(j, HOTPATCH_MESSAGE_UNDO_FAILED, LOG_CRIT, NULL, *modules,
                        "The livepatch '%s', which is not ours and was replaced, is not in force any more", *modules);
                job_error_extend(j, "; the livepatch '%s', which is not ours and was replaced, is not in force any more",
                        *modules);
        }
}

/** job_replaced_over() - what could be brought back is back */
void job_replaced_over(Job *j) {
        if (!j->return_failed)
                for (char **id = j->returns; id && *id; id++)
                        job_error_extend(j, "; patch '%s', which was replaced, is in force again", *id);
        job_close_intent(j);
        job_finish_undone(j);
}

static int list_again(Job *j) {
        job_wait_stop(j);
        job_bring_back_replaced(j);
        return WAIT_OVER;
}

/**
 * job_bring_back_replaced() - nothing of the job is in the kernel any more, nor in the records
 *
 * The job ends with it.
 */
void job_bring_back_replaced(Job *j) {
        _cleanup_strv_free_ char **ids = NULL;
        int r;

        if (j->returning)
                return job_return_undone(j);
        if (!j->foreign_told)
                job_tell_foreign(j, j->replaced_foreign);
        j->foreign_told = true;
        r = list_missing(j, &ids);
        if (r < 0 && job_return_tries_again(j, r, NULL) && job_wait_after(j, list_again, JOB_RETRY_USEC) >= 0)
                return;
        if (r < 0) {
                job_return_give_up(j, r, NULL);
                return job_replaced_over(j);
        }
        if (!ids)
                return job_replaced_over(j);
        job_return(j, ids);
}
