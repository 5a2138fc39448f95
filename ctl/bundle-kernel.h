/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Which build is the kernel of that release: the build-id of vmlinux and of its modules. */

#include "ctl/ctl.h"

/**
 * struct KernelSources - where the person says the kernels are; all may be NULL
 * @images: packed or unpacked kernel images
 * @headers: folders that may hold a vmlinux
 * @build_ids: "RELEASE=HEX"
 * @root: what /boot, /lib/modules and /usr/lib/debug are below; NULL: "/"
 */
typedef struct KernelSources {
        char **images;
        char **headers;
        char **build_ids;
        const char *root;
} KernelSources;

int kernel_sources_build_id(const KernelSources *s, const char *release, char **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 3, 4);
int kernel_sources_module_build_id(const KernelSources *s, const char *release, const char *module, char **ret)
        _must_check_ _nonnull_(1, 2, 3, 4);
