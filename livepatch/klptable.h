/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The functions a livepatch replaces, recovered from the structures in its file. */

#include "livepatch/elfimage.h"
#include "livepatch/inspect.h"

/**
 * struct KlpTable - what was recovered
 * @found: something was
 * @structures: from a filled klp_patch, so that @replace and @states are known
 * @states: owned; NULL with 0 entries
 * @objects: owned, sorted; NULL with 0 entries
 */
typedef struct KlpTable {
        bool found;
        bool structures;
        bool replace;
        SystemState *states;
        size_t n_states;
        InspectedObject *objects;
        size_t n_objects;
} KlpTable;

int klp_table_recover(const ElfImage *image, KlpTable *ret, sd_bus_error *error) _must_check_
                _nonnull_(1, 2);
void klp_table_done(KlpTable *t);
