/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Kbuild, run in a private folder. */

#include <systemd/sd-bus.h>

#include "builder/module/headers.h"
#include "bundle/patchfile.h"

/**
 * struct Kbuild - one build
 * @headers: of the kernel to build for
 * @patch: what to build
 * @patch_dir: folder of the sources, as the author gave it: it is shown in messages; NULL: none
 * @objects: paths of ready objects that objtool has not seen, NULL-terminated; optional
 * @with: paths of more C files and headers, NULL-terminated; optional
 * @runtime_dir: folder of the redirection runtime
 * @work_dir: private, empty, absolute; to be removed by the caller
 * @debug_info: keep DWARF
 * @verbose: show what make does
 */
typedef struct Kbuild {
        const KernelHeaders *headers;
        const PatchFile *patch;
        const char *patch_dir;
        const char *const *objects;
        char *const *with;
        const char *runtime_dir;
        const char *work_dir;
        bool debug_info;
        bool verbose;
} Kbuild;

int kbuild_run(const Kbuild *b, char **ret_module, sd_bus_error *error) _must_check_
                _nonnull_(1, 2);
int kbuild_check_with(char *const *with, sd_bus_error *error) _must_check_;
int kbuild_compile(const Kbuild *b, char ***ret_objects, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
