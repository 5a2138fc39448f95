/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What walks a JSON document by tables of fields, and the kinds of value that every table has. It
 * knows nothing of bundles; which fields there are says manifest-parse.c.
 *
 * What is not in a table is refused, with its place named as in `targets[0].objects[1].nmae`: a
 * signed manifest is understood as a whole or not at all.
 */

#include "bundle/manifest-read.h"

#include <stdarg.h>

#include "dbus/errors.h"
#include "util/strv.h"

/**
 * manifest_refuse() - ManifestInvalid, with the place of the value
 * @format: what is wrong with it: "is not a string"
 *
 * Return: the negative errno.
 */
int manifest_refuse(ManifestReader *r, const char *format, ...) {
        char what[512];
        va_list ap;

        va_start(ap, format);
        vsnprintf(what, sizeof(what), format, ap);
        va_end(ap);
        return sd_bus_error_setf(r->error, HOTPATCH_ERROR("ManifestInvalid"), "In the manifest, %s %s",
                r->path[0] ? r->path : "the document", what);
}

/* Returns the length to give to path_leave(). */
_printf_(2, 3) static size_t path_enter(ManifestReader *r, const char *format, ...) {
        size_t n = strlen(r->path);
        va_list ap;

        va_start(ap, format);
        vsnprintf(r->path + n, sizeof(r->path) - n, format, ap);
        va_end(ap);
        return n;
}

static void path_leave(ManifestReader *r, size_t n) {
        r->path[n] = 0;
}

/* ---- scalars ---- */

/* Terminals, mails and journal fields show these; longer ones hide something. */
#define LINE_MAX_BYTES 256U
#define TEXT_MAX_BYTES 16384U

/** manifest_text_is_printable() - no control characters: titles and summaries end on terminals */
bool manifest_text_is_printable(const char *s, bool newlines) {
        for (; *s; s++)
                if (((unsigned char) *s < 0x20 && !(newlines && (*s == '\n' || *s == '\t'))) || *s == 0x7f ||
                    /* C1 controls, U+0080 … U+009F */
                    ((unsigned char) s[0] == 0xc2 && (unsigned char) s[1] < 0xa0))
                        return false;
        return true;
}

/**
 * manifest_get_string() - a value as text of 1 to @max bytes
 * @ret: belongs to @value
 *
 * Return: 0 or a negative errno.
 */
int manifest_get_string(ManifestReader *r, json_t *value, size_t max, const char **ret) {
        if (!json_is_string(value))
                return manifest_refuse(r, "is not a string");
        if (json_string_length(value) == 0 || json_string_length(value) > max)
                return manifest_refuse(r, "has %zu bytes, 1 to %zu are allowed", json_string_length(value), max);
        *ret = json_string_value(value);
        return 0;
}

static int put_string(const char *s, void *at) {
        char *copy = strdup(s);

        if (!copy)
                return -ENOMEM;
        free(*(char **) at);
        *(char **) at = copy;
        return 0;
}

/** manifest_read_line() - a field of one printable line, to a char * */
int manifest_read_line(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        const char *s = NULL;
        int e = manifest_get_string(r, value, LINE_MAX_BYTES, &s);

        if (e < 0)
                return e;
        if (!manifest_text_is_printable(s, false))
                return manifest_refuse(r, "holds a control character");
        return put_string(s, at);
}

/** manifest_read_text() - a field of printable text, to a char * */
int manifest_read_text(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        const char *s = NULL;
        int e = manifest_get_string(r, value, TEXT_MAX_BYTES, &s);

        if (e < 0)
                return e;
        if (!manifest_text_is_printable(s, true))
                return manifest_refuse(r, "holds a control character");
        return put_string(s, at);
}

/**
 * manifest_read_valid() - text that some function of ours must call valid, to a char *
 * @what: the end of "is not …"
 *
 * Return: 0 or a negative errno.
 */
int manifest_read_valid(
                ManifestReader *r, json_t *value, size_t max, bool (*valid)(const char *), const char *what, void *at) {
        const char *s = NULL;
        int e = manifest_get_string(r, value, max, &s);

        if (e < 0)
                return e;
        if (!valid(s))
                return manifest_refuse(r, "is not %s", what);
        return put_string(s, at);
}

/** manifest_read_bool() - a field that is true or false, to a bool */
int manifest_read_bool(ManifestReader *r, _unused_ const ManifestField *f, json_t *value, void *at) {
        if (!json_is_boolean(value))
                return manifest_refuse(r, "is neither true nor false");
        *(bool *) at = json_is_true(value);
        return 0;
}

/** manifest_get_integer() - a value as a whole number from @min to @max */
int manifest_get_integer(ManifestReader *r, json_t *value, int64_t min, int64_t max, int64_t *ret) {
        if (!json_is_integer(value))
                return manifest_refuse(r, "is not an integer");
        if (json_integer_value(value) < min || json_integer_value(value) > max)
                return manifest_refuse(r, "is not between %lld and %lld", (long long) min, (long long) max);
        *ret = json_integer_value(value);
        return 0;
}

/* ---- lists and objects ---- */

/**
 * manifest_read_strings() - an array of strings, to a char **
 * @read: how each is read
 *
 * Return: 0 or a negative errno.
 */
int manifest_read_strings(ManifestReader *r, json_t *value, size_t min, size_t max,
                int (*read)(ManifestReader *r, const ManifestField *f, json_t *value, void *at), void *at) {
        _cleanup_strv_free_ char **list = NULL;
        size_t n = json_array_size(value);

        if (!json_is_array(value))
                return manifest_refuse(r, "is not an array");
        if (n < min || n > max)
                return manifest_refuse(r, "has %zu entries, %zu to %zu are allowed", n, min, max);
        list = calloc(n + 1, sizeof(char *));
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                size_t outer = path_enter(r, "[%zu]", i);
                int e = read(r, NULL, json_array_get(value, i), &list[i]);

                if (e < 0)
                        return e;
                path_leave(r, outer);
        }
        strv_free(*(char ***) at);
        *(char ***) at = TAKE_PTR(list);
        return 0;
}

static const ManifestField *field_find(const ManifestField *fields, const char *name) {
        for (; fields->name; fields++)
                if (streq(fields->name, name))
                        return fields;
        return NULL;
}

/**
 * manifest_read_object() - all members of a JSON object
 * @fields: ends with an empty one
 * @at: the C object
 *
 * Return: 0 or a negative errno.
 */
int manifest_read_object(ManifestReader *r, const ManifestField *fields, json_t *value, void *at) {
        const char *key, *dot = r->path[0] ? "." : "";
        json_t *member;

        if (!json_is_object(value))
                return manifest_refuse(r, "is not an object");
        json_object_foreach(value, key, member) {
                const ManifestField *f = field_find(fields, key);
                size_t outer;
                int e;

                if (!f)
                        return sd_bus_error_setf(r->error, HOTPATCH_ERROR("ManifestUnknownField"),
                                "The manifest has a field that this version does not know: '%s%s%.64s'",
                                r->path, dot, manifest_text_is_printable(key, false) ? key : "?");
                outer = path_enter(r, "%s%s", dot, key);
                e = f->read(r, f, member, (uint8_t *) at + f->offset);
                if (e < 0)
                        return e;
                path_leave(r, outer);
        }
        for (const ManifestField *f = fields; f->name; f++)
                if (f->required && !json_object_get(value, f->name)) {
                        path_enter(r, "%s%s", dot, f->name);
                        return manifest_refuse(r, "is missing");
                }
        return 0;
}

/**
 * manifest_read_list() - a field that is an array of objects, to a pointer and its count
 *
 * Both are stored before they are filled, so that their owner frees a part of them.
 *
 * Return: 0 or a negative errno.
 */
int manifest_read_list(ManifestReader *r, const ManifestField *f, json_t *value, void *at) {
        size_t n = json_array_size(value);
        size_t *count = (size_t *) ((uint8_t *) at + f->list->count);
        uint8_t *elements;

        if (!json_is_array(value))
                return manifest_refuse(r, "is not an array");
        if (n < f->list->min || n > f->list->max)
                return manifest_refuse(r, "has %zu entries, %zu to %zu are allowed", n, f->list->min, f->list->max);
        elements = calloc(n + 1, f->list->element);
        if (!elements)
                return -ENOMEM;
        *(void **) at = elements;
        *count = n;
        for (size_t i = 0; i < n; i++) {
                size_t outer = path_enter(r, "[%zu]", i);
                int e;

                if (f->list->init)
                        f->list->init(elements + i * f->list->element);
                e = manifest_read_object(r, f->list->fields, json_array_get(value, i), elements + i * f->list->element);

                if (e < 0)
                        return e;
                path_leave(r, outer);
        }
        return 0;
}

