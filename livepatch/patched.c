/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A livepatch may name modules that are not loaded: it takes effect on them when they come
 * (klp_module_coming(), kernel/livepatch/core.c), and leaves them when they go. The kernel shows
 * for each object whether it is patched in /sys/kernel/livepatch/PATCH/OBJECT/patched, since 6.1;
 * an older one is taken at its word that a loaded object is.
 */

#include <fcntl.h>

#include "livepatch/identity.h"
#include "livepatch/patched.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"

/** patched_state_to_string() - the word of the D-Bus contract */
const char *patched_state_to_string(PatchedState s) {
        static const char *const names[_PATCHED_STATE_MAX] = {
                [PATCHED_WAITING] = "waiting",
                [PATCHED_YES] = "patched",
                [PATCHED_NO] = "unpatched",
        };

        return names[s];
}

/** patched_objects_free() - free what livepatch_patched() gave */
void patched_objects_free(PatchedObject *objects, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(objects[i].name);
        free(objects);
}

static int object_state(const Kernel *k, const char *module, const char *object, PatchedState *ret) {
        _cleanup_free_ char *path = NULL, *patched = NULL;
        int loaded = streq(object, "vmlinux") ? 1 : kernel_module_loaded(k, object);
        int r;

        if (loaded < 0)
                return loaded;
        if (str_printf(&path, "sys/kernel/livepatch/%s/%s/patched", module, object) < 0)
                return -ENOMEM;
        r = file_read_line_at(kernel_root_fd(k), path, &patched);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                *ret = loaded ? PATCHED_YES : PATCHED_WAITING;
        else if (streq(patched, "1"))
                *ret = PATCHED_YES;
        else
                *ret = loaded ? PATCHED_NO : PATCHED_WAITING;
        return 0;
}

static int object_add(const Kernel *k, const char *module, const char *name, PatchedObject **objects, size_t *n) {
        PatchedObject *grown;
        PatchedState state;
        int r;

        if (*n >= HOTPATCH_OBJECTS_MAX)
                return -E2BIG;
        r = object_state(k, module, name, &state);
        if (r < 0)
                return r;
        grown = reallocarray(*objects, *n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        *objects = grown;
        grown[*n] = (PatchedObject) { .name = strdup(name), .state = state };
        return grown[(*n)++].name ? 0 : -ENOMEM;
}

static int compare_objects(const void *a, const void *b) {
        const PatchedObject *x = a, *y = b;

        return strcmp(x->name, y->name);
}

/**
 * livepatch_patched() - the objects of an enabled livepatch, and which of them are patched
 * @ret: sorted by name; patched_objects_free()
 *
 * Return: 0, -ENOENT when the livepatch is not (or no longer) enabled, or another negative errno.
 */
int livepatch_patched(const Kernel *k, const char *module, PatchedObject **ret, size_t *ret_n) {
        _cleanup_closedir_ DIR *d = NULL;
        _cleanup_free_ char *path = NULL;
        PatchedObject *objects = NULL;
        const char *name = NULL;
        size_t n = 0;
        int r = kernel_module_path("sys/kernel/livepatch", module, NULL, &path);

        if (r < 0)
                return r;
        r = directory_open_at(kernel_root_fd(k), path, O_NOFOLLOW, &d);
        if (r < 0)
                return r;
        while ((r = directory_next_folder(d, &name)) > 0) {
                if (!kernel_module_name_valid(name))
                        continue;
                r = object_add(k, module, name, &objects, &n);
                if (r < 0)
                        break;
        }
        if (r < 0) {
                patched_objects_free(objects, n);
                return r;
        }
        if (n > 1)
                qsort(objects, n, sizeof(*objects), compare_objects);
        *ret = objects;
        *ret_n = n;
        return 0;
}
