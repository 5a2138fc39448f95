/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Was the compiler told the same, before and after?
 *
 * The kernel's makefiles ask the compiler for nearly every option whether it knows it, by a trial run each
 * time. A trial that fails for another reason, such as no memory, leaves the option out without a word, and
 * every function differs. builder/source compiles again then; what is still different is refused here, before
 * anything is concluded from it.
 */

#include "builder/compare/compare-internal.h"
#include "dbus/errors.h"

/* The first word of @a that @b does not have; NULL: it has all. Return: its length in @ret_size. */
static const char *word_missing(const char *a, const char *b, size_t *ret_size) {
        for (size_t n; *a; a += n + (a[n] == ' ')) {
                bool found = false;

                n = strcspn(a, " ");
                for (const char *p = b; !found && *p; p += strcspn(p, " "), p += *p == ' ')
                        found = strcspn(p, " ") == n && memcmp(p, a, n) == 0;
                if (!found) {
                        *ret_size = n;
                        return a;
                }
        }
        return NULL;
}

/**
 * options_same() - refuse two objects that were compiled with different options
 * @error: ModuleBuildFailed, with the first option that only one has
 *
 * Return: 0, also when an object does not say its options, or a negative errno.
 */
int options_same(const Object *before, const Object *after, sd_bus_error *error) {
        const char *b = object_producer(before), *a = object_producer(after), *word;
        size_t n;

        if (!b || !a || streq(b, a))
                return 0;
        word = word_missing(b, a, &n);
        if (word)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "The object was compiled with '%.*s' before the fix, and without it after", (int) n, word);
        word = word_missing(a, b, &n);
        if (word)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "The object was compiled with '%.*s' after the fix, and without it before", (int) n, word);
        return 0;
}
