/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The calls of a job that may block, each in a child: loading runs the module's init, disabling runs
 * its callbacks, and unloading waits for the kernel to be done with it.
 *
 * A child in such a call cannot be ended from outside, and until it has come back it may still change the kernel. So
 * the job waits for it, however long, and with it everything else, the rollback of another patch too: the kernel
 * runs callbacks under the one lock of all livepatches, and whoever wants it would only hang as well. What can be done is
 * to say so, early, and that a restart is the way out: the intent and the records of failed trials are on the disk.
 */

#include <inttypes.h>
#include <syslog.h>

#include "daemon/bus.h"
#include "daemon/job-internal.h"
#include "daemon/loaddir.h"
#include "daemon/messages.h"
#include "daemon/timer.h"
#include "livepatch/load.h"
#include "livepatch/state.h"
#include "util/str.h"

/* A module's init and callbacks are code of the patch author's; minutes mean that they hang. */
#define CALL_TIMEOUT_USEC (120 * USEC_PER_SEC)
/* They take milliseconds, an unload that waits for the kernel's grace periods some seconds. A person is told after that, or
 * when a transition would be given up. */
#define CALL_LATE_USEC (30 * USEC_PER_SEC)

static int enable(const Kernel *k, const char *module, _unused_ sd_bus_error *error) {
        return livepatch_set_enabled(k, module, true);
}

static int disable(const Kernel *k, const char *module, _unused_ sd_bus_error *error) {
        return livepatch_set_enabled(k, module, false);
}

static int force(const Kernel *k, const char *module, _unused_ sd_bus_error *error) {
        return livepatch_force(k, module);
}

static const struct {
        const char *name;
        const char *doing;
        int (*function)(const Kernel *k, const char *argument, sd_bus_error *error);
} calls[] = {
        [JOB_CALL_LOAD] = { "load", "loading", module_load },
        [JOB_CALL_ENABLE] = { "enable", "enabling", enable },
        [JOB_CALL_DISABLE] = { "disable", "disabling", disable },
        [JOB_CALL_FORCE] = { "force", "forcing", force },
        [JOB_CALL_UNLOAD] = { "unload", "unloading", module_unload },
};

/* --- one that does not come back --- */

static uint64_t late_after_usec(const Job *j) {
        uint64_t timeout = j->config->transition_timeout_usec;

        return timeout > 0 && timeout < CALL_LATE_USEC ? timeout : CALL_LATE_USEC;
}

static int on_late(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Job *j = userdata;

        j->call_late = true;
        job_record(j, HOTPATCH_MESSAGE_HANGS, LOG_CRIT, j->ids ? j->ids[0] : NULL, j->call_module,
                "The kernel has not come back from %s module '%s' for %" PRIu64 " seconds, and job %" PRIu32
                " waits for it", j->call_doing, j->call_module, late_after_usec(j) / USEC_PER_SEC, j->id);
        j->blockers_changed = true;
        bus_job_changed(j);
        return 0;
}

/** job_call_forget() - no call is under way any more */
void job_call_forget(Job *j) {
        j->call_timer = sd_event_source_disable_unref(j->call_timer);
        free(j->call_module);
        j->call_module = NULL;
        j->call_late = false;
}

/**
 * job_append_blockers() - the value of the property Blockers, a(uusssss)
 *
 * What a transition waits for; or the worker itself, when the kernel does not come back to it.
 *
 * Return: 0 or a negative errno.
 */
int job_append_blockers(const Job *j, sd_bus_message *reply) {
        _cleanup_free_ char *advice = NULL;
        int r;

        if (j->stall || !j->call_late || !j->worker)
                return stall_append(j->stall, reply);
        if (str_printf(&advice, "the kernel has not come back from %s module '%s': wait, or restart the machine; "
                     "nothing can stop it before", j->call_doing, j->call_module) < 0)
                return -ENOMEM;
        r = sd_bus_message_open_container(reply, 'a', "(uusssss)");
        if (r >= 0)
                r = sd_bus_message_append(reply, "(uusssss)", (uint32_t) worker_pid(j->worker),
                        (uint32_t) worker_pid(j->worker), j->call_name, "hotpatchd.service", "", "", advice);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* --- a call --- */

static int run(void *userdata, _unused_ int output_fd, sd_bus_error *error) {
        const Job *j = userdata;

        return j->call_function(j->manager->kernel, j->call_argument, error);
}

static void done(void *userdata, int r, const sd_bus_error *error, _unused_ const void *output,
                _unused_ size_t size) {
        Job *j = userdata;

        j->worker = worker_free(j->worker);
        if (j->call_late) {
                j->blockers_changed = true;
                bus_job_changed(j);
        }
        job_call_forget(j);
        j->call_done(j, r, error);
}

/**
 * job_call() - make a blocking call in a child
 * @j: the job; makes no other call
 * @call: which
 * @module: module name; for JOB_CALL_LOAD it lies in the job's load directory
 * @done_function: called later
 *
 * Return: 0 or a negative errno; @done_function is not called then.
 */
int job_call(Job *j, JobCall call, const char *module, JobCallDone done_function) {
        char name[16];

        free(j->call_argument);
        snprintf(name, sizeof(name), "%" PRIu32, j->id);
        j->call_argument = call == JOB_CALL_LOAD ? loaddir_module_path(j->manager->root, name, module)
                                                 : strdup(module);
        job_call_forget(j);
        j->call_module = strdup(module);
        if (!j->call_argument || !j->call_module)
                return -ENOMEM;
        j->call_name = calls[call].name;
        j->call_doing = calls[call].doing;
        j->call_function = calls[call].function;
        j->call_done = done_function;
        if (timer_arm(j->manager->event, &j->call_timer, late_after_usec(j), 0, on_late, j) < 0)
                j->call_timer = NULL; /* it is done all the same */
        return worker_start(j->manager->event, calls[call].name, CALL_TIMEOUT_USEC, run, j, done, j,
                &j->worker);
}
