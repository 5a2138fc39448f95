/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The ELF file inside a kernel image or module file, however it is packed. */

#include "util/base.h"

/* vmlinux with debug information has some hundred MiB; the one inside an image has less than 128. */
#define VMLINUZ_FILE_MAX ((size_t) 2 * 1024 * 1024 * 1024)
#define VMLINUZ_UNPACKED_MAX ((size_t) 512 * 1024 * 1024)

/**
 * struct Vmlinuz - plain bytes of a file, owned by one of the other two
 * @data: never NULL; behind the ELF file of a packed kernel come its relocations
 */
typedef struct Vmlinuz {
        const uint8_t *data;
        size_t size;
        void *mapped;
        size_t mapped_size;
        void *unpacked;
} Vmlinuz;

int vmlinuz_open(const char *path, Vmlinuz *ret) _must_check_ _nonnull_(1, 2);
int vmlinuz_unpack(const char *path, const char *out) _must_check_ _nonnull_(1, 2);
void vmlinuz_done(Vmlinuz *v);
#define _cleanup_vmlinuz_done_ _cleanup_(vmlinuz_done)
