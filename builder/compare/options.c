/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Was the compiler told the same, before and after?
 *
 * The kernel's makefiles ask the compiler for nearly every option whether it knows it, by a trial run each
 * time. A trial that fails for another reason, such as no memory, leaves the option out without a word, and
 * every function differs. gcc and clang keep their options with the debug information (DW_AT_producer), and
 * there a difference is seen before anything is concluded from it.
 */

#include <elf.h>

#include "builder/compare/compare-internal.h"
#include "dbus/errors.h"

/* What comes first in the string: "GNU C11 12.2.0 -mno-sse …", "clang version 14 …". */
static const char *const compilers[] = { "GNU C", "clang version", "Debian clang version" };

static const char *producer_in(const ObjectSection *s) {
        for (const uint8_t *p = s->data, *end = s->data + s->size, *next; p < end; p = next + 1) {
                next = memchr(p, 0, (size_t) (end - p));
                if (!next)
                        return NULL;
                for (size_t i = 0; i < ELEMENTSOF(compilers); i++)
                        if (startswith((const char *) p, compilers[i]))
                                return (const char *) p;
        }
        return NULL;
}

/* NULL: no debug information, or compressed. */
static const char *producer(const Object *o) {
        for (size_t i = 1; i < o->n_sections; i++) {
                const ObjectSection *s = o->sections + i;
                const char *found = NULL;

                if (s->data && !(s->flags & SHF_COMPRESSED) &&
                                (streq(s->name, ".debug_str") || streq(s->name, ".debug_line_str")))
                        found = producer_in(s);
                if (found)
                        return found;
        }
        return NULL;
}

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
        const char *b = producer(before), *a = producer(after), *word;
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
