/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Asking an image by name: a hash table with open addressing, which is made once and never changed.
 * Sorting 150000 names would take longer than unpacking the kernel.
 */

#include "builder/image/image-internal.h"

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t hash(const char *name) {
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (; *name; name++)
                h = (h ^ (uint8_t) *name) * UINT64_C(0x100000001b3);
        return h ^ h >> 32;
}

/* The place of a name in the table, or the free one where it would be. */
static ImageName *place_of(const Image *i, const char *name) {
        const ImagePrivate *p = i->private;
        size_t at = hash(name) & (p->n_names - 1);

        while (p->names[at].n > 0 && !streq(p->by_name[p->names[at].first]->name, name))
                at = (at + 1) & (p->n_names - 1);
        return &p->names[at];
}

size_t image_find(const Image *i, const char *name, const ImageSymbol *const **ret) {
        const ImageName *n = i->private->n_names > 0 ? place_of(i, name) : NULL;

        *ret = n && n->n > 0 ? &i->private->by_name[n->first] : NULL;
        return n ? n->n : 0;
}

/* While the table is made, `first` is a symbol of that name and `n` how many there were so far. */
static uint32_t slot_count(Image *i, uint32_t symbol) {
        ImagePrivate *p = i->private;
        size_t at = hash(i->symbols[symbol].name) & (p->n_names - 1);

        while (p->names[at].n > 0 && !streq(i->symbols[p->names[at].first].name, i->symbols[symbol].name))
                at = (at + 1) & (p->n_names - 1);
        if (p->names[at].n == 0)
                p->names[at].first = symbol;
        i->symbols[symbol].position = ++p->names[at].n;
        return (uint32_t) at;
}

/**
 * image_index_names() - make the table, and count the positions
 * @order: indices of all symbols in the order in which they count; NULL: as they stand
 *
 * The symbols must have their final places.
 *
 * Return: 0 or -ENOMEM.
 */
int image_index_names(Image *i, const uint32_t *order) {
        ImagePrivate *p = i->private;
        _cleanup_free_ uint32_t *slots = calloc(i->n_symbols ?: 1, sizeof(*slots));
        uint32_t next = 0;

        for (p->n_names = 16; p->n_names < 2 * i->n_symbols; p->n_names *= 2)
                ;
        p->names = calloc(p->n_names, sizeof(*p->names));
        p->by_name = calloc(i->n_symbols ?: 1, sizeof(const ImageSymbol *));
        if (!slots || !p->names || !p->by_name)
                return -ENOMEM;
        for (uint32_t n = 0; n < i->n_symbols; n++) {
                uint32_t symbol = order ? order[n] : n;

                slots[symbol] = slot_count(i, symbol);
        }
        for (size_t at = 0; at < p->n_names; at++) {
                p->names[at].first = next;
                next += p->names[at].n;
        }
        for (size_t n = 0; n < i->n_symbols; n++) {
                ImageSymbol *s = &i->symbols[n];

                s->n_same = p->names[slots[n]].n;
                p->by_name[p->names[slots[n]].first + s->position - 1] = s;
        }
        return 0;
}
