/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The log of what was written to a disk, as QEMU's block filter `blklogwrites` and the kernel's dm-log-writes make it.
 *
 *   sector 0    struct WriteLogSuper
 *   sector 1…   for each entry one sector with a struct WriteLogEntry, and then its data, if it has any
 *
 * All numbers are little-endian. Entries stand in the order in which the writes were completed. A flush says
 * that what was completed before it is on the medium; what is behind the last one may be lost with the power, each
 * write by itself. Both logs have the same format but for one thing: `data_len` is set by dm-log-writes only
 * for a mark, and never by QEMU, which has no marks; the data of any other entry is nr_sectors long.
 * (Documentation/admin-guide/device-mapper/log-writes.rst of Linux)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* drivers/md/dm-log-writes.c of Linux */
#define WRITE_LOG_MAGIC UINT64_C(0x6a736677736872)
#define WRITE_LOG_VERSION 1
#define WRITE_LOG_FLUSH (1U << 0)
#define WRITE_LOG_FUA (1U << 1)
#define WRITE_LOG_DISCARD (1U << 2)
#define WRITE_LOG_MARK (1U << 3)

/** struct WriteLogEntry - one write; @data lies in the log, NULL when there is none */
typedef struct WriteLogEntry {
        uint64_t offset; /* bytes */
        uint64_t size;   /* bytes */
        uint64_t flags;
        const uint8_t *data;
} WriteLogEntry;

/** struct WriteLog - a whole log, mapped */
typedef struct WriteLog {
        const uint8_t *map;
        size_t size;
        WriteLogEntry *entries;
        size_t n_entries; /* at least up to the last flush */
} WriteLog;

int write_log_open(const char *path, WriteLog *ret);
void write_log_close(WriteLog *log);
int write_log_entry_apply(const WriteLogEntry *e, int image_fd);
