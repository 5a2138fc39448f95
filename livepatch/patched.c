/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A livepatch may name modules that are not loaded: it takes effect on them when they come
 * (klp_module_coming(), kernel/livepatch/core.c), and leaves them when they go. The kernel shows
 * for each object whether it is patched in /sys/kernel/livepatch/PATCH/OBJECT/patched, since 6.1;
 * an older one is taken at its word that a loaded object is.
 */

#include "livepatch/functions.h"
#include "livepatch/identity.h"
#include "livepatch/patched.h"
#include "util/file.h"

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
        if (asprintf(&path, "sys/kernel/livepatch/%s/%s/patched", module, object) < 0)
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

/**
 * livepatch_patched() - the objects of an enabled livepatch, and which of them are patched
 * @ret: sorted by name; patched_objects_free()
 *
 * Return: 0, -ENOENT when the livepatch is not (or no longer) enabled, or another negative errno.
 */
int livepatch_patched(const Kernel *k, const char *module, PatchedObject **ret, size_t *ret_n) {
        InspectedObject *functions;
        PatchedObject *objects;
        size_t n, i;
        int r = livepatch_functions(k, module, &functions, &n);

        if (r < 0)
                return r;
        objects = calloc(n + 1, sizeof(*objects));
        for (i = 0; objects && i < n && r >= 0; i++) {
                objects[i].name = strdup(functions[i].name);
                r = objects[i].name ? object_state(k, module, objects[i].name, &objects[i].state) : -ENOMEM;
        }
        inspected_objects_free(functions, n);
        if (!objects || r < 0) {
                patched_objects_free(objects, i);
                return r < 0 ? r : -ENOMEM;
        }
        *ret = objects;
        *ret_n = n;
        return 0;
}
