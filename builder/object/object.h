/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A compiled kernel object (-ffunction-sections -fdata-sections, before objtool), read once for
 * everything that analyses it. Every index in it can be followed; every relocation says which symbol
 * is meant, not which section the assembler happened to name.
 */

#include <systemd/sd-bus.h>

#include "util/base.h"

typedef enum ObjectSectionKind {
        OBJECT_IGNORED,   /* debug information, comments, symbol tables, what only init or modpost reads */
        OBJECT_CODE,      /* executable, kept after init */
        OBJECT_INIT,      /* code or data that is freed after init, or discarded: .init*, .exit*, .initcall* */
        OBJECT_DATA,      /* writable, with or without bytes in the file */
        OBJECT_READ_ONLY, /* constants */
        OBJECT_STRINGS,   /* mergeable strings or constants (SHF_MERGE) */
        OBJECT_TABLE,     /* one entry for each place in the code: __bug_table, .altinstructions … */
        OBJECT_EXPORT,    /* __ksymtab and kin */
} ObjectSectionKind;

/**
 * struct ObjectRelocation - one relocated field
 * @offset: of the field, in its section
 * @type: R_X86_64_
 * @symbol: the symbol that is meant; never 0. A function or data object where one lies there, the
 *   section's own symbol otherwise (strings, constants, table entries), or, where the assembler wrote
 *   none, a label of its own (`.LC3`): so the place is always the symbol's value plus @delta
 * @delta: where the field points, in bytes from @symbol: pc-relative fields in code are counted from
 *   the end of their instruction, those in data from the field itself. So `call foo` has 0
 * @addend: as in the file
 * @written: the symbol as in the file
 */
typedef struct ObjectRelocation {
        uint64_t offset;
        int64_t delta;
        int64_t addend;
        uint32_t type;
        uint32_t symbol;
        uint32_t written;
} ObjectRelocation;

typedef struct ObjectSection {
        const char *name;
        ObjectSectionKind kind;
        uint32_t type;       /* SHT_ */
        uint64_t flags;      /* SHF_ */
        const uint8_t *data; /* NULL when the file has no bytes for it (SHT_NOBITS) */
        uint64_t size;
        uint64_t alignment;
        uint64_t entry_size;
        uint32_t link; /* sh_link: with SHF_LINK_ORDER the section this one belongs to */
        uint32_t symbol; /* its STT_SECTION symbol, 0: none */
        ObjectRelocation *relocations; /* by offset */
        size_t n_relocations;
} ObjectSection;

typedef struct ObjectSymbol {
        const char *name; /* of an STT_SECTION symbol: the section's */
        uint64_t value;   /* offset in @section */
        uint64_t size;
        uint32_t section; /* index into sections, SHN_UNDEF, or an SHN_ value of 0xff00 and above */
        uint8_t type;     /* STT_ */
        uint8_t bind;     /* STB_ */
        uint8_t visibility; /* STV_ */
} ObjectSymbol;

/** struct Object - sections[0] and symbols[0] are the empty ones of the format */
typedef struct Object {
        uint8_t *data;
        size_t size;
        ObjectSection *sections;
        size_t n_sections;
        ObjectSymbol *symbols;
        size_t n_symbols;
        struct ObjectIndex *index; /* of object_find() and object_covering() */
} Object;

int object_read(const char *path, Object **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
int object_read_bytes(const char *name, const void *bytes, size_t size, Object **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 4);
Object *object_free(Object *o);
DEFINE_TRIVIAL_CLEANUP(Object *, object_free);
#define _cleanup_object_free_ _cleanup_(object_freep)

/** object_find() - index of the defined or undefined symbol of that name, 0: none */
uint32_t object_find(const Object *o, const char *name) _nonnull_(1, 2);
/** object_covering() - index of the function or data symbol that covers a place, 0: none */
uint32_t object_covering(const Object *o, uint32_t section, uint64_t offset) _nonnull_(1);
/** object_relocation_at() - the relocation of exactly that field, or NULL */
const ObjectRelocation *object_relocation_at(const ObjectSection *s, uint64_t offset) _nonnull_(1);
/** object_fields_from() - the first relocation at or after an offset, or the end of the array */
const ObjectRelocation *object_fields_from(const ObjectSection *s, uint64_t offset) _nonnull_(1);
/** object_symbol_fields() - the relocations within the bytes of a symbol, or NULL */
const ObjectRelocation *object_symbol_fields(const Object *o, uint32_t symbol, size_t *ret_n) _nonnull_(1, 3);
/** object_symbol_refers_to() - does a field in the bytes of @user mean @symbol? */
bool object_symbol_refers_to(const Object *o, uint32_t user, uint32_t symbol) _nonnull_(1);
/** object_field_is_branch() - is a field of that section the distance of a near call or jump? */
bool object_field_is_branch(const ObjectSection *s, const ObjectRelocation *r) _nonnull_(1, 2);
bool object_symbol_is_function(const Object *o, uint32_t symbol) _nonnull_(1);
/** object_function_parent() - the function that a .cold part belongs to, else the symbol itself */
uint32_t object_function_parent(const Object *o, uint32_t symbol) _nonnull_(1);
/** object_symbol_is_alone() - is it the only function or data symbol of its section? */
bool object_symbol_is_alone(const Object *o, uint32_t symbol) _nonnull_(1);
bool object_symbol_is_defined(const Object *o, uint32_t symbol) _nonnull_(1);
/** object_producer() - compiler and options, as the debug information tells; NULL: it does not */
const char *object_producer(const Object *o) _nonnull_(1);
/** object_base_name_length() - of a name without what the compiler appended: .isra.0 .constprop.0
 *  .part.0 .cold and the number of a static local */
size_t object_base_name_length(const char *name) _nonnull_(1);
