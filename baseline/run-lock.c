/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One run at a time, and what a power cut leaves. The lock ends with the process that took it; the
 * result file stays. So "running" with the lock free is a run that was cut off: by a power cut, a
 * crash, or a kill. What it had begun lies half done on the disk, and nothing is installed over that
 * before somebody had it mended.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "baseline/runner.h"

static int open_lock(int root_fd, int flags) {
        int fd = openat(root_fd, RUN_LOCK_FILE, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);

        return fd < 0 ? -errno : fd;
}

/**
 * run_lock_take() - be the one run
 *
 * Return: descriptor to keep open, -EBUSY when another run is under way, or another negative errno.
 */
int run_lock_take(int root_fd) {
        const struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        _cleanup_close_ int fd = open_lock(root_fd, O_RDWR | O_CREAT);

        if (fd < 0)
                return fd;
        if (fcntl(fd, F_SETLK, &all) < 0)
                return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
        return TAKE_FD(fd);
}

/** run_lock_is_held() - 1 when a run is under way, 0 when not, or a negative errno */
int run_lock_is_held(int root_fd) {
        struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        _cleanup_close_ int fd = open_lock(root_fd, O_RDONLY);

        if (fd == -ENOENT)
                return 0;
        if (fd < 0)
                return fd;
        /* The question needs no write permission, F_SETLK would. */
        return fcntl(fd, F_GETLK, &all) < 0 ? -errno : all.l_type != F_UNLCK;
}

/**
 * run_settle() - the last install as it stands now
 * @root_fd: root directory
 * @ret: the result, an interrupted one as a failure; run_result_free() it
 *
 * Return: 1 when it is still under way, 0, -ENOENT when there never was one, or another negative errno.
 */
int run_settle(int root_fd, RunResult **ret) {
        _cleanup_(run_result_freep) RunResult *result = NULL;
        int held, r;

        /* In this order: who ends writes first, and lets go of the lock then. */
        held = run_lock_is_held(root_fd);
        if (held < 0)
                return held;
        r = run_result_read_at(root_fd, RUN_INSTALL, &result);
        if (r < 0)
                return r;
        if (result->outcome == RUN_RUNNING && !held)
                r = run_result_fail(result, RUN_CAUSE_INTERRUPTED, false,
                        "The installation was cut off, by a power cut or a crash, and packages are left half installed");
        if (r < 0)
                return r;
        held = result->outcome == RUN_RUNNING;
        *ret = TAKE_PTR(result);
        return held;
}
