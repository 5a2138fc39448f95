/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Walking JSON by tables of fields; for manifest-parse.c. */

#include <systemd/sd-bus.h>

#include "util/json.h"

/** struct ManifestReader - where in the document we are, and where to say what is wrong */
typedef struct ManifestReader {
        char path[256];
        sd_bus_error *error;
} ManifestReader;

typedef struct ManifestField ManifestField;
typedef struct ManifestList ManifestList;

/**
 * struct ManifestField - one member of a JSON object
 * @read: puts the value to @at; on error nothing is owned by @at that its owner would not free
 * @list: for manifest_read_list()
 */
struct ManifestField {
        const char *name;
        int (*read)(ManifestReader *r, const ManifestField *f, json_t *value, void *at);
        size_t offset;
        bool required;
        const ManifestList *list;
};

/**
 * struct ManifestList - an array of equal objects
 * @count: offset of the number of elements from the pointer to them
 * @init: what an element is before its fields are read, where that is not zero
 */
struct ManifestList {
        const ManifestField *fields;
        size_t element;
        size_t count;
        size_t min, max;
        void (*init)(void *element);
};

int manifest_refuse(ManifestReader *r, const char *format, ...) _printf_(2, 3);
bool manifest_text_is_printable(const char *s, bool newlines);
int manifest_get_string(ManifestReader *r, json_t *value, size_t max, const char **ret) _must_check_;
int manifest_get_integer(ManifestReader *r, json_t *value, int64_t min, int64_t max, int64_t *ret) _must_check_;

int manifest_read_valid(
                ManifestReader *r, json_t *value, size_t max, bool (*valid)(const char *), const char *what, void *at)
        _must_check_;
int manifest_read_strings(ManifestReader *r, json_t *value, size_t min, size_t max,
                int (*read)(ManifestReader *r, const ManifestField *f, json_t *value, void *at), void *at)
        _must_check_;
int manifest_read_line(ManifestReader *r, const ManifestField *f, json_t *value, void *at) _must_check_;
int manifest_read_text(ManifestReader *r, const ManifestField *f, json_t *value, void *at) _must_check_;
int manifest_read_bool(ManifestReader *r, const ManifestField *f, json_t *value, void *at) _must_check_;
int manifest_read_list(ManifestReader *r, const ManifestField *f, json_t *value, void *at) _must_check_;
int manifest_read_object(ManifestReader *r, const ManifestField *fields, json_t *value, void *at) _must_check_;
