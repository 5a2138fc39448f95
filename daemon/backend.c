/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A run of the package manager: write the request, have systemd start hotpatch-baseline.service, and read
 * what came of it. The daemon waits for the unit, not for the program, and does not depend on being there when
 * it ends: the result is a file. A run goes on when the daemon ends; the next one finds it and waits
 * for its end (starting a unit that is on its way joins the start).
 *
 * One run at a time. It is no Job: those change the kernel, one at a time, and an installation that takes an
 * hour must not hold up a hotpatch.
 *
 * What the file says is the runner's, which has more privileges than we; it is read with limits all the same.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <syslog.h>

#include "baseline/runner.h"
#include "daemon/backend.h"
#include "daemon/bus.h"
#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/limits.h"

#define UNIT "hotpatch-baseline.service"
/* Not a limit for the run: after that we ask again how it stands. */
#define LOOK_AGAIN_USEC (12 * 3600 * USEC_PER_SEC)
/* When systemd does not tell of the end: the first look, and the longest time to the next, which doubles. */
#define POLL_MIN_USEC USEC_PER_SEC
#define POLL_MAX_USEC (30 * USEC_PER_SEC)
/* Somebody waits for a plan; nobody for the rest. Other package managers take minutes. */
#define LOCK_TIMEOUT_PLAN_SEC 60U
#define LOCK_TIMEOUT_SEC 900U

/**
 * struct Backend
 * @call: the start of the unit; NULL: it is over
 * @poll: the start is over (somebody stopped the unit), and the run goes on; NULL: it is not so
 * @id: of the run, as in its result; empty: one that a daemon before this one began
 * @verb, @caller_uid: of the order
 */
struct Backend {
        Manager *manager;
        SystemdCall *call;
        sd_event_source *poll;
        uint64_t poll_usec;
        char id[SD_ID128_STRING_MAX];
        RunVerb verb;
        uint32_t caller_uid;
        BackendDone done;
        void *userdata;
};

/** backend_new() - no run yet. @ret: backend_free() it. Return: 0 or -ENOMEM. */
int backend_new(Manager *m, Backend **ret) {
        Backend *b = calloc(1, sizeof(*b));

        if (!b)
                return -ENOMEM;
        b->manager = m;
        *ret = b;
        return 0;
}

/** backend_free() - forget a run; NULL is fine. Returns NULL. */
Backend *backend_free(Backend *b) {
        if (!b)
                return NULL;
        systemd_call_free(b->call);
        sd_event_source_disable_unref(b->poll);
        free(b);
        return NULL;
}

/** backend_is_running() - is a run under way that this daemon knows of? */
bool backend_is_running(const Backend *b) {
        return b && (b->call || b->poll);
}

static void record_end(const Backend *b, const RunResult *result, const sd_bus_error *error) {
        bool failed = sd_bus_error_is_set(error);
        Record record = {
                .message_id = failed ? HOTPATCH_MESSAGE_BASELINE_RUN_FAILED : HOTPATCH_MESSAGE_BASELINE_INSTALLED,
                .priority = failed ? LOG_ERR : LOG_NOTICE,
                .caller_uid = b->caller_uid,
                .error = error,
        };

        /* What changes nothing is news only when it fails. */
        if (!result || (!failed && result->verb != RUN_INSTALL && result->verb != RUN_MEND))
                return;
        if (failed)
                record_say(&record, "Baseline %s: %s failed: %s", result->baseline, run_verb_to_string(result->verb),
                        strempty(error->message));
        else
                record_say(&record, "Baseline %s: %zu packages were installed%s", result->baseline, result->n_changes,
                        result->restart ? ", a restart is needed" : "");
}

/* The result of this very run; of an installation also that it was cut off. */
static int read_result(const Backend *b, const sd_bus_error *refusal, RunResult **ret, sd_bus_error *error) {
        _cleanup_(run_result_freep) RunResult *result = NULL;
        int root_fd = kernel_root_fd(b->manager->kernel), r;

        if (b->verb == RUN_INSTALL || b->verb == RUN_MEND)
                r = run_settle(root_fd, &result);
        else
                r = run_result_read_at(root_fd, b->verb, &result);
        if (r >= 0 && (!*b->id || streq(result->id, b->id) || result->cause == RUN_CAUSE_INTERRUPTED)) {
                bool cut_off = result->outcome == RUN_RUNNING;

                *ret = TAKE_PTR(result);
                return cut_off ? sd_bus_error_set(error, HOTPATCH_ERROR("BackendFailed"), "The run was ended before its end")
                               : run_result_error(*ret, error);
        }
        /* The runner refuses to install over what may be half done, and leaves the record as it is. */
        if (b->verb == RUN_INSTALL && (r == -EBADMSG || (r >= 0 && result->verb == RUN_MEND && result->outcome == RUN_FAILED)))
                return sd_bus_error_set(error, HOTPATCH_ERROR("InstallInterrupted"), r < 0
                        ? "The record of the last installation cannot be read, and packages may be half installed"
                        : "Mending has failed before, and packages may be half installed");
        return sd_bus_error_setf(error, HOTPATCH_ERROR("BackendFailed"), "The package manager was not run: %s",
                sd_bus_error_is_set(refusal) ? refusal->message
                        : r < 0 && r != -ENOENT ? strerror(-r) : "the unit left no result");
}

static void end(Backend *b, const sd_bus_error *refusal) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(run_result_freep) RunResult *result = NULL;
        int root_fd = kernel_root_fd(b->manager->kernel);
        BackendDone done = b->done;

        /* What nobody has taken is not carried out by the next start, whoever does that. */
        if (run_lock_is_held(root_fd) == 0)
                (void) unlinkat(root_fd, RUN_REQUEST_FILE, 0);
        (void) read_result(b, refusal, &result, &error);
        b->done = NULL;
        record_end(b, result, &error);
        b->manager->activity_usec = clock_usec(CLOCK_MONOTONIC);
        bus_reboot_changed(b->manager);
        if (done)
                done(b->userdata, result, &error);
        baseline_ran(b->manager->baseline, result, &error);
}

static int poll_later(Backend *b);

static int on_poll(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Backend *b = userdata;

        b->poll = sd_event_source_disable_unref(b->poll);
        if (run_lock_is_held(kernel_root_fd(b->manager->kernel)) <= 0 || poll_later(b) < 0)
                end(b, &SD_BUS_ERROR_NULL);
        return 0;
}

/* Not by starting the unit once more: that would wait for its end and then run it again. */
static int poll_later(Backend *b) {
        uint64_t usec = b->poll_usec;

        b->poll_usec = usec * 2 < POLL_MAX_USEC ? usec * 2 : POLL_MAX_USEC;
        return sd_event_add_time_relative(b->manager->event, &b->poll, CLOCK_BOOTTIME, usec, USEC_PER_SEC / 10, on_poll, b);
}

/*
 * SystemdDone: how the unit ended is not looked at, what it left is. A start job ends before the run when somebody
 * stops the unit, when a shutdown cancels it, or when systemd is away: an installation goes on then.
 */
static void on_ended(void *userdata, _unused_ int r, _unused_ const char *answer, const sd_bus_error *error) {
        Backend *b = userdata;

        b->call = systemd_call_free(b->call);
        b->poll_usec = POLL_MIN_USEC;
        if (run_lock_is_held(kernel_root_fd(b->manager->kernel)) > 0 && poll_later(b) >= 0)
                return;
        end(b, error);
}

static int watch(Backend *b) {
        return systemd_start_unit(b->manager->systemd, UNIT, LOOK_AGAIN_USEC, on_ended, b, &b->call);
}

/* A request that lies there was given to systemd and not taken yet: the unit waits for its turn. */
static int read_request(Backend *b) {
        _cleanup_(run_request_freep) RunRequest *request = NULL;
        int root_fd = kernel_root_fd(b->manager->kernel), r;
        _cleanup_free_ void *data = NULL;
        size_t size;

        r = file_read_at(root_fd, RUN_REQUEST_FILE, HOTPATCH_RUN_REQUEST_MAX, &data, &size);
        if (r >= 0)
                r = run_request_parse(data, size, &request, NULL);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        b->verb = request->verb;
        (void) snprintf(b->id, sizeof(b->id), "%s", request->id);
        return 1;
}

/**
 * backend_recover() - find a run again that a daemon before this one began
 *
 * Return: 0, also when there is none, or a negative errno.
 */
int backend_recover(Backend *b) {
        _cleanup_(run_result_freep) RunResult *install = NULL;
        int root_fd = kernel_root_fd(b->manager->kernel), held, r;

        b->caller_uid = UINT32_MAX;
        b->id[0] = 0;
        held = run_lock_is_held(root_fd);
        if (held < 0)
                return held;
        r = held ? 1 : read_request(b);
        if (r <= 0)
                return r;
        if (held)
                b->verb = run_settle(root_fd, &install) == 1 ? install->verb : RUN_PLAN;
        return watch(b);
}

static int make_directory(int root_fd, const char *path) {
        return mkdirat(root_fd, path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int write_request(const Backend *b, const RunRequest *request) {
        int root_fd = kernel_root_fd(b->manager->kernel), r;
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int dir_fd = -EBADF;

        r = make_directory(root_fd, "run/hotpatch");
        if (r >= 0)
                r = make_directory(root_fd, "run/hotpatch/baseline");
        if (r >= 0)
                r = make_directory(root_fd, RUN_RESULT_DIRECTORY);
        if (r < 0)
                return r;
        dir_fd = openat(root_fd, "run/hotpatch/baseline", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (dir_fd < 0)
                return -errno;
        r = run_request_format(request, &text);
        return r < 0 ? r : file_replace_at(dir_fd, "request", text, strlen(text), 0600);
}

/*
 * May these reach the command line of a package manager?
 * @kernel: NULL: none
 * @error: ManifestInvalid, with the name
 *
 * Return: 0 or a negative errno.
 */
static int check_packages(const RunPackage *packages, size_t n, const char *kernel, sd_bus_error *error) {
        for (size_t i = 0; i < n; i++)
                if (!run_package_is_valid(packages[i].name) || !run_version_is_valid(packages[i].version))
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("ManifestInvalid"),
                                "No package manager has a package '%s' in version '%s'", packages[i].name,
                                packages[i].version);
        if (kernel && !run_release_is_valid(kernel))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ManifestInvalid"), "'%s' is no kernel release", kernel);
        return 0;
}

static int check_start(const Backend *b, const BackendOrder *order, sd_bus_error *error) {
        const char *backend = b->manager->config->baseline.backend;

        if (backend_is_running(b))
                return sd_bus_error_set(error, HOTPATCH_ERROR("Busy"), "The package manager is at work for a baseline");
        if (backend && !run_backend_is_valid(backend))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BackendUnsupported"), "'%s' is no name of a backend", backend);
        return check_packages(order->packages, order->n_packages, order->kernel, error);
}

/**
 * backend_start() - begin a run
 * @order: what is to be done; copied
 * @done, @userdata: told when it has ended
 * @error: Busy, BackendUnsupported, ManifestInvalid, StateUnwritable
 *
 * Return: 0, or a negative errno; @done is not called then.
 */
int backend_start(Backend *b, const BackendOrder *order, BackendDone done, void *userdata, sd_bus_error *error) {
        const char *backend = b->manager->config->baseline.backend;
        sd_id128_t id = order->id;
        int r;

        r = check_start(b, order, error);
        if (r >= 0 && sd_id128_is_null(id))
                r = sd_id128_randomize(&id);
        if (r < 0)
                return r;
        (void) sd_id128_to_string(id, b->id);
        r = write_request(b, &(RunRequest) {
                .verb = order->verb,
                .id = b->id,
                .backend = (char *) (backend ?: "apt"),
                .baseline = (char *) order->baseline,
                .bundle = (char *) order->bundle,
                .deadline_usec = order->deadline_usec,
                .kernel = (char *) order->kernel,
                .packages = (RunPackage *) order->packages,
                .n_packages = order->n_packages,
                .lock_timeout_sec = order->verb == RUN_PLAN ? LOCK_TIMEOUT_PLAN_SEC : LOCK_TIMEOUT_SEC,
        });
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("StateUnwritable"),
                        "The request for a baseline run cannot be written: %s", strerror(-r));
        b->verb = order->verb;
        b->caller_uid = order->caller_uid;
        r = watch(b);
        if (r < 0) {
                (void) unlinkat(kernel_root_fd(b->manager->kernel), RUN_REQUEST_FILE, 0);
                return r;
        }
        b->done = done;
        b->userdata = userdata;
        return 0;
}
