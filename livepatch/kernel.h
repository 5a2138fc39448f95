/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The running kernel seen from user space. Every path hangs off one root directory, so that tests
 * look at a captured tree; loading and unloading go through ModuleOps, so that tests script the
 * kernel's answers.
 */

#include "util/base.h"

typedef struct Kernel Kernel;

/**
 * struct ModuleOps - the two system calls that change the kernel
 * @insert: load the module file at @path, named NAME.ko, without parameters; blocks. Returns 0 or
 *   the kernel's negative errno.
 * @remove: unload, without waiting for users (O_NONBLOCK). Returns 0 or the kernel's negative
 * errno.
 */
typedef struct ModuleOps {
        int (*insert)(void *userdata, const char *path);
        int (*remove)(void *userdata, const char *name);
} ModuleOps;

int kernel_new(const char *root, const ModuleOps *ops, void *userdata, Kernel **ret)
        _must_check_ _nonnull_(1, 4);
Kernel *kernel_free(Kernel *k);
DEFINE_TRIVIAL_CLEANUP(Kernel *, kernel_free);
#define _cleanup_kernel_free_ _cleanup_(kernel_freep)

int kernel_root_fd(const Kernel *k);
bool kernel_is_host(const Kernel *k);

/* For the other files here. */
int kernel_insert(const Kernel *k, const char *path) _must_check_ _nonnull_(1, 2);
int kernel_remove(const Kernel *k, const char *name) _must_check_ _nonnull_(1, 2);
bool kernel_module_name_valid(const char *name) _nonnull_(1);
int kernel_module_path(const char *prefix, const char *module, const char *file, char **ret)
        _must_check_ _nonnull_(1, 2, 4);
