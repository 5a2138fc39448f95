/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Captured trees, written file by file: what a kernel shows below /proc and /sys. */

#include <fcntl.h>
#include <stdarg.h>

#include "livepatch/kernel.h"
#include "tests/unit/unit.h"
#include "util/file.h"

/** struct Tree - a folder that stands for the root directory, and a kernel that looks at it */
typedef struct Tree {
        char *root;
        int fd;
        Kernel *kernel;
} Tree;

/* For trees in which nothing is to be loaded; being called is a failure. */
static inline int tree_refuse(_unused_ void *userdata, const char *name) {
        ck_abort_msg("nobody asked to change the kernel (%s)", name);
}

static inline Tree tree_new_with(const ModuleOps *ops, void *userdata) {
        Tree t = { .root = scratch_new() };

        t.fd = open(t.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(t.fd, 0);
        ck_assert_ok(kernel_new(t.root, ops, userdata, &t.kernel));
        return t;
}

static inline Tree tree_new(void) {
        static const ModuleOps refuse = { .insert = tree_refuse, .remove = tree_refuse };

        return tree_new_with(&refuse, NULL);
}

static inline void tree_free(Tree *t) {
        kernel_free(t->kernel);
        close(t->fd);
        scratch_free(t->root);
}

/** tree_directory() - make a directory and those above it */
static inline void tree_directory(const Tree *t, const char *path) {
        _cleanup_free_ char *copy = strdup(path);

        ck_assert_ptr_nonnull(copy);
        for (char *slash = strchr(copy, '/');; slash = strchr(slash + 1, '/')) {
                if (slash)
                        *slash = 0;
                if (mkdirat(t->fd, copy, 0755) < 0)
                        ck_assert_int_eq(errno, EEXIST);
                if (!slash)
                        break;
                *slash = '/';
        }
}

/** tree_bytes() - write a file anew, with the directories above it */
static inline void tree_bytes(const Tree *t, const char *path, const void *data, size_t size) {
        _cleanup_free_ char *directory = strdup(path);
        _cleanup_close_ int fd = -EBADF;
        char *slash;

        ck_assert_ptr_nonnull(directory);
        slash = strrchr(directory, '/');
        if (slash) {
                *slash = 0;
                tree_directory(t, directory);
        }
        fd = openat(t->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        ck_assert_int_ge(fd, 0);
        ck_assert_ok(file_write_all(fd, data, size));
}

/** tree_file() - write a text file */
static inline void tree_file(const Tree *t, const char *path, const char *text) {
        tree_bytes(t, path, text, strlen(text));
}

/** tree_path() - the path of a file outside the tree's own view; to be freed */
static inline char *tree_path(const Tree *t, const char *path) {
        char *full;

        ck_assert_int_ge(asprintf(&full, "%s/%s", t->root, path), 0);
        return full;
}

/** tree_livepatch() - what the kernel shows of an enabled livepatch and its module */
static inline void tree_livepatch(const Tree *t, const char *name, const char *enabled,
                const char *transition, const char *refcnt) {
        char path[512];

        if (enabled) {
                (void) snprintf(path, sizeof(path), "sys/kernel/livepatch/%s/enabled", name);
                tree_file(t, path, enabled);
                (void) snprintf(path, sizeof(path), "sys/kernel/livepatch/%s/transition", name);
                tree_file(t, path, transition);
        }
        (void) snprintf(path, sizeof(path), "sys/module/%s/initstate", name);
        tree_file(t, path, "live\n");
        (void) snprintf(path, sizeof(path), "sys/module/%s/refcnt", name);
        tree_file(t, path, refcnt);
}
