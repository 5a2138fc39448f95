/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The intent of a job: on disk before the kernel is touched, and away when the kernel is in a state that needs no
 * explanation. What was left by a daemon before us, or by a job that was given up, is not written over: the next start
 * has no other way to know of it. What becomes of one that stays: job-recover.c.
 */

#include <inttypes.h>

#include "daemon/job-internal.h"
#include "dbus/errors.h"
#include "util/strv.h"

/* It says what a daemon before us was doing, if only a person could read it: not to be written over. */
static int check_no_damaged_intent(const Store *s, sd_bus_error *error) {
        _cleanup_(intent_done) Intent intent = {};

        if (store_intent_read(s, &intent) != -EBADMSG)
                return 0;
        return sd_bus_error_set(error, HOTPATCH_ERROR("StateDamaged"),
                "the file '/var/lib/hotpatch/intent', which says what was under way, cannot be read");
}

/* A job that was given up left one for the next start, which has no other way to know. A failed trial has its record. */
static int check_no_unfinished_job(const Job *j, sd_bus_error *error) {
        if (j->manager->unfinished_job == 0)
                return 0;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("JobUnfinished"),
                "Job %" PRIu32 " could be neither finished nor undone, which the next start of hotpatchd tries again",
                j->manager->unfinished_job);
}

/* A write that failed may have put the file in place all the same, see file_replace_at(). It must not
 * speak of a job that does not begin; one that is left of an earlier job stays. */
static void take_intent_back(const Store *s, const Intent *ours) {
        _cleanup_(intent_done) Intent found = {};

        if (store_intent_read(s, &found) >= 0 && found.started_usec == ours->started_usec &&
            sd_id128_equal(found.boot_id, ours->boot_id))
                (void) (store_intent_clear(s) < 0);
}

/**
 * job_open_intent() - write down what is about to be done, so that a crash can be explained
 * @type: "apply" (an open one is undone at the next start) or "remove" (it is finished)
 * @ids, @modules: borrowed for the call
 */
int job_open_intent(Job *j, const char *type, char **ids, char **modules, sd_bus_error *error) {
        _cleanup_strv_free_ char **digests = NULL;
        Intent intent = {
                .type = (char *) type,
                .ids = ids,
                .modules = modules,
                .started_usec = clock_usec(CLOCK_REALTIME),
        };
        int r;

        r = sd_id128_get_boot(&intent.boot_id);
        if (r >= 0)
                r = store_admitted_next_order(j->manager->store, &intent.order);
        if (r < 0)
                return r;
        r = job_digests(j, ids, &digests);
        if (r < 0)
                return r;
        intent.digests = digests;
        if (streq(type, job_type_to_string(JOB_APPLY))) {
                intent.replaced = j->replaced;
                intent.replaced_foreign = j->replaced_foreign;
        }
        r = j->intent_open ? 0 : check_no_damaged_intent(j->manager->store, error);
        if (r >= 0 && !j->intent_open)
                r = check_no_unfinished_job(j, error);
        if (r < 0)
                return r;
        r = store_intent_write(j->manager->store, &intent, error);
        if (r < 0) {
                /* With an older one open the job goes on to be undone, and closes what is there then. */
                if (!j->intent_open)
                        take_intent_back(j->manager->store, &intent);
                return r;
        }
        j->intent_open = true;
        j->resolved = false;
        j->touched = true;
        return 0;
}

/** job_close_intent() - the kernel is in a state that needs no explanation */
void job_close_intent(Job *j) {
        j->resolved = true;
        if (j->intent_open && store_intent_clear(j->manager->store) >= 0)
                j->intent_open = false;
}
