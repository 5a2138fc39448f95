/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The calls of a job that may block, each in a child: loading runs the module's init, disabling runs
 * its callbacks, and unloading waits for the kernel to be done with it.
 */

#include <inttypes.h>

#include "daemon/job-internal.h"
#include "daemon/loaddir.h"
#include "livepatch/load.h"
#include "livepatch/state.h"

/* A module's init and callbacks are code of the patch author's; minutes mean that they hang. */
#define CALL_TIMEOUT_USEC (120 * USEC_PER_SEC)

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
        int (*function)(const Kernel *k, const char *argument, sd_bus_error *error);
} calls[] = {
        [JOB_CALL_LOAD] = { "load", module_load },
        [JOB_CALL_ENABLE] = { "enable", enable },
        [JOB_CALL_DISABLE] = { "disable", disable },
        [JOB_CALL_FORCE] = { "force", force },
        [JOB_CALL_UNLOAD] = { "unload", module_unload },
};

static int run(void *userdata, _unused_ int output_fd, sd_bus_error *error) {
        const Job *j = userdata;

        return j->call_function(j->manager->kernel, j->call_argument, error);
}

static void done(void *userdata, int r, const sd_bus_error *error, _unused_ const void *output,
                _unused_ size_t size) {
        Job *j = userdata;

        j->worker = worker_free(j->worker);
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
        if (!j->call_argument)
                return -ENOMEM;
        j->call_function = calls[call].function;
        j->call_done = done_function;
        return worker_start(j->manager->event, calls[call].name, CALL_TIMEOUT_USEC, run, j, done, j,
                &j->worker);
}
