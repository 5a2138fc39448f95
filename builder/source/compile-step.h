/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The work folder of compile_fix(): two shadow trees, and the touched files. */

#include <systemd/sd-bus.h>

#include "builder/source/compile.h"
#include "builder/source/shadow.h"

/**
 * struct Step - one call of compile_fix()
 * @patched: folder with the touched files after the fix
 */
typedef struct Step {
        const Tree *tree;
        const Fix *fix;
        Findings *findings;
        bool verbose;
        char *work;
        char *patched;
        Shadow *before;
        Shadow *after;
        Compiled result;
} Step;

int step_open(Step *s, const char *work_dir, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
void step_done(Step *s);

int step_place_files(Step *s, bool keep_lines) _must_check_ _nonnull_(1);
int step_open_folders(Step *s) _must_check_ _nonnull_(1);
int step_open_dependencies(Step *s, const char *target, char *const *deps) _must_check_ _nonnull_(1, 2, 3);
