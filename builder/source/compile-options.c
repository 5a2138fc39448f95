/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The kernel's makefiles ask the compiler for nearly every option whether it knows it, by a trial run each
 * time. On a starved machine a trial can fail for want of memory or processes, and make goes on without the
 * option. Nothing says so but the debug information of the object. Which of the two objects is the wrong
 * one cannot be told, so both are compiled again then (compile.c).
 */

#include "builder/source/compile-options.h"

#include "builder/object/object.h"

/**
 * options_differ() - were two objects compiled with different options?
 * @before, @after: paths of compiled objects
 * @error: one that cannot be read
 *
 * Return: 1; 0 if not, or if one does not say; or a negative errno.
 */
int options_differ(const char *before, const char *after, sd_bus_error *error) {
        _cleanup_object_free_ Object *b = NULL, *a = NULL;
        const char *of_before, *of_after;
        int r;

        r = object_read(before, &b, error);
        if (r >= 0)
                r = object_read(after, &a, error);
        if (r < 0)
                return r;
        of_before = object_producer(b);
        of_after = object_producer(a);
        return of_before && of_after && !streq(of_before, of_after);
}
