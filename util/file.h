/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Paths, folders, and whole files: read with a limit, written so that a crash leaves the old or the new one. */

#include <dirent.h>

#include "util/base.h"

char *path_join(const char *folder, const char *name) _must_check_ _nonnull_(1, 2);

static inline void closedirp(DIR **d) {
        if (*d)
                closedir(*d);
}
#define _cleanup_closedir_ _cleanup_(closedirp)

int directory_open_at(int dir_fd, const char *path, int flags, DIR **ret) _must_check_ _nonnull_(2, 4);
int directory_next_folder(DIR *d, const char **ret) _must_check_ _nonnull_(1, 2);

int file_read_at(int dir_fd, const char *path, size_t max, void **ret, size_t *ret_size)
        _must_check_ _nonnull_(2, 4);
int file_read_line_at(int dir_fd, const char *path, char **ret) _must_check_ _nonnull_(2, 3);
int file_replace_at(int dir_fd, const char *name, const void *data, size_t size, unsigned mode)
        _must_check_ _nonnull_(2);
int file_publish_at(int dir_fd, const char *name, const void *data, size_t size, unsigned mode)
        _must_check_ _nonnull_(2);
int file_copy(int fd_in, int fd_out, uint64_t max, uint64_t *ret_size) _must_check_;
int file_write_all(int fd, const void *data, size_t size) _must_check_;
int file_pread_all(int fd, void *buf, size_t size, uint64_t offset) _must_check_ _nonnull_(2);
