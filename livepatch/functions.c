/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which functions an enabled livepatch replaces, as the kernel shows it for any livepatch, ours or
 * not: /sys/kernel/livepatch/PATCH/OBJECT/FUNCTION,SYMPOS, all of them directories. The kernel shows
 * position 1 for a function that is unique, so 1 is told as no position at all.
 */

#include <fcntl.h>

#include "livepatch/functions.h"
#include "util/file.h"
#include "util/str.h"
#include "util/strv.h"

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
        int r = directory_open_at(patch_fd, object, O_NOFOLLOW, &d);

        if (r < 0)
                return r;
        while ((r = directory_next_folder(d, &name)) > 0) {
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
        if (str_printf(&path, "sys/kernel/livepatch/%s", module) < 0)
                return -ENOMEM;
        r = directory_open_at(kernel_root_fd(k), path, O_NOFOLLOW, &d);
        if (r < 0)
                return r;
        while ((r = directory_next_folder(d, &name)) > 0) {
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

/**
 * livepatch_function_names() - their names alone, of all objects
 * @ret: free with strv_free(); NULL when there are none
 *
 * Return: as livepatch_functions().
 */
int livepatch_function_names(const Kernel *k, const char *module, char ***ret) {
        _cleanup_strv_free_ char **names = NULL;
        InspectedObject *objects;
        size_t n;
        int r = livepatch_functions(k, module, &objects, &n);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                for (char **f = objects[i].functions; r >= 0 && f && *f; f++) {
                        _cleanup_free_ char *name = strndup(*f, strcspn(*f, ","));

                        r = name ? strv_extend(&names, name) : -ENOMEM;
                }
        inspected_objects_free(objects, n);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(names);
        return 0;
}
