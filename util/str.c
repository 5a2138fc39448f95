/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * asprintf(3) with our manners: it says -ENOMEM, and leaves the result alone when it fails. The C library leaves it
 * undefined then, so that each caller with a cleanup attribute would have to set it to NULL, and one would forget.
 */

#include "util/str.h"

/** str_vprintf() - as str_printf(), for functions that have a format themselves */
int str_vprintf(char **ret, const char *format, va_list ap) {
        char *text;

        if (vasprintf(&text, format, ap) < 0)
                return -ENOMEM;
        *ret = text;
        return 0;
}

/**
 * str_printf() - a string that is made as by printf(3)
 * @ret: to be freed; what it had is not freed
 *
 * Return: 0 or -ENOMEM.
 */
int str_printf(char **ret, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = str_vprintf(ret, format, ap);
        va_end(ap);
        return r;
}

/** str_extendf() - as str_printf(), behind what @s has; NULL counts as empty. Return: 0, or -ENOMEM with @s unchanged. */
int str_extendf(char **s, const char *format, ...) {
        _cleanup_free_ char *more = NULL;
        char *longer = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = str_vprintf(&more, format, ap);
        va_end(ap);
        if (r >= 0)
                r = str_printf(&longer, "%s%s", strempty(*s), more);
        if (r < 0)
                return r;
        free(*s);
        *s = longer;
        return 0;
}
