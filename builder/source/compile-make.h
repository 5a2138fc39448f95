/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* make in two shadow trees at once. */

#include <systemd/sd-bus.h>

#include "builder/source/tree.h"

/* How our objects differ from those of a kernel build, beside the folder that debug information names. */
#define MAKE_OPTIONS "OBJECT_FILES_NON_STANDARD=y KCFLAGS='-ffunction-sections -fdata-sections"

/**
 * struct MakeRun - what is made
 * @work: folder; the trees are its folders `before` and `after`
 * @before, @after: targets, below the trees' roots; NULL or none: nothing there
 */
typedef struct MakeRun {
        const Tree *tree;
        const char *work;
        char *const *before;
        char *const *after;
        bool verbose;
} MakeRun;

/** struct MakeResult - whether all targets of a side were made */
typedef struct MakeResult {
        bool before;
        bool after;
} MakeResult;

int make_targets(const MakeRun *m, MakeResult *ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
int make_show(const MakeRun *m, const char *side) _must_check_ _nonnull_(1, 2);
