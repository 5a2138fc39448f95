/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A kernel as its package ships it: stripped, so that what it knows about itself is all there is.
 *
 * The sections are those of the ELF file, where it was linked. Symbols come from kallsyms, and are
 * believed only when the kernel's own landmarks are where they say: _text begins .text, linux_banner
 * is the banner. Everything else (ftrace sites, freed ranges) is found by symbols, the fields that
 * move by the table behind the ELF file.
 */

#include <elf.h>

#include "builder/image/binary.h"
#include "builder/image/image-internal.h"
#include "builder/image/kallsyms.h"
#include "builder/image/relocs.h"
#include "livepatch/note.h"

#define BANNER "Linux version "
#define BANNER_MAX 4096U

static int sections_take(Image *i, const Binary *b) {
        i->sections = calloc(b->n_sections, sizeof(*i->sections));
        if (!i->sections)
                return -ENOMEM;
        for (size_t n = 1; n < b->n_sections; n++) {
                const BinarySection *s = &b->sections[n];

                if (!(s->flags & SHF_ALLOC) || s->size == 0)
                        continue;
                i->sections[i->n_sections++] = (ImageSection) {
                        .name = s->name,
                        .address = s->address,
                        .size = s->size,
                        .data = s->data,
                        .code = s->flags & SHF_EXECINSTR,
                        .writable = s->flags & SHF_WRITE,
                };
        }
        return image_sections_finish(i);
}

/* The address of a symbol that every kernel has once; 0: this one does not. */
static uint64_t landmark(const Image *i, const char *name) {
        const ImageSymbol *const *found;

        return image_find(i, name, &found) == 1 ? found[0]->address : 0;
}

/* Sizes reach to the next symbol, as kernel/kallsyms.c, get_symbol_pos() has it, but not out of the
 * section. */
static void symbols_measure(Image *i) {
        uint64_t begin = landmark(i, "__init_begin"), end = landmark(i, "__init_end"), next = UINT64_MAX;

        for (size_t n = i->n_symbols; n-- > 0;) {
                ImageSymbol *s = &i->symbols[n];
                const ImageSection *section = image_section_at(i, s->address);

                if (n + 1 < i->n_symbols && s[1].address != s->address)
                        next = s[1].address;
                s->init = s->address >= begin && s->address < end;
                if (!section)
                        continue;
                s->function = section->code;
                s->size = section->size - (s->address - section->address);
                if (s->size > next - s->address)
                        s->size = next - s->address;
        }
}

static int symbols_take(Image *i, Kallsyms *k) {
        int r;

        i->symbols = calloc(k->n, sizeof(*i->symbols));
        if (!i->symbols)
                return -ENOMEM;
        i->private->pool = TAKE_PTR(k->pool);
        for (; i->n_symbols < k->n; i->n_symbols++)
                i->symbols[i->n_symbols] = (ImageSymbol) {
                        .name = i->private->pool + k->names[i->n_symbols],
                        .address = k->addresses[i->n_symbols],
                        .global = k->types[i->n_symbols] >= 'A' && k->types[i->n_symbols] <= 'Z',
                };
        r = image_index_names(i, NULL);
        if (r >= 0)
                symbols_measure(i);
        return r;
}

static int symbols_read(Image *i, const char *path, sd_bus_error *error) {
        _cleanup_(kallsyms_done) Kallsyms k = { 0 };
        const ImageSection *s = image_section(i, ".rodata");
        int r = s && s->data ? kallsyms_read(s->data, s->size, &k) : -ENOENT;

        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return IMAGE_INVALID(error, r == -ENOENT ? "No symbol table of a known form is in the kernel '%s'"
                                : "The symbol table in the kernel '%s' is damaged", path);
        return symbols_take(i, &k);
}

static int banner_read(Image *i) {
        uint64_t address = landmark(i, "linux_banner");
        size_t room = 0, n;
        const uint8_t *bytes = address ? image_bytes(i, address, &room) : NULL;

        if (!bytes || room < strlen(BANNER) || memcmp(bytes, BANNER, strlen(BANNER)) != 0)
                return -EBADMSG;
        n = strnlen((const char *) bytes, room < BANNER_MAX ? room : BANNER_MAX);
        while (n > 0 && bytes[n - 1] == '\n')
                n--;
        i->banner = strndup((const char *) bytes, n);
        return i->banner ? 0 : -ENOMEM;
}

/* Are symbols and bytes of one kernel? */
static int landmarks_check(Image *i, const char *path, sd_bus_error *error) {
        const ImageSection *text = image_section(i, ".text");
        int r = text && text->code && landmark(i, "_text") == text->address ? banner_read(i) : -EBADMSG;

        if (r == -EBADMSG)
                return IMAGE_INVALID(error, "The symbol table in the kernel '%s' is not that of its code", path);
        return r;
}

static int build_id_read(Image *i, const char *path, sd_bus_error *error) {
        const ImageSection *s = image_section(i, ".notes");
        int r = s && s->data ? build_id_note_parse(s->data, s->size, &i->build_id) : -ENODATA;

        if (r < 0 && r != -ENOMEM)
                return IMAGE_INVALID(error, "The kernel '%s' has no build-id", path);
        return r;
}

static int sites_read(Image *i, const char *path, sd_bus_error *error) {
        uint64_t start = landmark(i, "__start_mcount_loc"), stop = landmark(i, "__stop_mcount_loc");
        int r = start && start < stop ? image_read_sites(i, start, stop - start) : -EBADMSG;

        if (r >= 0)
                r = image_read_sealed(i);
        if (r == -EBADMSG)
                return IMAGE_INVALID(error, "The kernel '%s' has no list of its functions that can be traced", path);
        return r;
}

/* A kernel that can move and does not say what moves would be compared wrongly. */
static int relocs_read(Image *i, size_t end, const char *path, sd_bus_error *error) {
        ImageAddresses *a = &i->private->relocated;
        const Vmlinuz *f = &i->private->file;
        const ImageSymbol *const *found;
        int r;

        if (end == f->size)
                return image_find(i, "kaslr_get_random_long", &found) == 0 ? 0 :
                        IMAGE_INVALID(error, "The kernel '%s' does not have the list of its fields that move: "
                                "give the packed image, not the vmlinux in it", path);
        r = kernel_relocs_read(f->data + end, f->size - end, &a->items, &a->n);
        if (r == -EBADMSG)
                return IMAGE_INVALID(error, "The list of fields that move is damaged in the kernel '%s'", path);
        return r;
}

static int kernel_read(Image *i, const char *path, sd_bus_error *error) {
        _cleanup_binary_done_ Binary b = { 0 };
        _cleanup_(sd_bus_error_free) sd_bus_error why = SD_BUS_ERROR_NULL;
        const Vmlinuz *f = &i->private->file;
        const ImageSection *btf;
        int r = binary_read(f->data, f->size, &b, &why);

        if (r == -ENOMEM)
                return r;
        if (r < 0 || b.type != ET_EXEC)
                return IMAGE_INVALID(error, "'%s' is no kernel: %s", path, why.message ?: "It is not an executable");
        r = sections_take(i, &b);
        if (r == -EBADMSG)
                return IMAGE_INVALID(error, "The sections of the kernel '%s' overlap", path);
        if (r >= 0)
                r = symbols_read(i, path, error);
        if (r >= 0)
                r = landmarks_check(i, path, error);
        if (r >= 0)
                r = build_id_read(i, path, error);
        if (r >= 0)
                r = sites_read(i, path, error);
        if (r >= 0)
                r = relocs_read(i, b.end, path, error);
        if (r < 0)
                return r;
        btf = image_section(i, ".BTF");
        i->private->btf = btf ? btf->data : NULL;
        i->private->btf_size = btf && btf->data ? btf->size : 0;
        return 0;
}

/**
 * image_open_kernel() - read a kernel image
 * @path: vmlinuz, packed or not
 * @ret: to be freed with image_free()
 * @error: KernelImageInvalid
 *
 * Return: 0 or a negative errno.
 */
int image_open_kernel(const char *path, Image **ret, sd_bus_error *error) {
        _cleanup_image_free_ Image *i = NULL;
        int r = image_new(&i);

        if (r < 0)
                return r;
        i->object = strdup("vmlinux");
        if (!i->object)
                return -ENOMEM;
        r = vmlinuz_open(path, &i->private->file);
        if (r == -EBADMSG || r == -EFBIG)
                return IMAGE_INVALID(error, "'%s' is no kernel image of a known form", path);
        if (r < 0)
                return sd_bus_error_set_errnof(error, -r, "The kernel image '%s' cannot be read", path);
        r = kernel_read(i, path, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(i);
        return 0;
}
