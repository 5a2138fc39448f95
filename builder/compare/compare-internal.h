/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files that compare two objects; nobody else includes this. */

#include "builder/compare/changes.h"

/**
 * struct TableEntry - of a table section, one entry that belongs to a place in a function
 * @function: whose place it is
 * @place: offset of the place in the function
 * @section: the table
 * @offset, @size: of the entry in the table
 * @relocations: its own, not owned
 */
typedef struct TableEntry {
        uint32_t function;
        uint32_t section;
        uint64_t place;
        uint64_t offset;
        uint64_t size;
        const ObjectRelocation *relocations;
        size_t n_relocations;
} TableEntry;

/** struct Tables - all of one object, by function, table's name, place */
typedef struct Tables {
        TableEntry *entries;
        size_t n;
} Tables;

/** struct Anonymous - places without a symbol that something points to, by section and offset */
typedef struct Anonymous {
        uint32_t section;
        uint64_t offset;
} Anonymous;

/**
 * struct Comparison - two objects whose symbols are correlated
 * @depth: how deep the comparison of unnamed constants is in itself
 */
typedef struct Comparison {
        Changes *changes;
        const Object *before;
        const Object *after;
        Tables before_tables;
        Tables after_tables;
        Anonymous *anonymous[2]; /* of before, of after */
        size_t n_anonymous[2];
        unsigned depth;
} Comparison;

typedef enum DifferenceKind {
        DIFFERENCE_CODE,      /* other instructions */
        DIFFERENCE_SIZE,      /* one ends before the other */
        DIFFERENCE_REFERENCE, /* the same instruction refers to something else */
        DIFFERENCE_TABLE,     /* an entry of a table */
} DifferenceKind;

/**
 * struct Difference - the first one that was seen
 * @offset: in the function after the fix
 * @before, @after: DIFFERENCE_REFERENCE: the relocations
 * @table: DIFFERENCE_TABLE: name of the section
 */
typedef struct Difference {
        DifferenceKind kind;
        uint64_t offset;
        const ObjectRelocation *before;
        const ObjectRelocation *after;
        const char *table;
} Difference;

/* names.c */
uint64_t name_token(const char *name) _nonnull_(1);
uint64_t relocation_token(const Object *o, const ObjectRelocation *rel) _nonnull_(1, 2);
bool symbol_is_compared(const Object *o, uint32_t symbol) _nonnull_(1);
const uint8_t *symbol_bytes(const Object *o, uint32_t symbol) _nonnull_(1);

/* correlate.c */
int correlate(Comparison *x) _must_check_ _nonnull_(1);

/* align.c */
/** struct Vote - two symbols that stand for each other where they are referred to */
typedef struct Vote {
        uint32_t before;
        uint32_t after;
        uint32_t weight;
} Vote;

typedef struct Votes {
        Vote *items;
        size_t n;
        size_t room;
} Votes;

int align(const Comparison *x, uint32_t before, uint32_t after, Votes *votes) _must_check_ _nonnull_(1, 4);

/* tables.c */
int tables_read(const Object *o, Tables *ret) _must_check_ _nonnull_(1, 2);
void tables_done(Tables *t) _nonnull_(1);
size_t tables_of(const Tables *t, uint32_t function, const TableEntry **ret) _nonnull_(1, 3);
bool tables_same(Comparison *x, uint32_t before, uint32_t after, Difference *ret) _nonnull_(1, 4);

/* content.c */
bool bytes_same(Comparison *x, uint32_t before_section, uint64_t before_offset, uint32_t after_section,
                uint64_t after_offset, uint64_t size) _nonnull_(1);
bool function_same(Comparison *x, uint32_t before, uint32_t after, Difference *ret) _nonnull_(1, 4);
bool data_same(Comparison *x, uint32_t before, uint32_t after) _nonnull_(1);
int anonymous_read(const Object *o, Anonymous **ret, size_t *ret_n) _must_check_ _nonnull_(1, 2, 3);

/* options.c */
int options_same(const Object *before, const Object *after, sd_bus_error *error) _must_check_
                _nonnull_(1, 2);

/* why.c */
int why(const Comparison *x, uint32_t before, uint32_t after, const Difference *d, char **ret) _must_check_
                _nonnull_(1, 4, 5);
