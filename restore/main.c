/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hotpatch-restore(8): started by systemd at the start of the machine, when that is over, and at its
 * shutdown. There is nothing to configure but hotpatchd.conf(5).
 */

#include <getopt.h>
#include <sys/stat.h>

#include <config.h> /* the build's */
#include "dbus/errors.h"
#include "restore/restore.h"

static int usage(FILE *to, const char *name, int status) {
        fprintf(to,
                "Usage: %s [OPTION]\n"
                "\n"
                "Put the hotpatches back that are wanted for the running kernel. Started by systemd.\n"
                "\n"
                "      --check    only tell whether they are in force\n"
                "      --clean    note that the machine is being shut down in order\n"
                "  -h, --help     show this help\n"
                "      --version  show the version\n"
                "\n"
                "See hotpatch-restore(8).\n",
                name);
        return status;
}

int main(int argc, char *argv[]) {
        enum { ARG_VERSION = 0x100, ARG_CHECK, ARG_CLEAN };
        static const struct option options[] = {
                { "check", no_argument, NULL, ARG_CHECK },
                { "clean", no_argument, NULL, ARG_CLEAN },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, ARG_VERSION },
                {},
        };
        int c, what = 0, r;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        return usage(stdout, argv[0], EXIT_SUCCESS);
                case ARG_VERSION:
                        puts("hotpatch-restore " HOTPATCH_VERSION);
                        return EXIT_SUCCESS;
                case ARG_CHECK:
                case ARG_CLEAN:
                        what = c;
                        break;
                default:
                        return usage(stderr, argv[0], EXIT_FAILURE);
                }
        if (optind < argc)
                return usage(stderr, argv[0], EXIT_FAILURE);
        umask(0077);
        r = hotpatch_errors_register();
        if (r >= 0)
                r = what == ARG_CHECK ? restore_check("/", NULL, NULL)
                  : what == ARG_CLEAN ? restore_mark_clean("/") : restore_run("/", NULL, NULL);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
