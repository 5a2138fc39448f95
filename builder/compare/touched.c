/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Lines of unified diffs, counted in the file before the fix.
 *
 * The hunks were checked and applied long before this is asked; here they only help to say which function
 * an author edited. Of several diffs about one file each is counted as if it were the first.
 */

#include "builder/compare/touched.h"

typedef struct Lines {
        TouchedLine *items;
        size_t n;
        size_t room;
} Lines;

static int lines_add(Lines *l, size_t file, size_t line, bool inserted) {
        const TouchedLine *last = l->n > 0 ? l->items + l->n - 1 : NULL;

        if (last && last->file == file && last->line == line && last->inserted == inserted)
                return 0;
        if (l->n == l->room) {
                size_t room = l->room ? l->room * 2 : 64;
                TouchedLine *grown = reallocarray(l->items, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                l->items = grown;
                l->room = room;
        }
        l->items[l->n++] = (TouchedLine) { file, line, inserted };
        return 0;
}

static int read_hunks(Lines *l, const FixDiff *d) {
        unsigned long line = 0;
        int r = 0;

        for (const char *p = d->hunks, *next; p && *p && r >= 0; p = next) {
                const char *end = strchr(p, '\n');

                next = end ? end + 1 : NULL;
                if (startswith(p, "@@ -")) {
                        /* "-L,0" is an insertion after line L. */
                        line = strtoul(p + 4, (char **) &end, 10);
                        if (startswith(end, ",0 "))
                                line++;
                } else if (*p == '-')
                        r = lines_add(l, d->file, line++, false);
                else if (*p == '+')
                        r = lines_add(l, d->file, line, true);
                else if (*p != '\\')
                        line++;
        }
        return r;
}

/**
 * touched_lines() - all lines that a fix touches
 * @ret: in the order of the diffs; to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int touched_lines(const Fix *fix, TouchedLine **ret, size_t *ret_n) {
        Lines l = { 0 };

        for (size_t i = 0; i < fix->n_diffs; i++) {
                int r = read_hunks(&l, fix->diffs + i);

                if (r < 0) {
                        free(l.items);
                        return r;
                }
        }
        *ret = l.items;
        *ret_n = l.n;
        return 0;
}
