/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How much memory the kernel keeps for itself: where a leak in a patched function shows.
 *
 * Nothing in /proc counts that. Slab and vmalloc have counters, but what alloc_pages() gave away and nobody
 * gives back is in none, and pressure (/proc/pressure) rises only when all is gone. So it is what is left: all memory,
 * less what is free, less what processes and the page cache have, less what the kernel would give back when asked.
 * What grows with the number of processes and threads is taken off too (page tables, stacks); they come and go
 * for reasons of their own. So is what processes have in compressed swap: zram has no field in /proc/meminfo, but the
 * pages of its allocator are in /proc/vmstat (nr_zspages). Zswap keeps its pages there as well, or in an allocator of
 * its own, and has a field: the larger number of the two has both.
 *
 * It is no exact number. The kernel holds freed pages back in lists of each processor, from 6.7 on up to an
 * eighth of a zone (MIN_PERCPU_PAGELIST_HIGH_FRACTION in mm/page_alloc.c), and modules that manage a cache by
 * themselves (ZFS) or give memory to a hypervisor look like a leak. Whoever sets a limit has to know.
 *
 * Fields: Documentation/filesystems/proc.rst, meminfo. Its "kB" are KiB.
 */

#include <inttypes.h>
#include <unistd.h>

#include "daemon/kernel-memory.h"
#include "util/file.h"

/* 6.12 writes 1.5 KiB. */
#define MEMINFO_MAX 16384U
/* And 4 KiB of this. */
#define VMSTAT_MAX 65536U

/* Swap cache, shared memory and what is locked are on the lists of pages, Active to Unevictable. */
static const char *const not_kept[] = {
        "MemFree",      "Active",      "Inactive",   "Unevictable",   "KReclaimable",
        "KernelStack",  "PageTables",  "SecPageTables", "Hugetlb",
};

/* The number behind the name and @separator at the beginning of a line; -ENOENT when there is no such line. */
static int find_field(const char *text, const char *name, char separator, uint64_t *ret) {
        size_t n = strlen(name);

        for (const char *line = text; line; line = strchr(line, '\n')) {
                char *end;

                line += *line == '\n';
                if (strncmp(line, name, n) != 0 || line[n] != separator)
                        continue;
                errno = 0;
                *ret = strtoull(line + n + 1, &end, 10);
                return errno != 0 || end == line + n + 1 ? -EBADMSG : 0;
        }
        return -ENOENT;
}

/* What processes have in compressed swap, in KiB. Either may be missing, or be of a kernel that is odd. */
static int find_compressed(const char *meminfo, const char *vmstat, uint64_t *ret) {
        uint64_t zswap = 0, pages = 0, page_kib = (uint64_t) sysconf(_SC_PAGESIZE) / 1024;
        int r = find_field(meminfo, "Zswap", ':', &zswap);

        if (r >= 0 || r == -ENOENT)
                r = find_field(vmstat, "nr_zspages", ' ', &pages);
        if (r < 0 && r != -ENOENT)
                return r;
        pages = pages < UINT64_MAX / page_kib ? pages * page_kib : UINT64_MAX;
        *ret = zswap > pages ? zswap : pages;
        return 0;
}

/**
 * kernel_memory_parse() - read the texts of /proc/meminfo and /proc/vmstat
 * @meminfo, @vmstat: NUL-terminated; the second may be empty
 * @ret: set on success
 *
 * Fields that a kernel does not have are 0. The fields are not read at one instant: what would be less than nothing is 0.
 *
 * Return: 0, or -EBADMSG when even all and free memory are not in it.
 */
int kernel_memory_parse(const char *meminfo, const char *vmstat, KernelMemory *ret) {
        uint64_t total, other;

        if (find_field(meminfo, "MemTotal", ':', &total) < 0 || total == 0)
                return -EBADMSG;
        if (find_compressed(meminfo, vmstat, &other) < 0)
                return -EBADMSG;
        other = other < total ? other : total;
        for (size_t i = 0; i < ELEMENTSOF(not_kept); i++) {
                uint64_t n = 0;
                int r = find_field(meminfo, not_kept[i], ':', &n);

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
        _cleanup_free_ void *meminfo = NULL, *vmstat = NULL;
        int r = file_read_at(kernel_root_fd(k), "proc/meminfo", MEMINFO_MAX, &meminfo, NULL);

        if (r < 0)
                return r;
        r = file_read_at(kernel_root_fd(k), "proc/vmstat", VMSTAT_MAX, &vmstat, NULL);
        return r < 0 && r != -ENOENT ? r : kernel_memory_parse(meminfo, vmstat ?: "", ret);
}
