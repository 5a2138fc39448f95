/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where a running kernel writes to its own code: the tables that its boot code reads, as the package
 * ships them. They are taken from the image and not from the object, because three of them do not exist
 * before objtool has seen the object, and because what the kernel will do is what its own tables say.
 *
 * A table that is not known here would show as a wrong digest later, never as a wrong match.
 */

#include <fnmatch.h>

#include "builder/match/matcher.h"
#include "builder/search.h"

/*
 * The first field of every entry is the place. Sources: arch/x86/include/asm/alternative.h (struct
 * alt_instr, .smp_locks), asm/paravirt_types.h (struct paravirt_patch_site), linux/static_call_types.h,
 * linux/jump_label.h, asm/runtime-const.h; arch/x86/kernel/alternative.c for what is written.
 */
typedef struct TableRow {
        const char *section; /* pattern */
        const char *start;   /* symbols around it, where vmlinux.lds.S has no section of its own for it */
        const char *stop;
        SiteKind kind;
        uint8_t entry_size;  /* 0: see alternative_size() */
        uint8_t size;        /* of what is written; 0: the instruction */
        bool absolute;       /* the place is 64 bits of address, else 32 from the field */
} TableRow;

static const TableRow tables[] = {
        { ".altinstructions", NULL, NULL, SITE_ALTERNATIVE, 0, 0, false },
        { ".parainstructions", NULL, NULL, SITE_PARAVIRT, 16, 0, true },
        { ".smp_locks", NULL, NULL, SITE_LOCK, 4, 1, false },
        { ".retpoline_sites", NULL, NULL, SITE_RETPOLINE, 4, 0, false },
        { ".return_sites", NULL, NULL, SITE_RETURN, 4, 0, false },
        { ".call_sites", NULL, NULL, SITE_CALL, 4, 0, false },
        { ".ibt_endbr_seal", NULL, NULL, SITE_ENDBR, 4, 4, false },
        { ".static_call_sites", "__start_static_call_sites", "__stop_static_call_sites", SITE_STATIC_CALL,
          8, 0, false },
        { "__jump_table", "__start___jump_table", "__stop___jump_table", SITE_JUMP_LABEL, 16, 0, false },
        { "runtime_shift_*", NULL, NULL, SITE_CONSTANT, 4, 1, false },
        { "runtime_ptr_*", NULL, NULL, SITE_CONSTANT, 4, 8, false },
};

static uint64_t read_relative(const uint8_t *data, uint64_t address) {
        int32_t distance;

        memcpy(&distance, data, sizeof(distance));
        return address + (uint64_t) (int64_t) distance;
}

static uint64_t read_64(const uint8_t *data) {
        uint64_t value;

        memcpy(&value, data, sizeof(value));
        return value;
}

static bool in_code(const Image *image, uint64_t address) {
        const ImageSection *s = image_section_at(image, address);

        return s && s->code;
}

/* struct alt_instr has 12 bytes in 6.1 and 14 since 6.4 (flags). The wrong one gives places outside of
 * any code at once. */
static uint8_t alternative_size(const Image *image, const uint8_t *data, uint64_t size, uint64_t address) {
        static const uint8_t sizes[] = { 12, 14 };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                uint64_t at = 0;

                while (at + sizes[i] <= size && in_code(image, read_relative(data + at, address + at)))
                        at += sizes[i];
                if (at == size)
                        return sizes[i];
        }
        return 0;
}

static Site read_site(const TableRow *t, uint8_t entry_size, const uint8_t *data, uint64_t address) {
        Site site = {
                .address = t->absolute ? read_64(data) : read_relative(data, address),
                .size = t->size,
                .kind = t->kind,
        };

        if (t->kind == SITE_ALTERNATIVE)
                site.size = data[entry_size - 2]; /* instrlen */
        else if (t->kind == SITE_PARAVIRT)
                site.size = data[9]; /* len, after a pointer and the type */
        else if (t->kind == SITE_JUMP_LABEL) {
                site.target = read_relative(data + 4, address + 4);
                site.key = (address + 8 + read_64(data + 8)) & ~UINT64_C(3); /* JUMP_TYPE_MASK */
        }
        return site;
}

static int read_table(const Image *image, const TableRow *t, const uint8_t *data, uint64_t size,
                uint64_t address, Sites *sites) {
        uint8_t entry_size = t->entry_size ?: alternative_size(image, data, size, address);
        Site *grown;

        if (size == 0)
                return 0;
        if (entry_size == 0 || !data)
                return -EBADMSG;
        grown = reallocarray(sites->items, sites->n + size / entry_size, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        sites->items = grown;
        for (uint64_t at = 0; at + entry_size <= size; at += entry_size)
                sites->items[sites->n++] = read_site(t, entry_size, data + at, address + at);
        return 0;
}

static int read_between(const Image *image, const TableRow *t, Sites *sites) {
        const ImageSymbol *const *start, *const *stop;
        const uint8_t *data;
        size_t size;

        if (!t->start || image_find(image, t->start, &start) != 1 || image_find(image, t->stop, &stop) != 1)
                return 0;
        data = image_bytes(image, start[0]->address, &size);
        if (stop[0]->address < start[0]->address || !data || size < stop[0]->address - start[0]->address)
                return -EBADMSG;
        return read_table(image, t, data, stop[0]->address - start[0]->address, start[0]->address, sites);
}

static int compare_sites(const void *a, const void *b) {
        const Site *x = a, *y = b;

        if (x->address != y->address)
                return x->address < y->address ? -1 : 1;
        return (int) x->kind - (int) y->kind;
}

/**
 * sites_read() - all places of an image that its kernel may write to
 * @ret: free ret->items with free()
 *
 * Return: 0, -EBADMSG when a table is not as we know it, or -ENOMEM.
 */
int sites_read(const Image *image, Sites *ret) {
        Sites sites = {};
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(tables) && r >= 0; i++) {
                bool found = false;

                for (size_t k = 0; k < image->n_sections && r >= 0; k++) {
                        const ImageSection *s = image->sections + k;

                        if (fnmatch(tables[i].section, s->name, 0) != 0)
                                continue;
                        found = true;
                        r = read_table(image, tables + i, s->data, s->size, s->address, &sites);
                }
                if (!found && r >= 0)
                        r = read_between(image, tables + i, &sites);
        }
        if (r < 0) {
                free(sites.items);
                return r;
        }
        if (sites.n > 0)
                qsort(sites.items, sites.n, sizeof(*sites.items), compare_sites);
        *ret = sites;
        return 0;
}

/** sites_from() - the first site at or after an address; the end of the array when there is none */
const Site *sites_from(const Sites *s, uint64_t address) {
        return s->items + search_from(s->items, s->n, sizeof(*s->items), offsetof(Site, address), address);
}

/** sites_find() - the site of a kind at exactly that address, or NULL */
const Site *sites_find(const Sites *s, uint64_t address, SiteKind kind) {
        for (const Site *i = sites_from(s, address); i < s->items + s->n && i->address == address; i++)
                if (i->kind == kind)
                        return i;
        return NULL;
}
