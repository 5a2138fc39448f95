/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A module's symbols, and how livepatch counts them.
 *
 * A loaded module keeps only the symbols of what stays in memory (kernel/module/kallsyms.c,
 * is_core_symbol()), in the order of the file. But while it is being loaded, which is when a patch that
 * was there first is applied to it, the whole table is in use, with the symbols of its init code. So a
 * symbol has a position only if both tables count it alike; one with a namesake in init code before it
 * cannot be named by anybody.
 */

#include "builder/image/module-internal.h"
#include "util/limits.h"

/* Undefined symbols: far from the module, and near enough for 32-bit distances. */
#define UNDEFINED_BASE UINT64_C(0xffffffffa0000000)
#define UNDEFINED_STEP 16U

static int table_find(ModuleLayout *l) {
        const Binary *b = l->binary;
        const BinarySection *table = NULL;

        for (size_t n = 1; n < b->n_sections; n++)
                if (b->sections[n].type == SHT_SYMTAB) {
                        if (table)
                                return -EBADMSG;
                        table = &b->sections[n];
                }
        if (!table || table->entry_size != sizeof(Elf64_Sym) || table->size % sizeof(Elf64_Sym) != 0 ||
            table->size / sizeof(Elf64_Sym) > HOTPATCH_MODULE_SYMBOLS_MAX || table->link >= b->n_sections)
                return -EBADMSG;
        l->strings = &b->sections[table->link];
        /* Then every offset in it is a string. */
        if (!l->strings->data || l->strings->size == 0 || l->strings->data[l->strings->size - 1] != 0)
                return -EBADMSG;
        l->symbols = table->data;
        l->n_symbols = table->size / sizeof(Elf64_Sym);
        return 0;
}

/* kernel/module/main.c, simplify_symbols() */
static int symbol_place(ModuleLayout *l, size_t n) {
        Elf64_Sym s = module_symbol(l, n);

        if (s.st_name >= l->strings->size)
                return -EBADMSG;
        if (s.st_shndx == SHN_UNDEF)
                l->addresses[n] = UNDEFINED_BASE + n * UNDEFINED_STEP;
        else if (s.st_shndx == SHN_ABS)
                l->addresses[n] = s.st_value;
        else if (s.st_shndx >= l->binary->n_sections || s.st_value > l->binary->sections[s.st_shndx].size)
                return -EBADMSG;
        else
                l->addresses[n] = l->places[s.st_shndx] ? l->places[s.st_shndx] + s.st_value : 0;
        return 0;
}

/** module_place_symbols() - an address for each symbol of the file; 0: it is nowhere in memory */
int module_place_symbols(ModuleLayout *l, sd_bus_error *error) {
        if (table_find(l) < 0)
                return IMAGE_INVALID(error, "The module '%s' has no usable symbol table", l->path);
        l->addresses = calloc(l->n_symbols ?: 1, sizeof(*l->addresses));
        if (!l->addresses)
                return -ENOMEM;
        for (size_t n = 1; n < l->n_symbols; n++)
                if (symbol_place(l, n) < 0)
                        return IMAGE_INVALID(error, "The symbol %zu of the module '%s' is nowhere", n, l->path);
        return 0;
}

/** struct Listed - a symbol and where in the file it is; 0 is never listed */
typedef struct Listed {
        ImageSymbol symbol;
        uint32_t number;
} Listed;

static int compare_listed(const void *a, const void *b) {
        const Listed *x = a, *y = b;

        if (x->symbol.address != y->symbol.address)
                return x->symbol.address < y->symbol.address ? -1 : 1;
        return x->number < y->number ? -1 : x->number > y->number;
}

static bool symbol_list(const ModuleLayout *l, size_t n, Listed *ret) {
        Elf64_Sym s = module_symbol(l, n);
        bool undefined = s.st_shndx == SHN_UNDEF;
        const BinarySection *section = undefined ? NULL : &l->binary->sections[s.st_shndx];

        if (s.st_name == 0 || s.st_shndx == SHN_ABS || l->addresses[n] == 0)
                return false;
        *ret = (Listed) {
                .number = (uint32_t) n,
                .symbol = {
                        .name = (const char *) l->strings->data + s.st_name,
                        .address = l->addresses[n],
                        .size = undefined ? 0 : s.st_size,
                        .function = section && section->flags & SHF_EXECINSTR,
                        .global = ELF64_ST_BIND(s.st_info) != STB_LOCAL,
                        /* kernel/module/main.c, module_init_section() */
                        .init = section && startswith(section->name, ".init"),
                        .undefined = undefined,
                },
        };
        return true;
}

/* Indices into the sorted symbols: those with a place in the order of the file, then the undefined. */
static int order_by_file(const ModuleLayout *l, const Listed *listed, size_t n, uint32_t **ret) {
        _cleanup_free_ uint32_t *at = calloc(l->n_symbols, sizeof(*at)), *order = calloc(n ?: 1, sizeof(*order));
        size_t used = 0;

        if (!at || !order)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                at[listed[i].number] = (uint32_t) i + 1;
        for (unsigned undefined = 0; undefined < 2; undefined++)
                for (size_t i = 0; i < l->n_symbols; i++)
                        if (at[i] > 0 && listed[at[i] - 1].symbol.undefined == undefined)
                                order[used++] = at[i] - 1;
        *ret = TAKE_PTR(order);
        return 0;
}

/* From "which of that name in the file" to what livepatch counts. */
static void positions_settle(Image *i) {
        for (size_t first = 0; first < i->n_symbols;) {
                ImageSymbol *const *same = (ImageSymbol *const *) i->private->by_name + first;
                uint32_t n_same = same[0]->n_same, kept = 0, counted = 0;

                for (uint32_t n = 0; n < n_same; n++) {
                        if (same[n]->undefined)
                                continue;
                        counted++;
                        kept += !same[n]->init;
                        same[n]->position = !same[n]->init && kept == counted ? kept : 0;
                }
                for (uint32_t n = 0; n < n_same; n++) {
                        if (same[n]->undefined)
                                same[n]->position = 0;
                        same[n]->n_same = counted;
                }
                first += n_same;
        }
}

/** module_list_symbols() - the image's symbols, sorted by address, with their positions */
int module_list_symbols(ModuleLayout *l, sd_bus_error *error) {
        _cleanup_free_ Listed *listed = calloc(l->n_symbols ?: 1, sizeof(*listed));
        _cleanup_free_ uint32_t *order = NULL;
        Image *i = l->image;
        size_t n = 0;
        int r;

        if (!listed)
                return -ENOMEM;
        for (size_t s = 1; s < l->n_symbols; s++)
                n += symbol_list(l, s, &listed[n]);
        if (n == 0)
                return IMAGE_INVALID(error, "The module '%s' has no symbols", l->path);
        qsort(listed, n, sizeof(*listed), compare_listed);
        i->symbols = calloc(n, sizeof(*i->symbols));
        if (!i->symbols)
                return -ENOMEM;
        for (; i->n_symbols < n; i->n_symbols++)
                i->symbols[i->n_symbols] = listed[i->n_symbols].symbol;
        r = order_by_file(l, listed, n, &order);
        if (r >= 0)
                r = image_index_names(i, order);
        if (r < 0)
                return r;
        positions_settle(i);
        return 0;
}
