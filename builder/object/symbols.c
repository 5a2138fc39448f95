/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Questions about the symbols of an object: which one has this name, which one lies here.
 *
 * Both are asked for each relocation, so both are a binary search. Several symbols may lie at one place
 * (aliases); the answer is always the same one of them, and a global one before a local one, because
 * that is the one that other objects and people know.
 */

#include "builder/object/object-internal.h"

static unsigned bind_rank(const ObjectSymbol *s) {
        return s->bind == STB_GLOBAL ? 2 : s->bind == STB_WEAK ? 1 : 0;
}

static bool symbol_has_place(const ObjectSymbol *s) {
        if (s->section == SHN_UNDEF || s->section >= SHN_LORESERVE)
                return false;
        return s->type == STT_FUNC || s->type == STT_OBJECT || (s->type == STT_NOTYPE && s->size > 0);
}

/* By place; of those at one place the one to be found comes last. */
static int compare_places(const void *a, const void *b, void *userdata) {
        const ObjectPlace *x = a, *y = b;
        const ObjectSymbol *symbols = userdata;
        unsigned bind_x = bind_rank(symbols + x->symbol), bind_y = bind_rank(symbols + y->symbol);

        if (x->section != y->section)
                return x->section < y->section ? -1 : 1;
        if (x->value != y->value)
                return x->value < y->value ? -1 : 1;
        if (x->end != y->end)
                return x->end < y->end ? -1 : 1;
        if (bind_x != bind_y)
                return bind_x < bind_y ? -1 : 1;
        return x->symbol > y->symbol ? -1 : x->symbol < y->symbol;
}

/* By name; of those of one name the global one comes first, then the order of the file. */
static int compare_names(const void *a, const void *b, void *userdata) {
        const ObjectSymbol *symbols = userdata;
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
        int r = strcmp(symbols[x].name, symbols[y].name);

        if (r != 0)
                return r;
        if (bind_rank(symbols + x) != bind_rank(symbols + y))
                return bind_rank(symbols + x) > bind_rank(symbols + y) ? -1 : 1;
        return x < y ? -1 : x > y;
}

/** object_index_free() - Return: NULL */
ObjectIndex *object_index_free(ObjectIndex *i) {
        if (!i)
                return NULL;
        free(i->places);
        free(i->names);
        free(i);
        return NULL;
}

static void places_finish(ObjectIndex *i) {
        for (size_t n = 0; n < i->n_places; n++) {
                ObjectPlace *p = i->places + n;

                p->end_so_far = p->end;
                if (n > 0 && p[-1].section == p->section && p[-1].end_so_far > p->end)
                        p->end_so_far = p[-1].end_so_far;
        }
}

/**
 * object_index_new() - sort the symbols of an object
 * @o: its symbols are read and checked
 * @ret: to be freed with object_index_free()
 *
 * Return: 0 or -ENOMEM.
 */
int object_index_new(const Object *o, ObjectIndex **ret) {
        _cleanup_(object_index_freep) ObjectIndex *i = calloc(1, sizeof(*i));

        if (!i)
                return -ENOMEM;
        i->places = calloc(o->n_symbols, sizeof(*i->places));
        i->names = calloc(o->n_symbols, sizeof(*i->names));
        if (!i->places || !i->names)
                return -ENOMEM;
        for (size_t n = 1; n < o->n_symbols; n++) {
                const ObjectSymbol *s = o->symbols + n;

                if (symbol_has_place(s))
                        i->places[i->n_places++] = (ObjectPlace) {
                                .section = s->section,
                                .symbol = (uint32_t) n,
                                .value = s->value,
                                .end = s->value + s->size,
                        };
                if (s->type != STT_SECTION && s->type != STT_FILE && *s->name)
                        i->names[i->n_names++] = (uint32_t) n;
        }
        qsort_r(i->places, i->n_places, sizeof(*i->places), compare_places, o->symbols);
        qsort_r(i->names, i->n_names, sizeof(*i->names), compare_names, o->symbols);
        places_finish(i);
        *ret = TAKE_PTR(i);
        return 0;
}

/* How many places come before (@section, @offset) or are exactly there. */
static size_t places_until(const ObjectIndex *i, uint32_t section, uint64_t offset) {
        size_t low = 0, high = i->n_places;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const ObjectPlace *p = i->places + middle;

                if (p->section < section || (p->section == section && p->value <= offset))
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* Functions and data symbols of a section. @ret_symbol: the first one; 0: none */
static size_t places_in(const Object *o, uint32_t section, uint32_t *ret_symbol) {
        size_t end = places_until(o->index, section, UINT64_MAX);
        size_t begin = section > 0 ? places_until(o->index, section - 1, UINT64_MAX) : 0;

        *ret_symbol = end > begin ? o->index->places[begin].symbol : 0;
        return end - begin;
}

bool object_symbol_is_alone(const Object *o, uint32_t symbol) {
        uint32_t first;

        return object_symbol_is_defined(o, symbol) && places_in(o, o->symbols[symbol].section, &first) == 1 &&
                first == symbol;
}

/**
 * object_alone_in() - the symbol that is alone in a section and reaches to its end
 *
 * What comes before a function is padding that the mitigations asked for (-fpatchable-function-entry).
 *
 * Return: its index; 0: there is none, or there are several.
 */
uint32_t object_alone_in(const Object *o, uint32_t section) {
        uint32_t symbol;
        const ObjectSymbol *s;

        if (places_in(o, section, &symbol) != 1)
                return 0;
        s = o->symbols + symbol;
        if (s->value != 0 && !(o->sections[section].flags & SHF_EXECINSTR))
                return 0;
        return s->value + s->size == o->sections[section].size ? symbol : 0;
}

/**
 * object_covering() - which function or data symbol covers a place?
 * @section: an index
 * @offset: in it; a symbol without a size covers the place it is at
 *
 * Of several that cover it the one that begins last is taken, and of aliases the global one.
 *
 * Return: its index; 0: none.
 */
uint32_t object_covering(const Object *o, uint32_t section, uint64_t offset) {
        for (size_t n = places_until(o->index, section, offset); n > 0; n--) {
                const ObjectPlace *p = o->index->places + n - 1;

                if (p->section != section)
                        return 0;
                if (offset < p->end || (offset == p->value && p->end == p->value))
                        return p->symbol;
                if (p->end_so_far <= offset && p->value != offset)
                        return 0;
        }
        return 0;
}

/**
 * object_find() - the symbol of a name
 *
 * Return: its index, defined or undefined, the global one when there are several, else the first;
 * 0: none.
 */
uint32_t object_find(const Object *o, const char *name) {
        size_t low = 0, high = o->index->n_names;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(o->symbols[o->index->names[middle]].name, name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low < o->index->n_names && streq(o->symbols[o->index->names[low]].name, name))
                return o->index->names[low];
        return 0;
}

/** object_symbol_is_defined() - does the symbol lie in a section of this object? */
bool object_symbol_is_defined(const Object *o, uint32_t symbol) {
        return symbol < o->n_symbols && o->symbols[symbol].section != SHN_UNDEF &&
                        o->symbols[symbol].section < SHN_LORESERVE;
}

/** object_symbol_is_function() - is it a function that this object defines? */
bool object_symbol_is_function(const Object *o, uint32_t symbol) {
        return object_symbol_is_defined(o, symbol) && o->symbols[symbol].type == STT_FUNC &&
                        o->sections[o->symbols[symbol].section].flags & SHF_EXECINSTR;
}

/* How long a suffix of digits is that @name of @size bytes ends in, with the dot before it; 0: none. */
static size_t number_suffix(const char *name, size_t size) {
        size_t n = 0;

        while (n < size && name[size - n - 1] >= '0' && name[size - n - 1] <= '9')
                n++;
        return n > 0 && n + 1 < size && name[size - n - 1] == '.' ? n + 1 : 0;
}

/**
 * object_base_name_length() - how much of a name the source wrote
 * @name: of a symbol
 *
 * gcc appends `.isra.N`, `.constprop.N`, `.part.N`, `.cold` to functions it made variants of, in any
 * number and order (gcc/cgraphclones.cc), and `.N` to what is static in a function. clang appends
 * `.llvm.N` and `.__uniq.N`.
 *
 * Return: in bytes, never 0 for a name that is not empty.
 */
size_t object_base_name_length(const char *name) {
        static const char *const suffixes[] = {
                ".isra", ".constprop", ".part", ".cold", ".llvm", ".__uniq", ".lto_priv",
        };
        size_t size = strlen(name), before;

        do {
                before = size;
                size -= number_suffix(name, size);
                for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                        size_t n = strlen(suffixes[i]);

                        if (size > n && memcmp(name + size - n, suffixes[i], n) == 0)
                                size -= n;
                }
        } while (size != before);
        return size;
}

/**
 * object_function_parent() - the function that a `.cold` part belongs to
 * @symbol: any symbol of @o
 *
 * gcc appends `.cold` to the name that it has given to the function, older ones `.cold.N`, and keeps both
 * in one object.
 *
 * Return: its index; @symbol itself when it is no such part, or its function is not there.
 */
uint32_t object_function_parent(const Object *o, uint32_t symbol) {
        static const char suffix[] = ".cold";
        const char *part = o->symbols[symbol].name;
        _cleanup_free_ char *name = NULL;
        size_t n = strlen(part);
        uint32_t parent;

        if (!object_symbol_is_function(o, symbol) || !object_symbol_is_defined(o, symbol))
                return symbol;
        n -= number_suffix(part, n);
        if (n < sizeof(suffix) || memcmp(part + n - (sizeof(suffix) - 1), suffix, sizeof(suffix) - 1) != 0)
                return symbol;
        name = strndup(part, n - (sizeof(suffix) - 1));
        parent = name ? object_find(o, name) : 0;
        return parent && object_symbol_is_function(o, parent) && object_symbol_is_defined(o, parent) ? parent : symbol;
}
