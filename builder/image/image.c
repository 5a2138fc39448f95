/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Asking an image by address. Sections and symbols are sorted arrays, as nothing is added to them once
 * an image is open.
 */

#include "builder/image/bytes.h"
#include "builder/image/image-internal.h"

#define ENDBR64 UINT32_C(0xfa1e0ff3) /* f3 0f 1e fa */
#define ENDBR64_SIZE 4U

/** image_free() - free the image; pointers into it are void. Return: NULL */
Image *image_free(Image *i) {
        if (!i)
                return NULL;
        if (i->private) {
                ImagePrivate *p = i->private;

                vmlinuz_done(&p->file);
                free(p->memory);
                free(p->pool);
                free(p->names);
                free(p->by_name);
                free(p->sites.items);
                free(p->sealed.items);
                free(p->relocated.items);
                free(p);
        }
        free(i->object);
        free(i->build_id);
        free(i->banner);
        free(i->sections);
        free(i->symbols);
        free(i);
        return NULL;
}

/** image_new() - an empty image. Return: 0 or -ENOMEM */
int image_new(Image **ret) {
        _cleanup_image_free_ Image *i = calloc(1, sizeof(*i));

        if (!i)
                return -ENOMEM;
        i->private = calloc(1, sizeof(*i->private));
        if (!i->private)
                return -ENOMEM;
        *ret = TAKE_PTR(i);
        return 0;
}

static int compare_sections(const void *a, const void *b) {
        const ImageSection *x = a, *y = b;

        return x->address < y->address ? -1 : x->address > y->address;
}

/** image_sections_finish() - sort them. Return: 0, or -EBADMSG when two overlap */
int image_sections_finish(Image *i) {
        if (i->n_sections == 0)
                return -EBADMSG;
        qsort(i->sections, i->n_sections, sizeof(*i->sections), compare_sections);
        for (size_t n = 1; n < i->n_sections; n++)
                if (i->sections[n].address - i->sections[n - 1].address < i->sections[n - 1].size)
                        return -EBADMSG;
        return 0;
}

/** image_section_at() - the section that an address lies in, or NULL */
const ImageSection *image_section_at(const Image *i, uint64_t address) {
        size_t low = 0, high = i->n_sections;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (i->sections[middle].address <= address)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == 0 || address - i->sections[low - 1].address >= i->sections[low - 1].size)
                return NULL;
        return &i->sections[low - 1];
}

/** image_section() - the section of that name, or NULL; the first by address if there are several */
const ImageSection *image_section(const Image *i, const char *name) {
        for (size_t n = 0; n < i->n_sections; n++)
                if (streq(i->sections[n].name, name))
                        return &i->sections[n];
        return NULL;
}

const uint8_t *image_bytes(const Image *i, uint64_t address, size_t *ret_size) {
        const ImageSection *s = image_section_at(i, address);

        if (!s || !s->data)
                return NULL;
        *ret_size = s->size - (address - s->address);
        return s->data + (address - s->address);
}

/* Index of the first symbol at or above an address. */
static size_t symbols_from(const Image *i, uint64_t address) {
        size_t low = 0, high = i->n_symbols;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (i->symbols[middle].address < address)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

size_t image_symbols_at(const Image *i, uint64_t address, const ImageSymbol **ret) {
        size_t first = symbols_from(i, address), n = 0;

        while (first + n < i->n_symbols && i->symbols[first + n].address == address)
                n++;
        *ret = n > 0 ? &i->symbols[first] : NULL;
        return n;
}

const ImageSymbol *image_covering(const Image *i, uint64_t address) {
        const ImageSection *s = image_section_at(i, address);
        size_t n = symbols_from(i, address);

        while (n < i->n_symbols && i->symbols[n].address == address)
                n++;
        return s && n > 0 && i->symbols[n - 1].address >= s->address ? &i->symbols[n - 1] : NULL;
}

static int compare_addresses(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

void image_addresses_sort(ImageAddresses *a) {
        if (a->n > 1)
                qsort(a->items, a->n, sizeof(*a->items), compare_addresses);
}

static bool addresses_have(const ImageAddresses *a, uint64_t address) {
        return a->n > 0 && bsearch(&address, a->items, a->n, sizeof(*a->items), compare_addresses);
}

/**
 * image_read_sites() - read the list of places that call __fentry__
 * @start: of the list, which has @size bytes; each entry is an address
 *
 * Return: 0, -EBADMSG when it is not in the image, or -ENOMEM.
 */
int image_read_sites(Image *i, uint64_t start, uint64_t size) {
        ImageAddresses *a = &i->private->sites;
        const uint8_t *bytes;
        size_t room;

        if (size == 0)
                return 0;
        bytes = image_bytes(i, start, &room);
        if (!bytes || size > room || size % 8 != 0)
                return -EBADMSG;
        a->items = calloc(size / 8, sizeof(*a->items));
        if (!a->items)
                return -ENOMEM;
        for (size_t at = 0; at < size; at += 8) {
                uint64_t site = bytes_le64(bytes + at);

                /* ftrace_process_locs(): linkers pad with them, and per-cpu symbols begin at 0 */
                if (site != 0)
                        a->items[a->n++] = site;
        }
        image_addresses_sort(a);
        return 0;
}

/** image_read_sealed() - read .ibt_endbr_seal, 32-bit distances (arch/x86/kernel/alternative.c,
 *  apply_seal_endbr()). Return: 0, -EBADMSG or -ENOMEM */
int image_read_sealed(Image *i) {
        const ImageSection *s = image_section(i, ".ibt_endbr_seal");
        ImageAddresses *a = &i->private->sealed;

        if (!s)
                return 0;
        if (!s->data || s->size % 4 != 0)
                return -EBADMSG;
        a->items = calloc(s->size / 4, sizeof(*a->items));
        if (!a->items)
                return -ENOMEM;
        for (; a->n < s->size / 4; a->n++)
                a->items[a->n] = s->address + 4 * a->n +
                                (uint64_t) (int64_t) (int32_t) bytes_le32(s->data + 4 * a->n);
        image_addresses_sort(a);
        return 0;
}

/*
 * klp_patch_func() asks ftrace_location() for any site in the function. A site that is not at its
 * start is another function's, though: one that a strong definition replaced, whose name is gone
 * (FTRACE_MCOUNT_MAX_OFFSET in arch/x86/include/asm/ftrace.h). And the sites of init code are dropped
 * with it.
 */
bool image_ftrace_site(const Image *i, uint64_t address) {
        const ImageAddresses *a = &i->private->sites;
        const ImageSymbol *s = image_covering(i, address);
        size_t room = 0;
        const uint8_t *bytes = image_bytes(i, address, &room);

        if (!bytes || !s || !s->function || s->init)
                return false;
        if (addresses_have(a, address))
                return true;
        return room > ENDBR64_SIZE && bytes_le32(bytes) == ENDBR64 &&
                addresses_have(a, address + ENDBR64_SIZE);
}

bool image_sealed(const Image *i, uint64_t address) {
        return addresses_have(&i->private->sealed, address);
}

const void *image_btf(const Image *i, size_t *ret_size) {
        *ret_size = i->private->btf_size;
        return i->private->btf;
}

bool image_relocated(const Image *i, uint64_t address) {
        return addresses_have(&i->private->relocated, address);
}
