/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a kernel module file says about itself.
 *
 * The bytes come out of a bundle whose signature was good, or from somebody who is just packing
 * one; either way a root process reads them, so nothing is believed (see elfimage.c for the ELF
 * part).
 *
 * Nothing is decided here: a module that is no livepatch is inspected like any other, and whether
 * it fits this kernel or its manifest is the caller's question. Only contradictions are refused,
 * where the kernel and we could read different things from the same file: two names, two vermagics,
 * two sections of a name that matters, a note that disagrees with the structures.
 *
 * What is read is what the kernel reads: the first `key=value` of .modinfo counts there
 * (get_modinfo(), kernel/module/main.c), any value of `livepatch` marks a livepatch, and the module
 * is called what the struct module in .gnu.linkonce.this_module says. Where the name stands in that
 * struct is the kernel's business; that it stands there, whole, is checked, because a module that
 * came up under another name could not be found again.
 */

#include <elf.h>

#include "dbus/errors.h"
#include "livepatch/elfimage.h"
#include "livepatch/inspect.h"
#include "livepatch/kernel.h"
#include "livepatch/klptable.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

#define INVALID(error, ...) sd_bus_error_setf((error), HOTPATCH_ERROR("ModuleInvalid"), __VA_ARGS__)

/* include/linux/livepatch.h and Documentation/livepatch/module-elf-format.rst */
#define KLP_SYMBOL_PREFIX ".klp.sym."
#define KLP_RELA_PREFIX ".klp.rela."
#define SHF_RELA_LIVEPATCH 0x00100000
#define SHN_LIVEPATCH 0xff20

static char *printable_dup(const char *s, size_t l) {
        for (size_t i = 0; i < l; i++)
                if (s[i] < ' ' || s[i] >= 0x7f)
                        return NULL;
        return strndup(s, l);
}

/** inspected_objects_free() - free an array of objects and what they own */
void inspected_objects_free(InspectedObject *objects, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(objects[i].name);
                strv_free(objects[i].functions);
        }
        free(objects);
}

static InspectedObject *object_find(InspectedObject *objects, size_t n, const char *name) {
        for (size_t i = 0; i < n; i++)
                if (streq(objects[i].name, name))
                        return &objects[i];
        return NULL;
}

/**
 * inspected_objects_add() - put one replaced function into an array of objects
 * @objects: grows as needed
 * @n: number of objects
 *
 * Return: 0, -EEXIST when it is there already, -E2BIG beyond the limits, or -ENOMEM.
 */
int inspected_objects_add(InspectedObject **objects, size_t *n, const char *object,
                const char *function, uint64_t sympos) {
        InspectedObject *o = object_find(*objects, *n, object);
        _cleanup_free_ char *name = NULL;
        int r;

        r = sympos > 0 ? str_printf(&name, "%s,%" PRIu64, function, sympos)
                       : str_printf(&name, "%s", function);
        if (r < 0)
                return r;
        if (!o) {
                if (*n >= HOTPATCH_OBJECTS_MAX)
                        return -E2BIG;
                o = reallocarray(*objects, *n + 1, sizeof(*o));
                if (!o)
                        return -ENOMEM;
                *objects = o;
                o += *n;
                *o = (InspectedObject) { .name = strdup(object) };
                if (!o->name)
                        return -ENOMEM;
                (*n)++;
        }
        if (strv_contains(o->functions, name))
                return -EEXIST;
        if (strv_length(o->functions) >= HOTPATCH_FUNCTIONS_MAX)
                return -E2BIG;
        return strv_extend(&o->functions, name);
}

static int compare_objects(const void *a, const void *b) {
        return strcmp(((const InspectedObject *) a)->name, ((const InspectedObject *) b)->name);
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/** inspected_objects_sort() - by name, and their functions by name */
void inspected_objects_sort(InspectedObject *objects, size_t n) {
        for (size_t i = 0; i < n; i++)
                qsort(objects[i].functions, strv_length(objects[i].functions), sizeof(char *),
                        compare_strings);
        if (n > 1)
                qsort(objects, n, sizeof(*objects), compare_objects);
}

static bool objects_equal(
                const InspectedObject *a, size_t n_a, const InspectedObject *b, size_t n_b) {
        if (n_a != n_b)
                return false;
        for (size_t i = 0; i < n_a; i++) {
                if (!streq(a[i].name, b[i].name) ||
                    strv_length(a[i].functions) != strv_length(b[i].functions))
                        return false;
                for (size_t k = 0; a[i].functions && a[i].functions[k]; k++)
                        if (!streq(a[i].functions[k], b[i].functions[k]))
                                return false;
        }
        return true;
}

static int section_find(const ElfImage *image, const char *name, const ElfSection **ret,
                sd_bus_error *error) {
        int r = elf_image_find(image, name, ret);

        return r == -ENOTUNIQ ? INVALID(error, "The module has more than one section '%s'", name)
                              : r;
}

/* The keys of .modinfo that matter, and where they go. The kernel takes the first of several; of
 * those that decide something there must be one. */
static const struct Key {
        const char *key;
        size_t offset;
        bool unique;
} keys[] = {
        { "name", offsetof(ModuleInfo, name), true },
        { "vermagic", offsetof(ModuleInfo, vermagic), true },
        { "license", offsetof(ModuleInfo, license), false },
        { "depends", offsetof(ModuleInfo, depends), false },
};

static int modinfo_entry(ModuleInfo *i, const char *entry, size_t l, sd_bus_error *error) {
        const char *equals = memchr(entry, '=', l);
        size_t key_l = equals ? (size_t) (equals - entry) : l;
        size_t value_l = equals ? l - key_l - 1 : 0;

        if (key_l == strlen("livepatch") && memcmp(entry, "livepatch", key_l) == 0) {
                if (i->livepatch)
                        return INVALID(error, "The module says 'livepatch' twice");
                if (value_l != 1 || equals[1] != 'Y')
                        return INVALID(error, "The module's 'livepatch' is not 'Y'");
                i->livepatch = true;
        }
        for (size_t n = 0; n < ELEMENTSOF(keys); n++) {
                char **field = (char **) ((char *) i + keys[n].offset);

                if (!equals || key_l != strlen(keys[n].key) ||
                                memcmp(entry, keys[n].key, key_l) != 0)
                        continue;
                if (*field && keys[n].unique)
                        return INVALID(error, "The module says '%s' twice", keys[n].key);
                if (*field)
                        return 0;
                if (value_l > HOTPATCH_MODINFO_VALUE_MAX)
                        return INVALID(error, "The module's '%s' is too long", keys[n].key);
                *field = printable_dup(equals + 1, value_l);
                if (!*field)
                        return INVALID(error, "The module's '%s' is not printable", keys[n].key);
        }
        return 0;
}

static int modinfo_read(ModuleInfo *i, const ElfImage *image, sd_bus_error *error) {
        const ElfSection *s = NULL;
        int r = section_find(image, ".modinfo", &s, error);

        if (r <= 0)
                return r < 0 ? r : INVALID(error, "The module has no section '.modinfo'");
        for (uint64_t at = 0; at < s->size;) {
                const char *entry = (const char *) s->data + at;
                size_t l = strnlen(entry, s->size - at);

                if (l == s->size - at)
                        return INVALID(error, "The module's section '.modinfo' does not end");
                r = modinfo_entry(i, entry, l, error);
                if (r < 0)
                        return r;
                at += l + 1;
        }
        if (i->name && !kernel_module_name_valid(i->name))
                return INVALID(error, "The module's name is not a name");
        if (i->vermagic) {
                i->release = strndup(i->vermagic, strcspn(i->vermagic, " "));
                if (!i->release)
                        return -ENOMEM;
        }
        return 0;
}

static int name_check(const ModuleInfo *i, const ElfImage *image, sd_bus_error *error) {
        _cleanup_free_ char *bounded = NULL;
        const ElfSection *s = NULL;
        size_t l;
        int r;

        r = section_find(image, ".gnu.linkonce.this_module", &s, error);
        if (r <= 0 || !i->name)
                return r;
        /* The name with a NUL on either side; a pointer without value comes before it. */
        l = strlen(i->name) + 2;
        bounded = calloc(1, l);
        if (!bounded)
                return -ENOMEM;
        memcpy(bounded + 1, i->name, l - 2);
        if (!memmem(s->data, s->size, bounded, l))
                return INVALID(error, "The module is not called '%s', as it says", i->name);
        return 0;
}

static int notes_read(ModuleInfo *i, const ElfImage *image, sd_bus_error *error) {
        const ElfSection *s = NULL;
        int r;

        r = section_find(image, ".note.gnu.build-id", &s, error);
        if (r > 0)
                r = build_id_note_parse(s->data, s->size, &i->build_id);
        if (r == -EBADMSG)
                return INVALID(error, "The module's build-id note is malformed");
        if (r < 0 && r != -ENODATA)
                return r;
        r = section_find(image, HOTPATCH_NOTE_SECTION, &s, error);
        if (r <= 0)
                return r;
        r = patch_note_parse(s->data, s->size, &i->note);
        if (r == -EPROTONOSUPPORT)
                return INVALID(error, "The module's section '%s' is of an unknown version",
                        HOTPATCH_NOTE_SECTION);
        if (r == -EBADMSG)
                return INVALID(error, "The module's section '%s' is malformed",
                                HOTPATCH_NOTE_SECTION);
        if (r < 0)
                return r;
        i->has_note = true;
        return 0;
}

/* ".klp.sym.OBJECT.SYMBOL,SYMPOS" becomes "OBJECT:SYMBOL,SYMPOS". An object's name has no dot. */
static int klp_symbol_add(ModuleInfo *i, const char *name, sd_bus_error *error) {
        const char *object = startswith(name, KLP_SYMBOL_PREFIX), *dot, *comma;
        _cleanup_free_ char *entry = NULL;

        dot = object ? strchr(object, '.') : NULL;
        comma = dot ? strrchr(dot, ',') : NULL;
        if (!comma || dot == object || dot - object > HOTPATCH_MODULE_NAME_MAX ||
                        comma == dot + 1 || comma - dot - 1 > HOTPATCH_SYMBOL_MAX || !comma[1] ||
                        comma[1 + strspn(comma + 1, "0123456789")])
                return INVALID(error, "The module has a malformed livepatch symbol");
        entry = printable_dup(object, strlen(object));
        if (!entry)
                return INVALID(error, "The module has a livepatch symbol that is not printable");
        entry[dot - object] = ':';
        return strv_extend(&i->klp_symbols, entry);
}

/* ".klp.rela.OBJECT.SECTION", as the kernel reads it: it takes the object from the name and goes by
 * the flag, so one without the other would be applied by nobody or to nothing. */
static int klp_sections_check(const ElfImage *image, sd_bus_error *error) {
        for (size_t n = 1; n < image->n_sections; n++) {
                const ElfSection *s = &image->sections[n];
                const char *object = startswith(s->name, KLP_RELA_PREFIX), *dot;

                if (!object && !(s->type == SHT_RELA && (s->flags & SHF_RELA_LIVEPATCH)))
                        continue;
                dot = object ? strchr(object, '.') : NULL;
                if (!dot || dot == object || dot - object > HOTPATCH_MODULE_NAME_MAX || !dot[1] ||
                    s->type != SHT_RELA || !(s->flags & SHF_RELA_LIVEPATCH))
                        return INVALID(error,
                                        "The module has a malformed livepatch relocation section");
        }
        return 0;
}

static int needed_add(ModuleInfo *i, const char *name, sd_bus_error *error) {
        _cleanup_free_ char *entry = NULL;
        size_t l = strnlen(name, HOTPATCH_SYMBOL_MAX + 1);

        if (l > HOTPATCH_SYMBOL_MAX)
                return INVALID(error, "The module needs a symbol with an overlong name");
        entry = printable_dup(name, l);
        if (!entry)
                return INVALID(error, "The module needs a symbol whose name is not printable");
        return strv_extend(&i->needed, entry);
}

static int symbols_read(ModuleInfo *i, const ElfImage *image, sd_bus_error *error) {
        size_t n_klp = 0, n_needed = 0;
        int r = 0;

        for (size_t n = 1; n < image->n_symbols && r >= 0; n++) {
                const ElfSymbol *s = &image->symbols[n];

                if (s->section == SHN_LIVEPATCH && ++n_klp <= HOTPATCH_KLP_SYMBOLS_MAX)
                        r = klp_symbol_add(i, s->name, error);
                else if (s->section == SHN_UNDEF && *s->name &&
                                ++n_needed <= HOTPATCH_KLP_SYMBOLS_MAX)
                        r = needed_add(i, s->name, error);
        }
        if (n_klp > HOTPATCH_KLP_SYMBOLS_MAX || n_needed > HOTPATCH_KLP_SYMBOLS_MAX)
                return INVALID(error, "The module needs too many symbols");
        return r;
}

static int note_objects(
                const PatchNote *note, InspectedObject **objects, size_t *n, sd_bus_error *error) {
        const char *text = note->table;
        PatchNoteFunction f;
        int r;

        while ((r = patch_note_next_function(&text, &f)) > 0) {
                r = inspected_objects_add(objects, n, f.object, f.function, f.sympos);
                if (r == -EEXIST)
                        return INVALID(error, "The module replaces '%s' twice", f.function);
                if (r == -E2BIG)
                        return INVALID(error, "The module replaces too many functions");
                if (r < 0)
                        return r;
        }
        inspected_objects_sort(*objects, *n);
        return r;
}

static int objects_read(ModuleInfo *i, const ElfImage *image, sd_bus_error *error) {
        _cleanup_(klp_table_done) KlpTable found = {}, noted = {};
        int r;

        r = klp_table_recover(image, &found, error);
        if (r < 0)
                return r;
        if (i->has_note) {
                r = note_objects(&i->note, &noted.objects, &noted.n_objects, error);
                if (r < 0)
                        return r;
        }
        if (found.found && i->has_note &&
            !objects_equal(found.objects, found.n_objects, noted.objects, noted.n_objects))
                return INVALID(error, "The module's note and its livepatch structures name "
                                      "different functions");
        i->has_structures = found.structures;
        i->replace = found.replace;
        i->states = TAKE_PTR(found.states);
        i->n_states = found.n_states;
        if (found.found) {
                i->objects = TAKE_PTR(found.objects);
                i->n_objects = found.n_objects;
                found.n_objects = 0;
        } else {
                i->objects = TAKE_PTR(noted.objects);
                i->n_objects = noted.n_objects;
                noted.n_objects = 0;
        }
        return 0;
}

/**
 * module_inspect() - read what a module file says about itself
 * @fd: a regular file; its position is neither used nor moved
 * @ret: to be freed with module_info_free()
 * @error: `ModuleInvalid`, with the place
 *
 * The file is read once, whole (at most HOTPATCH_BUNDLE_MAX bytes); later changes to it are not
 * seen.
 *
 * Return: 0 or a negative errno.
 */
int module_inspect(int fd, ModuleInfo **ret, sd_bus_error *error) {
        _cleanup_elf_image_free_ ElfImage *image = NULL;
        _cleanup_module_info_free_ ModuleInfo *i = NULL;
        const ElfSection *versions;
        int r;

        r = elf_image_read(fd, &image, error);
        if (r < 0)
                return r;
        i = calloc(1, sizeof(*i));
        if (!i)
                return -ENOMEM;
        i->arch = strdup(image->arch);
        if (!i->arch)
                return -ENOMEM;
        /* __version_ext_crcs: 6.14 and later, for long names */
        i->has_versions = elf_image_find(image, "__versions", &versions) != 0 ||
                elf_image_find(image, "__version_ext_crcs", &versions) != 0;
        if (image->signature) {
                r = module_signature_parse(image->signature + image->signature_size, image->signature,
                                image->signature_size, &i->signature);
                if (r < 0)
                        return r;
        }
        r = modinfo_read(i, image, error);
        if (r >= 0)
                r = name_check(i, image, error);
        if (r >= 0)
                r = notes_read(i, image, error);
        if (r >= 0)
                r = klp_sections_check(image, error);
        if (r >= 0)
                r = symbols_read(i, image, error);
        if (r >= 0)
                r = objects_read(i, image, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(i);
        return 0;
}

/**
 * module_info_require_livepatch() - refuse a module that the kernel would not take for a livepatch
 * @error: `NotALivepatch`
 *
 * Return: 0 or a negative errno.
 */
int module_info_require_livepatch(const ModuleInfo *i, sd_bus_error *error) {
        if (i->livepatch)
                return 0;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("NotALivepatch"),
                "Module '%s' is not marked as a livepatch", i->name ?: "(without a name)");
}

/** module_info_free() - free everything. Return: NULL */
ModuleInfo *module_info_free(ModuleInfo *i) {
        if (!i)
                return NULL;
        free(i->arch);
        free(i->name);
        free(i->vermagic);
        free(i->release);
        free(i->license);
        free(i->depends);
        free(i->build_id);
        patch_note_done(&i->note);
        module_signature_done(&i->signature);
        free(i->states);
        inspected_objects_free(i->objects, i->n_objects);
        strv_free(i->klp_symbols);
        strv_free(i->needed);
        free(i);
        return NULL;
}
