/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Single values of hotpatchd.conf(5), from text and back. */

#include "util/base.h"

/** struct ValueWord - a word and what it stands for; a table of them ends with a NULL word */
typedef struct ValueWord {
        const char *word;
        unsigned value;
} ValueWord;

#define VALUE_USEC_PER_DAY (UINT64_C(24) * 3600 * USEC_PER_SEC)

int value_parse_boolean(const char *s, bool *ret) _must_check_ _nonnull_(1, 2);
int value_parse_unsigned(const char *s, uint64_t max, const char *suffix, uint64_t *ret) _must_check_ _nonnull_(1, 4);
int value_parse_span(const char *s, uint64_t max_usec, uint64_t *ret_usec) _must_check_ _nonnull_(1, 3);
int value_format_span(uint64_t usec, char **ret) _must_check_ _nonnull_(2);
int value_parse_flags(const char *s, const ValueWord *words, unsigned *ret) _must_check_ _nonnull_(1, 2, 3);
int value_format_flags(unsigned flags, const ValueWord *words, char **ret) _must_check_ _nonnull_(2, 3);

bool value_is_pattern(const char *s) _nonnull_(1);
bool value_is_unit_glob(const char *s) _nonnull_(1);
bool value_is_word(const char *s) _nonnull_(1);
bool value_is_program(const char *s) _nonnull_(1);
