/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reads a log of writes; write-log.h has the format. The log is our own QEMU's, but a guest that was killed may
 * have left its end half written, so every length is checked.
 */

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fs.h>

#include "write-log.h"

struct super {
        uint64_t magic, version, nr_entries;
        uint32_t sector_size;
};

struct entry {
        uint64_t sector, nr_sectors, flags, data_len;
};

static int map_log(const char *path, WriteLog *log) {
        int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
        uint64_t size = 0;
        struct stat st;
        void *map;

        if (fd < 0 || fstat(fd, &st) < 0)
                r = -errno;
        else if (!S_ISBLK(st.st_mode))
                size = (uint64_t) st.st_size;
        else if (ioctl(fd, BLKGETSIZE64, &size) < 0)
                r = -errno;
        if (r == 0) {
                map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
                r = map == MAP_FAILED ? -errno : 0;
        }
        if (fd >= 0)
                close(fd);
        if (r < 0)
                return r;
        log->map = map;
        log->size = size;
        return 0;
}

/* Return: where the next entry is, or 0 when this one cannot be. */
static uint64_t read_entry(const WriteLog *log, uint64_t at, uint64_t sector_size, WriteLogEntry *ret) {
        struct entry e;
        uint64_t bytes;

        if (at + sector_size > log->size)
                return 0;
        memcpy(&e, log->map + at, sizeof(e));
        if (le64toh(e.nr_sectors) > log->size / sector_size || le64toh(e.data_len) > log->size)
                return 0;
        *ret = (WriteLogEntry) {
                .offset = le64toh(e.sector) * sector_size,
                .size = le64toh(e.nr_sectors) * sector_size,
                .flags = le64toh(e.flags),
        };
        if (ret->flags & ~(uint64_t) (WRITE_LOG_FLUSH | WRITE_LOG_FUA | WRITE_LOG_DISCARD | WRITE_LOG_MARK))
                return 0;
        at += sector_size;
        bytes = ret->size;
        if (ret->flags & WRITE_LOG_MARK)
                bytes = (le64toh(e.data_len) + sector_size - 1) / sector_size * sector_size;
        if (bytes == 0 || ret->flags & WRITE_LOG_DISCARD)
                return at;
        if (bytes > log->size - at)
                return 0;
        ret->data = log->map + at;
        return at + bytes;
}

static int read_entries(WriteLog *log) {
        uint64_t at, n;
        struct super s;

        if (log->size < sizeof(s))
                return -EBADMSG;
        memcpy(&s, log->map, sizeof(s));
        at = le32toh(s.sector_size);
        n = le64toh(s.nr_entries);
        if (le64toh(s.magic) != WRITE_LOG_MAGIC || le64toh(s.version) != WRITE_LOG_VERSION ||
            at < sizeof(struct entry) || at > log->size || n > log->size / at)
                return -EBADMSG;
        log->entries = calloc(n + 1, sizeof(*log->entries));
        if (!log->entries)
                return -ENOMEM;
        for (; log->n_entries < n; log->n_entries++) {
                at = read_entry(log, at, le32toh(s.sector_size), &log->entries[log->n_entries]);
                if (at == 0)
                        return -EBADMSG;
        }
        return 0;
}

/**
 * write_log_open() - map a log and find its entries
 * @path: a file or a disk
 *
 * Return: 0, -EBADMSG when it is no log or a damaged one, or another negative errno.
 */
int write_log_open(const char *path, WriteLog *ret) {
        WriteLog log = {};
        int r = map_log(path, &log);

        if (r >= 0)
                r = read_entries(&log);
        if (r < 0) {
                write_log_close(&log);
                return r;
        }
        *ret = log;
        return 0;
}

/** write_log_close() - unmap it */
void write_log_close(WriteLog *log) {
        free(log->entries);
        if (log->map)
                munmap((void *) log->map, log->size);
        *log = (WriteLog) {};
}

/**
 * write_log_entry_apply() - do to an image what was done to the disk
 *
 * A discard may leave anything: zeros, which is also what the disks of our guests return.
 *
 * Return: 0 or a negative errno.
 */
int write_log_entry_apply(const WriteLogEntry *e, int image_fd) {
        uint64_t done = 0;

        if (e->flags & WRITE_LOG_MARK)
                return 0;
        if (e->flags & WRITE_LOG_DISCARD)
                return fallocate(image_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) e->offset,
                                       (off_t) e->size) < 0 ? -errno : 0;
        while (e->data && done < e->size) {
                ssize_t n = pwrite(image_fd, e->data + done, e->size - done, (off_t) (e->offset + done));
                if (n < 0)
                        return -errno;
                done += (uint64_t) n;
        }
        return 0;
}
