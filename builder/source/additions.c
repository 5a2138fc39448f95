/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Does the change of a header only add names?
 *
 * A prototype, an inline function or a constant more in <linux/mm.h> is included by thousands of objects
 * and changes none of them but those that have the name. So where a header gets nothing but whole
 * declarations, at the top level and in forms that are understood here, only the objects that mention one
 * of the new names need be compiled. Everything else (a member of a structure, a line within a function,
 * an #include, a macro call that may declare anything) is no addition, and all objects that include the
 * header count: saying no costs time, saying yes by mistake would lose a change.
 *
 * What a macro pastes together from parts ("X ## _y") is not seen. It could mean a new name only
 * where that was missing before, and so was not compiled; unless the kernel asks by pasting whether a
 * macro is there, as IS_ENABLED() does, which is why such names are no additions.
 */

#include "builder/source/additions.h"

#include <ctype.h>

#include "builder/source/additions-scan.h"
#include "util/strv.h"

/**
 * struct Reading - the tokens gone through
 * @depth: of brackets of all kinds
 * @body: the bracket at depth 0 is a function's body
 * @boundary: a declaration may begin here
 * @conditions: of #if that were added and are open
 * @item: the first token of an added declaration
 */
typedef struct Reading {
        Tokens tokens;
        size_t depth;
        bool body;
        bool boundary;
        unsigned conditions;
        size_t item;
        char **names;
} Reading;

static bool is_open(const Token *t) {
        return t->kind == TOKEN_SIGN && strchr("({[", *t->at);
}

static bool is_close(const Token *t) {
        return t->kind == TOKEN_SIGN && strchr(")}]", *t->at);
}

static bool is_identifier(const Token *t) {
        return t->kind == TOKEN_WORD && !isdigit((unsigned char) *t->at);
}

static int add_name(Reading *r, const Token *t) {
        _cleanup_free_ char *name = strndup(t->at, t->length);

        if (!name)
                return -ENOMEM;
        if (strv_contains(r->names, name))
                return 1;
        return strv_extend(&r->names, name) < 0 ? -ENOMEM : 1;
}

/* The token behind the bracket that closes the one at @open, or @end. */
static const Token *behind(const Token *open, const Token *end) {
        size_t depth = 0;

        for (const Token *t = open; t < end; t++) {
                depth += is_open(t);
                depth -= is_close(t);
                if (depth == 0)
                        return t + 1;
        }
        return end;
}

/* Attributes that say nothing to who does not use the name. Others, such as __used, may. */
static bool is_harmless(const Token *t) {
        static const char *const words[] = {
                "__always_inline", "__must_check", "__maybe_unused", "__pure", "__attribute_const__", "__user", "__iomem",
                "__rcu", "__percpu", "__force", "__u8", "__u16", "__u32", "__u64", "__s8", "__s16", "__s32", "__s64",
                "__le16", "__le32", "__le64", "__be16", "__be32", "__be64", "__sum16", "__wsum",
        };

        if (!is_identifier(t))
                return false;
        if (t->length < 2 || memcmp(t->at, "__", 2) != 0)
                return true;
        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (token_is(t, words[i]))
                        return true;
        return false;
}

/* Macros that declare are written so; functions are not. */
static bool is_upper(const Token *t) {
        for (size_t i = 0; i < t->length; i++)
                if (islower((unsigned char) t->at[i]))
                        return false;
        return true;
}

/* static inline int f(…) { … } or int f(…); */
static int read_function(Reading *r, const Token *first, const Token *open, const Token *end) {
        const Token *name = open - 1, *rest = behind(open, end);
        bool local = false;

        if (name <= first || !is_identifier(name) || is_upper(name))
                return 0;
        for (const Token *t = first; t < name; t++) {
                if (!is_harmless(t) && !token_is(t, "*"))
                        return 0;
                local |= token_is(t, "static");
        }
        while (rest < end && is_identifier(rest) && rest->length > 2 && memcmp(rest->at, "__", 2) == 0 && is_harmless(rest))
                rest++;
        /* A body must be the end, or it hides another declaration; a static prototype decides about the function. */
        if (rest == end || !(local ? token_is(rest, "{") && behind(rest, end) == end : token_is(rest, ";")))
                return 0;
        /* int x __aligned(8); */
        if (name->length > 2 && memcmp(name->at, "__", 2) == 0 && token_is(rest, ";"))
                return 0;
        return add_name(r, name);
}

/* struct s; or struct s { … }; without types of a name of their own inside */
static int read_structure(Reading *r, const Token *first, const Token *end) {
        const Token *name = first + 1, *rest;

        if (end - first < 3 || !is_identifier(name))
                return 0;
        if (token_is(name + 1, ";"))
                return 1;
        if (!token_is(name + 1, "{"))
                return 0;
        rest = behind(name + 1, end);
        for (const Token *t = name + 2; t < rest; t++)
                if (token_is(t, "enum") || (t + 2 < rest && (token_is(t, "struct") || token_is(t, "union")) &&
                                            is_identifier(t + 1) && token_is(t + 2, "{")))
                        return 0;
        if (rest < end && token_is(rest, "__packed"))
                rest++;
        return rest < end && token_is(rest, ";") ? add_name(r, name) : 0;
}

/* There is a token behind it. A macro may make any name. */
static bool is_enumerator(const Token *t) {
        return is_identifier(t) && (token_is(t + 1, ",") || token_is(t + 1, "=") || token_is(t + 1, "}"));
}

/* enum e { A, B = 2 }; */
static int read_enumeration(Reading *r, const Token *first, const Token *end) {
        const Token *open = first + 1, *close;
        size_t depth = 0;
        int k = 1;

        if (is_identifier(open))
                k = add_name(r, open++);
        if (open >= end || !token_is(open, "{"))
                return 0;
        close = behind(open, end) - 1;
        for (const Token *t = open; t < close && k > 0; t++) {
                depth += is_open(t);
                depth -= is_close(t);
                if (depth == 1 && (token_is(t, "{") || token_is(t, ",")) && t + 1 < close)
                        k = is_enumerator(t + 1) ? add_name(r, t + 1) : 0;
        }
        return k <= 0 ? k : close + 1 < end && token_is(close + 1, ";");
}

/* extern int x[2]; */
static int read_variable(Reading *r, const Token *first, const Token *end) {
        const Token *name = NULL;

        for (const Token *t = first + 1; t < end; t++) {
                if (token_is(t, "[") || token_is(t, ";"))
                        break;
                if (!is_harmless(t) && !token_is(t, "*"))
                        return 0;
                name = is_identifier(t) ? t : NULL;
        }
        if (name && name->length > 2 && memcmp(name->at, "__", 2) == 0) /* an attribute */
                return 0;
        for (const Token *t = name ? name + 1 : end; t < end; t = behind(t, end))
                if (!token_is(t, "["))
                        return t + 1 == end && token_is(t, ";") ? add_name(r, name) : 0;
        return 0;
}

/* One added declaration. Returns 1, 0 when it is none of the forms, or -ENOMEM. */
static int read_item(Reading *r, size_t last) {
        const Token *first = r->tokens.items + r->item, *end = r->tokens.items + last + 1;

        for (const Token *t = first; t < end; t++) {
                if (token_is(t, "(") && !token_is(first, "enum"))
                        return read_function(r, first, t, end);
                if (token_is(t, "{") || token_is(t, "="))
                        break;
        }
        if (token_is(first, "struct") || token_is(first, "union"))
                return read_structure(r, first, end);
        if (token_is(first, "enum"))
                return read_enumeration(r, first, end);
        return token_is(first, "extern") ? read_variable(r, first, end) : 0;
}

/*
 * Macros whose presence is asked for without their name: include/linux/kconfig.h makes it of CONFIG_… and
 * __ARG_PLACEHOLDER_…, include/linux/export.h of __KSYM_….
 */
static bool is_asked_for(const Token *name) {
        return startswith(name->at, "__") || startswith(name->at, "CONFIG_");
}

/* "#define NAME…" and conditions that end where they begin */
static int read_directive(Reading *r, const Token *t) {
        const char *at = t->at + 1, *end = t->at + t->length;
        Token name;
        size_t n = 0;

        while (at < end && (*at == ' ' || *at == '\t'))
                at++;
        while (at + n < end && isalpha((unsigned char) at[n]))
                n++;
        if (n >= 2 && memcmp(at, "if", 2) == 0) {
                r->conditions++;
                return 1;
        }
        if (n == 5 && memcmp(at, "endif", 5) == 0)
                return r->conditions > 0 ? (r->conditions--, 1) : 0;
        if (n == 4 && (memcmp(at, "else", 4) == 0 || memcmp(at, "elif", 4) == 0))
                return r->conditions > 0;
        if (n != 6 || memcmp(at, "define", 6) != 0)
                return 0;
        for (at += n; at < end && (*at == ' ' || *at == '\t'); at++)
                ;
        for (n = 0; at + n < end && (isalnum((unsigned char) at[n]) || at[n] == '_'); n++)
                ;
        name = (Token) { .kind = TOKEN_WORD, .at = at, .length = n };
        if (n == 0 || is_asked_for(&name) || (at + n < end && at[n] == '\\')) /* it goes on in the next line */
                return 0;
        return add_name(r, &name);
}

/* Follows the brackets; true when a declaration ends with this token. False also: more are closed than open. */
static bool follow(Reading *r, size_t i) {
        const Token *t = r->tokens.items + i;

        if (is_open(t)) {
                if (r->depth++ == 0)
                        r->body = token_is(t, "{") && i > 0 && token_is(t - 1, ")");
                return false;
        }
        if (is_close(t))
                return r->depth-- == 1 && r->body && token_is(t, "}");
        return r->depth == 0 && token_is(t, ";");
}

static int read_token(Reading *r, size_t i) {
        const Token *t = r->tokens.items + i;
        bool begins = i == 0 || t->added != t[-1].added;

        /* Old and new meet only between declarations. */
        if (begins && (r->depth > 0 || !r->boundary || r->conditions > 0))
                return 0;
        if (t->kind == TOKEN_DIRECTIVE)
                return t->added ? (r->depth == 0 && r->boundary ? read_directive(r, t) : 0) : 1;
        if (is_close(t) && r->depth == 0)
                return 0;
        if (r->boundary)
                r->item = i;
        r->boundary = follow(r, i);
        return r->boundary && t->added ? read_item(r, i) : 1;
}

/**
 * additions_find() - the names that a change of a header adds, when it does nothing else
 * @before, @after: the header's text
 * @ret_names: sorted in no way; may be NULL, where it adds comments only
 *
 * Return: 1 and the names; 0 when the change does more, or may; or -ENOMEM.
 */
int additions_find(const char *before, const char *after, char ***ret_names) {
        Reading reading = { .boundary = true };
        int r;

        r = tokens_scan(before, after, &reading.tokens);
        for (size_t i = 0; r > 0 && i < reading.tokens.n; i++)
                r = read_token(&reading, i);
        if (r > 0)
                r = reading.depth == 0 && reading.boundary && reading.conditions == 0;
        tokens_done(&reading.tokens);
        if (r > 0)
                *ret_names = reading.names;
        else
                strv_free(reading.names);
        return r;
}
