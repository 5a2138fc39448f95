/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The one file that knows libsmartcols. Every cell is sanitised on its way in. Into a pipe nothing
 * is cut or broken. On a terminal the columns marked for it share the room that the others leave,
 * and their texts are broken between words, where libsmartcols itself would break anywhere.
 */

#include <libsmartcols/libsmartcols.h>

#include "ctl/table.h"

/* A column is never made narrower than that; the line is longer than the terminal then. */
#define WRAP_MIN 12U

struct Table {
        struct libscols_table *table;
        struct libscols_line *line;
        const Column *columns;
        size_t n_columns;
        bool colour;
        bool wrap;
};

/**
 * table_new() - an empty table
 * @ctl: the options: legend, colour
 * @columns, @n: from left to right; borrowed as long as the table is there
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int table_new(const Ctl *ctl, const Column *columns, size_t n, Table **ret) {
        _cleanup_table_ Table *t = calloc(1, sizeof(*t));

        if (!t)
                return -ENOMEM;
        *t = (Table) {
                .table = scols_new_table(),
                .columns = columns,
                .n_columns = n,
                .colour = ctl->colour,
                .wrap = ctl->terminal,
        };
        if (!t->table)
                return -ENOMEM;
        (void) scols_table_enable_noheadings(t->table, !ctl->legend);
        (void) scols_table_enable_colors(t->table, ctl->colour);
        for (size_t i = 0; i < n; i++) {
                bool wrap = columns[i].wrap && t->wrap;
                int flags = (wrap ? SCOLS_FL_WRAP : 0) | (columns[i].right ? SCOLS_FL_RIGHT : 0);
                struct libscols_column *c =
                                scols_table_new_column(t->table, columns[i].name, 0, flags);

                if (!c)
                        return -ENOMEM;
                if (wrap) {
                        (void) scols_column_set_safechars(c, "\n");
                        (void) scols_column_set_wrapfunc(
                                        c, scols_wrapnl_chunksize, scols_wrapnl_nextchunk, NULL);
                }
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

/* Columns that the longest text of a column needs. */
static unsigned column_width(Table *t, size_t column) {
        unsigned widest = (unsigned) strlen(t->columns[column].name);

        for (size_t i = 0; i < scols_table_get_nlines(t->table); i++) {
                struct libscols_line *line = scols_table_get_line(t->table, i);
                const char *text = scols_cell_get_data(scols_line_get_cell(line, column));
                unsigned width = text ? text_columns(text, strlen(text)) : 0;

                if (width > widest)
                        widest = width;
        }
        return widest;
}

static int wrap_column(Table *t, size_t column, unsigned width) {
        for (size_t i = 0; i < scols_table_get_nlines(t->table); i++) {
                struct libscols_line *line = scols_table_get_line(t->table, i);
                const char *text = scols_cell_get_data(scols_line_get_cell(line, column));
                _cleanup_free_ char *cut = NULL;
                char *lines;
                int r;

                if (!text)
                        continue;
                cut = text_cut(text, width);
                if (!cut)
                        return -ENOMEM;
                r = text_wrap(cut, "", width, &lines);
                if (r < 0)
                        return r;
                r = scols_line_refer_data(line, column, lines);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What the columns that are never wrapped leave of the terminal, gaps taken off. */
static unsigned room_for_wrapped(Table *t) {
        unsigned room = terminal_width(STDOUT_FILENO);

        for (size_t i = 0; i < t->n_columns; i++) {
                unsigned need = (i > 0 ? 1 : 0) + (t->columns[i].wrap ? 0 : column_width(t, i));

                room -= need < room ? need : room;
        }
        return room;
}

/*
 * How wide a wrapped column may be so that all fit: those that need less than an equal share get
 * what they need, the others share what these leave.
 */
static unsigned fair_width(Table *t, unsigned room) {
        unsigned share = 0, n_wide = 0, left = room;

        for (size_t i = 0; i < t->n_columns; i++)
                n_wide += t->columns[i].wrap;
        for (unsigned n_before = 0; n_wide > 0 && n_wide != n_before;) {
                n_before = n_wide;
                share = left / n_wide;
                left = room;
                n_wide = 0;
                for (size_t i = 0; i < t->n_columns; i++) {
                        unsigned width = t->columns[i].wrap ? column_width(t, i) : 0;

                        if (width > share)
                                n_wide++;
                        else
                                left -= width < left ? width : left;
                }
        }
        return share > WRAP_MIN ? share : WRAP_MIN;
}

static int wrap_to_terminal(Table *t) {
        unsigned width = fair_width(t, room_for_wrapped(t));

        for (size_t i = 0; i < t->n_columns; i++) {
                int r = t->columns[i].wrap ? wrap_column(t, i, width) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

/** table_print() - to stdout; nothing at all when there is no line */
int table_print(Table *t) {
        int r;

        if (scols_table_get_nlines(t->table) == 0)
                return 0;
        if (t->wrap) {
                r = wrap_to_terminal(t);
                if (r < 0)
                        return r;
        }
        return scols_print_table(t->table);
}

/** table_print_block() - as table_print(), followed by an empty line */
int table_print_block(Table *t) {
        int r = table_print(t);

        if (r >= 0 && scols_table_get_nlines(t->table) > 0)
                putchar('\n');
        return r;
}
