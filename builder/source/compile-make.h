/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* make in two shadow trees at once. */

#include <systemd/sd-bus.h>

#include "builder/source/tree.h"

/**
 * struct MakeRun - what is compiled
 * @work: folder; the trees are its folders `before` and `after`
 * @before, @after: objects, below the trees' roots; NULL: none
 */
typedef struct MakeRun {
        const Tree *tree;
        const char *work;
        char *const *before;
        char *const *after;
        bool verbose;
} MakeRun;

int make_objects(const MakeRun *m, sd_bus_error *error) _must_check_ _nonnull_(1);
