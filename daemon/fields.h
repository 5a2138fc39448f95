/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Small state files: KEY=VALUE lines described by a table, read strictly and written canonically.
 */

#include <systemd/sd-id128.h>

#include "util/base.h"

typedef enum FieldType {
        FIELD_STRING, /* char *; NULL: absent */
        FIELD_STRV,   /* char **; the key is repeated; NULL: absent */
        FIELD_U64,    /* uint64_t; always written */
        FIELD_ID128,  /* sd_id128_t; always written */
        FIELD_BOOL,   /* bool, 0 or 1; always written */
} FieldType;

/**
 * struct Field - one key of a file
 * @key: upper-case word
 * @type: what the member at @offset of the object is
 * @required: a file without it is damaged
 * @offset: of the member in the object
 * @valid: judges each string; NULL: any
 */
typedef struct Field {
        const char *key;
        FieldType type;
        bool required;
        size_t offset;
        bool (*valid)(const char *value);
} Field;

int fields_parse(const Field *fields, size_t n_fields, const void *data, size_t size, void *object)
        _must_check_ _nonnull_(1, 3, 5);
int fields_format(const Field *fields, size_t n_fields, const void *object, char **ret, size_t *ret_size)
        _must_check_ _nonnull_(1, 3, 4, 5);
void fields_done(const Field *fields, size_t n_fields, void *object) _nonnull_(1, 3);
