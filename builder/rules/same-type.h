/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Are two types, from two files, the same to code that was compiled with one of them? */

#include "builder/image/btf.h"

typedef enum TypeVerdict {
        TYPES_SAME,    /* also when only names of types and qualifiers differ */
        TYPES_SIMILAR, /* the same bytes, read in another way: signed or not, a number or an enumeration */
        TYPES_DIFFERENT,
} TypeVerdict;

/**
 * struct TypeDifference - the first difference that matters
 * @text: a clause ("member 'x' is new"), owned; NULL for TYPES_SAME
 */
typedef struct TypeDifference {
        TypeVerdict verdict;
        char *text;
} TypeDifference;

int same_composite(const Types *a, const Type *x, const Types *b, const Type *y, TypeDifference *ret)
        _must_check_ _nonnull_(1, 2, 3, 4, 5);
int same_enum(const Types *a, const Type *x, const Types *b, const Type *y, TypeDifference *ret)
        _must_check_ _nonnull_(1, 2, 3, 4, 5);
int same_prototype(const Types *a, const Type *x, const Types *b, const Type *y, TypeDifference *ret)
        _must_check_ _nonnull_(1, 2, 3, 4, 5);
bool enumerator_counts(const Types *t, const Type *type, uint32_t index, int64_t value) _nonnull_(1, 2);
void type_difference_done(TypeDifference *d);
#define _cleanup_type_difference_ _cleanup_(type_difference_done)
