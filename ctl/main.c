/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* hotpatchctl: reads the command line, runs one verb, passes its exit code on. */

#include <locale.h>

#include "config.h"
#include "ctl/verbs.h"
#include "util/strv.h"

static int run(Ctl *ctl, int argc, char *argv[]) {
        _cleanup_strv_free_ char **args = NULL;
        const VerbEntry *verb;
        int r;

        r = hotpatch_errors_register();
        if (r < 0)
                return ctl_fail(ctl, NULL, NULL, r);
        r = options_parse(ctl, argc, argv, &verb, &args);
        if (r != 0)
                return r;
        if (ctl->version) {
                puts("hotpatchctl " HOTPATCH_VERSION);
                return HOTPATCH_EXIT_OK;
        }
        if (ctl->help) {
                help_print(verb);
                return HOTPATCH_EXIT_OK;
        }
        return verb->run(ctl, (int) strv_length(args), args);
}

int main(int argc, char *argv[]) {
        Ctl ctl;
        int r;

        setlocale(LC_CTYPE, "");
        ctl_init(&ctl);
        r = run(&ctl, argc, argv);
        ctl_done(&ctl);
        /* A full disk behind stdout must not look like success. */
        if ((fflush(stdout) != 0 || ferror(stdout)) && r == HOTPATCH_EXIT_OK) {
                fputs("hotpatchctl: The output cannot be written\n", stderr);
                r = HOTPATCH_EXIT_FAILURE;
        }
        return r;
}
