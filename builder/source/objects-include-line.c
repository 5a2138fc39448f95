/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One line of C: does it include something? The preprocessor is not imitated: a line in a comment or behind a false
 * condition counts like any other, as the graph may say too much and must not say too little.
 */

#include <ctype.h>

#include "builder/source/objects-include-internal.h"

static const char *skip_blanks(const char *c, const char *end) {
        while (c < end && (*c == ' ' || *c == '\t'))
                c++;
        return c;
}

/* What is behind "#include", or behind "#define NAME", for who says "#include NAME"; NULL: neither. */
static const char *skip_directive(const char *c, const char *end, bool *ret_defined) {
        c = skip_blanks(c, end);
        if (c == end || *c++ != '#')
                return NULL;
        c = skip_blanks(c, end);
        if (end - c < 10) /* #include "x" */
                return NULL;
        *ret_defined = memcmp(c, "define", 6) == 0;
        if (!*ret_defined)
                return memcmp(c, "include", 7) == 0 ? skip_blanks(c + 7, end) : NULL;
        for (c = skip_blanks(c + 6, end); c < end && (isalnum((unsigned char) *c) || *c == '_');)
                c++;
        return skip_blanks(c, end);
}

/**
 * include_line() - whom a line of C includes
 * @line, @end: without its newline
 * @name: out: the name in an "#include" line, or that of a header in a "#define" line
 * @ret_quoted: out: it is in quotes, and looked for beside the file first
 *
 * Return: whether it does.
 */
bool include_line(const char *line, const char *end, char name[static INCLUDE_NAME_MAX + 1], bool *ret_quoted) {
        bool defined;
        const char *c = skip_directive(line, end, &defined), *close;

        if (!c || c == end || (*c != '"' && *c != '<'))
                return false;
        *ret_quoted = *c == '"';
        close = memchr(c + 1, *c == '"' ? '"' : '>', (size_t) (end - c - 1));
        if (!close || close == c + 1 || close - c - 1 > (ptrdiff_t) INCLUDE_NAME_MAX)
                return false;
        if (defined && (close - c < 4 || memcmp(close - 2, ".h", 2) != 0))
                return false;
        memcpy(name, c + 1, (size_t) (close - c - 1));
        name[close - c - 1] = '\0';
        return true;
}
