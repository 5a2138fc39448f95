/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two tables of the object that the comparison must know: static branches, because the image has a NOP
 * where the compiler wrote a jump, and alternatives, because their NOPs are no alignment.
 */

#include "builder/match/matcher.h"

/* arch/x86/include/asm/jump_label.h: JUMP_TABLE_ENTRY(); bit 1 of the key tells objtool to write a NOP */
#define JUMP_ENTRY 16U
#define JUMP_HACK 2

static int compare_sites(const void *a, const void *b) {
        const ObjectSite *x = a, *y = b;

        if (x->section != y->section)
                return x->section < y->section ? -1 : 1;
        return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The place an entry's first field names. */
static bool read_place(const Object *o, const ObjectRelocation *r, ObjectSite *ret) {
        if (!r || !object_symbol_is_defined(o, r->symbol) || o->symbols[r->symbol].section >= o->n_sections)
                return false;
        *ret = (ObjectSite) {
                .section = o->symbols[r->symbol].section,
                .offset = o->symbols[r->symbol].value + (uint64_t) r->delta,
        };
        return true;
}

static int read_jumps(const Object *o, const ObjectSection *s, ObjectSite *sites, size_t *n) {
        for (uint64_t at = 0; at + JUMP_ENTRY <= s->size; at += JUMP_ENTRY) {
                const ObjectRelocation *target = object_relocation_at(s, at + 4),
                                       *key = object_relocation_at(s, at + 8);

                if (!read_place(o, object_relocation_at(s, at), sites + *n) || !target || !key)
                        return -EBADMSG;
                sites[*n].jump_label = true;
                sites[*n].jump_hack = key->delta & JUMP_HACK;
                sites[*n].target = *target;
                sites[*n].key = *key;
                sites[*n].key.delta &= ~INT64_C(3);
                (*n)++;
        }
        return s->size % JUMP_ENTRY == 0 ? 0 : -EBADMSG;
}

/* Each entry has two relocated fields, one after the other: the place and its replacement. The lengths
 * are its last two bytes. */
static int read_alternatives(const Object *o, const ObjectSection *s, ObjectSite *sites, size_t *n) {
        size_t entry;

        if (s->n_relocations < 2 || s->size % (s->n_relocations / 2) != 0)
                return -EBADMSG;
        entry = s->size / (s->n_relocations / 2);
        if (entry != 12 && entry != 14) /* 6.1; since 6.4 */
                return -EOPNOTSUPP;
        for (uint64_t at = 0; at < s->size; at += entry) {
                if (!read_place(o, object_relocation_at(s, at), sites + *n))
                        return -EBADMSG;
                sites[(*n)++].size = s->data[at + entry - 2];
        }
        return 0;
}

/**
 * object_sites_read() - static branches and alternatives of an object
 * @ret: by section and offset; free with free()
 *
 * Return: 0, -EBADMSG or -EOPNOTSUPP when a table is not as we know it, or -ENOMEM.
 */
int object_sites_read(const Object *o, ObjectSite **ret, size_t *ret_n) {
        _cleanup_free_ ObjectSite *sites = NULL;
        size_t room = 1, n = 0;
        int r = 0;

        for (size_t i = 1; i < o->n_sections; i++)
                room += o->sections[i].n_relocations;
        sites = calloc(room, sizeof(*sites));
        if (!sites)
                return -ENOMEM;
        for (size_t i = 1; i < o->n_sections && r >= 0; i++) {
                const ObjectSection *s = o->sections + i;

                if (s->size == 0 || !s->data)
                        continue;
                if (streq(s->name, "__jump_table"))
                        r = read_jumps(o, s, sites, &n);
                else if (streq(s->name, ".altinstructions"))
                        r = read_alternatives(o, s, sites, &n);
        }
        if (r < 0)
                return r;
        qsort(sites, n, sizeof(*sites), compare_sites);
        *ret = TAKE_PTR(sites);
        *ret_n = n;
        return 0;
}

/* The first site at or after a place. */
static const ObjectSite *find_from(const Matcher *m, uint32_t section, uint64_t offset) {
        ObjectSite wanted = { .section = section, .offset = offset };
        size_t low = 0, high = m->n_object_sites;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compare_sites(m->object_sites + middle, &wanted) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return m->object_sites + low;
}

/** object_sites_jump() - the static branch at exactly that place, or NULL */
const ObjectSite *object_sites_jump(const Matcher *m, uint32_t section, uint64_t offset) {
        const ObjectSite *end = m->object_sites + m->n_object_sites;

        for (const ObjectSite *s = find_from(m, section, offset);
             s < end && s->section == section && s->offset == offset; s++)
                if (s->jump_label)
                        return s;
        return NULL;
}

/** object_sites_alternative() - is that place within instructions that an alternative replaces? */
bool object_sites_alternative(const Matcher *m, uint32_t section, uint64_t offset) {
        /* instrlen is a byte */
        const ObjectSite *s = find_from(m, section, offset > UINT8_MAX ? offset - UINT8_MAX : 0),
                         *end = m->object_sites + m->n_object_sites;

        for (; s < end && s->section == section && s->offset <= offset; s++)
                if (offset - s->offset < s->size)
                        return true;
        return false;
}
