/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The rest of a restore. The kernel takes no livepatch while another one is in transition, and hotpatch-restore does not
 * hold up the start of the machine for it. What it could not even begin for that reason it reports as `postponed`; when
 * no transition is under way any more these are put back here, one after the other, each by a job of its own.
 *
 * Once: before anything is tried the report says `unfinished`, and only afterwards how it went. So a daemon that dies
 * over it does not begin again, nor does the next, which only looks how that ended: what hotpatch-restore has begun and
 * did not see the end of is told by the same word. Nothing else of a restore is tried a second time: what was refused for
 * a cause would be refused again.
 *
 * That a transition has ended is looked at every few seconds. The kernel says it in its log, but the log of a machine that
 * starts overflows, and this goes on only while something waits.
 */

#include <syslog.h>

#include "daemon/job.h"
#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "daemon/restore-rest.h"
#include "daemon/restored.h"
#include "daemon/store-forced.h"
#include "daemon/timer.h"
#include "livepatch/state.h"
#include "util/str.h"
#include "util/strv.h"

#define LOOK_USEC (5 * USEC_PER_SEC)
#define SOON_USEC (100 * USEC_PER_MSEC)

struct RestoreRest {
        Manager *manager;
        sd_event_source *timer;
        bool waiting; /* something is postponed */
};

/** restore_rest_free() - wait no more; NULL is fine. Returns NULL. */
RestoreRest *restore_rest_free(RestoreRest *r) {
        if (!r)
                return NULL;
        sd_event_source_disable_unref(r->timer);
        free(r);
        return NULL;
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata);

static void look_again(RestoreRest *r, uint64_t usec) {
        r->waiting = timer_arm(r->manager->event, &r->timer, usec, SOON_USEC, on_look, r) >= 0;
}

/* Return: whether the report says so now; otherwise nothing may be tried. */
static bool report(const RestoreRest *r, const char *id, const char *result, const char *reason) {
        int k = restored_replace(kernel_root_fd(r->manager->kernel), id, result, reason);

        if (k < 0)
                record_say(&(Record) {
                        .message_id = HOTPATCH_MESSAGE_RESTORE_FAILED,
                        .priority = LOG_ERR,
                        .patch = id,
                        .caller_uid = UINT32_MAX,
                }, "Patch '%s', which was postponed at the start of the machine, is not put back: %s", id, strerror(-k));
        return k >= 0;
}

static bool give_up(const RestoreRest *r, const char *id, const char *reason) {
        record_say(&(Record) {
                .message_id = HOTPATCH_MESSAGE_NOT_RESTORED,
                .priority = LOG_WARNING,
                .patch = id,
                .caller_uid = UINT32_MAX,
        }, "Patch '%s', which was postponed at the start of the machine, is not put back: %s", id, reason);
        return report(r, id, "failed", reason);
}

static bool is_in_force(const Manager *m, const char *module) {
        LivepatchState state;

        return livepatch_state(m->kernel, module, &state) >= 0 && state == LIVEPATCH_PATCHED;
}

/* Return: whether the report is not final yet. No job may run. */
static bool settle_one(const RestoreRest *r, const AdmittedRecord *record) {
        LivepatchState state;

        if (livepatch_state(r->manager->kernel, record->module, &state) < 0 || state == LIVEPATCH_PATCHING)
                return true;
        if (state == LIVEPATCH_PATCHED)
                (void) report(r, record->id, "restored", "");
        else
                (void) give_up(r, record->id, "It was being put back, and did not come into force");
        return false;
}

/* What was begun, and nobody has seen the end of. Return: whether the kernel is still at it. */
static bool settle(const RestoreRest *r, const Restored *restored, const AdmittedRecord *records, size_t n) {
        bool waiting = false;

        for (size_t i = 0; i < n; i++)
                if (streq_ptr(restored_find(restored, records[i].id), "unfinished"))
                        waiting = settle_one(r, &records[i]) || waiting;
        return waiting;
}

/* It, or what supersedes it. */
static bool is_provided(const Manager *m, const char *id, const AdmittedRecord *records, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (admitted_record_provides(&records[i], id) && is_in_force(m, records[i].module))
                        return true;
        return false;
}

static const char *find_missing(const Manager *m, const AdmittedRecord *record, const AdmittedRecord *records, size_t n) {
        for (char **id = record->requires; id && *id; id++)
                if (!is_provided(m, *id, records, n))
                        return *id;
        return NULL;
}

/* The first that has all it requires; or else the first, and @ret_missing is what it lacks. NULL: none is left. */
static const AdmittedRecord *pick(const Manager *m, const Restored *restored, const AdmittedRecord *records, size_t n,
                const char **ret_missing) {
        const AdmittedRecord *first = NULL;

        *ret_missing = NULL;
        for (size_t i = 0; i < n; i++) {
                const char *result = restored_find(restored, records[i].id), *missing;

                if (!result || !streq(result, "postponed"))
                        continue;
                missing = find_missing(m, &records[i], records, n);
                if (!missing) {
                        *ret_missing = NULL;
                        return &records[i];
                }
                if (!first) {
                        first = &records[i];
                        *ret_missing = missing;
                }
        }
        return first;
}

/* Return: whether there may be more to do at once. */
static bool put_back(RestoreRest *r, const AdmittedRecord *record, const char *missing) {
        _cleanup_free_ char *forced = NULL, *lacks = NULL;
        int k = store_forced_why(r->manager->store, &forced);

        if (k >= 0 && missing)
                k = str_printf(&lacks, "it requires '%s', which is not in force", missing);
        if (k < 0)
                return give_up(r, record->id, strerror(-k));
        if (forced || lacks)
                return give_up(r, record->id, forced ?: lacks);
        if (is_in_force(r->manager, record->module))
                return report(r, record->id, "present", "");
        if (!report(r, record->id, "unfinished", "It is being put back"))
                return false;
        k = job_start_restore(r->manager, record);
        return k < 0 ? give_up(r, record->id, strerror(-k)) : false; /* restore_rest_over() goes on */
}

/* Return: whether there may be more to do at once. */
static bool look_at(RestoreRest *r, const Restored *restored, const AdmittedRecord *records, size_t n) {
        const AdmittedRecord *next;
        const char *missing;
        bool waiting;

        if (manager_running_job(r->manager)) {
                look_again(r, LOOK_USEC);
                return false;
        }
        waiting = settle(r, restored, records, n);
        next = pick(r->manager, restored, records, n, &missing);
        /* What cannot be read may be one that runs, and there is only one try. */
        if (next && livepatch_transition_running(r->manager->kernel, NULL) == 0)
                return put_back(r, next, missing);
        if (next || waiting)
                look_again(r, LOOK_USEC);
        return false;
}

/* There is none, or it will never be readable. What else keeps it from being read passes. */
static bool is_no_report(int r) {
        return r == -ENOENT || r == -EBADMSG;
}

/* Return: whether there may be more to do at once. */
static bool look(RestoreRest *r) {
        _cleanup_(restored_done) Restored restored = {};
        AdmittedRecord *records;
        bool more;
        size_t n;
        int k;

        k = restored_read(kernel_root_fd(r->manager->kernel), &restored);
        if (is_no_report(k))
                return false;
        if (k < 0 || store_admitted_list(r->manager->store, &records, &n) < 0) {
                look_again(r, LOOK_USEC);
                return false;
        }
        more = look_at(r, &restored, records, n);
        admitted_records_free(records, n);
        return more;
}

static int on_look(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        RestoreRest *r = userdata;

        r->waiting = false;
        /* Each round takes one out of the report's postponed ones. */
        while (look(r))
                ;
        return 0;
}

/** restore_rest_start() - put back what was postponed at the start of the machine, if anything was; returns at once */
void restore_rest_start(Manager *m) {
        _cleanup_(restored_done) Restored restored = {};
        int r;

        if (m->restore_rest)
                return;
        r = restored_read(kernel_root_fd(m->kernel), &restored);
        if (is_no_report(r) || (r >= 0 && !strv_contains(restored.results, "postponed") &&
                                !strv_contains(restored.results, "unfinished")))
                return;
        m->restore_rest = calloc(1, sizeof(*m->restore_rest));
        if (!m->restore_rest)
                return;
        m->restore_rest->manager = m;
        look_again(m->restore_rest, SOON_USEC);
}

/** restore_rest_pending() - does something wait? Then the daemon stays. */
bool restore_rest_pending(const Manager *m) {
        return m->restore_rest && m->restore_rest->waiting;
}

/** restore_rest_over() - the job of job_start_restore() is about to end */
void restore_rest_over(Manager *m, const Job *j) {
        bool good = !j->return_failed;

        if (!m->restore_rest)
                return;
        /* If that cannot be written, the next look finds out by itself. */
        (void) report(m->restore_rest, j->ids[0], good ? "restored" : "failed", good ? "" : strempty(j->error.message));
        look_again(m->restore_rest, SOON_USEC);
}
