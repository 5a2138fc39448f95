/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The prepared source tree of one kernel, and everything else of that kernel that a build needs. */

#include <systemd/sd-bus.h>

#include "util/base.h"

/**
 * struct TreeOptions - which kernel, and where from
 * @release: as uname -r
 * @source: folder or package given by the user; NULL: the distribution's, by name
 * @cache: folder; NULL: $XDG_CACHE_HOME/hotpatch-build
 */
typedef struct TreeOptions {
        const char *release;
        const char *source;
        const char *cache;
        bool quiet;
        bool verbose;
} TreeOptions;

/**
 * struct Tree - all owned; paths are absolute
 * @folder: the prepared source tree; nobody but tree_open() writes in it
 * @headers: for modules: with .config and Module.symvers
 * @makefile: as in struct KernelHeaders; NULL: none
 * @kernel: the kernel image, unpacked, with the relocations that come after it
 * @modules: folder with the kernel's modules, /lib/modules/RELEASE below the image package
 * @compiler: name of the compiler, for make's CC=
 * @compiler_version: what the kernel says it was built with, which is also what is here
 * @source_version: "linux 6.1.176-1", for the provenance
 * @config_sha256: of .config, lower-case hexadecimal
 * @objects: folder in the cache where unchanged objects, once compiled, are kept
 * @lock: descriptor that holds the lock on the tree
 */
typedef struct Tree {
        char *release;
        char *folder;
        char *headers;
        char *makefile;
        char *kernel;
        char *modules;
        char *compiler;
        char *compiler_version;
        char *source_version;
        char *config_sha256;
        char *objects;
        int lock;
} Tree;

int tree_open(const TreeOptions *o, Tree **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
Tree *tree_free(Tree *t);
DEFINE_TRIVIAL_CLEANUP(Tree *, tree_free);
#define _cleanup_tree_free_ _cleanup_(tree_freep)

/** tree_module_path() - the file of a module, by its name or KBUILD_MODFILE; free with free() */
int tree_module_path(const Tree *t, const char *module, char **ret) _must_check_ _nonnull_(1, 2, 3);
