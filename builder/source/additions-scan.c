/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A C text as tokens that know whether they are old. Lines were added when the old text is what remains
 * without them; a comment, string or directive that is old in part and new in part changes the old
 * text, unless lines were added to the middle of a comment. No macro is expanded.
 */

#include "builder/source/additions-scan.h"

#include <ctype.h>

/** struct Scan - @at: where in the text; @line: its number; @added: for each line of the text */
typedef struct Scan {
        const char *at;
        size_t line;
        bool *added;
        Tokens *tokens;
} Scan;

/** token_is() - is that the word, or the character, given? */
bool token_is(const Token *t, const char *word) {
        return t->kind != TOKEN_TEXT && t->length == strlen(word) && memcmp(t->at, word, t->length) == 0;
}

static size_t line_length(const char *s) {
        const char *end = strchr(s, '\n');

        return end ? (size_t) (end - s) + 1 : strlen(s);
}

static size_t count_lines(const char *s) {
        size_t n = 0;

        for (; *s; s += line_length(s))
                n++;
        return n;
}

/* The line that ends at @end. */
static size_t line_length_before(const char *start, const char *end) {
        size_t n = 0;

        if (end > start)
                n++;
        while (end - n > start && end[-1 - (ptrdiff_t) n] != '\n')
                n++;
        return n;
}

/* Finds the old lines in the new text, each as early as can be. False: some are gone. */
static bool mark_from_begin(const char *before, const char *after, bool *added) {
        for (size_t i = 0; *after; i++, after += line_length(after)) {
                size_t n = line_length(before);

                added[i] = n == 0 || n != line_length(after) || memcmp(before, after, n) != 0;
                if (!added[i])
                        before += n;
        }
        return !*before;
}

/* The same, each as late as can be. Of "#endif", which of two is new is a matter of taste. */
static bool mark_from_end(const char *before, const char *after, bool *added) {
        const char *b = before + strlen(before), *a = after + strlen(after);

        for (size_t i = count_lines(after); i > 0; i--) {
                size_t n = line_length_before(before, b), m = line_length_before(after, a);

                added[i - 1] = n == 0 || n != m || memcmp(b - n, a - m, n) != 0;
                if (!added[i - 1])
                        b -= n;
                a -= m;
        }
        return b == before;
}

static int put(Scan *s, TokenKind kind, const char *from, size_t first_line) {
        Token *grown;

        if ((s->tokens->n & (s->tokens->n - 1)) == 0) { /* full at powers of two */
                grown = reallocarray(s->tokens->items, s->tokens->n ? s->tokens->n * 2 : 1, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                s->tokens->items = grown;
        }
        s->tokens->items[s->tokens->n++] = (Token) {
                .kind = kind, .added = s->added[first_line], .at = from, .length = (size_t) (s->at - from),
        };
        return 1;
}

static void step(Scan *s) {
        if (*s->at++ == '\n')
                s->line++;
}

/* All of the lines from @first on to here are old, or all are new. */
static bool is_of_one_kind(const Scan *s, size_t first) {
        for (size_t i = first; i <= s->line; i++)
                if (s->added[i] != s->added[first])
                        return false;
        return true;
}

/* Lines that were added within an old comment change nothing. */
static int skip_comment(Scan *s) {
        size_t first = s->line;

        step(s);
        step(s);
        while (*s->at && !(s->at[0] == '*' && s->at[1] == '/'))
                step(s);
        if (!*s->at)
                return 0;
        s->at += 2;
        return s->added[first] ? is_of_one_kind(s, first) : !s->added[s->line];
}

static int skip_line_comment(Scan *s) {
        while (*s->at && *s->at != '\n')
                s->at++;
        return s->at[-1] != '\\';
}

static int take_text(Scan *s) {
        const char *from = s->at;
        char quote = *s->at++;

        /* One that goes on in the next line is not followed. */
        for (; *s->at && *s->at != quote && *s->at != '\n'; s->at++)
                if (s->at[0] == '\\' && s->at[1] && s->at[1] != '\n')
                        s->at++;
        if (*s->at != quote)
                return 0;
        s->at++;
        return put(s, TOKEN_TEXT, from, s->line);
}

/* A comment that begins in a directive and goes on behind it is not followed. */
static int take_directive(Scan *s) {
        const char *from = s->at, *comment;
        size_t first = s->line, length;

        while (*s->at && (*s->at != '\n' || s->at[-1] == '\\'))
                step(s);
        length = (size_t) (s->at - from);
        comment = memmem(from, length, "/*", 2);
        while (comment) {
                const char *end = memmem(comment + 2, (size_t) (s->at - comment - 2), "*/", 2);

                if (!end)
                        return 0;
                comment = memmem(end + 2, (size_t) (s->at - end - 2), "/*", 2);
        }
        return is_of_one_kind(s, first) ? put(s, TOKEN_DIRECTIVE, from, first) : 0;
}

static bool is_word_char(char c) {
        return isalnum((unsigned char) c) || c == '_';
}

static int take_word(Scan *s) {
        const char *from = s->at;

        while (is_word_char(*s->at))
                s->at++;
        return put(s, TOKEN_WORD, from, s->line);
}

static int take_sign(Scan *s) {
        s->at++;
        return put(s, TOKEN_SIGN, s->at - 1, s->line);
}

/* 1: go on; 0: not understood */
static int take(Scan *s, bool *line_begins) {
        if (isspace((unsigned char) *s->at)) {
                *line_begins |= *s->at == '\n';
                step(s);
                return 1;
        }
        if (s->at[0] == '/' && s->at[1] == '*')
                return skip_comment(s);
        if (s->at[0] == '/' && s->at[1] == '/')
                return skip_line_comment(s);
        if (*s->at == '#' && *line_begins)
                return take_directive(s);
        *line_begins = false;
        if (*s->at == '"' || *s->at == '\'')
                return take_text(s);
        return is_word_char(*s->at) ? take_word(s) : take_sign(s);
}

/**
 * tokens_scan() - take a text apart
 * @before, @after: the old and the new text
 * @from_end: where it could be either of equal lines, the later one is the old one
 * @ret: of the new one; end it with tokens_done(); it points into @after
 *
 * Return: 1; 0 when the new text is not the old one with lines added, or not understood; or -ENOMEM.
 */
int tokens_scan(const char *before, const char *after, bool from_end, Tokens *ret) {
        _cleanup_free_ bool *added = calloc(count_lines(after) + 1, sizeof(bool));
        Scan s = { .at = after, .added = added, .tokens = ret };
        bool line_begins = true;
        int r = 1;

        *ret = (Tokens) {};
        if (!added)
                return -ENOMEM;
        if (!(from_end ? mark_from_end : mark_from_begin)(before, after, added))
                return 0;
        while (*s.at && r > 0)
                r = take(&s, &line_begins);
        if (r <= 0)
                tokens_done(ret);
        return r;
}

void tokens_done(Tokens *t) {
        free(t->items);
        *t = (Tokens) {};
}
