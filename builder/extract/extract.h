/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The changed and new functions of one object, as an object of their own that is linked into the patch
 * module: code, what is new or may be copied, and the table entries that belong to them; everything
 * else is referred to in the running kernel.
 */

#include <systemd/sd-bus.h>

#include "bundle/patchfile.h"
#include "builder/compare/changes.h"
#include "builder/image/image.h"
#include "builder/match/match.h"
#include "builder/module/symvers.h"
#include "builder/findings.h"

/**
 * struct Provided - new global functions and data, by name, and who brings each
 * @objects: as many as @names: the patched object whose code it is; "": the patch itself
 */
typedef struct Provided {
        char **names;
        char **objects;
} Provided;

/**
 * struct ExtractInput - what to take from where; nothing is owned
 * @number: of the object in the fix, from 0: makes names unique in the module
 * @provided: what the other objects of the fix bring, see extract_provided(); optional
 */
typedef struct ExtractInput {
        const Changes *changes;
        const Image *image;
        const Image *kernel; /* vmlinux: entry sizes of tables by its BTF; may be @image */
        Matcher *matcher;
        const Symvers *symvers;
        unsigned number;
        const Provided *provided;
} ExtractInput;

/**
 * struct Extracted - what the module's table and post-link step have to know; all owned
 * @functions: to redirect. The replacement is a C identifier and a global symbol of the object
 * @symbols: undefined symbols of the object that livepatch has to resolve
 * @added: names of new functions, for the report
 */
typedef struct Extracted {
        PatchFunction *functions;
        size_t n_functions;
        PatchSymbol *symbols;
        size_t n_symbols;
        char **added;
} Extracted;

int extract(const ExtractInput *in, const char *path, Extracted *ret, Findings *findings, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 3, 4);
void extracted_done(Extracted *e);

int provided_add(Provided *p, const char *name, const char *object) _must_check_ _nonnull_(1, 2, 3);
void provided_done(Provided *p);
int extract_provided(const Changes *changes, const char *object, Provided *p) _must_check_ _nonnull_(1, 2, 3);
