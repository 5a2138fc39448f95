/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a file of the kernel's source is to a kernel of this configuration, by its name. */

#include "util/base.h"

typedef enum FileKind {
        FILE_SOURCE,    /* C: an object, or included by others */
        FILE_INCLUDED,  /* headers and other text that C files include */
        FILE_ASSEMBLY,  /* an object that is not C */
        FILE_BUILD,     /* decides what is built, or how */
        FILE_ELSEWHERE, /* code of other architectures, examples: no influence, unless it is built */
        FILE_IGNORED,   /* documentation, tests, tools: no influence */
} FileKind;

FileKind file_kind(const char *path) _nonnull_(1);
