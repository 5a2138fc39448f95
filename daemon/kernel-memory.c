/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How much memory the kernel keeps for itself: where a leak in a patched function shows.
 *
 * Nothing in /proc counts that. Slab and vmalloc have counters, but what alloc_pages() gave away and nobody
 * gives back is in none, and pressure (/proc/pressure) rises only when all is gone. So it is what is left: all memory,
 * less what is free, less what processes and the page cache have, less what the kernel would give back when asked.
 * What grows with the number of processes and threads is taken off too (page tables, stacks); they come and go
 * for reasons of their own.
 *
 * It is no exact number. The kernel holds freed pages back in lists of each processor, from 6.7 on up to an
 * eighth of a zone (MIN_PERCPU_PAGELIST_HIGH_FRACTION in mm/page_alloc.c), and modules that manage a cache by
 * themselves (ZFS) or give memory to a hypervisor look like a leak. Whoever sets a limit has to know.
 *
 * Fields: Documentation/filesystems/proc.rst, meminfo. Its "kB" are KiB.
 */

#include <inttypes.h>

#include "daemon/kernel-memory.h"
#include "util/file.h"

/* 6.12 writes 1.5 KiB. */
#define MEMINFO_MAX 16384U

/* Swap cache, shared memory and what is locked are on the lists of pages, Active to Unevictable. */
static const char *const not_kept[] = {
        "MemFree",      "Active",      "Inactive",   "Unevictable",   "KReclaimable",
        "KernelStack",  "PageTables",  "SecPageTables", "Hugetlb",    "Zswap",
};

/* The number behind "NAME:" at the beginning of a line, in KiB; -ENOENT when there is no such line. */
static int find_field(const char *meminfo, const char *name, uint64_t *ret) {
        size_t n = strlen(name);

        for (const char *line = meminfo; line; line = strchr(line, '\n')) {
                char *end;

                line += *line == '\n';
                if (strncmp(line, name, n) != 0 || line[n] != ':')
                        continue;
                errno = 0;
                *ret = strtoull(line + n + 1, &end, 10);
                return errno != 0 || end == line + n + 1 ? -EBADMSG : 0;
        }
        return -ENOENT;
}

/**
 * kernel_memory_parse() - read the text of /proc/meminfo
 * @meminfo: NUL-terminated
 * @ret: set on success
 *
 * Fields that a kernel does not have are 0. The fields are not read at one instant: what would be less than nothing is 0.
 *
 * Return: 0, or -EBADMSG when even all and free memory are not in it.
 */
int kernel_memory_parse(const char *meminfo, KernelMemory *ret) {
        uint64_t total, other = 0;

        if (find_field(meminfo, "MemTotal", &total) < 0 || total == 0)
                return -EBADMSG;
        for (size_t i = 0; i < ELEMENTSOF(not_kept); i++) {
                uint64_t n = 0;
                int r = find_field(meminfo, not_kept[i], &n);

                /* The first is in every kernel. */
                if (r == -EBADMSG || (r < 0 && i == 0))
                        return -EBADMSG;
                other += n < total ? n : total;
        }
        *ret = (KernelMemory) { .total = total, .kept = other < total ? total - other : 0 };
        return 0;
}

/** kernel_memory_read() - how it is now. Return: 0 or a negative errno. */
int kernel_memory_read(const Kernel *k, KernelMemory *ret) {
        _cleanup_free_ void *text = NULL;
        int r = file_read_at(kernel_root_fd(k), "proc/meminfo", MEMINFO_MAX, &text, NULL);

        return r < 0 ? r : kernel_memory_parse(text, ret);
}
