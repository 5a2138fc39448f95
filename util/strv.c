/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "util/str.h"
#include "util/strv.h"

/** strv_free() - free the array and its strings; accepts NULL. Returns NULL. */
char **strv_free(char **v) {
        for (char **i = v; i && *i; i++)
                free(*i);
        free(v);
        return NULL;
}

/** strv_length() - number of strings; 0 for NULL */
size_t strv_length(char *const *v) {
        size_t n = 0;

        while (v && v[n])
                n++;
        return n;
}

/** strv_contains() - whether @s is one of the strings */
bool strv_contains(char *const *v, const char *s) {
        for (; v && *v; v++)
                if (streq(*v, s))
                        return true;
        return false;
}

/**
 * strv_extend() - append a copy of @s
 * @v: the array, may point to NULL; reallocated in place
 *
 * Return: 0, or -ENOMEM with @v unchanged in content.
 */
int strv_extend(char ***v, const char *s) {
        _cleanup_free_ char *copy = strdup(s);
        size_t n = strv_length(*v);
        char **grown;

        if (!copy)
                return -ENOMEM;
        grown = reallocarray(*v, n + 2, sizeof(char *));
        if (!grown)
                return -ENOMEM;
        grown[n] = TAKE_PTR(copy);
        grown[n + 1] = NULL;
        *v = grown;
        return 0;
}

/** strv_extendv() - append a string that is made as by vprintf(3). Return: 0 or -ENOMEM, as strv_extend(). */
int strv_extendv(char ***v, const char *format, va_list ap) {
        _cleanup_free_ char *text = NULL;
        int r = str_vprintf(&text, format, ap);

        return r < 0 ? r : strv_extend(v, text);
}

/** strv_extendf() - append a string that is made as by printf(3). Return: 0 or -ENOMEM, as strv_extend(). */
int strv_extendf(char ***v, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = strv_extendv(v, format, ap);
        va_end(ap);
        return r;
}

/**
 * strv_copy() - copy the array and its strings
 * @v: the array, NULL counts as empty
 * @ret: the copy, never NULL on success; free with strv_free()
 *
 * Return: 0 or -ENOMEM.
 */
int strv_copy(char *const *v, char ***ret) {
        size_t n = strv_length(v);
        _cleanup_strv_free_ char **copy = calloc(n + 1, sizeof(char *));

        if (!copy)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                copy[i] = strdup(v[i]);
                if (!copy[i])
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(copy);
        return 0;
}

/** strv_remove() - free all members equal to @s, which may be one of them, and close the gap */
void strv_remove(char **v, const char *s) {
        char **to = v, *keep = NULL;

        for (; v && *v; v++) {
                if (!streq(*v, s)) {
                        *to++ = *v;
                        continue;
                }
                /* @s is needed until the end */
                if (*v == s)
                        keep = *v;
                else
                        free(*v);
        }
        if (to)
                *to = NULL;
        free(keep);
}

/**
 * strv_join() - all strings in one: "a, b"
 * @v: the array, NULL counts as empty
 * @between: put between two
 * @ret: to be freed; never NULL on success
 *
 * Return: 0 or -ENOMEM.
 */
int strv_join(char *const *v, const char *between, char **ret) {
        size_t size = 1;
        char *text, *end;

        for (char *const *i = v; i && *i; i++)
                size += strlen(*i) + strlen(between);
        text = end = malloc(size);
        if (!text)
                return -ENOMEM;
        *end = '\0';
        for (char *const *i = v; i && *i; i++) {
                end = stpcpy(end, i == v ? "" : between);
                end = stpcpy(end, *i);
        }
        *ret = text;
        return 0;
}

/**
 * strv_quote() - all strings in one, for a sentence: "'a', 'b'"
 * @v: the array, NULL counts as empty
 * @ret: to be freed; never NULL on success
 *
 * Return: 0 or -ENOMEM.
 */
int strv_quote(char *const *v, char **ret) {
        _cleanup_free_ char *text = NULL;
        int r = str_extendf(&text, "%s", "");

        for (; r >= 0 && v && *v; v++)
                r = str_extendf(&text, "%s'%s'", *text ? ", " : "", *v);
        if (r >= 0)
                *ret = TAKE_PTR(text);
        return r;
}
