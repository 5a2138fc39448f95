/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the daemon and hotpatch-check agree on. */

#include <sys/stat.h>

#include "util/base.h"
#include "util/limits.h"

#define CHECKS_DIRECTORY "etc/hotpatch/checks.d"
#define CHECKS_OUTPUT_DIRECTORY "run/hotpatch/checks"

/** check_name_is_valid() - can it be the instance of a unit, and one path component? */
static inline bool check_name_is_valid(const char *name) {
        size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

        return n > 0 && n <= HOTPATCH_CHECK_NAME_MAX && !name[n] && *name != '.';
}

/** check_file_is_safe() - root's, and nobody else can change it */
static inline bool check_file_is_safe(const struct stat *st) {
        return st->st_uid == 0 && !(st->st_mode & (S_IWGRP | S_IWOTH));
}
