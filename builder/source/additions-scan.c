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
        const bool *added;
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

/** struct Lines - of the new text */
typedef struct Lines {
        const char **at;
        size_t *length;
        bool *added;
        size_t n;
} Lines;

static void lines_done(Lines *l) {
        free(l->at);
        free(l->length);
        free(l->added);
}

static int lines_split(const char *text, Lines *ret) {
        size_t n = 0;

        for (const char *s = text; *s; s += line_length(s))
                n++;
        ret->at = calloc(n + 1, sizeof(*ret->at));
        ret->length = calloc(n + 1, sizeof(*ret->length));
        ret->added = calloc(n + 1, sizeof(*ret->added));
        if (!ret->at || !ret->length || !ret->added)
                return -ENOMEM;
        for (; *text; text += line_length(text)) {
                ret->at[ret->n] = text;
                ret->length[ret->n++] = line_length(text);
        }
        return 0;
}

/* Finds the old lines in the new text, each as early as can be. False: some are gone. */
static bool mark_added(const char *before, Lines *l) {
        for (size_t i = 0; i < l->n; i++) {
                size_t n = line_length(before);

                l->added[i] = n == 0 || n != l->length[i] || memcmp(before, l->at[i], n) != 0;
                if (!l->added[i])
                        before += n;
        }
        return !*before;
}

static bool same_lines(const Lines *l, size_t a, size_t b) {
        return l->length[a] == l->length[b] && memcmp(l->at[a], l->at[b], l->length[a]) == 0;
}

/* Could a declaration end here, or stand apart from the next? */
static bool ends_well(const Lines *l, size_t line) {
        size_t n = l->length[line];

        while (n > 0 && isspace((unsigned char) l->at[line][n - 1]))
                n--;
        return n == 0 || strchr(";}", l->at[line][n - 1]) ||
                (l->at[line][0] == '#' && !startswith(l->at[line], "#if") && !startswith(l->at[line], "#el"));
}

/* Ends of comments, bodies and conditions belong to what is above. */
static bool begins_well(const Lines *l, size_t line) {
        static const char *const ends[] = { "}", "{", "*", " *", "#endif", "#el" };

        for (size_t i = 0; i < ELEMENTSOF(ends); i++)
                if (startswith(l->at[line], ends[i]))
                        return false;
        return true;
}

/* Does what was added from @first to before @end look like something whole? Where it touches what was added
 * before it, this is not known. */
static bool is_settled(const Lines *l, size_t first, size_t end) {
        return (first > 0 && l->added[first - 1]) || (begins_well(l, first) && ends_well(l, end - 1));
}

/* Which of two equal lines is new is a matter of taste: added lines are moved up to where they are whole. */
static void settle(Lines *l, size_t first, size_t end) {
        size_t moved = 0;

        while (!is_settled(l, first - moved, end - moved)) {
                if (first == moved || !same_lines(l, first - moved - 1, end - moved - 1))
                        return;
                moved++;
        }
        for (size_t i = 0; i < moved; i++) {
                l->added[first - i - 1] = true;
                l->added[end - i - 1] = false;
        }
}

static void settle_all(Lines *l) {
        for (size_t i = 0, end; i < l->n; i = end) {
                for (end = i; end < l->n && l->added[end]; end++)
                        ;
                if (end > i)
                        settle(l, i, end);
                else
                        end++;
        }
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
 * @ret: of the new one; end it with tokens_done(); it points into @after
 *
 * Return: 1; 0 when the new text is not the old one with lines added, or not understood; or -ENOMEM.
 */
int tokens_scan(const char *before, const char *after, Tokens *ret) {
        _cleanup_(lines_done) Lines lines = {};
        Scan s = { .at = after, .tokens = ret };
        bool line_begins = true;
        int r;

        *ret = (Tokens) {};
        r = lines_split(after, &lines);
        if (r < 0)
                return r;
        if (!mark_added(before, &lines))
                return 0;
        settle_all(&lines);
        s.added = lines.added;
        for (r = 1; *s.at && r > 0;)
                r = take(&s, &line_begins);
        if (r <= 0)
                tokens_done(ret);
        return r;
}

void tokens_done(Tokens *t) {
        free(t->items);
        *t = (Tokens) {};
}
