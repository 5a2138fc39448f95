/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Between the files of this room; nobody else includes it. */

#include <elf.h>

#include "builder/extract/extract.h"
#include "builder/extract/output.h"
#include "builder/image/btf.h"

typedef enum PieceKind {
        PIECE_FUNCTION, /* with the padding before it */
        PIECE_DATA,     /* a named variable or constant */
        PIECE_CONSTANT, /* a string or constant without a name */
        PIECE_BESIDE,   /* code out of line: of an alternative, of a static_cpu_has() */
        PIECE_ENTRY,    /* of a table */
} PieceKind;

/**
 * struct Piece - bytes of the object that are taken over
 * @start, @end: in the section of the object
 * @symbol: of functions and data; else 0
 * @function: the function that code or an entry belongs to; else 0
 * @hidden: branches that leave the piece without a relocation; owned
 * @to, @at: where it goes in the output
 */
typedef struct Piece {
        PieceKind kind;
        uint32_t section;
        uint32_t symbol;
        uint32_t function;
        uint64_t start;
        uint64_t end;
        ObjectRelocation *hidden;
        size_t n_hidden;
        size_t to;
        uint64_t at;
} Piece;

/** struct Field - one relocated field of the object */
typedef struct Field {
        uint32_t section;
        uint64_t offset;
} Field;

/** struct Constant - the number in an instruction that becomes a load; @symbol: of the output */
typedef struct Constant {
        uint32_t section;
        uint64_t offset;
        size_t symbol;
} Constant;

/**
 * struct External - what a symbol of the object has become outside of it
 * @output: index of the output's symbol; 0: there is none, and a finding says why
 */
typedef struct External {
        bool known;
        size_t output;
} External;

/**
 * struct Extractor - one extraction
 * @externals: for each symbol of the object
 * @silenced: keys of static branches that are never to be taken
 * @types: of the kernel, read when first needed
 */
typedef struct Extractor {
        const ExtractInput *in;
        const Object *object;
        Findings *findings;
        sd_bus_error *error;
        Piece *pieces;
        size_t n_pieces;
        Field *silenced;
        size_t n_silenced;
        Constant *constants;
        size_t n_constants;
        External *externals;
        Types *types;
        Output output;
        Extracted result;
} Extractor;

/** struct Target - what a relocation of the object has to point to; @piece and @symbol: one is set */
typedef struct Target {
        const Piece *piece;
        size_t symbol;
} Target;

#define NO_PIECE SIZE_MAX

/* pieces.c */
int piece_add(Extractor *e, const Piece *piece, size_t *ret) _must_check_ _nonnull_(1, 2, 3);
size_t piece_find(const Extractor *e, uint32_t section, uint64_t offset) _nonnull_(1);
int piece_add_function(Extractor *e, uint32_t function) _must_check_ _nonnull_(1);
int piece_add_data(Extractor *e, uint32_t symbol, size_t *ret) _must_check_ _nonnull_(1, 3);
int piece_add_constant(Extractor *e, const ObjectRelocation *rel, size_t *ret) _must_check_ _nonnull_(1, 2, 3);
bool piece_is_code(const Piece *p) _nonnull_(1);

/* The place a relocation means. */
uint32_t place_section(const Object *o, const ObjectRelocation *rel) _nonnull_(1, 2);
uint64_t place_offset(const Object *o, const ObjectRelocation *rel) _nonnull_(1, 2);

/* targets.c */
int target_find(Extractor *e, size_t piece, const ObjectRelocation *rel, Target *ret) _must_check_
                _nonnull_(1, 3, 4);

/* symbols.c */
int external_find(Extractor *e, uint32_t symbol, size_t *ret) _must_check_ _nonnull_(1, 3);
int external_named(Extractor *e, const char *name, size_t *ret) _must_check_ _nonnull_(1, 2, 3);
int original_find(Extractor *e, uint32_t function, const ImageSymbol **ret) _must_check_ _nonnull_(1, 3);
int replacement_name(const Extractor *e, const char *name, char **ret) _must_check_ _nonnull_(1, 2, 3);

/* tables.c */
int tables_scan(Extractor *e, size_t piece) _must_check_ _nonnull_(1);
int tables_check(Extractor *e) _must_check_ _nonnull_(1);
bool field_is_silenced(const Extractor *e, uint32_t section, uint64_t offset) _nonnull_(1);
int structure_size(Extractor *e, const char *name, uint64_t *ret) _must_check_ _nonnull_(1, 2, 3);

/* constants.c */
bool is_constant_section(const ObjectSection *s) _nonnull_(1);
int constants_scan(Extractor *e, size_t piece) _must_check_ _nonnull_(1);
int constants_copy(Extractor *e, const Piece *p) _must_check_ _nonnull_(1, 2);

/* layout.c */
int pieces_lay_out(Extractor *e) _must_check_ _nonnull_(1);
int pieces_copy(Extractor *e) _must_check_ _nonnull_(1);
