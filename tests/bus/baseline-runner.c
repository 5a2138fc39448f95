/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The runner of baselines on a made-up machine: baseline-runner ROOT BACKENDS. */

#include "baseline/runner.h"
#include "dbus/errors.h"

int main(int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(run_result_freep) RunResult *result = NULL;
        int r;

        if (argc != 3)
                return EXIT_FAILURE;
        (void) hotpatch_errors_register();
        r = runner_run(&(Runner) { .root = argv[1], .backends = argv[2] }, &result, &error);
        if (r < 0)
                fprintf(stderr, "%s\n", error.message ?: strerror(-r));
        return r < 0 || result->outcome != RUN_DONE;
}
