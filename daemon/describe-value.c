/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The values that the answers of the daemon are made of (describe-*.c; doc/json-shapes.md).
 *
 * Whatever came from a manifest, from the kernel or from a message goes out as a JSON string, built by the library and
 * never by printing; in a text that is no UTF-8 all beyond ASCII becomes '?', so that one odd name cannot make a whole
 * answer fail.
 *
 * jansson counts references; each function gives its caller one, and json_pack()'s "o" takes one even when it fails.
 * NULL anywhere means that memory is out and makes the whole NULL.
 */

#include "bundle/manifest.h"
#include "daemon/describe-value.h"

/* Numbers in JSON are exact up to here for every reader (RFC 8259, section 6). */
#define JSON_INTEGER_MAX ((UINT64_C(1) << 53) - 1)

static json_t *replaced_string(const char *s) {
        _cleanup_free_ char *copy = strdup(s);

        for (char *p = copy; p && *p; p++)
                if ((unsigned char) *p >= 0x80)
                        *p = '?';
        return copy ? json_string(copy) : NULL;
}

/** describe_string() - a text; NULL is null */
json_t *describe_string(const char *s) {
        json_t *j;

        if (!s)
                return json_null();
        j = json_string(s);
        return j ?: replaced_string(s);
}

/** describe_integer() - a number; one that not every reader has exactly is the largest that all have */
json_t *describe_integer(uint64_t v) {
        return json_integer((json_int_t) (v < JSON_INTEGER_MAX ? v : JSON_INTEGER_MAX));
}

/** describe_time() - CLOCK_REALTIME as RFC 3339 in UTC; 0 and times beyond the year 9999 are null */
json_t *describe_time(uint64_t usec) {
        char text[MANIFEST_TIME_SIZE];

        return usec == 0 || manifest_time_format(usec, text) < 0 ? json_null() : json_string(text);
}

/** describe_strv() - an array of texts; NULL is the empty one */
json_t *describe_strv(char *const *v) {
        json_t *array = json_array();

        for (; v && *v; v++)
                json_push(&array, describe_string(*v));
        return array;
}

/** describe_kernel() - for which kernel an answer is true */
json_t *describe_kernel(const KernelIdentity *k) {
        return json_pack("{s:o, s:o, s:o}",
                        "arch", describe_string(k->arch),
                        "release", describe_string(k->release),
                        "build_id", describe_string(k->build_id));
}

/**
 * describe_end() - the answer as a line of text
 * @j: taken over
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int describe_end(json_t *j, char **ret) {
        _cleanup_json_ json_t *object = j;
        char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}
