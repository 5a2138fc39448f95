/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Mounting an image as the machine would after a power cut: the file system replays its own journal. By a loop
 * device that goes with the last who has it open.
 */

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include "tests/faults/replay.h"

/**
 * replay_mount_privately() - from now on nobody else sees our mounts
 *
 * Whoever made himself a mount namespace while one of them was there would keep it mounted after we have unmounted it:
 * the loop device would stay, and xfs would not mount another image of the same file system.
 *
 * Return: 0 or a negative errno.
 */
int replay_mount_privately(void) {
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return -errno;
        return 0;
}

static int attach(int image_fd, char path[32]) {
        struct loop_config config = { .fd = (uint32_t) image_fd, .info.lo_flags = LO_FLAGS_AUTOCLEAR };
        _cleanup_close_ int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

        if (control < 0)
                return -errno;
        /* Somebody else may be faster. */
        for (int tries = 0; tries < 50; tries++) {
                _cleanup_close_ int fd = -EBADF;
                int number = ioctl(control, LOOP_CTL_GET_FREE);

                if (number < 0)
                        return -errno;
                snprintf(path, 32, "/dev/loop%d", number);
                fd = open(path, O_RDWR | O_CLOEXEC);
                if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) >= 0)
                        return TAKE_FD(fd);
                if (errno != EBUSY && errno != ENOENT)
                        return -errno;
                usleep(20000);
        }
        return -EBUSY;
}

/**
 * replay_mount() - mount an image
 * @type: of the file system
 *
 * Return: 0, or a negative errno: a file system that cannot be mounted is as bad as one that was lost.
 */
int replay_mount(int image_fd, const char *type, const char *where) {
        _cleanup_close_ int fd = -EBADF;
        char path[32];

        fd = attach(image_fd, path);
        if (fd < 0)
                return fd;
        return mount(path, where, type, MS_NOATIME, NULL) < 0 ? -errno : 0;
}

/** replay_unmount() - and forget it. Return: 0 or a negative errno. */
int replay_unmount(const char *where) {
        return umount2(where, 0) < 0 ? -errno : 0;
}
