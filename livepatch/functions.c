/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which functions an enabled livepatch replaces, as the kernel shows it for any livepatch, ours or
 * not: /sys/kernel/livepatch/PATCH/OBJECT/FUNCTION,SYMPOS, all of them directories. The kernel shows
 * position 1 for a function that is unique, so 1 is told as no position at all.
 */

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "livepatch/functions.h"
#include "util/file.h"

static int directory_open(int dir_fd, const char *path, DIR **ret) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd < 0)
                return -errno;
        *ret = fdopendir(fd);
        if (!*ret)
                return -errno;
        (void) TAKE_FD(fd);
        return 0;
}

/* The next subdirectory whose name does not start with a dot. Return: 1, 0 at the end, or errno. */
static int next_directory(DIR *d, const char **ret_name) {
        for (;;) {
                struct dirent *e;
                struct stat st;

                errno = 0;
                e = readdir(d);
                if (!e)
                        return errno ? -errno : 0;
                if (*e->d_name == '.' || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                    !S_ISDIR(st.st_mode))
                        continue;
                *ret_name = e->d_name;
                return 1;
        }
}

static int add_function(InspectedObject **objects, size_t *n, const char *object, const char *entry) {
        const char *comma = strrchr(entry, ',');
        _cleanup_free_ char *name = NULL;
        unsigned long position;
        char *end;

        if (!comma || comma == entry || comma[1] < '0' || comma[1] > '9')
                return -EBADMSG;
        errno = 0;
        position = strtoul(comma + 1, &end, 10);
        if (errno || *end)
                return -EBADMSG;
        name = strndup(entry, (size_t) (comma - entry));
        if (!name)
                return -ENOMEM;
        return inspected_objects_add(objects, n, object, name, position == 1 ? 0 : position);
}

static int add_object(int patch_fd, const char *object, InspectedObject **objects, size_t *n) {
        _cleanup_closedir_ DIR *d = NULL;
        const char *name;
        int r = directory_open(patch_fd, object, &d);

        if (r < 0)
                return r;
        while ((r = next_directory(d, &name)) > 0) {
                r = add_function(objects, n, object, name);
                if (r < 0)
                        return r;
        }
        return r;
}

/**
 * livepatch_functions() - the functions that an enabled livepatch replaces
 * @ret: sorted; free with inspected_objects_free(); NULL when there are none
 *
 * Return: 0, -ENOENT when the livepatch is not (or no longer) enabled, -E2BIG for more than our
 * bundles may have, or another negative errno.
 */
int livepatch_functions(const Kernel *k, const char *module, InspectedObject **ret, size_t *ret_n) {
        _cleanup_closedir_ DIR *d = NULL;
        _cleanup_free_ char *path = NULL;
        InspectedObject *objects = NULL;
        const char *name;
        size_t n = 0;
        int r;

        if (!kernel_module_name_valid(module))
                return -EINVAL;
        if (asprintf(&path, "sys/kernel/livepatch/%s", module) < 0)
                return -ENOMEM;
        r = directory_open(kernel_root_fd(k), path, &d);
        if (r < 0)
                return r;
        while ((r = next_directory(d, &name)) > 0) {
                r = add_object(dirfd(d), name, &objects, &n);
                if (r < 0)
                        break;
        }
        if (r < 0) {
                inspected_objects_free(objects, n);
                return r;
        }
        inspected_objects_sort(objects, n);
        *ret = objects;
        *ret_n = n;
        return 0;
}
