/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * write-log list LOG
 * write-log apply LOG IMAGE
 *
 * apply brings an image, which is as the disk was before the log began, to where the disk is after a power cut
 * that loses all that was not flushed: every write up to the last flush.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "write-log.h"

static int list(const WriteLog *log) {
        for (size_t i = 0; i < log->n_entries; i++) {
                const WriteLogEntry *e = &log->entries[i];

                printf("%zu %" PRIu64 " %" PRIu64 "%s%s%s%s\n", i, e->offset, e->size,
                        e->flags & WRITE_LOG_FLUSH ? " flush" : "", e->flags & WRITE_LOG_FUA ? " fua" : "",
                        e->flags & WRITE_LOG_DISCARD ? " discard" : "", e->flags & WRITE_LOG_MARK ? " mark" : "");
        }
        return 0;
}

/* The log also counts writes behind its last flush: QEMU tells their number every so many of them. */
static size_t find_end(const WriteLog *log) {
        size_t n = log->n_entries;

        while (n > 0 && !(log->entries[n - 1].flags & WRITE_LOG_FLUSH))
                n--;
        return n;
}

static int apply(const WriteLog *log, const char *image) {
        int fd = open(image, O_RDWR | O_CLOEXEC), r = fd < 0 ? -errno : 0;
        size_t flushes = 0, end = find_end(log);

        for (size_t i = 0; r >= 0 && i < end; i++) {
                r = write_log_entry_apply(&log->entries[i], fd);
                flushes += (log->entries[i].flags & WRITE_LOG_FLUSH) != 0;
        }
        if (fd >= 0)
                close(fd);
        if (r >= 0)
                printf("%zu entries, %zu of them lost, %zu flushes\n", log->n_entries, log->n_entries - end, flushes);
        return r;
}

int main(int argc, char *argv[]) {
        WriteLog log;
        int r;

        if (!(argc == 3 && strcmp(argv[1], "list") == 0) && !(argc == 4 && strcmp(argv[1], "apply") == 0)) {
                fprintf(stderr, "Usage: %s list LOG\n       %s apply LOG IMAGE\n", argv[0], argv[0]);
                return 2;
        }
        r = write_log_open(argv[2], &log);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", argv[2], strerror(-r));
                return 1;
        }
        r = argc == 3 ? list(&log) : apply(&log, argv[3]);
        if (r < 0)
                fprintf(stderr, "%s: %s\n", argv[argc - 1], strerror(-r));
        write_log_close(&log);
        return r < 0;
}
