/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A module file, laid out as if it were loaded, so that it is read as a kernel is.
 *
 * What kernel/module/main.c does is done in the same order: sections get their places, symbols their
 * addresses, relocations their values. The places are ours, as those of a running module are nobody's:
 * they look like the kernel's own for modules, since 32-bit fields must hold them.
 */

#include "builder/image/module-internal.h"
#include "livepatch/note.h"
#include "util/limits.h"

/* Documentation/arch/x86/x86_64/mm.rst: where modules are mapped */
#define MODULE_BASE UINT64_C(0xffffffffc0000000)
/* Sections do not touch, so that an address behind one is not in the next. */
#define SECTION_GAP 64U

/* kernel/module/main.c, rewrite_section_headers(): not kept, whatever their flags say */
static bool section_is_kept(const BinarySection *s) {
        return s->flags & SHF_ALLOC && !streq(s->name, ".modinfo") && !streq(s->name, "__versions");
}

static int section_place(ModuleLayout *l, size_t n, uint64_t *offset, size_t *used) {
        const BinarySection *s = &l->binary->sections[n];
        uint64_t at = (*offset + s->alignment - 1) & ~(s->alignment - 1);

        if (s->alignment > HOTPATCH_MODULE_IMAGE_MAX || s->size > HOTPATCH_MODULE_IMAGE_MAX ||
            at + s->size + SECTION_GAP > HOTPATCH_MODULE_IMAGE_MAX)
                return -EFBIG;
        l->places[n] = MODULE_BASE + at;
        *offset = at + s->size + SECTION_GAP;
        if (s->data)
                *used += s->size;
        return 0;
}

static void sections_fill(ModuleLayout *l) {
        Image *i = l->image;
        size_t used = 0;

        for (size_t n = 1; n < l->binary->n_sections; n++) {
                const BinarySection *s = &l->binary->sections[n];

                if (!l->places[n] || s->size == 0)
                        continue;
                if (s->data) {
                        l->memory[n] = i->private->memory + used;
                        memcpy(l->memory[n], s->data, s->size);
                        used += s->size;
                }
                i->sections[i->n_sections++] = (ImageSection) {
                        .name = s->name,
                        .address = l->places[n],
                        .size = s->size,
                        .data = l->memory[n],
                        .code = s->flags & SHF_EXECINSTR,
                        .writable = s->flags & SHF_WRITE,
                };
        }
}

/* A place and a copy for each section that a loaded module has */
static int place_sections(ModuleLayout *l, sd_bus_error *error) {
        const Binary *b = l->binary;
        uint64_t offset = SECTION_GAP;
        size_t used = 0;

        l->places = calloc(b->n_sections, sizeof(*l->places));
        l->memory = calloc(b->n_sections, sizeof(*l->memory));
        l->image->sections = calloc(b->n_sections, sizeof(*l->image->sections));
        if (!l->places || !l->memory || !l->image->sections)
                return -ENOMEM;
        for (size_t n = 1; n < b->n_sections; n++)
                if (section_is_kept(&b->sections[n]) && section_place(l, n, &offset, &used) < 0)
                        return IMAGE_INVALID(error, "The module '%s' is too large in memory", l->path);
        /* Sections that overlap in the file must not make more of it than it is. */
        if (used > l->image->private->file.size)
                return IMAGE_INVALID(error, "The sections of the module '%s' overlap", l->path);
        l->image->private->memory = malloc(used ?: 1);
        if (!l->image->private->memory)
                return -ENOMEM;
        sections_fill(l);
        return image_sections_finish(l->image) < 0 ? IMAGE_INVALID(error, "The module '%s' is empty", l->path) : 0;
}

/* "name=" of .modinfo, strings that each end in a NUL */
static int name_read(Image *i, const Binary *b, const char *path, sd_bus_error *error) {
        for (size_t n = 1; n < b->n_sections; n++) {
                const BinarySection *s = &b->sections[n];

                if (!streq(s->name, ".modinfo") || !s->data)
                        continue;
                for (size_t at = 0; at < s->size;) {
                        const char *p = (const char *) s->data + at;
                        size_t length = strnlen(p, s->size - at);

                        if (length > 5 && memcmp(p, "name=", 5) == 0 && length - 5 <= HOTPATCH_MODULE_NAME_MAX) {
                                i->object = strndup(p + 5, length - 5);
                                return i->object ? 0 : -ENOMEM;
                        }
                        at += length + 1;
                }
        }
        return IMAGE_INVALID(error, "The module '%s' does not say its name", path);
}

static int notes_read(Image *i, const char *path, sd_bus_error *error) {
        for (size_t n = 0; n < i->n_sections; n++) {
                const ImageSection *s = &i->sections[n];
                int r;

                if (!startswith(s->name, ".note") || !s->data)
                        continue;
                r = build_id_note_parse(s->data, s->size, &i->build_id);
                if (r >= 0 || r == -ENOMEM)
                        return r;
        }
        return IMAGE_INVALID(error, "The module '%s' has no build-id", path);
}

/* On x86 it is this section for modules of every configuration; __patchable_function_entries only
 * tells where the padding before functions is (kernel/trace/ftrace.c, ftrace_module_init()). */
static int sites_read(Image *i, const char *path, sd_bus_error *error) {
        const ImageSection *s = image_section(i, "__mcount_loc");
        int r = s ? image_read_sites(i, s->address, s->size) : 0;

        if (r >= 0)
                r = image_read_sealed(i);
        if (r == -EBADMSG)
                return IMAGE_INVALID(error, "The list of traceable functions of the module '%s' is damaged", path);
        return r;
}

/* BTF is not allocated in the file; the kernel keeps it all the same. */
static void btf_take(Image *i, const Binary *b) {
        for (size_t n = 1; n < b->n_sections; n++)
                if (streq(b->sections[n].name, ".BTF") && b->sections[n].data) {
                        i->private->btf = b->sections[n].data;
                        i->private->btf_size = b->sections[n].size;
                        return;
                }
}

static void layout_done(ModuleLayout *l) {
        free(l->places);
        free(l->memory);
        free(l->addresses);
}

static int module_layout(Image *i, const Binary *b, const char *path, sd_bus_error *error) {
        _cleanup_(layout_done) ModuleLayout l = { .image = i, .binary = b, .path = path };
        int r = place_sections(&l, error);

        if (r >= 0)
                r = module_place_symbols(&l, error);
        if (r >= 0)
                r = module_list_symbols(&l, error);
        if (r >= 0)
                r = module_relocate(&l, error);
        return r;
}

static int module_read(Image *i, const char *path, sd_bus_error *error) {
        _cleanup_binary_done_ Binary b = { 0 };
        _cleanup_(sd_bus_error_free) sd_bus_error why = SD_BUS_ERROR_NULL;
        const Vmlinuz *f = &i->private->file;
        int r = binary_read(f->data, f->size, &b, &why);

        if (r == -ENOMEM)
                return r;
        if (r < 0 || b.type != ET_REL)
                return IMAGE_INVALID(error, "'%s' is no module: %s", path, why.message ?: "It is linked");
        r = name_read(i, &b, path, error);
        if (r >= 0)
                r = module_layout(i, &b, path, error);
        if (r >= 0)
                r = notes_read(i, path, error);
        if (r >= 0)
                r = sites_read(i, path, error);
        if (r >= 0)
                btf_take(i, &b);
        return r;
}

/**
 * image_open_module() - read a module file and lay it out
 * @path: .ko, packed or not
 * @ret: to be freed with image_free()
 * @error: KernelImageInvalid
 *
 * Return: 0 or a negative errno.
 */
int image_open_module(const char *path, Image **ret, sd_bus_error *error) {
        _cleanup_image_free_ Image *i = NULL;
        int r = image_new(&i);

        if (r < 0)
                return r;
        r = vmlinuz_open(path, &i->private->file);
        if (r == -EBADMSG || r == -EFBIG)
                return IMAGE_INVALID(error, "'%s' is no module file of a known form", path);
        if (r < 0)
                return sd_bus_error_set_errnof(error, -r, "The module file '%s' cannot be read", path);
        r = module_read(i, path, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(i);
        return 0;
}
