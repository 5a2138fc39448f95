/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Walking patch.json by tables of keys; for patchfile.c. */

#include <systemd/sd-bus.h>

#include "util/json.h"

/** struct PatchPlace - where in the document a value stands */
typedef struct PatchPlace {
        const struct PatchPlace *parent;
        const char *key; /* NULL: an array element */
        size_t index;
} PatchPlace;

typedef struct PatchKey PatchKey;

/** struct PatchKey - one key of a JSON object */
struct PatchKey {
        const char *name;
        bool manifest;              /* the C object is the manifest, not the PatchFile around it */
        int (*read)(const PatchKey *key, json_t *value, const PatchPlace *place, void *object,
                        sd_bus_error *error);
        size_t offset;              /* of the member in the C object */
        size_t offset_n;            /* of the number of elements, for arrays of objects */
        bool required;
        bool filled;                /* an array with nothing in it is refused */
        bool (*valid)(const char *); /* for strings */
        const PatchKey *keys;            /* of the elements, for arrays of objects */
        size_t element_size;
        size_t max;
};

int patch_refuse(sd_bus_error *error, const PatchPlace *place, const char *format, ...) _printf_(3, 4);

int patch_read_keys(const PatchKey *keys, json_t *value, const PatchPlace *place, void *object, sd_bus_error *error)
        _must_check_;
int patch_read_string(const PatchKey *key, json_t *value, const PatchPlace *place, void *object, sd_bus_error *error)
        _must_check_;
int patch_read_strings(const PatchKey *key, json_t *value, const PatchPlace *place, void *object, sd_bus_error *error)
        _must_check_;
int patch_read_bool(const PatchKey *key, json_t *value, const PatchPlace *place, void *object, sd_bus_error *error)
        _must_check_;
int patch_read_uint64(const PatchKey *key, json_t *value, const PatchPlace *place, void *object, sd_bus_error *error)
        _must_check_;
int patch_read_unsigned(const PatchKey *key, json_t *value, const PatchPlace *place, void *object, sd_bus_error *error)
        _must_check_;
int patch_read_severity(const PatchKey *key, json_t *value, const PatchPlace *place, void *object, sd_bus_error *error)
        _must_check_;
int patch_read_object(const PatchKey *key, json_t *value, const PatchPlace *place, void *object, sd_bus_error *error)
        _must_check_;
int patch_read_objects(const PatchKey *key, json_t *value, const PatchPlace *place, void *object, sd_bus_error *error)
        _must_check_;
