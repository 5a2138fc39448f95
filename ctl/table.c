/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The one file that knows libsmartcols. Every cell is sanitised on its way in. On a terminal a table
 * is as wide as the terminal, with long text broken into lines; into a pipe nothing is cut.
 */

#include <libsmartcols/libsmartcols.h>

#include "ctl/table.h"

struct Table {
        struct libscols_table *table;
        struct libscols_line *line;
        bool colour;
};

/**
 * table_new() - an empty table
 * @ctl: the options: legend, colour
 * @columns, @n: from left to right
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int table_new(const Ctl *ctl, const Column *columns, size_t n, Table **ret) {
        _cleanup_table_ Table *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        t->colour = ctl->colour;
        t->table = scols_new_table();
        if (!t->table)
                return -ENOMEM;
        (void) scols_table_enable_noheadings(t->table, !ctl->legend);
        (void) scols_table_enable_colors(t->table, ctl->colour);
        for (size_t i = 0; i < n; i++) {
                int flags = (columns[i].wrap ? SCOLS_FL_WRAP : 0) | (columns[i].right ? SCOLS_FL_RIGHT : 0);
                if (!scols_table_new_column(t->table, columns[i].name, 0, flags))
                        return -ENOMEM;
        }
        *ret = TAKE_PTR(t);
        return 0;
}

Table *table_free(Table *t) {
        if (!t)
                return NULL;
        scols_unref_table(t->table);
        free(t);
        return NULL;
}

/** table_add_row() - begin a new line; its cells are set by table_set() */
int table_add_row(Table *t) {
        t->line = scols_table_new_line(t->table, NULL);
        return t->line ? 0 : -ENOMEM;
}

/**
 * table_set() - fill one cell of the last line
 * @t: the table
 * @column: from 0
 * @text: copied and sanitised; empty is shown as "-"
 * @style: how the cell looks
 *
 * Return: 0 or a negative errno.
 */
int table_set(Table *t, size_t column, const char *text, Style style) {
        _cleanup_free_ char *clean = text_sanitize(text && *text ? text : "-");
        struct libscols_cell *cell;
        int r;

        if (!clean)
                return -ENOMEM;
        for (char *c = clean; (c = strchr(c, '\n'));)
                *c = ' ';
        r = scols_line_set_data(t->line, column, clean);
        if (r < 0)
                return r;
        if (!t->colour || style == STYLE_NONE)
                return 0;
        cell = scols_line_get_cell(t->line, column);
        return cell ? scols_cell_set_color(cell, style_on(true, style)) : -EINVAL;
}

/** table_print() - to stdout; nothing at all when there is no line */
int table_print(Table *t) {
        if (scols_table_get_nlines(t->table) == 0)
                return 0;
        return scols_print_table(t->table);
}

/** table_print_block() - as table_print(), followed by an empty line */
int table_print_block(Table *t) {
        int r = table_print(t);

        if (r >= 0 && scols_table_get_nlines(t->table) > 0)
                putchar('\n');
        return r;
}
