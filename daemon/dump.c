/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A kernel that panics or has an oops writes the end of its log to pstore, if the machine has a place for it (UEFI
 * variables, ACPI ERST, memory that is kept); a power cut leaves nothing. So where a dump was to be expected and none
 * is there, the machine most likely lost its power.
 *
 * Most likely: a kernel that hangs until a watchdog resets the machine leaves nothing either, nor does one whose
 * store is full. What follows from it must be right in these cases too, see aftermath.c.
 *
 * Dumps lie in /sys/fs/pstore until systemd-pstore.service(8) has moved them to /var/lib/systemd/pstore; each place is
 * looked at, as that may happen before us, after us, or at this moment.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/dump.h"
#include "util/file.h"

#define BACKEND "sys/module/pstore/parameters/backend"
#define CRASH_KERNEL "sys/kernel/kexec_crash_loaded"
#define FRESH "sys/fs/pstore"
#define ARCHIVE "var/lib/systemd/pstore"
/* systemd-pstore makes a folder for each dump, and another one in it for its parts. */
#define DEPTH_MAX 3U

/**
 * dump_expected() - if the kernel went down now by a fault of its own, would there be a dump at the next start?
 *
 * A crash kernel takes over before pstore is written (kernel/panic.c), and keeps its own dump elsewhere.
 */
bool dump_expected(int root_fd) {
        _cleanup_free_ char *backend = NULL, *crash_kernel = NULL;

        if (file_read_line_at(root_fd, BACKEND, &backend) < 0 || !*backend || streq(backend, "(null)"))
                return false;
        return file_read_line_at(root_fd, CRASH_KERNEL, &crash_kernel) < 0 || streq(crash_kernel, "0");
}

/* A dump begins with this in either place; other files are the console and what user space writes. */
static bool is_dump(int dir_fd, const char *name, uint64_t since_usec) {
        struct stat st;

        return startswith(name, "dmesg") && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0 &&
                S_ISREG(st.st_mode) && (uint64_t) st.st_ctim.tv_sec >= since_usec / USEC_PER_SEC;
}

/* What cannot be looked at may be one. */
static bool find(int dir_fd, const char *path, uint64_t since_usec, unsigned depth) {
        _cleanup_closedir_ DIR *d = NULL;
        int r = directory_open_at(dir_fd, path, O_NOFOLLOW, &d);

        if (r < 0)
                return r != -ENOENT && r != -ENOTDIR && r != -ELOOP;
        for (struct dirent *e; (e = readdir(d));) {
                if (*e->d_name == '.')
                        continue;
                if (is_dump(dirfd(d), e->d_name, since_usec))
                        return true;
                if (depth > 1 && find(dirfd(d), e->d_name, since_usec, depth - 1))
                        return true;
        }
        return false;
}

/**
 * dump_found() - is there a dump of a kernel that went down after a time?
 * @since_usec: CLOCK_REALTIME
 *
 * One that was not moved yet counts whatever its time: the clock of a kernel that dies is not to be relied upon.
 */
bool dump_found(int root_fd, uint64_t since_usec) {
        return find(root_fd, FRESH, 0, 1) || find(root_fd, ARCHIVE, since_usec, DEPTH_MAX);
}
