/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Types as BTF has them (Documentation/bpf/btf.rst): those of a kernel image, of a module on top of
 * its kernel's, or of one compiled object. Every number in the file is checked when it is followed;
 * a damaged file gives -EBADMSG, never a wild pointer.
 */

#include "util/base.h"

typedef enum TypeKind {
        TYPE_VOID,
        TYPE_INTEGER,
        TYPE_FLOAT,
        TYPE_POINTER,
        TYPE_ARRAY,
        TYPE_STRUCT,
        TYPE_UNION,
        TYPE_ENUM,      /* 64-bit ones, too */
        TYPE_FORWARD,   /* struct or union of which only the name is known */
        TYPE_ALIAS,     /* typedef, const, volatile, restrict, type tag */
        TYPE_PROTOTYPE, /* of a function: what a function pointer points to */
        TYPE_FUNCTION,
        TYPE_VARIABLE,
        TYPE_OTHER,     /* data sections, declaration tags */
        _TYPE_KIND_MAX,
} TypeKind;

/**
 * struct Type - one type; valid as long as its Types
 * @name: "": none
 * @size: in bytes; of integers, floats, structures, unions and enumerations
 * @target: what a pointer, array, alias, function or variable is of; what a prototype returns
 * @n: members, enumerators, parameters or array elements
 * @encoding: of an integer: 0 unsigned, BTF_INT_SIGNED, BTF_INT_BOOL …
 */
typedef struct Type {
        TypeKind kind;
        uint32_t id;
        const char *name;
        uint32_t size;
        uint32_t target;
        uint32_t n;
        uint32_t encoding;
        const void *raw;
} Type;

/**
 * struct TypeMember - member, enumerator or parameter
 * @target: its type; 0 for the last parameter of a function with variable arguments
 * @offset: in bits
 * @bits: of a bit field; 0: it is none
 * @value: of an enumerator; in enumerations of 32 bits as if signed
 */
typedef struct TypeMember {
        const char *name;
        uint32_t target;
        uint32_t offset;
        uint32_t bits;
        int64_t value;
} TypeMember;

typedef struct Types Types;

int types_read(const void *btf, size_t size, const Types *base, Types **ret) _must_check_ _nonnull_(1, 4);
int types_read_file(const char *path, Types **ret) _must_check_ _nonnull_(1, 2);
Types *types_free(Types *t);
DEFINE_TRIVIAL_CLEANUP(Types *, types_free);
#define _cleanup_types_free_ _cleanup_(types_freep)

uint32_t types_first(const Types *t) _nonnull_(1);
uint32_t types_end(const Types *t) _nonnull_(1);
int types_get(const Types *t, uint32_t id, Type *ret) _must_check_ _nonnull_(1, 3);
int types_resolve(const Types *t, uint32_t id, Type *ret) _must_check_ _nonnull_(1, 3);
int types_member(const Types *t, const Type *type, uint32_t index, TypeMember *ret) _must_check_
                _nonnull_(1, 2, 4);
uint32_t types_find(const Types *t, TypeKind kind, const char *name, uint32_t previous) _nonnull_(1, 3);
int types_size(const Types *t, TypeKind kind, const char *name, uint64_t *ret) _must_check_ _nonnull_(1, 3, 4);
