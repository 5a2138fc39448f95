/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A patch that the start of the machine had no time for comes into force: the way back (job-return.c) of one that nobody
 * took out. What it is put on trial by, and what a crash then means, is what hotpatch-restore would have written.
 *
 * There is no intent. The patch is wanted all the time, the record of its trial is written before its module is given to
 * the kernel, and whatever a kill leaves in transition the kernel ends by itself.
 */

#include <inttypes.h>
#include <syslog.h>

#include "daemon/aftermath.h"
#include "daemon/job-internal.h"
#include "daemon/messages.h"
#include "daemon/restore-rest.h"
#include "util/strv.h"

static int on_begin(Job *j) {
        job_wait_stop(j);
        j->touched = true; /* what follows is no refusal, though there is no intent */
        job_record(j, HOTPATCH_MESSAGE_JOB_STARTED, LOG_NOTICE, j->ids[0], NULL,
                "Job %" PRIu32 " puts '%s' back, which was postponed at the start of the machine", j->id, j->ids[0]);
        job_return(j, j->ids);
        return WAIT_OVER;
}

/** job_restore_over() - it is in force, or could not be put back */
void job_restore_over(Job *j) {
        restore_rest_over(j->manager, j);
        job_finish(j, j->return_failed ? JOB_FAILED : JOB_DONE);
}

/**
 * job_start_restore() - begin to put a patch back that was postponed
 * @m: the manager; no job may run
 * @record: wanted; copied
 *
 * The job begins its work in the next turn of the event loop, and ends with restore_rest_over().
 *
 * Return: 0 or a negative errno.
 */
int job_start_restore(Manager *m, const AdmittedRecord *record) {
        _cleanup_(job_freep) Job *j = NULL;
        sd_id128_t boot;
        int r;

        r = job_new(m, JOB_RESTORE, &j);
        if (r >= 0)
                r = sd_id128_get_boot(&boot);
        if (r >= 0)
                r = strv_extend(&j->ids, record->id);
        if (r < 0)
                return r;
        free(j->transaction);
        j->transaction = aftermath_restore_transaction(boot, record->order);
        if (!j->transaction)
                return -ENOMEM;
        j->state = JOB_LOADING;
        r = job_wait(j, on_begin);
        if (r >= 0)
                r = manager_add_job(m, j);
        if (r < 0)
                return r;
        (void) TAKE_PTR(j);
        return 0;
}
