/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Files below one scratch folder, made by the name and the folders above them with it. */

#include <fcntl.h>

#include "tests/unit/unit.h"
#include "util/file.h"

static char *root;

static inline char *path_of(const char *name) {
        char *path;

        ck_assert_int_ge(asprintf(&path, "%s/%s", root, name), 0);
        return path;
}

static inline void put(const char *name, const char *text) {
        _cleanup_free_ char *path = path_of(name);
        _cleanup_close_ int fd = -EBADF;

        for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
                *slash = '\0';
                ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
                *slash = '/';
        }
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        ck_assert_int_ge(fd, 0);
        ck_assert_ok(file_write_all(fd, text, strlen(text)));
}
