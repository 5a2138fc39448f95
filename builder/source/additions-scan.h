/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The tokens of a C text, each with whether it was added; for additions.c. */

#include "util/base.h"

typedef enum TokenKind {
        TOKEN_WORD,      /* identifiers, keywords, numbers */
        TOKEN_TEXT,      /* string or character */
        TOKEN_SIGN,      /* one character */
        TOKEN_DIRECTIVE, /* a whole line of the preprocessor, with those it continues on */
} TokenKind;

typedef struct Token {
        TokenKind kind;
        bool added;
        const char *at; /* in the text */
        size_t length;
} Token;

typedef struct Tokens {
        Token *items;
        size_t n;
} Tokens;

bool token_is(const Token *t, const char *word);
int tokens_scan(const char *before, const char *after, Tokens *ret) _must_check_ _nonnull_(1, 2, 3);
void tokens_done(Tokens *t);
