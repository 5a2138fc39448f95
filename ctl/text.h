/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Text for a terminal: strings of strangers made harmless, wrapped lines, times, colours. */

#include "ctl/ctl.h"

/* Select Graphic Rendition, ECMA-48 8.3.117 */
typedef enum Style {
        STYLE_NONE,
        STYLE_BOLD,
        STYLE_DIM,
        STYLE_RED,
        STYLE_GREEN,
        STYLE_YELLOW,
        _STYLE_MAX,
} Style;

const char *style_on(bool colour, Style style);
const char *style_off(bool colour, Style style);

char *text_sanitize(const char *text) _must_check_;
char *text_line(const char *text) _must_check_;
char *text_cut(const char *text, unsigned width) _must_check_ _nonnull_(1);
int text_wrap(const char *text, const char *indent, unsigned width, char **ret) _must_check_
                _nonnull_(1, 2, 4);
unsigned text_columns(const char *text, size_t size) _nonnull_(1);
const char *text_plural(uint64_t n, const char *one, const char *many);
unsigned terminal_width(int fd);

int time_format_utc(uint64_t usec, char **ret) _must_check_ _nonnull_(2);
int time_format_local(uint64_t usec, char **ret) _must_check_ _nonnull_(2);
int time_parse(const char *text, uint64_t now_usec, uint64_t *ret) _must_check_ _nonnull_(1, 3);
