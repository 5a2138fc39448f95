/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the probes share. A probe does the one thing that a fix changes and prints in one line what the
 * kernel answered; fix.json beside it says which line is the old behaviour and which the new. It exits 0
 * when it could see an answer, whichever; what it needed on the way and did not get is exit status 1. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** need() - a step on the way: without it there is nothing to see */
static inline long need(const char *what, long r) {
        if (r >= 0)
                return r;
        fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
        exit(1);
}

/** answer() - print "WHAT: accepted" or "WHAT: EINVAL" from a return value and errno */
static inline void answer(const char *what, long r) {
        printf("%s: %s\n", what, r >= 0 ? "accepted" : strerrorname_np(errno));
}
