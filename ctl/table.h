/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tables for people. */

#include "ctl/text.h"

/** struct Column - @wrap: may be broken into lines when the terminal is narrow; @right: numbers */
typedef struct Column {
        const char *name;
        bool wrap;
        bool right;
} Column;

typedef struct Table Table;

int table_new(const Ctl *ctl, const Column *columns, size_t n, Table **ret) _must_check_
                _nonnull_(1, 2, 4);
Table *table_free(Table *t);
DEFINE_TRIVIAL_CLEANUP(Table *, table_free);
#define _cleanup_table_ _cleanup_(table_freep)

int table_add_row(Table *t) _must_check_ _nonnull_(1);
int table_set(Table *t, size_t column, const char *text, Style style) _must_check_ _nonnull_(1);
int table_print(Table *t) _must_check_ _nonnull_(1);
int table_print_block(Table *t) _must_check_ _nonnull_(1);
