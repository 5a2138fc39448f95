/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The handle through which everything else here sees the kernel: one descriptor of a root directory
 * and two functions that change the kernel.
 *
 * Reading by relative path from a descriptor means that a test hands over a folder with a few files
 * in it and the product has no code that knows about tests. The price: a tree that is not the real
 * root has no kernel behind it, so loading there needs a scripted ModuleOps and is refused without
 * one, lest a test loads modules into the machine it runs on.
 *
 * Nothing is cached: each question is answered by the kernel at the moment it is asked.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "livepatch/kernel.h"
#include "livepatch/load.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"

struct Kernel {
        int root_fd;
        bool host;
        const ModuleOps *ops;
        void *userdata;
};

/**
 * kernel_new() - look at the kernel whose files are below @root
 * @root: "/", or the folder of a captured tree
 * @ops: how modules are loaded and unloaded; NULL: with libkmod, only when @root is "/"
 * @userdata: given to @ops
 * @ret: to be freed with kernel_free()
 *
 * Return: 0, -EINVAL for a captured tree without @ops, or another negative errno.
 */
int kernel_new(const char *root, const ModuleOps *ops, void *userdata, Kernel **ret) {
        _cleanup_kernel_free_ Kernel *k = NULL;
        bool host = streq(root, "/");

        if (!ops && !host)
                return -EINVAL;
        k = malloc(sizeof(*k));
        if (!k)
                return -ENOMEM;
        *k = (Kernel) {
                .root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                .host = host,
                .ops = ops ?: &module_ops_kmod,
                .userdata = userdata,
        };
        if (k->root_fd < 0)
                return -errno;
        *ret = TAKE_PTR(k);
        return 0;
}

/** kernel_free() - give the handle back. Return: NULL */
Kernel *kernel_free(Kernel *k) {
        if (!k)
                return NULL;
        safe_close(k->root_fd);
        free(k);
        return NULL;
}

/** kernel_root_fd() - the root directory; stays owned by @k */
int kernel_root_fd(const Kernel *k) {
        return k->root_fd;
}

/** kernel_is_host() - whether @k is the kernel this process runs on, so that system calls may ask
 * it */
bool kernel_is_host(const Kernel *k) {
        return k->host;
}

/** kernel_insert() - ModuleOps.insert of this kernel */
int kernel_insert(const Kernel *k, const char *path) {
        return k->ops->insert(k->userdata, path);
}

/** kernel_remove() - ModuleOps.remove of this kernel */
int kernel_remove(const Kernel *k, const char *name) {
        return k->ops->remove(k->userdata, name);
}

/**
 * kernel_module_name_valid() - whether a string can be a module's name, and so one path component
 *
 * Kbuild makes names of letters, digits and underscores; a dash, or a dot that is not the first
 * character, do no harm in a path.
 */
bool kernel_module_name_valid(const char *name) {
        size_t l = strspn(
                        name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

        return l > 0 && l <= HOTPATCH_MODULE_NAME_MAX && !name[l] && name[0] != '.';
}

/**
 * kernel_module_path() - the path, relative to the root, of a file below a directory named as a
 * module
 * @prefix: for example "sys/module"
 * @file: below that; NULL: the directory itself
 * @ret: to be freed
 *
 * Return: 0, -EINVAL when @module is no module name, or -ENOMEM.
 */
int kernel_module_path(const char *prefix, const char *module, const char *file, char **ret) {
        char *path;

        if (!kernel_module_name_valid(module))
                return -EINVAL;
        if (str_printf(&path, "%s/%s%s%s", prefix, module, file ? "/" : "", strempty(file)) < 0)
                return -ENOMEM;
        *ret = path;
        return 0;
}
