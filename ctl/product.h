/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which product the running kernel is, in the words of scanners: a package URL. */

#include "util/base.h"

/** struct KernelFacts - as uname(1) has them; all borrowed, "" when unknown */
typedef struct KernelFacts {
        const char *release;
        const char *arch;
        const char *version;
        const char *build_id;
} KernelFacts;

int os_release_id(const char *text, char **ret) _must_check_ _nonnull_(1, 2);
int product_purl(const char *os_id, const KernelFacts *k, char **ret) _must_check_ _nonnull_(1, 2, 3);
