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
        int r, code = argument_check_job(argv);

        if (code != HOTPATCH_EXIT_OK)
                return code;
        if (!is_wanted(ctl)) {
                fputs("Nothing was forced.\n", stderr);
                r = ctl->json ? call_print_job_told(ctl, argv[1], false) : 0;
                return r < 0 ? ctl_fail(ctl, NULL, NULL, r) : HOTPATCH_EXIT_FAILURE;
        }
        code = call_tell_job(ctl, argv[1], "Force");
        if (code == HOTPATCH_EXIT_OK && !ctl->quiet && !ctl->json)
                printf("The transition of job %s was forced. Restart the machine when it suits.\n", argv[1]);
        return code;
}
