/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hotpatch-baseline: started by hotpatchd as hotpatch-baseline.service; see runner.c. What to do lies in
 * /run/hotpatch/baseline/request. It takes nothing else from whoever starts it.
 */

#include <config.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "baseline/runner.h"
#include "dbus/errors.h"

int main(int argc, _unused_ char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(run_result_freep) RunResult *result = NULL;
        const Runner runner = { .root = "/", .backends = HOTPATCH_LIBEXECDIR "/baseline", .inhibit = true };
        int r;

        if (argc != 1) {
                fprintf(stderr, "hotpatch-baseline takes no arguments; it is started by hotpatchd, see "
                        "hotpatch-baseline(8).\n");
                return EXIT_FAILURE;
        }
        umask(0077);
        (void) hotpatch_errors_register();
        r = runner_run(&runner, &result, &error);
        if (r < 0) {
                fprintf(stderr, SD_ERR "%s\n", error.message ?: strerror(-r));
                return EXIT_FAILURE;
        }
        if (result->outcome == RUN_DONE)
                return EXIT_SUCCESS;
        fprintf(stderr, SD_ERR "%s\n", result->text);
        return EXIT_FAILURE;
}
