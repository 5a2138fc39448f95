/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What walks patch.json by tables of keys, and the kinds of value that they have. A key that no table
 * has, a wrong type or a value that cannot be one is refused with its place ("fixes[0].severity").
 * Which keys there are says patchfile.c.
 */

#include "bundle/patchfile-read.h"

#include "bundle/patchfile.h"
#include "dbus/errors.h"
#include "util/str.h"
#include "util/strv.h"

#define MEMBER(object, offset, type) ((type *) ((char *) (object) + (offset)))

static void place_format(const PatchPlace *place, FILE *f) {
        if (place->parent)
                place_format(place->parent, f);
        if (!place->key)
                fprintf(f, "[%zu]", place->index);
        else if (*place->key)
                fprintf(f, "%s%s", place->parent && (place->parent->parent || !place->parent->key) ? "." : "",
                        place->key);
}

/**
 * patch_refuse() - PatchFileInvalid, with the place
 * @place: of the value
 * @format: what is wrong with it: "must be a string"
 *
 * Return: the negative errno.
 */
int patch_refuse(sd_bus_error *error, const PatchPlace *place, const char *format, ...) {
        _cleanup_free_ char *where = NULL, *what = NULL;
        size_t size;
        FILE *f;
        va_list ap;
        int r;

        va_start(ap, format);
        r = str_vprintf(&what, format, ap);
        va_end(ap);
        if (r < 0)
                return r;
        f = open_memstream(&where, &size);
        if (!f)
                return -ENOMEM;
        place_format(place, f);
        if (fclose(f) != 0)
                return -ENOMEM;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("PatchFileInvalid"), "patch.json: %s%s%s",
                where, *where ? ": " : "", what);
}

static int read_string_value(const PatchKey *key, json_t *value, const PatchPlace *place, char **ret,
                sd_bus_error *error) {
        const char *s = json_string_value(value);

        if (!s)
                return patch_refuse(error, place, "must be a string");
        if (strlen(s) != json_string_length(value))
                return patch_refuse(error, place, "must not have a NUL character");
        if (key->valid && !key->valid(s))
                return patch_refuse(error, place, "'%.100s' is not possible here", s);
        *ret = strdup(s);
        return *ret ? 0 : -ENOMEM;
}

/** patch_read_string() - a string that @key calls valid, to a char * */
int patch_read_string(const PatchKey *key, json_t *value, const PatchPlace *place, void *object,
                sd_bus_error *error) {
        return read_string_value(key, value, place, MEMBER(object, key->offset, char *), error);
}

/** patch_read_strings() - an array of different strings that @key calls valid, to a char ** */
int patch_read_strings(const PatchKey *key, json_t *value, const PatchPlace *place, void *object,
                sd_bus_error *error) {
        char ***v = MEMBER(object, key->offset, char **);
        size_t i;
        json_t *element;
        int r;

        if (!json_is_array(value))
                return patch_refuse(error, place, "must be an array of strings");
        if (key->filled && json_array_size(value) == 0)
                return patch_refuse(error, place, "must not be empty");
        if (json_array_size(value) > key->max)
                return patch_refuse(error, place, "has more than %zu elements", key->max);
        json_array_foreach(value, i, element) {
                PatchPlace here = { .parent = place, .index = i };
                _cleanup_free_ char *s = NULL;

                r = read_string_value(key, element, &here, &s, error);
                if (r < 0)
                        return r;
                if (strv_contains(*v, s))
                        return patch_refuse(error, &here, "'%s' is there twice", s);
                r = strv_extend(v, s);
                if (r < 0)
                        return r;
        }
        return 0;
}

/** patch_read_bool() - true or false, to a bool */
int patch_read_bool(const PatchKey *key, json_t *value, const PatchPlace *place, void *object,
                sd_bus_error *error) {
        if (!json_is_boolean(value))
                return patch_refuse(error, place, "must be true or false");
        *MEMBER(object, key->offset, bool) = json_is_true(value);
        return 0;
}

/** patch_read_uint64() - a whole number up to what @key allows, to a uint64_t */
int patch_read_uint64(const PatchKey *key, json_t *value, const PatchPlace *place, void *object,
                sd_bus_error *error) {
        if (!json_is_integer(value))
                return patch_refuse(error, place, "must be a whole number");
        if (json_integer_value(value) < 0 || (size_t) json_integer_value(value) > key->max)
                return patch_refuse(error, place, "must be between 0 and %zu", key->max);
        *MEMBER(object, key->offset, uint64_t) = (uint64_t) json_integer_value(value);
        return 0;
}

/** patch_read_unsigned() - a whole number up to what @key allows, to an unsigned */
int patch_read_unsigned(const PatchKey *key, json_t *value, const PatchPlace *place, void *object,
                sd_bus_error *error) {
        PatchKey wide = { .max = key->max };
        uint64_t u = 0;
        int r;

        r = patch_read_uint64(&wide, value, place, &u, error);
        if (r < 0)
                return r;
        *MEMBER(object, key->offset, unsigned) = (unsigned) u;
        return 0;
}

/** patch_read_severity() - a word, to a Severity */
int patch_read_severity(const PatchKey *key, json_t *value, const PatchPlace *place, void *object,
                sd_bus_error *error) {
        Severity s = json_is_string(value) ? severity_from_string(json_string_value(value))
                                           : _SEVERITY_INVALID;

        if (s < 0)
                return patch_refuse(error, place, "must be \"low\", \"moderate\", \"important\" or \"critical\"");
        *MEMBER(object, key->offset, Severity) = s;
        return 0;
}

/**
 * patch_read_keys() - all members of a JSON object
 * @keys: ends with an empty one
 * @object: the C object; a PatchFile where a key is of the manifest
 *
 * Return: 0 or a negative errno.
 */
int patch_read_keys(const PatchKey *keys, json_t *value, const PatchPlace *place, void *object,
                sd_bus_error *error) {
        const char *name;
        json_t *member;
        int r;

        if (!json_is_object(value))
                return patch_refuse(error, place, "must be an object");
        json_object_foreach(value, name, member) {
                PatchPlace here = { .parent = place, .key = name };
                const PatchKey *key = keys;

                while (key->name && !streq(key->name, name))
                        key++;
                if (!key->name)
                        return patch_refuse(error, &here, "this key is not known");
                r = key->read(key, member, &here,
                        key->manifest ? ((PatchFile *) object)->manifest : object, error);
                if (r < 0)
                        return r;
        }
        for (const PatchKey *key = keys; key->name; key++)
                if (key->required && !json_object_get(value, key->name))
                        return patch_refuse(error, place, "the key '%s' is missing", key->name);
        return 0;
}

/** patch_read_object() - an object of the keys of @key, to the C object at its offset */
int patch_read_object(const PatchKey *key, json_t *value, const PatchPlace *place, void *object,
                sd_bus_error *error) {
        return patch_read_keys(key->keys, value, place, MEMBER(object, key->offset, void), error);
}

/** patch_read_objects() - an array of objects of the keys of @key, to a pointer and a number */
int patch_read_objects(const PatchKey *key, json_t *value, const PatchPlace *place, void *object,
                sd_bus_error *error) {
        char **array = MEMBER(object, key->offset, char *);
        size_t *n = MEMBER(object, key->offset_n, size_t), i;
        json_t *element;
        int r;

        if (!json_is_array(value))
                return patch_refuse(error, place, "must be an array of objects");
        if (key->filled && json_array_size(value) == 0)
                return patch_refuse(error, place, "must not be empty");
        if (json_array_size(value) > key->max)
                return patch_refuse(error, place, "has more than %zu elements", key->max);
        *array = calloc(json_array_size(value) ?: 1, key->element_size);
        if (!*array)
                return -ENOMEM;
        json_array_foreach(value, i, element) {
                PatchPlace here = { .parent = place, .index = i };

                /* Counted first: what a refused element has is freed with the rest. */
                *n = i + 1;
                r = patch_read_keys(
                                key->keys, element, &here, *array + i * key->element_size, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

