/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is asked of the package manager for a baseline: a plan, the packages ahead, the installation, or mending
 * what was cut off. A person asks by PlanBaseline and InstallBaseline, and the answer comes when it has ended, which
 * for an installation may be an hour; who does not want to wait leaves, and asks DescribeBaseline later. The
 * calendar asks without a message, and looks at what the run has left.
 *
 * The baseline is the calendar's (everything that the repositories have newer) or a signed bundle of the kind
 * "baseline", which names packages, versions and the kernel that must run afterwards. The bundle was admitted like
 * any other before this file sees it.
 *
 * Deliberately not here: when something is done by itself (baseline.c), and the restart.
 */

#include <syslog.h>

#include "baseline/runner.h"
#include "calendar/year.h"
#include "daemon/backend.h"
#include "daemon/baseline-call.h"
#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "dbus/errors.h"
#include "util/strv.h"

/**
 * struct BaselineCall - at most one, as there is one run at a time
 * @request: of the calendar: one without a message
 * @verb: of the run that is under way
 * @preparation: has the bundle; NULL: the calendar's baseline
 * @manifest: of that bundle, or NULL
 * @packages: of the manifest, borrowed strings
 * @id: of the calendar's run, or null
 * @name: "2026.10"
 * @bundle: id of the one whose installation is mended; NULL: none
 */
struct BaselineCall {
        Manager *manager;
        Request *request;
        RunVerb verb;
        Preparation *preparation;
        const Manifest *manifest;
        RunPackage *packages;
        sd_id128_t id;
        char name[BASELINE_NAME_SIZE];
        char *bundle;
};

/** baseline_call_free() - drop a call without an answer; NULL is fine. Returns NULL. */
BaselineCall *baseline_call_free(BaselineCall *c) {
        if (!c)
                return NULL;
        if (c->manager->baseline_call == c)
                c->manager->baseline_call = NULL;
        preparation_free(c->preparation);
        request_free(c->request);
        free(c->packages);
        free(c->bundle);
        free(c);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP(BaselineCall *, baseline_call_free);

static int start(BaselineCall *c, sd_bus_error *error);

static const char *name_of(const BaselineCall *c) {
        return c->manifest && c->manifest->baseline ? c->manifest->baseline : c->name;
}

/* A plan that is to be carried out: out of turn, so the calendar's own deadline may be over. */
static int schedule(const BaselineCall *c, sd_bus_error *error) {
        uint64_t deadline = c->manifest ? c->manifest->deadline_usec
                : clock_usec(CLOCK_REALTIME) + c->manager->config->baseline.calendar.deadline_usec;

        return baseline_schedule(c->manager->baseline, name_of(c), c->manifest ? c->manifest->id : NULL,
                        c->manifest ? c->manifest->kernel_release : NULL, deadline, error);
}

static int answer(const BaselineCall *c, const RunResult *result) {
        _cleanup_free_ char *text = NULL;
        int r = run_result_format(result, &text);

        return r < 0 ? r : sd_bus_reply_method_return(c->request->call, "s", text);
}

/* BackendDone */
static void on_done(void *userdata, const RunResult *result, const sd_bus_error *refusal) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        BaselineCall *c = userdata;
        int r;

        if (sd_bus_error_is_set(refusal))
                r = sd_bus_error_copy(&error, refusal);
        else if (result->verb == RUN_PLAN && c->request->download) {
                c->verb = RUN_DOWNLOAD;
                r = start(c, &error);
                if (r >= 0)
                        return;
        } else
                r = c->request->schedule ? schedule(c, &error) : 0;
        if (r >= 0 && c->request->call)
                r = answer(c, result);
        if (r < 0 && c->request->call)
                (void) sd_bus_reply_method_errno(c->request->call, r, &error);
        baseline_call_free(c);
}

static int start(BaselineCall *c, sd_bus_error *error) {
        return backend_start(c->manager->backend, &(BackendOrder) {
                .verb = c->verb,
                .id = c->id,
                .baseline = name_of(c),
                .bundle = c->manifest ? c->manifest->id : c->bundle,
                .deadline_usec = c->manifest ? c->manifest->deadline_usec : 0,
                .kernel = c->manifest ? c->manifest->kernel_release : NULL,
                .packages = c->packages,
                .n_packages = c->manifest ? c->manifest->n_packages : 0,
                .caller_uid = c->request->caller_uid,
        }, on_done, c, error);
}

static int take_manifest(BaselineCall *c, Preparation *preparation, sd_bus_error *error) {
        size_t n;
        const PreparedBundle *bundles = preparation_bundles(preparation, &n);
        const Manifest *m = verified_manifest(bundles[0].verified);

        if (m->kind != MANIFEST_BASELINE)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("NotABaseline"),
                        "The bundle '%s' is a hotpatch, which is applied and not installed", m->id);
        c->packages = calloc(m->n_packages + 1, sizeof(*c->packages));
        if (!c->packages)
                return -ENOMEM;
        for (size_t i = 0; i < m->n_packages; i++)
                c->packages[i] = (RunPackage) { .name = m->packages[i].name, .version = m->packages[i].version };
        c->manifest = m;
        return 0;
}

/* What is mended keeps the name that it began with: that of the last installation, if its record can be read. */
static int name_mended(BaselineCall *c) {
        const BaselineState *s = baseline_state(c->manager->baseline);
        _cleanup_(run_result_freep) RunResult *last = NULL;
        const char *bundle;
        int r = run_settle(kernel_root_fd(c->manager->kernel), &last);

        if (r == -ENOMEM || (!last && !s->name))
                return r == -ENOMEM ? r : -ENOENT;
        bundle = last ? last->bundle : s->bundle;
        (void) snprintf(c->name, sizeof(c->name), "%s", last ? last->baseline : s->name);
        c->bundle = bundle ? strdup(bundle) : NULL;
        return bundle && !c->bundle ? -ENOMEM : 0;
}

/* The calendar's own name for what is installed now; outside of every baseline the month will do. */
static int name_baseline(BaselineCall *c) {
        CalendarPolicy p = baseline_calendar_policy(c->manager->baseline, NULL);
        uint64_t now = clock_usec(CLOCK_REALTIME);
        time_t seconds = (time_t) (now / USEC_PER_SEC);
        CalendarMonth month;
        struct tm tm;

        if (c->verb == RUN_MEND) {
                int r = name_mended(c);

                if (r != -ENOENT)
                        return r;
        }
        if (calendar_baseline_at(&p, now, &month) >= 0)
                memcpy(c->name, month.name, sizeof(c->name));
        else if (!localtime_r(&seconds, &tm) || strftime(c->name, sizeof(c->name), "%Y.%m", &tm) == 0)
                memcpy(c->name, "1970.01", sizeof(c->name));
        return 0;
}

/**
 * baseline_call_start() - begin PlanBaseline or InstallBaseline; the reply is sent when it has ended
 * @request: taken over on success
 * @preparation: with the one bundle; taken over on success. NULL: the calendar's baseline
 * @error: NotABaseline, BaselinesNotEnabled, Busy, …
 *
 * Return: 1, or a negative errno when the caller replies.
 */
int baseline_call_start(Manager *m, Request **request, Preparation **preparation, sd_bus_error *error) {
        _cleanup_(baseline_call_freep) BaselineCall *c = NULL;
        int r;

        if (m->baseline_call)
                return sd_bus_error_set(error, HOTPATCH_ERROR("Busy"), "The package manager is at work for a baseline");
        if ((*request)->schedule && !m->config->baseline.enabled)
                return sd_bus_error_set(error, HOTPATCH_ERROR("BaselinesNotEnabled"),
                        "By the policy of this machine no baseline goes on by itself");
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        c->manager = m;
        c->request = *request;
        c->verb = (*request)->verb == REQUEST_PLAN_BASELINE ? RUN_PLAN : (*request)->mend ? RUN_MEND : RUN_INSTALL;
        r = name_baseline(c);
        if (r < 0) {
                c->request = NULL;
                return r;
        }
        r = preparation ? take_manifest(c, *preparation, error) : 0;
        if (r >= 0)
                r = start(c, error);
        if (r < 0) {
                c->request = NULL; /* the caller's still */
                return r;
        }
        (void) TAKE_PTR(*request);
        if (preparation)
                c->preparation = TAKE_PTR(*preparation);
        m->baseline_call = TAKE_PTR(c);
        return 1;
}

/* PreparationDone of the calendar's bundle. What fails here has no result. */
static void on_prepared(void *userdata, int r, const sd_bus_error *refusal) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        BaselineCall *c = userdata;
        Manager *m;

        if (r >= 0) {
                r = take_manifest(c, c->preparation, &error);
        }
        if (r >= 0)
                r = start(c, &error);
        if (r >= 0)
                return;
        if (!sd_bus_error_is_set(&error))
                (void) sd_bus_error_copy(&error, refusal);
        (void) record_write(&(Record) {
                .message_id = HOTPATCH_MESSAGE_BASELINE_RUN_FAILED,
                .priority = LOG_ERR,
                .text = error.message ?: strerror(-r),
                .caller_uid = UINT32_MAX,
                .error = &error,
        });
        m = c->manager;
        baseline_call_free(c);
        baseline_ran(m->baseline, NULL, &error);
}

/**
 * baseline_call_automatic() - have the backend work on the baseline of the state
 * @verb: RUN_PLAN, RUN_DOWNLOAD or RUN_INSTALL
 * @id: of the run, by which its result is known again
 * @error: Busy, NoSuchBundle, …
 *
 * baseline_ran() is called when it has ended.
 *
 * Return: 0 or a negative errno.
 */
int baseline_call_automatic(Manager *m, RunVerb verb, sd_id128_t id, sd_bus_error *error) {
        const BaselineState *s = baseline_state(m->baseline);
        _cleanup_(baseline_call_freep) BaselineCall *c = NULL;
        int r;

        if (baseline_call_pending(m))
                return sd_bus_error_set(error, HOTPATCH_ERROR("Busy"), "The package manager is at work for a baseline");
        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;
        *c = (BaselineCall) { .manager = m, .verb = verb, .id = id, .request = malloc(sizeof(Request)) };
        if (!c->request)
                return -ENOMEM;
        *c->request = (Request) { .verb = REQUEST_INSTALL_BASELINE, .fd = -EBADF, .caller_uid = UINT32_MAX };
        (void) snprintf(c->name, sizeof(c->name), "%s", strempty(s->name));
        r = s->bundle ? strv_extend(&c->request->ids, s->bundle) : 0;
        if (r < 0)
                return r;
        r = s->bundle ? preparation_new(&(PreparationParameters) {
                .manager = m, .request = c->request, .load_dir_fd = -EBADF, .done = on_prepared, .userdata = c,
        }, &c->preparation, error) : start(c, error);
        if (r < 0)
                return r;
        m->baseline_call = TAKE_PTR(c);
        return 0;
}

/** baseline_call_pending() - does somebody wait for the backend, or is it at work? */
bool baseline_call_pending(const Manager *m) {
        return m->baseline_call || backend_is_running(m->backend);
}

static int print_result(FILE *f, int root_fd, RunVerb verb) {
        _cleanup_(run_result_freep) RunResult *result = NULL;
        _cleanup_free_ char *text = NULL;
        int r;

        r = verb == RUN_INSTALL ? run_settle(root_fd, &result) : run_result_read_at(root_fd, verb, &result);
        if (r == -ENOENT || r == -EBADMSG)
                return fprintf(f, ", \"%s\": null", run_verb_to_string(verb));
        if (r < 0)
                return r;
        r = run_result_format(result, &text);
        return r < 0 ? r : fprintf(f, ", \"%s\": %s", run_verb_to_string(verb), text);
}

/** baseline_call_describe() - method DescribeBaseline: the last results, and whether something is under way */
int baseline_call_describe(sd_bus_message *call, void *userdata, _unused_ sd_bus_error *error) {
        const Manager *m = userdata;
        int root_fd = kernel_root_fd(m->kernel), r = 0;
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *f;

        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        fprintf(f, "{\"running\": %s", run_lock_is_held(root_fd) > 0 || backend_is_running(m->backend) ? "true" : "false");
        for (RunVerb v = RUN_PLAN; r >= 0 && v <= RUN_INSTALL; v++)
                r = print_result(f, root_fd, v);
        fputs("}", f);
        if (fclose(f) != 0)
                return -ENOMEM;
        return r < 0 ? r : sd_bus_reply_method_return(call, "s", text);
}
