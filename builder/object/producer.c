/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What an object says about how it was compiled. gcc and clang write compiler and options into the debug
 * information, as one string; it is found by how it begins, without following that information.
 */

#include "builder/object/object.h"

#include <elf.h>

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

/**
 * object_producer() - compiler and options, as the debug information tells (DW_AT_producer)
 *
 * Return: a string in @o; NULL: there is no debug information, or it is compressed.
 */
const char *object_producer(const Object *o) {
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
