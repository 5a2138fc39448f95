/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Room for what is written after the point of no return.
 *
 * A livepatch that takes the place of others cannot be turned back once its transition has ended: the
 * others are gone then. Its record is written after that, so whatever could keep it from being
 * written (a full disk, no free inode, a file system that turned read-only, a folder that is not
 * ours) has to be seen before the module is inserted. A few files of the size of what comes are made
 * beside the records and the stream marks, and deleted in the moment before the real ones are
 * written: their blocks and inodes are free then, and nobody else has had the time to take them.
 *
 * Their names begin like those of other unfinished files, so that store_open() deletes what a crash
 * leaves.
 */

#include <fcntl.h>

#include "daemon/store-internal.h"
#include "util/limits.h"

/* A record of one manifest has a kilobyte or two, with hundreds of fixes ten times as much. */
#define RESERVED_SIZE (64 * 1024)

#define RESERVED_NAME STORE_TEMPORARY_PREFIX "reserved-%zu"

static int reserve_file(int dir_fd, size_t i) {
        _cleanup_close_ int fd = -EBADF;
        char name[48];
        int r;

        snprintf(name, sizeof(name), RESERVED_NAME, i);
        fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        /* The errno is its return value. Where a file system cannot, it writes zeros. */
        do
                r = posix_fallocate(fd, 0, RESERVED_SIZE);
        while (r == EINTR);
        return -r;
}

static void release_in(int dir_fd) {
        /* Without gaps: they are made and deleted together. */
        for (size_t i = 0; i < HOTPATCH_TRANSACTION_MAX; i++) {
                char name[48];

                snprintf(name, sizeof(name), RESERVED_NAME, i);
                if (unlinkat(dir_fd, name, 0) < 0)
                        return;
        }
}

/** store_release() - give back what store_reserve() took; without it nothing happens */
void store_release(const Store *s) {
        release_in(s->admitted_fd);
        release_in(s->streams_fd);
}

/**
 * store_reserve() - take the room that the records of a transaction will need
 * @n: how many bundles; at most HOTPATCH_TRANSACTION_MAX
 *
 * Nothing is flushed: this is about room now, and not about a crash. store_release() it, also after a
 * failure here has been told.
 *
 * Return: 0 or a negative errno with StateUnwritable; then nothing is reserved.
 */
int store_reserve(const Store *s, size_t n, sd_bus_error *error) {
        if (n > HOTPATCH_TRANSACTION_MAX)
                return -E2BIG;
        for (size_t i = 0; i < n; i++) {
                int r = reserve_file(s->admitted_fd, i);

                if (r >= 0)
                        r = reserve_file(s->streams_fd, i);
                if (r < 0) {
                        store_release(s);
                        return store_write_failed(error, "the records of the patches", r);
                }
        }
        return 0;
}

/**
 * store_admitted_check() - could this record be written and read back?
 *
 * Return: 0 or a negative errno with StateUnwritable.
 */
int store_admitted_check(const AdmittedRecord *r, sd_bus_error *error) {
        _cleanup_free_ char *data = NULL;
        AdmittedRecord again = { 0 };
        size_t size;
        int k;

        k = fields_format(store_admitted_fields, store_n_admitted_fields, r, &data, &size);
        if (k >= 0 && size > HOTPATCH_RECORD_MAX)
                k = -EFBIG;
        if (k >= 0)
                k = fields_parse(store_admitted_fields, store_n_admitted_fields, data, size, &again);
        if (k < 0)
                return store_write_failed(error, "the record of a patch", k);
        admitted_record_done(&again);
        return 0;
}
