/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A line that the fix adds moves all that follow, and with them every __LINE__: WARN tables, lockdep
 * classes, debug messages of functions that nobody touched. So a patched file gets "#line" directives
 * that give each unchanged line its old number. They carry no file name: __FILE__ stays as it is.
 *
 * A directive may stand between any two lines but inside a comment, after a line that ends in a
 * backslash, and between the parentheses of a macro call (C17 6.10.3p11). A small scanner knows those
 * places and waits for the next that is none; the few lines between keep a wrong number, and belong
 * to the statement that was changed. The scanner knows no C beyond comments, literals, parentheses and
 * conditionals; where parentheses do not add up, a brace in the first column starts afresh.
 *
 * The preprocessor skips directives in a group that is not compiled, so after each conditional line
 * of a group in which numbers moved, the number is set again.
 */

#include "builder/source/shadow-lines.h"

#include "builder/run.h"

#define GROUPS_MAX 64U /* of conditionals, nested; C17 5.2.4.1 asks for 63 */

/** struct Scanner - where in the text we are, at the beginning of a line */
typedef struct Scanner {
        bool comment;      /* in one that began on a line above */
        bool continued;    /* the line above ended in a backslash */
        bool directive;    /* a continued line is part of one */
        bool line_comment; /* a continued line is part of one */
        char literal;      /* a continued line is in one: the quote that ends it */
        int depth;         /* of ( and [ */
        struct {
                int depth;
                bool moved;
        } groups[GROUPS_MAX];
        size_t n_groups;
        bool unsure; /* the number of the next line depends on which group is compiled */
} Scanner;

static bool scanner_safe(const Scanner *s) {
        return !s->comment && !s->continued && s->depth <= 0;
}

static void scanner_moved(Scanner *s) {
        if (s->n_groups > 0 && s->n_groups <= GROUPS_MAX)
                s->groups[s->n_groups - 1].moved = true;
}

static void begin_group(Scanner *s) {
        if (s->n_groups < GROUPS_MAX) {
                s->groups[s->n_groups].depth = s->depth;
                s->groups[s->n_groups].moved = false;
        }
        s->n_groups++;
}

static void next_branch(Scanner *s) {
        if (s->n_groups == 0 || s->n_groups > GROUPS_MAX)
                return;
        s->depth = s->groups[s->n_groups - 1].depth;
        s->unsure = s->unsure || s->groups[s->n_groups - 1].moved;
}

static void end_group(Scanner *s) {
        bool moved;

        if (s->n_groups == 0)
                return;
        s->n_groups--;
        if (s->n_groups >= GROUPS_MAX)
                return;
        moved = s->groups[s->n_groups].moved;
        s->unsure = s->unsure || moved;
        if (moved)
                scanner_moved(s);
}

/* @word follows the "#". */
static void scan_conditional(Scanner *s, const char *word, size_t length) {
        while (length > 0 && (*word == ' ' || *word == '\t')) {
                word++;
                length--;
        }
        if (length >= 2 && memcmp(word, "if", 2) == 0) /* ifdef, ifndef */
                begin_group(s);
        else if (length >= 5 && memcmp(word, "endif", 5) == 0)
                end_group(s);
        else if (length >= 3 && memcmp(word, "el", 2) == 0) /* else, elif, elifdef */
                next_branch(s);
}

static void scan_characters(Scanner *s, const char *c, const char *end) {
        for (; c < end; c++) {
                if (s->comment) {
                        if (*c == '*' && c + 1 < end && c[1] == '/') {
                                s->comment = false;
                                c++;
                        }
                } else if (s->line_comment)
                        return;
                else if (s->literal) {
                        if (*c == '\\')
                                c++;
                        else if (*c == s->literal)
                                s->literal = '\0';
                } else if (*c == '/' && c + 1 < end && c[1] == '*') {
                        s->comment = true;
                        c++;
                } else if (*c == '/' && c + 1 < end && c[1] == '/')
                        s->line_comment = true;
                else if (*c == '"' || *c == '\'')
                        s->literal = *c;
                else if (!s->directive && (*c == '(' || *c == '['))
                        s->depth++;
                else if (!s->directive && (*c == ')' || *c == ']'))
                        s->depth--;
        }
}

static bool ends_in_backslash(const char *line, size_t length) {
        /* gcc takes blanks behind the backslash as nothing */
        while (length > 0 && strchr(" \t\r\f\v", line[length - 1]))
                length--;
        return length > 0 && line[length - 1] == '\\';
}

static void scanner_line(Scanner *s, const char *line, size_t length) {
        const char *c = line, *end = line + length;

        if (!s->continued) {
                s->directive = s->line_comment = false;
                s->literal = '\0'; /* none was closed: #error don't */
                while (c < end && (*c == ' ' || *c == '\t'))
                        c++;
                if (!s->comment && c < end && *c == '#') {
                        s->directive = true;
                        scan_conditional(s, c + 1, (size_t) (end - c - 1));
                } else if (!s->comment && length > 0 && (*line == '{' || *line == '}'))
                        s->depth = 0;
        }
        s->continued = ends_in_backslash(line, length);
        scan_characters(s, line, end);
}

/** struct Keeper - what is written, and how far it is */
typedef struct Keeper {
        FILE *f;
        const LineChange *change, *end;
        size_t number;   /* what the compiler counts */
        size_t new, old; /* in the file with the fix, and without */
        Scanner scanner;
} Keeper;

/* Returns true in the lines of a change. */
static bool keeper_follow_changes(Keeper *k) {
        /* A change without new lines is one that is over when it begins. */
        for (; k->change < k->end && k->new >= k->change->new + k->change->new_n; k->change++) {
                k->old = k->change->old + k->change->old_n + (k->new - k->change->new - k->change->new_n);
                scanner_moved(&k->scanner);
        }
        return k->change < k->end && k->new >= k->change->new;
}

static void keeper_line(Keeper *k, const char *line, size_t length) {
        Scanner *s = &k->scanner;

        if (keeper_follow_changes(k))
                scanner_moved(s);
        else if ((k->number != k->old || s->unsure) && scanner_safe(s)) {
                fprintf(k->f, "#line %zu\n", k->old);
                k->number = k->old;
                s->unsure = false;
        }
        fwrite(line, 1, length, k->f);
        scanner_line(s, line, length);
        k->new++;
        k->number++;
        k->old++;
}

/**
 * lines_keep() - insert the directives
 * @after: the file with the fix
 * @changes: by place, see line_changes()
 * @ret: the text, with a NUL after it that is not counted; free with free()
 *
 * Return: 0 or -ENOMEM.
 */
int lines_keep(const char *after, size_t size, const LineChange *changes, size_t n_changes, char **ret,
                size_t *ret_size) {
        Keeper k = { .change = changes, .end = changes + n_changes, .number = 1, .new = 1, .old = 1 };
        char *text = NULL;
        size_t text_size;

        k.f = open_memstream(&text, &text_size);
        if (!k.f)
                return -ENOMEM;
        for (const char *line = after; line < after + size;) {
                const char *newline = memchr(line, '\n', size - (size_t) (line - after));
                size_t length = newline ? (size_t) (newline - line) : size - (size_t) (line - after);

                keeper_line(&k, line, length);
                if (newline)
                        fputc('\n', k.f);
                line += length + 1;
        }
        if (ferror(k.f) | fclose(k.f)) {
                free(text);
                return -ENOMEM;
        }
        *ret = text;
        *ret_size = text_size;
        return 0;
}

typedef struct ChangeList {
        LineChange *items;
        size_t n;
        int r;
} ChangeList;

/* "A[,B]cC[,D]", and a and d: diff(1), normal format */
static int scan_change(const char *line, LineChange *ret) {
        size_t from[2], to[2];
        char kind, *end;

        from[0] = from[1] = strtoul(line, &end, 10);
        if (*end == ',')
                from[1] = strtoul(end + 1, &end, 10);
        kind = *end;
        if (kind != 'a' && kind != 'c' && kind != 'd')
                return -EBADMSG;
        to[0] = to[1] = strtoul(end + 1, &end, 10);
        if (*end == ',')
                to[1] = strtoul(end + 1, &end, 10);
        if (*end || from[1] < from[0] || to[1] < to[0])
                return -EBADMSG;
        /* The side that has no lines names the line before. */
        *ret = (LineChange) {
                .old = from[0] + (kind == 'a'),
                .old_n = kind == 'a' ? 0 : from[1] - from[0] + 1,
                .new = to[0] + (kind == 'd'),
                .new_n = kind == 'd' ? 0 : to[1] - to[0] + 1,
        };
        return 0;
}

static void hear_change(const char *line, void *userdata) {
        ChangeList *l = userdata;
        LineChange *grown;

        if (*line < '0' || *line > '9' || l->r < 0)
                return;
        grown = reallocarray(l->items, l->n + 1, sizeof(*grown));
        if (!grown) {
                l->r = -ENOMEM;
                return;
        }
        l->items = grown;
        l->r = scan_change(line, grown + l->n);
        l->n += l->r == 0;
}

/**
 * line_changes() - how one file became another
 * @before, @after: paths
 * @ret: array, free with free()
 *
 * Return: 0, -EBADMSG when diff(1) said what is not understood, or another negative errno.
 */
int line_changes(const char *before, const char *after, LineChange **ret, size_t *ret_n) {
        char *arguments[] = { (char *) "diff", (char *) "--text", (char *) "--normal", (char *) "--",
                (char *) before, (char *) after, NULL };
        ChangeList l = {};
        int r;

        r = run_program(&(Run) { .arguments = arguments, .line = hear_change, .userdata = &l });
        if (r < 0 || r > 1 || l.r < 0) { /* 1: they differ */
                free(l.items);
                return r < 0 ? r : l.r < 0 ? l.r : -EBADMSG;
        }
        *ret = l.items;
        *ret_n = l.n;
        return 0;
}
