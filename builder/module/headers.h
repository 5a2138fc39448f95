/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The headers of a kernel, as its distribution packages them for building modules. */

#include <systemd/sd-bus.h>

#include "util/base.h"

/**
 * struct KernelHeaders - where modules for one kernel are built; all owned
 * @release: as uname -r would say
 * @folder: with .config and Module.symvers
 * @makefile: the makefile to use instead of the one in @folder; NULL: none
 */
typedef struct KernelHeaders {
        char *release;
        char *folder;
        char *makefile;
} KernelHeaders;

int kernel_headers_find(const char *release, KernelHeaders **ret, sd_bus_error *error)
        _must_check_ _nonnull_(2);
int kernel_headers_open(const char *folder, KernelHeaders **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2);
KernelHeaders *kernel_headers_free(KernelHeaders *h);
DEFINE_TRIVIAL_CLEANUP(KernelHeaders *, kernel_headers_free);
#define _cleanup_kernel_headers_free_ _cleanup_(kernel_headers_freep)
