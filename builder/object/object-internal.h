/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files that read an object; nobody else includes this. */

#include <elf.h>

#include "builder/object/object.h"
#include "dbus/errors.h"

#define OBJECT_INVALID(error, ...) \
        sd_bus_error_setf((error), HOTPATCH_ERROR("ModuleBuildFailed"), __VA_ARGS__)

/** struct ObjectPlace - a function or data symbol, where it lies */
typedef struct ObjectPlace {
        uint32_t section;
        uint32_t symbol;
        uint64_t value;
        uint64_t end;
        uint64_t end_so_far; /* the largest @end in this section up to here */
} ObjectPlace;

/** struct ObjectIndex - symbols sorted for the two questions that are asked often */
typedef struct ObjectIndex {
        ObjectPlace *places;
        size_t n_places;
        uint32_t *names; /* symbols with a name, by it */
        size_t n_names;
} ObjectIndex;

/**
 * struct ObjectReader - an object half read
 * @path: for messages
 * @headers: of its sections, in the file's bytes
 */
typedef struct ObjectReader {
        const char *path;
        Object *object;
        const uint8_t *headers;
        uint32_t symtab;
        size_t n_relocations;
        sd_bus_error *error;
} ObjectReader;

ObjectSectionKind object_section_kind(const char *name, uint32_t type, uint64_t flags) _nonnull_(1);
Elf64_Shdr object_section_header(const ObjectReader *r, size_t section) _nonnull_(1);

int object_index_new(const Object *o, ObjectIndex **ret) _must_check_ _nonnull_(1, 2);
ObjectIndex *object_index_free(ObjectIndex *i);
DEFINE_TRIVIAL_CLEANUP(ObjectIndex *, object_index_free);
uint32_t object_alone_in(const Object *o, uint32_t section) _nonnull_(1);

int object_read_relocations(ObjectReader *r) _must_check_ _nonnull_(1);
