/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Entries of tables that belong to the code of one function: what the kernel does when this instruction
 * faults, what it writes over that one at boot. Two functions with the same bytes and other entries are
 * not the same.
 *
 * Only tables that say something about run time are compared. Ftrace sites follow from the bytes;
 * `.discard.*` is for objtool. Of a WARN the file and line are left out: that a function moved in its
 * file is no change.
 *
 * An entry is as large as the distance from one to the next: the sizes changed between kernel versions, the
 * relocations in an entry did not.
 */

#include <elf.h>

#include "builder/compare/compare-internal.h"

/* arch/x86/include/asm: extable.h, alternative.h, jump_label.h, paravirt_types.h, bug.h. The first relocation of
 * an entry is that of its place. */
static const struct TableRow {
        const char *name;
        unsigned n_relocations;
        unsigned n_relocations_else; /* bug.h without CONFIG_DEBUG_BUGVERBOSE has no file */
} rows[] = {
        { "__ex_table", 2, 2 },
        { "__bug_table", 2, 1 },
        { "__jump_table", 3, 3 },
        { ".altinstructions", 2, 2 },
        { ".parainstructions", 1, 1 },
        { ".smp_locks", 1, 1 },
};

/* struct bug_entry: the line is the 16 bits after the file. */
#define BUG_FILE 4U
#define BUG_LINE 8U
#define BUG_LINE_END 10U

static const struct TableRow *row_find(const ObjectSection *s) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                if (s->kind == OBJECT_TABLE && streq(rows[i].name, s->name))
                        return rows + i;
        return NULL;
}

/* Do entries of @n relocations each lie at equal distances? Return: the distance, 0: they do not. */
static uint64_t stride_find(const ObjectSection *s, unsigned n) {
        const ObjectRelocation *r = s->relocations;
        uint64_t stride;

        if (s->n_relocations == 0 || s->n_relocations % n != 0 || r[0].offset != 0)
                return 0;
        stride = s->n_relocations > n ? r[n].offset : s->size;
        if (stride == 0)
                return 0;
        for (size_t i = 0; i < s->n_relocations; i++)
                if (r[i].offset != i / n * stride + r[i % n].offset)
                        return 0;
        /* The last one may lack the padding. */
        return s->size <= s->n_relocations / n * stride ? stride : 0;
}

static int compare_entries(const void *a, const void *b, void *userdata) {
        const TableEntry *x = a, *y = b;
        const Object *o = userdata;
        int r;

        if (x->function != y->function)
                return x->function < y->function ? -1 : 1;
        r = strcmp(o->sections[x->section].name, o->sections[y->section].name);
        if (r != 0)
                return r;
        if (x->place != y->place)
                return x->place < y->place ? -1 : 1;
        if (x->section != y->section)
                return x->section < y->section ? -1 : 1;
        return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* -EBADMSG: entries of a form that is not known. */
static int read_section(const Object *o, uint32_t section, const struct TableRow *row, Tables *t) {
        const ObjectSection *s = o->sections + section;
        unsigned n = row->n_relocations;
        uint64_t stride = stride_find(s, n);
        TableEntry *grown;

        if (s->size == 0)
                return 0;
        if (stride == 0) {
                n = row->n_relocations_else;
                stride = stride_find(s, n);
        }
        if (stride == 0)
                return -EBADMSG;
        grown = reallocarray(t->entries, t->n + s->n_relocations / n, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        t->entries = grown;
        for (size_t i = 0; i < s->n_relocations; i += n) {
                uint64_t offset = i / n * stride;

                if (object_symbol_is_function(o, s->relocations[i].symbol))
                        grown[t->n++] = (TableEntry) {
                                .function = s->relocations[i].symbol,
                                .section = section,
                                .place = (uint64_t) s->relocations[i].delta,
                                .offset = offset,
                                .size = stride < s->size - offset ? stride : s->size - offset,
                                .relocations = s->relocations + i,
                                .n_relocations = n,
                        };
        }
        return 0;
}

/**
 * tables_read() - the entries of all functions
 * @ret: to be freed with tables_done()
 *
 * Return: 0, -EBADMSG when a table has a form that is not known, or -ENOMEM.
 */
int tables_read(const Object *o, Tables *ret) {
        Tables t = { 0 };
        int r = 0;

        for (uint32_t i = 1; i < o->n_sections && r >= 0; i++) {
                const struct TableRow *row = row_find(o->sections + i);

                if (row)
                        r = read_section(o, i, row, &t);
        }
        if (r < 0) {
                tables_done(&t);
                return r;
        }
        if (t.n > 1)
                qsort_r(t.entries, t.n, sizeof(*t.entries), compare_entries, (void *) o);
        *ret = t;
        return 0;
}

/** tables_done() - free the entries */
void tables_done(Tables *t) {
        free(t->entries);
        *t = (Tables) { 0 };
}

/**
 * tables_of() - the entries of one function
 * @ret: the first one, of all tables
 *
 * Return: how many.
 */
size_t tables_of(const Tables *t, uint32_t function, const TableEntry **ret) {
        size_t low = 0, high = t->n, n = 0;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (t->entries[middle].function < function)
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret = t->entries + low;
        while (low + n < t->n && t->entries[low + n].function == function)
                n++;
        return n;
}

/* The last byte of struct alt_instr is the length of the replacement, in 6.1 and in 6.12. */
static bool alternative_same(Comparison *x, const TableEntry *b, const TableEntry *a) {
        const ObjectSection *sb = x->before->sections + b->section, *sa = x->after->sections + a->section;
        const ObjectRelocation *rb = object_relocation_at(sb, b->offset + 4);
        const ObjectRelocation *ra = object_relocation_at(sa, a->offset + 4);
        const ObjectSymbol *yb, *ya;

        if (!rb || !ra || b->size != a->size || b->size < 9 ||
                        memcmp(sb->data + b->offset + 8, sa->data + a->offset + 8, b->size - 8) != 0)
                return false;
        yb = x->before->symbols + rb->symbol;
        ya = x->after->symbols + ra->symbol;
        return bytes_same(x, yb->section, yb->value + (uint64_t) rb->delta, ya->section,
                ya->value + (uint64_t) ra->delta, sb->data[b->offset + b->size - 1]);
}

static bool bug_same(Comparison *x, const TableEntry *b, const TableEntry *a) {
        const uint8_t *p = x->before->sections[b->section].data + b->offset;
        const uint8_t *q = x->after->sections[a->section].data + a->offset;

        if (b->size != a->size)
                return false;
        if (b->size <= BUG_LINE_END)
                return memcmp(p + BUG_FILE, q + BUG_FILE, b->size - BUG_FILE) == 0;
        return memcmp(p + BUG_LINE_END, q + BUG_LINE_END, b->size - BUG_LINE_END) == 0;
}

static bool entry_same(Comparison *x, const TableEntry *b, const TableEntry *a) {
        const char *name = x->before->sections[b->section].name;

        if (!streq(name, x->after->sections[a->section].name) || b->place != a->place)
                return false;
        if (streq(name, ".altinstructions"))
                return alternative_same(x, b, a);
        if (streq(name, "__bug_table"))
                return bug_same(x, b, a);
        return (b->size == a->size || streq(name, ".parainstructions")) &&
                bytes_same(x, b->section, b->offset, a->section, a->offset,
                        b->size < a->size ? b->size : a->size);
}

/**
 * tables_same() - do the entries of two functions say the same?
 * @before, @after: functions that are correlated
 * @ret: written when they do not
 */
bool tables_same(Comparison *x, uint32_t before, uint32_t after, Difference *ret) {
        const TableEntry *b, *a;
        size_t n_b = tables_of(&x->before_tables, before, &b), n_a = tables_of(&x->after_tables, after, &a);

        for (size_t i = 0; i < n_b || i < n_a; i++) {
                if (i < n_b && i < n_a && entry_same(x, b + i, a + i))
                        continue;
                *ret = (Difference) {
                        .kind = DIFFERENCE_TABLE,
                        .offset = i < n_a ? a[i].place : b[i].place,
                        .table = i < n_a ? x->after->sections[a[i].section].name
                                         : x->before->sections[b[i].section].name,
                };
                return false;
        }
        return true;
}
