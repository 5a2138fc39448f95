/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * patch.json: what the author of a patch writes beside the C files. One file, two readers:
 * hotpatch-module builds the patch module from it, `hotpatchctl bundle create` takes the manifest
 * part. hotpatch-module(1) documents every key.
 */

#include <systemd/sd-bus.h>

#include "bundle/manifest.h"
#include "util/base.h"

/** struct PatchFunction - one function to replace; all strings owned */
typedef struct PatchFunction {
        char *object; /* `vmlinux` or a module's name */
        char *function;
        char *replacement; /* a function of the sources */
        uint64_t sympos;   /* position among symbols of the same name; 0: it is unique */
} PatchFunction;

/** struct PatchCallbacks - functions of the sources around the patching of one object */
typedef struct PatchCallbacks {
        char *object;
        char *pre_patch; /* each optional */
        char *post_patch;
        char *pre_unpatch;
        char *post_unpatch;
} PatchCallbacks;

/**
 * struct PatchSymbol - where an unexported symbol lives, if not alone of its name in vmlinux
 * @name: in the sources and objects of the patch
 * @object: whose symbol it is
 * @sympos: position among symbols of the same name; 0: it is unique
 * @symbol: its name there; NULL: @name. Not in patch.json, like @owner
 * @owner: the object that the code using it is for: with its loading the symbol must be there. NULL: @object,
 *   and then @name must not be exported
 */
typedef struct PatchSymbol {
        char *name;
        char *object;
        uint64_t sympos;
        char *symbol;
        char *owner;
} PatchSymbol;

/**
 * struct PatchFile - patch.json
 * @manifest: the part that goes into the bundle: id, title, description, severity, kind, stream,
 *   sequence, fixes, requires, conflicts, supersedes, trial_seconds, force_safe. Everything else
 *   is left zero, for who makes the bundle to fill in; never NULL
 * @module: module name; given, or made from the id
 * @sources: names of C files; NULL: all in the folder
 * @self_test: function of the sources that may refuse the patch; optional
 * @replace: atomic replace
 */
typedef struct PatchFile {
        Manifest *manifest;
        char *module;
        char **sources;
        char *self_test;
        bool replace;
        PatchFunction *functions;
        size_t n_functions;
        PatchCallbacks *callbacks;
        size_t n_callbacks;
        PatchSymbol *symbols;
        size_t n_symbols;
} PatchFile;

PatchFile *patch_file_free(PatchFile *p);
DEFINE_TRIVIAL_CLEANUP(PatchFile *, patch_file_free);
#define _cleanup_patch_file_free_ _cleanup_(patch_file_freep)

int patch_module_name(const char *id, char **ret) _must_check_ _nonnull_(1, 2);
int patch_file_new(PatchFile **ret) _must_check_ _nonnull_(1);
int patch_file_parse(const void *data, size_t size, PatchFile **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 3);
