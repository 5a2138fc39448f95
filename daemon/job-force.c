/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Force(): end a stalled transition by declaring every task changed over.
 *
 * The kernel then gives up what makes live patching safe: a task may be in the old function and meet
 * data that the new one has changed, or the other way round. Only the author of the patch can know that
 * this does no harm, so each bundle of the job must say `force_safe` in its signed manifest. The kernel's own
 * attempts come first: before it has woken whom it can (15 s) nothing is stalled.
 *
 * The order is: authorised, checked again, written down durably, told to the journal, then the kernel. A
 * crash in between leaves a record of something that did not happen; that costs a restart, the
 * other way round would cost the truth. When the kernel refuses, the record is taken back.
 *
 * What stays: a module that was being taken out, or was replaced, is pinned by the kernel until the
 * restart (klp_force_transition()); the one that was being put in is not, and can be removed as always.
 */

#include <inttypes.h>
#include <syslog.h>

#include "daemon/bus.h"
#include "daemon/job-internal.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "daemon/store-forced.h"
#include "dbus/errors.h"
#include "util/strv.h"

static bool record_is_force_safe(const Store *s, const char *id) {
        _cleanup_(admitted_record_done) AdmittedRecord record = {};

        return store_admitted_find(s, id, &record) >= 0 && record.force_safe == 1;
}

/* What the signatures vouch for: in the bundle that is being applied, or in the record made from one. */
static bool is_force_safe(const Job *j, const char *id) {
        PreparedBundle *bundles = NULL;
        size_t n = 0;

        if (j->preparation)
                bundles = preparation_bundles(j->preparation, &n);
        for (size_t i = 0; i < n; i++)
                if (streq_ptr(bundles[i].id, id))
                        return bundles[i].verified && verified_manifest(bundles[i].verified)->force_safe;
        return record_is_force_safe(j->manager->store, id);
}

static int check_safe(const Job *j, const char *id, sd_bus_error *error) {
        if (is_force_safe(j, id))
                return 0;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("NotForceSafe"),
                "The manifest of '%s' does not say that its transition may be forced", id);
}

/**
 * job_force_check() - may the transition of this job be forced now?
 * @error: NotStalled or NotForceSafe
 *
 * Return: 0 or a negative errno.
 */
int job_force_check(const Job *j, sd_bus_error *error) {
        const Plan *plan = job_plan(j);
        int r = 0;

        if (j->state == JOB_FINISHED)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NotStalled"), "Job %" PRIu32 " has ended", j->id);
        if (!j->stall || j->worker || j->forced || job_waited_usec(j) < STALL_KERNEL_SIGNALS_USEC)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NotStalled"),
                        "No transition of job %" PRIu32 " is stalled", j->id);
        for (char **id = j->ids; r >= 0 && id && *id; id++)
                r = check_safe(j, *id, error);
        /* What it takes out for others is forced with it. */
        for (size_t i = 0; r >= 0 && plan && i < plan->n_steps; i++)
                if (plan->steps[i].id)
                        r = check_safe(j, plan->steps[i].id, error);
        return r;
}

/* klp_force_transition(): what is taken out stays in memory, be it this patch or those that it replaces. */
static int list_pinned(const Job *j, char ***ret) {
        _cleanup_strv_free_ char **pinned = NULL;
        const Plan *plan = job_plan(j);
        int r = 0;

        if (!stall_is_patching(j->stall))
                r = strv_extend(&pinned, stall_module(j->stall));
        for (size_t i = j->step + 1; stall_is_patching(j->stall) && r >= 0 && plan && i < plan->n_steps; i++)
                if (plan->steps[i].action == STEP_VANISH && plan->steps[i].module &&
                    !strv_contains(pinned, plan->steps[i].module))
                        r = strv_extend(&pinned, plan->steps[i].module);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(pinned);
        return 0;
}

static int add_missing(char ***v, char *const *more) {
        for (char *const *s = more; s && *s; s++) {
                int r = strv_contains(*v, *s) ? 0 : strv_extend(v, *s);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* What was forced before in this boot stays so, whatever becomes of this. */
static int merge(const Job *j, Forced *f) {
        char *module[] = { (char *) stall_module(j->stall), NULL };
        int r;

        r = add_missing(&f->ids, j->forced_before.ids);
        if (r >= 0)
                r = add_missing(&f->ids, j->ids);
        if (r >= 0)
                r = add_missing(&f->modules, j->forced_before.modules);
        if (r >= 0)
                r = add_missing(&f->modules, module);
        if (r >= 0)
                r = list_pinned(j, &f->pinned);
        return r < 0 ? r : add_missing(&f->pinned, j->forced_before.pinned);
}

static int write_down(Job *j, uint32_t caller_uid, sd_bus_error *error) {
        _cleanup_(forced_done) Forced f = {
                .forced_usec = clock_usec(CLOCK_REALTIME),
                .caller_uid = caller_uid,
        };
        int r;

        r = sd_id128_get_boot(&f.boot_id);
        if (r < 0)
                return r;
        forced_done(&j->forced_before);
        j->forced_before = (Forced) {};
        r = store_forced_read(j->manager->store, f.boot_id, &j->forced_before);
        if (r < 0 && r != -ENOENT)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("StateDamaged"),
                        "The file '/var/lib/hotpatch/forced' cannot be read: %s", strerror(-r));
        r = merge(j, &f);
        if (r < 0)
                return r;
        return store_forced_write(j->manager->store, &f, error);
}

/* It was not forced. */
static void take_back(const Job *j) {
        if (j->forced_before.modules)
                (void) (store_forced_write(j->manager->store, &j->forced_before, NULL) < 0);
        else
                (void) (store_forced_clear(j->manager->store) < 0);
}

static void tell(const Job *j, uint32_t caller_uid) {
        _cleanup_free_ char *summary = NULL;

        if (stall_summary(j->stall, &summary) < 0)
                return;
        record_say(&(Record) {
                .message_id = HOTPATCH_MESSAGE_FORCED,
                .priority = LOG_CRIT,
                .transaction = j->transaction,
                .patch = j->ids ? j->ids[0] : NULL,
                .module = stall_module(j->stall),
                .caller_uid = caller_uid,
        }, "The transition of module '%s' is forced, over %s", stall_module(j->stall), *summary ? summary : "nobody");
}

/* The wait goes on where it was: with its deadline. */
static void wait_on(Job *j) {
        if (j->timer)
                (void) sd_event_source_set_enabled(j->timer, SD_EVENT_ONESHOT);
}

static void force_done(Job *j, int r, const sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = TAKE_PTR(j->force_call);
        _cleanup_(sd_bus_error_free) sd_bus_error refusal = SD_BUS_ERROR_NULL;

        /* -ECHILD, -ETIME: nobody knows; then it counts as forced. */
        j->forced = r >= 0 || r == -ECHILD || r == -ETIME;
        if (!j->forced)
                take_back(j);
        if (r == -EINVAL || r == -ENOENT)
                r = sd_bus_error_setf(&refusal, HOTPATCH_ERROR("NotStalled"),
                        "The transition of job %" PRIu32 " ended by itself", j->id);
        else if (r < 0)
                r = sd_bus_error_setf(&refusal, HOTPATCH_ERROR("RefusedByKernel"),
                        "The transition cannot be forced: %s", error->message ?: strerror(-r));
        bus_reboot_changed(j->manager);
        if (call && r < 0)
                (void) sd_bus_reply_method_errno(call, r, &refusal);
        else if (call)
                (void) sd_bus_reply_method_return(call, NULL);
        wait_on(j);
        if (j->forced)
                baseline_look(j->manager->baseline);
}

/**
 * job_force() - end the stalled transition of a job by force
 * @request: the authorised call; answered when the kernel was told
 * @error: see job_force_check(), and StateUnwritable
 *
 * Return: 1 when the reply will be sent, or a negative errno.
 */
int job_force(Job *j, const Request *request, sd_bus_error *error) {
        int r;

        r = job_force_check(j, error);
        if (r < 0)
                return r;
        r = write_down(j, request->caller_uid, error);
        if (r < 0)
                return r;
        tell(j, request->caller_uid);
        r = job_call(j, JOB_CALL_FORCE, stall_module(j->stall), force_done);
        if (r < 0) {
                take_back(j);
                return r;
        }
        (void) sd_event_source_set_enabled(j->timer, SD_EVENT_OFF);
        sd_bus_message_unref(j->force_call);
        j->force_call = sd_bus_message_ref(request->call);
        return 1;
}
