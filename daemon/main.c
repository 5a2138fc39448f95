/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hotpatchd(8): the service that applies hotpatches to the running kernel. There is nothing to say
 * on its command line; hotpatchd.conf(5) configures it and hotpatchctl(1) speaks to it.
 */

#include <getopt.h>

#include <config.h> /* the build's */
#include "daemon/service.h"

static int usage(FILE *to, const char *name, int status) {
        fprintf(to,
                "Usage: %s [OPTION]\n"
                "\n"
                "Apply signed hotpatches to the running kernel. Started by systemd.\n"
                "\n"
                "  -h, --help     show this help\n"
                "      --version  show the version\n"
                "\n"
                "See hotpatchd(8).\n",
                name);
        return status;
}

int main(int argc, char *argv[]) {
        enum { ARG_VERSION = 0x100 };
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, ARG_VERSION },
                {},
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case 'h':
                        return usage(stdout, argv[0], EXIT_SUCCESS);
                case ARG_VERSION:
                        puts("hotpatchd " HOTPATCH_VERSION);
                        return EXIT_SUCCESS;
                default:
                        return usage(stderr, argv[0], EXIT_FAILURE);
                }
        if (optind < argc)
                return usage(stderr, argv[0], EXIT_FAILURE);
        return service_run("/", NULL, NULL) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
