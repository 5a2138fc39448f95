/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The work folder is ours alone and thrown away afterwards: nothing is flushed, and what is there may be
 * overwritten. A symbolic link is never written through, for the ones in the shadow tree lead to the
 * prepared tree.
 */

#include "builder/source/folder.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "util/file.h"

/**
 * folder_write() - write a file; what stood at its name is replaced, a symbolic link itself and not
 * what it leads to
 *
 * Return: 0 or a negative errno.
 */
int folder_write(const char *path, const void *data, size_t size) {
        _cleanup_close_ int fd = -EBADF;

        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
                return -errno;
        return file_write_all(fd, data, size);
}

/**
 * folder_make_parents() - make the folders that lead to a file
 * @path: of the file
 * @root: length of the part of @path that exists
 *
 * Return: 0 or a negative errno.
 */
int folder_make_parents(const char *path, size_t root) {
        _cleanup_free_ char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *slash = copy + root; (slash = strchr(slash + 1, '/'));) {
                *slash = '\0';
                if (mkdir(copy, 0755) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        return 0;
}
