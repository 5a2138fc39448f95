/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All objects of the running configuration, as Kbuild's makefiles say. */

#include <systemd/sd-bus.h>

#include "builder/source/tree.h"

/**
 * struct ListedObject - one object and what it is linked into; one of two modules is listed twice
 * @target: as make is told, "arch/x86/kvm/../../../virt/kvm/kvm_main.o"
 * @path: the same without "..", "virt/kvm/kvm_main.o"
 * @module: `vmlinux`, or the name of the module as /proc/modules says it
 */
typedef struct ListedObject {
        const char *target;
        char *path;
        char *module;
} ListedObject;

/** struct ListedFolder - an include folder that the objects of a folder are compiled with (-I) */
typedef struct ListedFolder {
        const char *folder;
        char *include;
} ListedFolder;

/**
 * struct ObjectList - what configuration and makefiles make
 * @objects: sorted by path, then module
 * @includes: in the makefiles' order
 * @programs: paths, without suffix, of programs that are built to run while the kernel is built
 */
typedef struct ObjectList {
        char *text;
        ListedObject *objects;
        size_t n_objects;
        ListedFolder *includes;
        size_t n_includes;
        char **programs;
} ObjectList;

int object_list_open(const Tree *t, const char *shadow, const char *work, ObjectList **ret, sd_bus_error *error)
                _must_check_ _nonnull_(1, 2, 3, 4);
ObjectList *object_list_free(ObjectList *l);
DEFINE_TRIVIAL_CLEANUP(ObjectList *, object_list_free);
#define _cleanup_object_list_free_ _cleanup_(object_list_freep)

const ListedObject *object_list_find(const ObjectList *l, const char *path, size_t *ret_n) _nonnull_(1, 2, 3);

int path_normalize(const char *path, char **ret) _must_check_ _nonnull_(1, 2);
