/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The manager holds everything together: it opens the kernel and the state directory, keeps the
 * jobs, and sends each authorised request where it is carried out.
 *
 * It decides one thing itself: that only one job runs at a time. The kernel allows one livepatch
 * transition at a time anyway, and a queue would let a call succeed or fail by what somebody else
 * asked for before it. A second mutating call is refused with Busy, before polkit is asked (nobody
 * types a password in vain) and again afterwards (it may have changed).
 */

#include <inttypes.h>
#include <syslog.h>

#include "daemon/bus.h"
#include "daemon/leftovers.h"
#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/policy.h"
#include "daemon/quarantine.h"
#include "daemon/record.h"
#include "daemon/restore-rest.h"
#include "daemon/switch.h"
#include "dbus/errors.h"
#include "util/strv.h"

static int check_busy(const Manager *m, const Request *request, sd_bus_error *error) {
        const Job *job = manager_running_job(m);

        if (!job || !request_is_mutating(request))
                return 0;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("Busy"),
                "Job %u (%s) is running", job->id, job_type_to_string(job->type));
}

static int start_job(Manager *m, Request **request, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = sd_bus_message_ref((*request)->call);
        Job *job;
        int r;

        r = check_busy(m, *request, error);
        if (r < 0)
                return r;
        r = job_start(m, request, &job, error);
        if (r < 0)
                return r;
        return bus_job_reply(job, call);
}

/* The job of a number, running or finished, or NULL */
static Job *find_job(const Manager *m, uint32_t id) {
        for (size_t i = 0; i < m->n_jobs; i++)
                if (m->jobs[i]->id == id)
                        return m->jobs[i];
        return NULL;
}

static int cancel_job(Manager *m, Request *request, sd_bus_error *error) {
        Job *job = find_job(m, request->job);
        int r;

        if (!job)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NoSuchJob"), "No job %u", request->job);
        r = job_cancel(job, error);
        return r < 0 ? r : sd_bus_reply_method_return(request->call, NULL);
}

static int release(Manager *m, const Request *request, sd_bus_error *error) {
        int r = quarantine_release(m, request, error);

        return r < 0 ? r : sd_bus_reply_method_return(request->call, NULL);
}

static int reload(Manager *m, const Request *request, sd_bus_error *error) {
        int r = policy_reload(m);

        if (r < 0)
                return sd_bus_error_set_errnof(error, -r, "the configuration cannot be read: %s", strerror(-r));
        return sd_bus_reply_method_return(request->call, NULL);
}

static int force_job(Manager *m, const Request *request, sd_bus_error *error) {
        Job *job = find_job(m, request->job);

        if (!job)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NoSuchJob"), "No job %u", request->job);
        return job_force(job, request, error);
}

static int end_trials(Manager *m, Request *request, sd_bus_error *error) {
        int r;

        r = trials_end(m->trials, request->ids, error);
        return r < 0 ? r : sd_bus_reply_method_return(request->call, NULL);
}

/* AuthorizeContinue: the request may be carried out. */
static int carry_out(void *userdata, Request **request, sd_bus_error *error) {
        Manager *m = userdata;
        const char *next = request_action(*request, ++(*request)->n_authorized);

        if (next)
                return authorize(m->authorizer, request, next, error);
        switch ((*request)->verb) {
        case REQUEST_APPLY:
        case REQUEST_APPLY_BUNDLE:
        case REQUEST_REMOVE:
                return start_job(m, request, error);
        case REQUEST_END_TRIAL:
                return end_trials(m, *request, error);
        case REQUEST_CANCEL:
                return cancel_job(m, *request, error);
        case REQUEST_FORCE:
                return force_job(m, *request, error);
        case REQUEST_AUDIT:
                return audit_start(m->audit, request, error);
        case REQUEST_RELEASE:
                return release(m, *request, error);
        case REQUEST_SCHEDULE_REBOOT:
        case REQUEST_DEFER_BASELINE:
        case REQUEST_CANCEL_REBOOT:
                return restart_request(m->restart, request, error);
        case REQUEST_RELOAD:
                return reload(m, *request, error);
        case REQUEST_PLAN_BASELINE:
        case REQUEST_INSTALL_BASELINE:
                return (*request)->ids ? query_start(m, request, error) : baseline_call_start(m, request, NULL, error);
        default:
                return query_start(m, request, error);
        }
}

/* Nobody types a password for what cannot be; and polkit is told which patches it is about. */
static int freeze_request(Request *request, const Job *job, sd_bus_error *error) {
        int r = job_force_check(job, error);

        return r < 0 ? r : strv_copy(job->ids, &request->ids);
}

/**
 * manager_handle() - carry out a method call, once it is authorised
 * @m: the manager
 * @call: one of the methods of request.h; for Cancel at the path of its job
 * @error: the refusal, if it is refused at once
 *
 * Return: 1 when the reply has been or will be sent, or a negative errno.
 */
int manager_handle(Manager *m, sd_bus_message *call, sd_bus_error *error) {
        _cleanup_request_free_ Request *request = NULL;
        const char *action;
        int r;

        r = request_new(call, &request, error);
        if (r < 0)
                return r;
        action = request_action(request, 0);
        if (request->verb == REQUEST_CANCEL || request->verb == REQUEST_FORCE) {
                void *found = NULL;

                r = bus_job_find(m->bus, sd_bus_message_get_path(call), NULL, m, &found, error);
                if (r <= 0)
                        return r < 0 ? r : -ENOENT;
                request->job = ((Job *) found)->id;
                if (request->verb == REQUEST_CANCEL)
                        action = ((Job *) found)->action;
                else
                        r = freeze_request(request, found, error);
                if (r < 0)
                        return r;
        }
        r = check_busy(m, request, error);
        if (r < 0)
                return r;
        return authorize(m->authorizer, &request, action, error);
}

/** manager_running_job() - the job that is not finished, or NULL */
Job *manager_running_job(const Manager *m) {
        if (m->n_jobs > 0 && m->jobs[m->n_jobs - 1]->state != JOB_FINISHED)
                return m->jobs[m->n_jobs - 1];
        return NULL;
}

/**
 * manager_add_job() - take a job into the list
 * @m: the manager; there must be no running job
 * @j: the job; owned by the manager afterwards
 *
 * The oldest finished job is forgotten when there are too many.
 *
 * Return: 0, or -EBUSY when a job runs.
 */
int manager_add_job(Manager *m, Job *j) {
        if (manager_running_job(m))
                return -EBUSY;
        if (m->n_jobs >= ELEMENTSOF(m->jobs)) {
                bus_job_forgotten(m->jobs[0]);
                job_free(m->jobs[0]);
                memmove(m->jobs, m->jobs + 1, (--m->n_jobs) * sizeof(m->jobs[0]));
        }
        m->jobs[m->n_jobs++] = j;
        bus_job_added(j);
        return 0;
}

/**
 * manager_disabled() - why hotpatching is switched off on this machine
 * @m: the manager
 *
 * Return: a sentence, owned by the caller; NULL when it is on (or memory ran out).
 */
char *manager_disabled(const Manager *m) {
        const char *why = switch_off_reason(m->kernel);

        return why ? strdup(why) : NULL;
}

/** manager_is_idle() - may the daemon exit? Not while anything is under way or watched. */
bool manager_is_idle(const Manager *m) {
        return !manager_running_job(m) && !m->queries && authorizer_pending(m->authorizer) == 0 &&
                !patches_pending(m) && !freezer_is_busy(m->freezer) && !trials_pending(m->trials) &&
                !baseline_call_pending(m) && !baseline_pending(m->baseline) && !restart_pending(m->restart) &&
                !audit_pending(m->audit) && !leftovers_pending(m) && !restore_rest_pending(m);
}

/* FreezerTold */
static void freezer_told(_unused_ void *userdata, const char *unit, uint64_t usec, const char *error, bool stuck) {
        Record record = {
                .message_id = HOTPATCH_MESSAGE_FROZEN,
                .priority = stuck ? LOG_ERR : error ? LOG_WARNING : LOG_NOTICE,
                .units = (char *[]) { (char *) unit, NULL },
                .caller_uid = UINT32_MAX,
        };

        if (stuck)
                record_say(&record, "Unit '%s' stands still for longer than it should, going on to thaw it: %s", unit,
                        error);
        else if (error)
                record_say(&record, "Unit '%s' could not be paused: %s", unit, error);
        else
                record_say(&record, "Unit '%s' was paused for %" PRIu64 " ms, so that its tasks change over", unit,
                        usec / USEC_PER_MSEC);
}

/* What is read of the machine, and its state. */
static int open_machine(Manager *m, const ModuleOps *ops, void *ops_userdata, sd_bus_error *error) {
        KernelGates gates;
        int r;

        r = policy_load(m);
        if (r < 0)
                return sd_bus_error_set_errnof(error, -r, "the configuration cannot be read: %s",
                        strerror(-r));
        r = kernel_new(m->root, ops, ops_userdata, &m->kernel);
        if (r < 0)
                return sd_bus_error_set_errnof(error, -r, "'%s' cannot be opened: %s", m->root,
                        strerror(-r));
        r = kernel_identity(m->kernel, &m->identity);
        if (r < 0)
                return sd_bus_error_set_errnof(error, -r, "the kernel does not say who it is: %s",
                        strerror(-r));
        r = kernel_gates(m->kernel, &gates);
        if (r < 0)
                return r;
        m->livepatch_supported = gates.livepatch_supported;
        kernel_gates_done(&gates);
        return store_open(m->root, &m->store, error);
}

/* In this order: some look at those before. */
static int make_parts(Manager *m) {
        int r = trials_new(m, &m->trials);

        if (r >= 0)
                r = baseline_new(m, &m->baseline);
        if (r >= 0)
                r = findings_new(m, &m->findings);
        if (r >= 0)
                r = backend_new(m, &m->backend);
        if (r >= 0)
                r = audit_new(m, &m->audit);
        if (r >= 0)
                r = watch_new(m, &m->watch);
        if (r >= 0)
                r = publisher_new(m, &m->publisher);
        return r;
}

/**
 * manager_new() - open kernel, configuration and state
 * @event: the event loop
 * @root: every path hangs off it; "/" in the product
 * @ops: how modules are loaded and removed; NULL: by the kernel
 * @ops_userdata: for @ops
 * @ret: manager_free() it
 * @error: a refusal that says what is wrong with the state directory
 *
 * Return: 0 or a negative errno.
 */
int manager_new(sd_event *event, const char *root, const ModuleOps *ops, void *ops_userdata,
                Manager **ret, sd_bus_error *error) {
        _cleanup_(manager_freep) Manager *m = NULL;
        int r;

        m = malloc(sizeof(*m));
        if (!m)
                return -ENOMEM;
        *m = (Manager) {
                .event = sd_event_ref(event),
                .root = strdup(root),
                .refreshed_iteration = UINT64_MAX,
                .eligibility.iteration = UINT64_MAX,
                .activity_usec = clock_usec(CLOCK_MONOTONIC),
        };
        if (!m->root)
                return -ENOMEM;
        r = open_machine(m, ops, ops_userdata, error);
        if (r >= 0)
                r = make_parts(m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

/** manager_renew_store() - see store_renew(); before something is written. Return: 0 or a negative errno. */
int manager_renew_store(Manager *m, sd_bus_error *error) {
        int r = store_renew(m->store, m->root, error);

        if (r > 0)
                m->spool_ids = strv_free(m->spool_ids);
        return r < 0 ? r : 0;
}

/** manager_free() - drop everything; running workers are killed; NULL is fine. Returns NULL. */
Manager *manager_free(Manager *m) {
        if (!m)
                return NULL;
        while (m->queries)
                query_free(m->queries);
        m->leftovers = leftovers_free(m->leftovers);
        m->restore_rest = restore_rest_free(m->restore_rest);
        for (size_t i = 0; i < m->n_jobs; i++)
                job_free(m->jobs[i]);
        eligibility_forget(&m->eligibility);
        config_unref(m->config);
        strv_free(m->config_warnings);
        baseline_call_free(m->baseline_call);
        backend_free(m->backend);
        publisher_free(m->publisher);
        watch_free(m->watch);
        audit_free(m->audit);
        findings_free(m->findings);
        patch_set_done(&m->patches);
        strv_free(m->spool_ids);
        trials_free(m->trials);
        restart_free(m->restart);
        baseline_free(m->baseline);
        authorizer_free(m->authorizer);
        freezer_free(m->freezer);
        systemd_free(m->systemd);
        sd_event_source_disable_unref(m->flush);
        sd_event_source_disable_unref(m->untold);
        store_free(m->store);
        kernel_identity_done(&m->identity);
        kernel_free(m->kernel);
        sd_bus_flush_close_unref(m->bus);
        sd_event_unref(m->event);
        free(m->root);
        free(m);
        return NULL;
}

/**
 * manager_attach_bus() - offer the objects on a connection
 * @m: the manager
 * @bus: the connection; a reference is kept
 *
 * Return: 0 or a negative errno.
 */
int manager_attach_bus(Manager *m, sd_bus *bus) {
        int r;

        m->bus = sd_bus_ref(bus);
        r = authorizer_new(bus, carry_out, m, &m->authorizer);
        if (r < 0)
                return r;
        r = systemd_new(bus, &m->systemd);
        if (r >= 0)
                r = restart_new(m, &m->restart);
        if (r < 0)
                return r;
        r = freezer_new(m->event, m->systemd, kernel_root_fd(m->kernel), freezer_told, m, &m->freezer);
        return r < 0 ? r : bus_attach(m);
}

/**
 * manager_start() - adopt what the kernel has and clean up after an unclean end
 * @m: a manager with a bus
 *
 * Return: 0 or a negative errno.
 */
int manager_start(Manager *m) {
        int r;

        /* First of all: somebody's service may stand still. */
        r = freezer_recover(m->freezer);
        if (r < 0)
                return r;
        r = trials_load(m->trials);
        if (r >= 0)
                r = job_recover(m);
        if (r < 0)
                return r;
        r = backend_recover(m->backend);
        if (r < 0)
                return r;
        trials_start(m->trials);
        leftovers_sweep(m);
        restore_rest_start(m);
        baseline_recover(m->baseline);
        return patches_refresh(m);
}
