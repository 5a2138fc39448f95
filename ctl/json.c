/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The one file of hotpatchctl that knows jansson. Getters are forgiving: a field that is missing or
 * of another type reads as NULL, 0 or false, because an answer may come from a daemon that is older
 * or newer than this program. Setters take ownership and report only lack of memory.
 *
 * On a terminal everything beyond ASCII is printed as \u escapes: JSON strings carry what strangers
 * wrote, and a terminal acts on some of it. Into a pipe or a file they go unchanged.
 */

#include <jansson.h>

#include "ctl/json.h"
#include "ctl/text.h"
#include "util/str.h"

void value_unref(Value *v) {
        json_decref(v);
}

/**
 * value_parse() - read an answer of the daemon
 * @text: JSON, one value
 * @ret: to be freed with value_unref()
 *
 * Return: 0 or -EBADMSG.
 */
int value_parse(const char *text, Value **ret) {
        Value *v = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);

        if (!v)
                return -EBADMSG;
        *ret = v;
        return 0;
}

const Value *value_get(const Value *object, const char *key) {
        return json_object_get(object, key);
}

/** value_string() - the text of a member; NULL when it is null, missing or not a string */
const char *value_string(const Value *object, const char *key) {
        return json_string_value(json_object_get(object, key));
}

bool value_bool(const Value *object, const char *key) {
        return json_is_true(json_object_get(object, key));
}

/** value_integer() - a whole number, also if it is written as a string (counters beyond 2^53) */
int64_t value_integer(const Value *object, const char *key) {
        const json_t *v = json_object_get(object, key);

        if (json_is_string(v))
                return strtoll(json_string_value(v), NULL, 10);
        return json_integer_value(v);
}

size_t value_length(const Value *array) {
        return json_array_size(array);
}

/** value_at() - member @i of an array; borrowed */
const Value *value_at(const Value *array, size_t i) {
        return json_array_get(array, i);
}

/** value_text() - the text of a string; NULL if it is none */
const char *value_text(const Value *v) {
        return json_string_value(v);
}

Value *value_object(void) {
        return json_object();
}

Value *value_array(void) {
        return json_array();
}

/** value_set() - put @taken into @object; it is owned by @object afterwards, also on failure */
int value_set(Value *object, const char *key, Value *taken) {
        return json_object_set_new(object, key, taken) < 0 ? -ENOMEM : 0;
}

/** value_text_new() - a string, or null when @text is NULL; what is not UTF-8 becomes question marks */
Value *value_text_new(const char *text) {
        json_t *v = text ? json_string(text) : json_null();

        if (!v) {
                _cleanup_free_ char *clean = text_sanitize(text);
                v = clean ? json_string(clean) : NULL;
        }
        return v;
}

int value_set_string(Value *object, const char *key, const char *text) {
        return value_set(object, key, value_text_new(text));
}

int value_set_bool(Value *object, const char *key, bool b) {
        return value_set(object, key, json_boolean(b));
}

int value_set_integer(Value *object, const char *key, uint64_t n) {
        return value_set(object, key, json_integer((json_int_t) n));
}

int value_set_real(Value *object, const char *key, double d) {
        return value_set(object, key, json_real(d));
}

int value_set_strv(Value *object, const char *key, char *const *v) {
        json_t *array = json_array();

        for (; array && v && *v; v++)
                if (json_array_append_new(array, value_text_new(*v)) < 0) {
                        json_decref(array);
                        return -ENOMEM;
                }
        return value_set(object, key, array);
}

/** value_set_time() - RFC 3339 in UTC; null for 0, "never" */
int value_set_time(Value *object, const char *key, uint64_t usec) {
        _cleanup_free_ char *text = NULL;

        if (usec > 0 && time_format_utc(usec, &text) < 0)
                text = NULL;
        return value_set_string(object, key, text);
}

int value_append(Value *array, Value *taken) {
        return json_array_append_new(array, taken) < 0 ? -ENOMEM : 0;
}

/* In the form that was asked for. */
static size_t form(const Ctl *ctl) {
        return JSON_ENCODE_ANY | (ctl->json_short ? JSON_COMPACT : JSON_INDENT(2)) |
                (ctl->terminal ? JSON_ENSURE_ASCII : 0);
}

/**
 * value_to_text() - one JSON value and a newline
 * @ret: owned by the caller
 *
 * Return: 0 or -ENOMEM.
 */
int value_to_text(const Ctl *ctl, const Value *v, char **ret) {
        _cleanup_free_ char *text = json_dumps(v, form(ctl) | JSON_REAL_PRECISION(16));

        if (!text || str_printf(ret, "%s\n", text) < 0)
                return -ENOMEM;
        return 0;
}

/**
 * value_print() - one JSON value and a newline to stdout, in the form that was asked for
 * @ctl: the options
 * @v: the value
 *
 * Return: 0 or a negative errno.
 */
int value_print(const Ctl *ctl, const Value *v) {
        if (json_dumpf(v, stdout, form(ctl) | JSON_REAL_PRECISION(6)) < 0)
                return -EIO;
        return putchar('\n') == EOF || fflush(stdout) != 0 ? -EIO : 0;
}

/** value_print_pair() - {KEY: text} */
int value_print_pair(const Ctl *ctl, const char *key, const char *text) {
        _cleanup_value_ Value *answer = value_object();

        return value_set_string(answer, key, text) < 0 ? -ENOMEM : value_print(ctl, answer);
}

/** value_print_error() - {"error": {"subject", "name", "message", "remedy"}} */
int value_print_error(const Ctl *ctl, const char *subject, const char *name, const char *message,
                const char *remedy) {
        _cleanup_value_ Value *answer = value_object();
        Value *error = value_object();

        if (value_set(answer, "error", error) < 0 ||
                        value_set_string(error, "subject", subject) < 0 ||
                        value_set_string(error, "name", name) < 0 ||
                        value_set_string(error, "message", message) < 0 ||
                        value_set_string(error, "remedy", remedy) < 0)
                return -ENOMEM;
        return value_print(ctl, answer);
}
