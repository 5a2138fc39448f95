/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* JSON values out of ours, for the files that write answers: describe-*.c. */

#include "livepatch/identity.h"
#include "util/json.h"

json_t *describe_string(const char *s) _must_check_;
json_t *describe_integer(uint64_t v) _must_check_;
json_t *describe_time(uint64_t usec) _must_check_;
json_t *describe_strv(char *const *v) _must_check_;
json_t *describe_kernel(const KernelIdentity *k) _must_check_ _nonnull_(1);
int describe_end(json_t *j, char **ret) _must_check_ _nonnull_(2);
