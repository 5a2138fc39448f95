/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl force`: ends a stalled transition by declaring every task changed over. It is the one
 * verb that can do harm to a machine that was well, so it says plainly what it does, on stderr and
 * before polkit asks for a password; at a terminal it asks first. A script is not asked: who writes
 * "force" into one has decided.
 */

#include <inttypes.h>

#include "ctl/argument.h"
#include "ctl/call.h"
#include "ctl/text.h"

static const char warning[] =
        "Forcing gives up what makes live patching safe: tasks that sit in a function which is\n"
        "replaced go on in it, and the kernel does not know of them any more. Afterwards nothing\n"
        "more is applied until the machine was restarted.\n";

static bool is_wanted(const Ctl *ctl) {
        char answer[16] = "";

        if (!ctl->quiet)
                fputs(warning, stderr);
        if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
                return true;
        fputs("Type 'force' to go on: ", stderr);
        fflush(stderr);
        return fgets(answer, sizeof(answer), stdin) && streq(answer, "force\n");
}

int verb_force(Ctl *ctl, _unused_ int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        char subject[16];
        int r;

        if (!argument_is_job(argv[1]))
                return ctl_usage_of("force", "'%s' is not the number of a job, see 'hotpatchctl status'", argv[1]);
        if (!is_wanted(ctl)) {
                fputs("Nothing was forced.\n", stderr);
                r = ctl->json ? call_print_job_told(ctl, argv[1], false) : 0;
                return r < 0 ? ctl_fail(ctl, NULL, NULL, r) : HOTPATCH_EXIT_FAILURE;
        }
        r = call_job(ctl, argv[1], "Force", &error);
        if (r >= 0 && ctl->json)
                r = call_print_job_told(ctl, argv[1], true);
        snprintf(subject, sizeof(subject), "job %s", argv[1]);
        if (r < 0)
                return ctl_fail(ctl, subject, &error, r);
        if (!ctl->quiet && !ctl->json)
                printf("The transition of job %s was forced. Restart the machine when it suits.\n", argv[1]);
        return HOTPATCH_EXIT_OK;
}
