/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which functions does a livepatch replace? For a module without our note the answer lies in its
 * data, in the structures that it hands to klp_enable_patch() (include/linux/livepatch.h):
 *
 *     struct klp_patch  { struct module *mod; struct klp_object *objs; struct klp_state *states;
 *                         bool replace; … };
 *     struct klp_object { const char *name; struct klp_func *funcs; struct klp_callbacks callbacks;
 * … }; struct klp_func   { const char *old_name; void *new_func; unsigned long old_sympos; … };
 *
 * Behind the fields shown come private ones whose number differs between kernels and
 * configurations, so the distance from one array element to the next is not known here. It need not
 * be: in a relocatable file every pointer that is not NULL is a relocation, and the private fields
 * have none. The elements are therefore found by their relocations:
 *
 *   - a klp_patch is where a pointer to __this_module is followed, 8 bytes on, by a pointer to an
 *     array of objects;
 *   - an array is what the symbol that covers the pointer's target extends over (st_size);
 *   - in an array of objects each pointer to an array of functions is one element; a pointer 8
 * bytes before it is its name, no pointer there means vmlinux. The pointers of the callbacks lead
 * to code and are passed over;
 *   - in an array of functions each pointer to code is one element; the pointer 8 bytes before it
 *     leads to the name, and the number 8 bytes after it is sympos;
 *   - an array of functions is recognised by its first element: pointer to text, pointer to code;
 *   - an array of states has numbers in it and is read as it is, up to the id 0.
 *
 * Other structures begin with THIS_MODULE too (file_operations, for one). They fall out because
 * what follows them does not lead to such arrays. What does lead there and is then incomplete, say
 * a function name that is no string, makes the module invalid: half an answer would be a wrong one.
 *
 * A pointer may be written against a named symbol, or against the symbol of a section with an
 * addend; both are resolved to section and offset first. Modules that build the structures at run
 * time have no klp_patch to find. Those of kpatch-build leave the table they build it from, section
 * `.kpatch.funcs` (kmod/patch/kpatch-patch.h there), whose elements are found the same way:
 * pointers to name and object name side by side, 40 bytes before them the one to the code, 8 before
 * the sympos. Whether such a patch replaces others is in its code only. klp-build (Linux 6.19) is
 * not read yet. Finding nothing is an answer as well, and not an error.
 */

#include <elf.h>
#include <endian.h>

#include "dbus/errors.h"
#include "livepatch/kernel.h"
#include "livepatch/klptable.h"
#include "util/limits.h"

#define INVALID(error, ...) sd_bus_error_setf((error), HOTPATCH_ERROR("ModuleInvalid"), __VA_ARGS__)

#define POINTER_SIZE 8
#define PATCH_STATES_OFFSET 16
#define PATCH_REPLACE_OFFSET 24

/* struct klp_state: unsigned long id; unsigned int version; void *data. The last has the id 0. */
#define STATE_SIZE 24
#define STATE_VERSION_OFFSET 8

/* struct kpatch_patch_func: new_addr, new_size, old_addr, old_size, sympos, name, objname */
#define KPATCH_SECTION ".kpatch.funcs"
#define KPATCH_NAME_TO_CODE (-40)
#define KPATCH_NAME_TO_SYMPOS 8U
#define KPATCH_POINTERS 3U

/* A file may begin some structure with THIS_MODULE this often; each candidate costs a look at no
 * more than the two kinds of arrays below, so that a hostile file costs milliseconds. */
#define CANDIDATES_MAX 1024U
/* name, funcs and four callbacks */
#define OBJECT_POINTERS 6U
/* old_name, new_func */
#define FUNCTION_POINTERS 2U

/* Where a pointer leads. */
typedef struct Place {
        uint32_t section;
        uint64_t offset;
} Place;

/* A run of relocations in one object of data: relocations[from] up to, not with, relocations[to].
 */
typedef struct Extent {
        size_t from;
        size_t to;
} Extent;

/* @data: the symbols of data objects, by section, offset and size */
typedef struct Recovery {
        const ElfImage *image;
        const ElfSymbol **data;
        size_t n_data;
        size_t candidates;
        sd_bus_error *error;
} Recovery;

static bool pointer_resolve(const ElfImage *image, const ElfRelocation *r, Place *ret) {
        const ElfSymbol *s = &image->symbols[r->symbol];
        int64_t offset;

        if (!r->pointer || s->section == SHN_UNDEF || s->section >= SHN_LORESERVE)
                return false;
        /* A symbol's value is below its section's size, so it fits. */
        if (__builtin_add_overflow((int64_t) s->value, r->addend, &offset) || offset < 0 ||
            (uint64_t) offset >= image->sections[s->section].size)
                return false;
        *ret = (Place) { .section = s->section, .offset = (uint64_t) offset };
        return true;
}

static bool place_is_code(const ElfImage *image, Place p) {
        return image->sections[p.section].flags & SHF_EXECINSTR;
}

/* A symbol's name or object name: printable ASCII without blanks, with its end in the section. */
static const char *place_string(const ElfImage *image, Place p, size_t max) {
        const ElfSection *s = &image->sections[p.section];
        const char *text;
        size_t room, l = 0;

        if (!s->data || (s->flags & SHF_EXECINSTR))
                return NULL;
        text = (const char *) s->data + p.offset;
        room = s->size - p.offset;
        while (l < room && l <= max && text[l] > ' ' && text[l] < 0x7f)
                l++;
        return l > 0 && l <= max && l < room && text[l] == 0 ? text : NULL;
}

static bool pointer_is_code(const ElfImage *image, const ElfRelocation *r) {
        Place p;

        return pointer_resolve(image, r, &p) && place_is_code(image, p);
}

static const char *pointer_string(const ElfImage *image, const ElfRelocation *r, size_t max) {
        Place p;

        return pointer_resolve(image, r, &p) ? place_string(image, p, max) : NULL;
}

static size_t relocation_first(const ElfImage *image, uint32_t section, uint64_t offset) {
        size_t from = 0, to = image->n_relocations;

        while (from < to) {
                size_t middle = from + (to - from) / 2;
                const ElfRelocation *r = &image->relocations[middle];

                if (r->section < section || (r->section == section && r->offset < offset))
                        from = middle + 1;
                else
                        to = middle;
        }
        return from;
}

static int compare_symbols(const void *a, const void *b) {
        const ElfSymbol *x = *(const ElfSymbol *const *) a, *y = *(const ElfSymbol *const *) b;

        if (x->section != y->section)
                return x->section < y->section ? -1 : 1;
        if (x->value != y->value)
                return x->value < y->value ? -1 : 1;
        return x->size == y->size ? 0 : x->size < y->size ? -1 : 1;
}

static int recovery_index(Recovery *c) {
        const ElfImage *image = c->image;

        c->data = calloc(image->n_symbols ?: 1, sizeof(*c->data));
        if (!c->data)
                return -ENOMEM;
        for (size_t i = 1; i < image->n_symbols; i++) {
                const ElfSymbol *s = &image->symbols[i];

                if (s->type == STT_OBJECT && s->section != SHN_UNDEF &&
                                s->section < SHN_LORESERVE &&
                                s->size <= image->sections[s->section].size - s->value)
                        c->data[c->n_data++] = s;
        }
        qsort(c->data, c->n_data, sizeof(*c->data), compare_symbols);
        return 0;
}

/* The last symbol that begins at or before a place. Data objects do not nest, so no earlier one
 * covers the place if this one does not. */
static const ElfSymbol *place_symbol(const Recovery *c, Place p) {
        size_t from = 0, to = c->n_data;

        while (from < to) {
                size_t middle = from + (to - from) / 2;
                const ElfSymbol *s = c->data[middle];

                if (s->section < p.section || (s->section == p.section && s->value <= p.offset))
                        from = middle + 1;
                else
                        to = middle;
        }
        if (from == 0 || c->data[from - 1]->section != p.section ||
            p.offset - c->data[from - 1]->value >= c->data[from - 1]->size)
                return NULL;
        return c->data[from - 1];
}

/* The relocations from @p to the end of the data object that covers it. */
static bool place_extent(const Recovery *c, Place p, Extent *ret) {
        const ElfSymbol *s = place_symbol(c, p);

        if (!s)
                return false;
        *ret = (Extent) {
                .from = relocation_first(c->image, p.section, p.offset),
                .to = relocation_first(c->image, p.section, s->value + s->size),
        };
        return ret->from < ret->to;
}

/* The relocation of the pointer just before or behind this one. */
static const ElfRelocation *neighbour(
                const ElfImage *image, const ElfRelocation *r, int64_t distance) {
        if (distance < 0 && r->offset < (uint64_t) -distance)
                return NULL;
        return elf_image_relocation(image, r->section, r->offset + (uint64_t) distance);
}

/* Whether a pointer leads to an array of functions, and which. */
static bool pointer_functions(const Recovery *c, const ElfRelocation *r, Extent *ret) {
        const ElfImage *image = c->image;
        const ElfRelocation *name, *code;
        Extent e;
        Place p;

        if (!pointer_resolve(image, r, &p) || place_is_code(image, p) ||
                        !image->sections[p.section].data)
                return false;
        name = elf_image_relocation(image, p.section, p.offset);
        code = elf_image_relocation(image, p.section, p.offset + POINTER_SIZE);
        if (!name || !code || !pointer_is_code(image, code) ||
            !pointer_string(image, name, HOTPATCH_SYMBOL_MAX) || !place_extent(c, p, &e))
                return false;
        *ret = e;
        return true;
}

static bool read_number(const ElfImage *image, uint32_t section, uint64_t offset, uint64_t *ret) {
        const ElfSection *s = &image->sections[section];
        uint64_t v;

        if (!s->data || offset > s->size || s->size - offset < sizeof(v))
                return false;
        memcpy(&v, s->data + offset, sizeof(v));
        *ret = image->big_endian ? be64toh(v) : le64toh(v);
        return true;
}

static int function_add(const Recovery *c, KlpTable *t, const char *object, const char *function,
                uint64_t sympos) {
        int r = inspected_objects_add(&t->objects, &t->n_objects, object, function, sympos);

        if (r == -E2BIG)
                return INVALID(c->error, "The module replaces too many functions");
        if (r == -EEXIST)
                return INVALID(c->error, "The module replaces '%s' twice", function);
        return r;
}

static int functions_recover(const Recovery *c, Extent e, const char *object, KlpTable *t) {
        const ElfImage *image = c->image;
        size_t elements = 0;
        int r;

        if (e.to - e.from > HOTPATCH_FUNCTIONS_MAX * FUNCTION_POINTERS)
                return INVALID(c->error, "The module replaces too many functions");

        for (size_t i = e.from; i < e.to; i++) {
                const ElfRelocation *code = &image->relocations[i], *name;
                const char *function;
                uint64_t sympos;

                if (!pointer_is_code(image, code))
                        continue;
                name = neighbour(image, code, -POINTER_SIZE);
                function = name ? pointer_string(image, name, HOTPATCH_SYMBOL_MAX) : NULL;
                if (!function || neighbour(image, code, POINTER_SIZE) ||
                    !read_number(image, code->section, code->offset + POINTER_SIZE, &sympos))
                        return INVALID(c->error,
                                        "The module replaces a function of '%s' whose name cannot "
                                        "be read",
                                        object);
                r = function_add(c, t, object, function, sympos);
                if (r < 0)
                        return r;
                elements++;
        }
        /* Each element has two pointers, and nothing else in the array has any. */
        if (elements * 2 != e.to - e.from)
                return INVALID(c->error, "The module has an incomplete klp_func for '%s'", object);
        return 0;
}

static int object_recover(
                const Recovery *c, const ElfRelocation *funcs, Extent functions, KlpTable *t) {
        const ElfImage *image = c->image;
        const ElfRelocation *name = neighbour(image, funcs, -POINTER_SIZE);
        const char *object = "vmlinux";

        if (name) {
                object = pointer_string(image, name, HOTPATCH_MODULE_NAME_MAX);
                if (!object || !kernel_module_name_valid(object))
                        return INVALID(c->error,
                                        "The module patches an object whose name cannot be read");
        }
        return functions_recover(c, functions, object, t);
}

static int state_add(KlpTable *t, uint64_t id, uint32_t version) {
        SystemState *grown = reallocarray(t->states, t->n_states + 1, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        t->states = grown;
        t->states[t->n_states++] = (SystemState) { .id = id, .version = version };
        return 0;
}

static uint32_t state_version(const ElfImage *image, const uint8_t *p) {
        uint32_t v;

        memcpy(&v, p + STATE_VERSION_OFFSET, sizeof(v));
        return image->big_endian ? be32toh(v) : le32toh(v);
}

/* The system states of the patch at @mod; none without a pointer to them. */
static int states_recover(const Recovery *c, const ElfRelocation *mod, KlpTable *t) {
        const ElfRelocation *states = neighbour(c->image, mod, PATCH_STATES_OFFSET);
        const ElfSymbol *s;
        uint64_t id;
        Place p;
        int r;

        if (!states)
                return 0;
        s = pointer_resolve(c->image, states, &p) ? place_symbol(c, p) : NULL;
        for (; s && p.offset + STATE_SIZE <= s->value + s->size; p.offset += STATE_SIZE) {
                if (!read_number(c->image, p.section, p.offset, &id))
                        break;
                if (id == 0)
                        return 0;
                if (t->n_states >= HOTPATCH_STATES_MAX)
                        return INVALID(c->error, "The module has too many system states");
                r = state_add(t, id, state_version(c->image, c->image->sections[p.section].data + p.offset));
                if (r < 0)
                        return r;
        }
        return INVALID(c->error, "The module has system states that cannot be read");
}

static int patch_recover(Recovery *c, const ElfRelocation *mod, KlpTable *ret) {
        const ElfImage *image = c->image;
        const ElfRelocation *objs = neighbour(image, mod, POINTER_SIZE);
        const ElfSection *section = &image->sections[mod->section];
        _cleanup_(klp_table_done) KlpTable t = {};
        Extent objects;
        Place p;
        int states;

        if (!objs || !pointer_resolve(image, objs, &p) || place_is_code(image, p) ||
            !place_extent(c, p, &objects) ||
            objects.to - objects.from > HOTPATCH_OBJECTS_MAX * OBJECT_POINTERS)
                return 0;
        if (++c->candidates > CANDIDATES_MAX)
                return INVALID(c->error,
                                "The module has too many structures that could be a klp_patch");
        for (size_t i = objects.from; i < objects.to; i++) {
                Extent functions;
                int r;

                if (!pointer_functions(c, &image->relocations[i], &functions))
                        continue;
                r = object_recover(c, &image->relocations[i], functions, &t);
                if (r < 0)
                        return r;
        }
        if (t.n_objects == 0)
                return 0;
        if (ret->found)
                return INVALID(c->error, "The module has more than one klp_patch");
        if (section->data && section->size > mod->offset &&
            section->size - mod->offset > PATCH_REPLACE_OFFSET)
                t.replace = section->data[mod->offset + PATCH_REPLACE_OFFSET];
        states = states_recover(c, mod, &t);
        if (states < 0)
                return states;
        t.found = t.structures = true;
        *ret = t;
        t = (KlpTable) {};
        return 0;
}

static int kpatch_element_recover(const Recovery *c, const ElfRelocation *name, KlpTable *t) {
        const ElfImage *image = c->image;
        const ElfRelocation *code = neighbour(image, name, KPATCH_NAME_TO_CODE);
        const ElfRelocation *objname = neighbour(image, name, POINTER_SIZE);
        const char *function = pointer_string(image, name, HOTPATCH_SYMBOL_MAX);
        const char *object =
                        objname ? pointer_string(image, objname, HOTPATCH_MODULE_NAME_MAX) : NULL;
        uint64_t sympos;

        if (!function || !object || !kernel_module_name_valid(object) || !code ||
                        !pointer_is_code(image, code) || name->offset < KPATCH_NAME_TO_SYMPOS ||
                        !read_number(image, name->section, name->offset - KPATCH_NAME_TO_SYMPOS,
                                        &sympos))
                return INVALID(c->error, "The module's section '%s' is malformed", KPATCH_SECTION);
        return function_add(c, t, object, function, sympos);
}

/* Three pointers for each element, in the order code, name, object name. */
static int kpatch_recover(const Recovery *c, KlpTable *ret) {
        _cleanup_(klp_table_done) KlpTable t = {};
        const ElfImage *image = c->image;
        const ElfSection *section = NULL;
        size_t from, to;
        uint32_t index;
        int r;

        r = elf_image_find(image, KPATCH_SECTION, &section);
        if (r == 0)
                return 0;
        if (r < 0)
                return INVALID(c->error, "The module has more than one section '%s'",
                                KPATCH_SECTION);
        index = (uint32_t) (section - image->sections);
        from = relocation_first(image, index, 0);
        to = relocation_first(image, index + 1, 0);
        if ((to - from) % KPATCH_POINTERS != 0)
                return INVALID(c->error, "The module's section '%s' is incomplete", KPATCH_SECTION);
        for (size_t i = from + 1; i < to; i += KPATCH_POINTERS) {
                r = kpatch_element_recover(c, &image->relocations[i], &t);
                if (r < 0)
                        return r;
        }
        t.found = t.n_objects > 0;
        *ret = t;
        t = (KlpTable) {};
        return 0;
}

static bool is_this_module(const ElfImage *image, const ElfRelocation *r) {
        const ElfSymbol *s = &image->symbols[r->symbol];

        if (!r->pointer || r->addend != 0)
                return false;
        if (streq(s->name, "__this_module"))
                return true;
        return s->type == STT_SECTION && s->section < SHN_LORESERVE &&
                streq(image->sections[s->section].name, ".gnu.linkonce.this_module");
}

/**
 * klp_table_recover() - find the structures of a livepatch in its file
 * @ret: to be emptied with klp_table_done(); @found is false when there are none
 * @error: `ModuleInvalid`
 *
 * Return: 0 or a negative errno.
 */
int klp_table_recover(const ElfImage *image, KlpTable *ret, sd_bus_error *error) {
        _cleanup_(klp_table_done) KlpTable t = {};
        _cleanup_free_ const ElfSymbol **data = NULL;
        Recovery c = { .image = image, .error = error };
        int result;

        result = recovery_index(&c);
        data = c.data;
        if (result < 0)
                return result;
        for (size_t i = 0; i < image->n_relocations; i++) {
                const ElfRelocation *r = &image->relocations[i];

                if (!is_this_module(image, r) || !(image->sections[r->section].flags & SHF_ALLOC))
                        continue;
                result = patch_recover(&c, r, &t);
                if (result < 0)
                        return result;
        }
        if (!t.found) {
                result = kpatch_recover(&c, &t);
                if (result < 0)
                        return result;
        }
        inspected_objects_sort(t.objects, t.n_objects);
        *ret = t;
        t = (KlpTable) {};
        return 0;
}

/** klp_table_done() - free what a KlpTable owns */
void klp_table_done(KlpTable *t) {
        inspected_objects_free(t->objects, t->n_objects);
        free(t->states);
        *t = (KlpTable) {};
}
