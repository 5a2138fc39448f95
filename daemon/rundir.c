/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * /run/hotpatch belongs to hotpatchd and to hotpatch-restore, whoever comes first. In the sandbox of the service
 * systemd makes it (RuntimeDirectory=); below a test's root nobody does. Everybody may enter it and nobody list it, see
 * publish.c; what others are not to read has the mode for that.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/rundir.h"

/**
 * rundir_open() - open /run/hotpatch, made when it is missing
 * @root_fd: the root directory
 *
 * Return: a descriptor or a negative errno.
 */
int rundir_open(int root_fd) {
        static const char *const parents[] = { "run", "run/hotpatch" };
        int fd;

        for (size_t i = 0; i < ELEMENTSOF(parents); i++)
                if (mkdirat(root_fd, parents[i], i == 0 ? 0755 : 0711) < 0 && errno != EEXIST)
                        return -errno;
        fd = openat(root_fd, "run/hotpatch", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}
