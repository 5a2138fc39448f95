/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* One object of the fix, looked at from all sides. */

#include <systemd/sd-bus.h>

#include "builder/compare/changes.h"
#include "builder/extract/extract.h"
#include "builder/image/image.h"
#include "builder/match/match.h"
#include "builder/source/compile.h"

/**
 * struct BuildUnit - one object; all owned but @compiled and @image
 * @originals: of the functions that will be redirected; owned by @matcher
 * @proved: something changed, and the image has all that was changed as it was compiled here
 * @extracted_path: the object for the module; NULL: none was made
 */
typedef struct BuildUnit {
        const CompiledUnit *compiled;
        const Image *image;
        Object *before;
        Object *after;
        Changes *changes;
        Matcher *matcher;
        const Match **originals;
        size_t n_originals;
        bool proved;
        Extracted extracted;
        char *extracted_path;
} BuildUnit;

/** struct UnitContext - what all units of a build share; not owned */
typedef struct UnitContext {
        const Fix *fix;
        const Image *kernel;
        const Symvers *symvers;
        const char *work_dir;
        Findings *findings;
} UnitContext;

int unit_examine(BuildUnit *u, const UnitContext *c, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
int unit_extract(BuildUnit *u, const UnitContext *c, const Provided *provided, unsigned number, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2);
bool unit_is_changed(const BuildUnit *u) _nonnull_(1);
void unit_done(BuildUnit *u);
