/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The way back: patches that had to leave because of others, which are out now, come into force again. Their modules,
 * checked like any bundle, go into the kernel by the steps of a plan.
 *
 * They are wanted all the time: one that cannot be brought back is put there by the next start of the machine. Nobody
 * can cancel it, and there is no undoing but of what gets stuck on its way in.
 *
 * A read that fails, or memory that is short, is mostly over a second later, and until then the machine runs with a hole that
 * was closed before. So after that undoing it is tried again, some times, from the beginning: what is in force by now
 * is passed over. A verdict (on a signature, say, or the patch's own no) is not asked for twice.
 *
 * Who comes back is decided by who knows why they left: job-rollback.c, job-replaced.c. Not what has been forbidden
 * meanwhile, see readmit.c.
 */

#include <inttypes.h>
#include <syslog.h>

#include "daemon/admit.h"
#include "daemon/job-internal.h"
#include "daemon/loaddir.h"
#include "daemon/messages.h"
#include "daemon/readmit.h"
#include "dbus/errors.h"
#include "util/str.h"
#include "util/strv.h"

/* A bundle is read, checked and its module written to a tmpfs. */
#define RETURN_TIMEOUT_USEC (120 * USEC_PER_SEC)

/* As it was admitted: certificates may have expired since. */
static int extract(const Job *j, const char *id, int output_fd, sd_bus_error *error) {
        _cleanup_(admitted_record_done) AdmittedRecord record = {};
        _cleanup_close_ int fd = -EBADF, copy_fd = -EBADF;
        const Manager *m = j->manager;
        int r;

        r = store_admitted_find(m->store, id, &record);
        if (r < 0)
                return r;
        fd = store_admitted_open(m->store, id);
        if (fd == -ENOENT)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NoSuchBundle"), "The bundle of '%s' is gone", id);
        if (fd < 0)
                return fd;
        copy_fd = store_tmpfile(m->store, error);
        if (copy_fd < 0)
                return copy_fd;
        return admit_copy(&(AdmitRequest) {
                .source_fd = fd,
                .copy_fd = copy_fd,
                .root = m->root,
                .policy = &j->config->trust,
                .now_usec = record.admitted_usec,
                .kernel = &m->identity,
                .load_dir_fd = j->load_dir_fd,
                .expected_id = id,
        }, output_fd, error);
}

static int extract_all(void *userdata, int output_fd, sd_bus_error *error) {
        const Job *j = userdata;

        for (char **id = j->returns; id && *id; id++) {
                int r = extract(j, *id, output_fd, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int add_step(Plan *plan, StepAction action, const AdmittedRecord *record) {
        PlanStep *s = &plan->steps[plan->n_steps];

        *s = (PlanStep) { .action = action, .id = strdup(record->id), .module = strdup(record->module) };
        plan->n_steps++;
        return s->id && s->module ? 0 : -ENOMEM;
}

/* What is missing until it is in force; a daemon before us may have come some way. */
static int add_steps(const Job *j, Plan *plan, const char *id) {
        _cleanup_(admitted_record_done) AdmittedRecord record = {};
        LivepatchState state;
        int r;

        r = store_admitted_find(j->manager->store, id, &record);
        if (r < 0)
                return r;
        r = livepatch_state(j->manager->kernel, record.module, &state);
        if (r < 0 || state == LIVEPATCH_PATCHED)
                return r;
        if (state == LIVEPATCH_HELD || state == LIVEPATCH_UNPATCHING)
                r = add_step(plan, STEP_VANISH, &record);
        if (r >= 0 && state != LIVEPATCH_ABSENT && state != LIVEPATCH_PATCHING)
                r = add_step(plan, STEP_UNLOAD, &record);
        if (r >= 0 && state != LIVEPATCH_PATCHING)
                r = add_step(plan, STEP_INSERT, &record);
        return r < 0 ? r : add_step(plan, STEP_TRANSITION, &record);
}

static int plan_return(Job *j) {
        _cleanup_(plan_freep) Plan *plan = calloc(1, sizeof(*plan));

        if (!plan)
                return -ENOMEM;
        plan->steps = calloc(strv_length(j->returns) * 4 + 1, sizeof(*plan->steps));
        if (!plan->steps)
                return -ENOMEM;
        plan->changed = true;
        for (char **id = j->returns; id && *id; id++) {
                int r = add_steps(j, plan, *id);
                if (r < 0)
                        return r;
        }
        plan_free(j->plan);
        j->plan = TAKE_PTR(plan);
        j->step = 0;
        return 0;
}

/* What was only replaced, and comes back with the undoing of an Apply, is where it was, with the trial that it had. */
static int begin_trial(const Job *j, sd_bus_error *error) {
        return j->type == JOB_ROLLBACK || j->type == JOB_RESTORE ?
                trials_begin_return(j->manager->trials, j, j->returns, error) : 0;
}

static void extracted(void *userdata, int r, const sd_bus_error *error, _unused_ const void *output,
                _unused_ size_t size) {
        _cleanup_(sd_bus_error_free) sd_bus_error unwritable = SD_BUS_ERROR_NULL;
        Job *j = userdata;

        j->worker = worker_free(j->worker);
        if (r >= 0)
                r = plan_return(j);
        if (r >= 0) {
                r = begin_trial(j, &unwritable);
                error = &unwritable;
        }
        if (r < 0)
                return job_return_failed(j, r, error);
        job_run(j);
}

/* Of one that nobody took out there is only itself to be spoken of. */
static void refuse_restore(Job *j, int r, const char *why) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        j->return_failed = true;
        (void) sd_bus_error_set(&error, HOTPATCH_ERROR("NotRestored"), why);
        job_set_error(j, r, &error);
        job_record(j, HOTPATCH_MESSAGE_RESTORE_FAILED, LOG_ERR, j->ids[0], NULL, "Patch '%s' could not be restored: %s",
                j->ids[0], why);
}

static const char *how_it_left(const Job *j) {
        return j->type == JOB_ROLLBACK ? "superseded" : j->type == JOB_RESTORE ? "closed" : "replaced";
}

/* ReadmitTold */
static void stays_out(void *userdata, const char *id, const char *why) {
        Job *j = userdata;

        if (j->type == JOB_RESTORE)
                return refuse_restore(j, -EPERM, why);
        job_error_extend(j, "; '%s', which it had %s, is not put back: %s", id, how_it_left(j), why);
        job_record(j, HOTPATCH_MESSAGE_UNDO_FAILED, LOG_WARNING, id, NULL, "Patch '%s' is not put back: %s", id, why);
        j->return_failed = true;
}

/* Wanted they are, all of them; but not whatever else has been decided meanwhile. */
static int begin(Job *j) {
        char name[16];
        int r;

        if (!j->return_filtered) {
                r = readmit_filter(j->manager, j->config, j->return_ids, stays_out, j, &j->returns);
                if (r < 0)
                        return r;
                j->return_filtered = true;
        }
        if (!j->returns)
                return 0;
        job_set_state(j, JOB_LOADING);
        j->load_dir_fd = safe_close(j->load_dir_fd);
        snprintf(name, sizeof(name), "%" PRIu32, j->id);
        r = loaddir_make(kernel_root_fd(j->manager->kernel), name, &j->load_dir_fd);
        if (r < 0)
                return r;
        return worker_start(j->manager->event, "return", RETURN_TIMEOUT_USEC, extract_all, j, extracted, j,
                &j->worker);
}

static void over(Job *j) {
        if (j->type != JOB_ROLLBACK && j->type != JOB_RESTORE)
                return job_replaced_over(j);
        trials_returned(j->manager->trials, j, j->returns);
        if (j->type == JOB_RESTORE)
                job_restore_over(j);
        else
                job_rollback_over(j);
}

static void go(Job *j) {
        int r = begin(j);

        if (r < 0)
                job_return_failed(j, r, NULL);
        else if (!j->returns)
                job_returned(j);
}

/**
 * job_return() - bring patches back into force
 * @j: a job whose own patches are out; the last it does
 * @ids: wanted patches, in the order of application; copied
 *
 * It ends with job_returned() of its type, or as job_return_failed() does.
 */
void job_return(Job *j, char *const *ids) {
        int r;

        j->returning = true;
        /* Who stopped the job wanted what was before. */
        j->cancelled = false;
        r = strv_copy(ids, &j->return_ids);
        if (r < 0)
                return job_return_failed(j, r, NULL);
        go(j);
}

static int try_again(Job *j) {
        job_wait_stop(j);
        go(j);
        return WAIT_OVER;
}

/** job_return_undone() - what got stuck on its way in is out again: once more, or that was it */
void job_return_undone(Job *j) {
        bool again = j->return_again;

        j->return_again = false;
        j->failures = 0;
        if (again && job_wait_after(j, try_again, JOB_RETRY_USEC) >= 0)
                return;
        if (again)
                job_return_give_up(j, -ENOMEM, NULL);
        over(j);
}

/** job_returned() - all steps of the return are done */
void job_returned(Job *j) {
        for (char **id = j->returns; id && *id; id++)
                job_record(j, j->type == JOB_RESTORE ? HOTPATCH_MESSAGE_RESTORED : HOTPATCH_MESSAGE_APPLIED, LOG_NOTICE,
                        *id, NULL, "Patch '%s' is active again", *id);
        over(j);
}

/* What got stuck stays in the list of what is undone, and what cannot be looked at: look_at() finds out. */
static void keep_what_is_back(Job *j) {
        size_t n = 0;

        for (char **module = j->inserted; module && *module; module++) {
                LivepatchState state;

                if (livepatch_state(j->manager->kernel, *module, &state) >= 0 && state == LIVEPATCH_PATCHED)
                        free(*module);
                else
                        j->inserted[n++] = *module;
        }
        if (j->inserted)
                j->inserted[n] = NULL;
}

/**
 * job_error_extend() - say more about why the job failed
 * @format: appended to the sentence that is there
 */
void job_error_extend(Job *j, const char *format, ...) {
        _cleanup_(sd_bus_error_free) sd_bus_error longer = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *more = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = str_vprintf(&more, format, ap);
        va_end(ap);
        if (r < 0)
                return;
        (void) sd_bus_error_setf(&longer, j->error.name, "%s%s", strempty(j->error.message), more);
        if (!sd_bus_error_is_set(&longer))
                return;
        sd_bus_error_free(&j->error);
        j->error = longer;
        longer = SD_BUS_ERROR_NULL;
}

/**
 * job_return_may_pass() - is this a shortage, or a read or write that failed, which may be over a second later?
 * @r: negative errno
 * @error: the refusal, or NULL
 *
 * A verdict says the same the next time, whoever gave it; a transition that does not end has had its time.
 */
bool job_return_may_pass(int r, const sd_bus_error *error) {
        /* It is also how a certificate is called that could not be read just now. */
        if (sd_bus_error_has_name(error, HOTPATCH_ERROR("TrustStoreInvalid")))
                return true;
        switch (-r) {
        case EIO:
                /* The kernel's own no has the same number. */
                return !sd_bus_error_has_name(error, HOTPATCH_ERROR("RefusedByKernel"));
        case EBADF:
                /* Of ours only BundleUnreadable: a read that failed. */
        case EAGAIN:
        case EBUSY:
        case ECHILD:
        case EINTR:
        case EMFILE:
        case ENFILE:
        case ENOMEM:
        case ENOSPC:
                return true;
        default:
                return false;
        }
}

/**
 * job_return_tries_again() - is it worth another try?
 * @r: negative errno
 *
 * Counts it, and says so.
 */
bool job_return_tries_again(Job *j, int r, const sd_bus_error *error) {
        if (!job_return_may_pass(r, error) || ++j->return_tries >= JOB_RETURN_TRIES_MAX)
                return false;
        job_record(j, j->type == JOB_RESTORE ? HOTPATCH_MESSAGE_RESTORE_FAILED : HOTPATCH_MESSAGE_UNDO_FAILED, LOG_WARNING,
                j->ids ? j->ids[0] : NULL, NULL, "What '%s' had %s could not be brought back, and it is tried again: %s",
                j->ids ? j->ids[0] : "it", how_it_left(j),
                sd_bus_error_is_set(error) && error->message ? error->message : strerror(-r));
        return true;
}

/** job_return_give_up() - it is not tried any more: say so in the job, and in the journal */
void job_return_give_up(Job *j, int r, const sd_bus_error *error) {
        if (j->type == JOB_RESTORE)
                return refuse_restore(j, r, sd_bus_error_is_set(error) && error->message ? error->message : strerror(-r));
        job_error_extend(j, "; what it had %s could not be brought back: %s",
                how_it_left(j),
                sd_bus_error_is_set(error) && error->message ? error->message : strerror(-r));
        j->return_failed = true;
        job_record(j, HOTPATCH_MESSAGE_UNDO_FAILED, LOG_CRIT, j->ids ? j->ids[0] : NULL, NULL, "%s",
                strempty(j->error.message));
}

/**
 * job_return_failed() - something of the return did not work
 * @r: negative errno
 * @error: the refusal, or NULL
 *
 * What came back into force stays, what got stuck on its way in goes out again, and then it is tried once more or not; all
 * of it stays wanted.
 */
void job_return_failed(Job *j, int r, const sd_bus_error *error) {
        j->return_again = j->returning && job_return_tries_again(j, r, error);
        if (!j->return_again)
                job_return_give_up(j, r, error);
        if (j->returning)
                keep_what_is_back(j);
        job_undo(j);
}
