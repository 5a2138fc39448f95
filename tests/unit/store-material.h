/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A state directory for each test, and what is in it. */

#include <fcntl.h>

#include "daemon/store.h"
#include "dbus/errors.h"
#include "tests/unit/unit.h"
#include "util/file.h"

#define DIGEST_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static char *root;
static Store *store;

static inline void setup(void) {
        ck_assert_ok(hotpatch_errors_register());
        root = scratch_new();
        ck_assert_ok(store_open(root, &store, NULL));
}

static inline void teardown(void) {
        store = store_free(store);
        scratch_free(root);
}

static inline void reopen(void) {
        store = store_free(store);
        ck_assert_ok(store_open(root, &store, NULL));
}

static inline char *state_path(const char *name) {
        char *path;

        ck_assert_int_ge(asprintf(&path, "%s/var/lib/hotpatch/%s", root, name), 0);
        return path;
}

static inline void put(const char *name, const char *text) {
        _cleanup_free_ char *path = state_path(name);
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        ck_assert_int_ge(fd, 0);
        ck_assert_ok(file_write_all(fd, text, strlen(text)));
}

static inline bool exists(const char *name) {
        _cleanup_free_ char *path = state_path(name);

        return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}
