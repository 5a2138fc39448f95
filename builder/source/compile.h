/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Every object that a fix touches, compiled before and after it under the kernel's own flags. */

#include <systemd/sd-bus.h>

#include "builder/findings.h"
#include "builder/source/fix.h"
#include "builder/source/tree.h"

/** struct CompiledUnit - one object; all owned */
typedef struct CompiledUnit {
        char *path;   /* in the tree, "net/ipv4/ip_options.o" */
        char *target; /* what make calls it: the same, or with ".." in it */
        char *source; /* "net/ipv4/ip_options.c" */
        char *object; /* `vmlinux` or the module that the object is linked into, as /proc/modules says it */
        char *before; /* compiled files; they belong to the work folder or the cache */
        char *after;
        char *header; /* the touched header because of which it is here; NULL: the source itself */
} CompiledUnit;

/**
 * struct Compiled - what came of it
 * @units: by path; only those whose code or debug information differs
 * @unchanged: paths of objects that were compiled and came out the same, sorted; NULL: none
 */
typedef struct Compiled {
        CompiledUnit *units;
        size_t n_units;
        char **unchanged;
        uint64_t compiler_usec; /* wall clock spent in make and below */
} Compiled;

int compile_fix(const Tree *t, const Fix *fix, const char *work_dir, bool verbose, Compiled *ret,
                Findings *findings, sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3, 5, 6);
void compiled_done(Compiled *c);
