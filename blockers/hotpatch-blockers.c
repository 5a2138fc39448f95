/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hotpatch-blockers: started by hotpatchd as hotpatch-blockers.service when a transition does not end,
 * see reader.c. It takes nothing from whoever starts it.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "blockers/reader.h"

/* The kernel looks once a second; a fifth of a second for a busy machine. */
#define LISTEN_USEC (1200 * USEC_PER_MSEC)

static int fail(const char *what, int r) {
        fprintf(stderr, "hotpatch-blockers: %s: %s\n", what, strerror(-r));
        return EXIT_FAILURE;
}

int main(int argc, char *argv[]) {
        _cleanup_kernel_free_ Kernel *k = NULL;
        _cleanup_close_ int run_fd = -EBADF;
        bool off = argc == 2 && streq(argv[1], "--off");
        int r;

        if (argc > 2 || (argc == 2 && !off)) {
                fprintf(stderr, "Usage: %s [--off]\n\n"
                        "Started by hotpatchd, see hotpatchd(8).\n", argv[0]);
                return EXIT_FAILURE;
        }
        umask(0077);
        run_fd = open("/run/hotpatch", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (run_fd < 0)
                return fail("/run/hotpatch", -errno);
        r = kernel_new("/", NULL, NULL, &k);
        if (r < 0)
                return fail("/", r);
        r = off ? reader_debug_off(k, run_fd) : reader_run(k, run_fd, LISTEN_USEC);
        return r < 0 ? fail(off ? "dynamic debug cannot be switched off" : "cannot tell what blocks", r)
                     : EXIT_SUCCESS;
}
