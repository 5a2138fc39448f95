/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which symbol after the fix is which one before.
 *
 * Global names and those of file scope are themselves. What is left are names that the compiler
 * numbered: static locals (`count.3`), variants of functions (`f.constprop.1`), and what macros make
 * (`__already_done.7`, `__UNIQUE_ID_ddebug512.4`). They are decided by who refers to them: of two functions
 * that are the same one, the references are laid beside each other (align.c), and each pair is a vote.
 * If the code around changed too much for that, the only one of its name in a function is still itself.
 * What no function refers to is paired by content, in the order of the file.
 *
 * A static local that no common function refers to is not correlated, even if it is the only one of its name:
 * whether it is the same variable cannot be known, and the wrong answer would share state that was
 * never meant to be shared. The functions that use it then count as changed and say why.
 */

#include <elf.h>

#include "builder/compare/compare-internal.h"

/* Pairs found in one round vote in the next; static locals of variants of functions need two. */
#define ROUNDS 4U

/** struct Candidate - a local symbol, by what it may be paired with */
typedef struct Candidate {
        uint64_t token;
        uint32_t symbol;
        bool code;
} Candidate;

typedef struct Candidates {
        Candidate *items;
        size_t n;
} Candidates;

static bool symbol_is_code(const Object *o, uint32_t symbol) {
        return o->sections[o->symbols[symbol].section].flags & SHF_EXECINSTR;
}

static void pair(Changes *c, uint32_t before, uint32_t after) {
        c->after_of[before] = after;
        c->symbols[after].before = before;
}

static bool is_paired(const Changes *c, uint32_t before, uint32_t after) {
        return c->after_of[before] != 0 || c->symbols[after].before != 0;
}

/* It may be undefined after: what moved to another file is still the running kernel's. What was undefined before
 * and is defined after is new in this object. */
static void pair_globals(Changes *c) {
        for (uint32_t a = 1; a < c->after->n_symbols; a++) {
                const ObjectSymbol *s = c->after->symbols + a;
                uint32_t b;

                if (s->bind == STB_LOCAL || s->section == SHN_COMMON || !*s->name)
                        continue;
                b = object_find(c->before, s->name);
                if (b && c->before->symbols[b].bind != STB_LOCAL && !is_paired(c, b, a) &&
                                (s->section == SHN_UNDEF || c->before->symbols[b].section != SHN_UNDEF))
                        pair(c, b, a);
        }
}

/* `static` came or went: what is left of the same name. */
static void pair_left_by_name(Changes *c) {
        for (uint32_t a = 1; a < c->after->n_symbols; a++) {
                const char *name = c->after->symbols[a].name;
                uint32_t b;

                if (!symbol_is_compared(c->after, a) || object_base_name_length(name) != strlen(name))
                        continue;
                b = object_find(c->before, name);
                if (b && !is_paired(c, b, a) && symbol_is_compared(c->before, b) &&
                                symbol_is_code(c->before, b) == symbol_is_code(c->after, a))
                        pair(c, b, a);
        }
}

static int compare_candidates(const void *a, const void *b) {
        const Candidate *x = a, *y = b;

        if (x->token != y->token)
                return x->token < y->token ? -1 : 1;
        if (x->code != y->code)
                return x->code ? -1 : 1;
        return x->symbol < y->symbol ? -1 : x->symbol > y->symbol;
}

static int candidates_read(const Object *o, Candidates *ret) {
        Candidates c = { .items = calloc(o->n_symbols, sizeof(Candidate)) };

        if (!c.items)
                return -ENOMEM;
        for (uint32_t i = 1; i < o->n_symbols; i++)
                if (o->symbols[i].bind == STB_LOCAL && symbol_is_compared(o, i))
                        c.items[c.n++] = (Candidate) {
                                .token = name_token(o->symbols[i].name),
                                .symbol = i,
                                .code = symbol_is_code(o, i),
                        };
        qsort(c.items, c.n, sizeof(*c.items), compare_candidates);
        *ret = c;
        return 0;
}

static bool same_group(const Candidate *a, const Candidate *b) {
        return a->token == b->token && a->code == b->code;
}

/* How many candidates from @i on are of one group. */
static size_t group_size(const Candidates *c, size_t i) {
        size_t n = 0;

        while (i + n < c->n && same_group(c->items + i, c->items + i + n))
                n++;
        return n;
}

static bool name_has_number(const Object *o, uint32_t symbol) {
        const char *name = o->symbols[symbol].name;

        return object_base_name_length(name) != strlen(name) || startswith(name, "__UNIQUE_ID_");
}

static bool content_equal(const Changes *c, uint32_t before, uint32_t after) {
        const ObjectSymbol *b = c->before->symbols + before, *a = c->after->symbols + after;
        const uint8_t *b_bytes = symbol_bytes(c->before, before), *a_bytes = symbol_bytes(c->after, after);
        const ObjectRelocation *b_relocations, *a_relocations;
        size_t b_n, a_n;

        if (b->size != a->size || c->before->sections[b->section].kind != c->after->sections[a->section].kind ||
                        !b_bytes != !a_bytes || (b_bytes && memcmp(b_bytes, a_bytes, b->size) != 0))
                return false;
        b_relocations = object_symbol_fields(c->before, before, &b_n);
        a_relocations = object_symbol_fields(c->after, after, &a_n);
        if (b_n != a_n)
                return false;
        for (size_t i = 0; i < b_n; i++)
                if (b_relocations[i].offset - b->value != a_relocations[i].offset - a->value ||
                                relocation_token(c->before, b_relocations + i) !=
                                relocation_token(c->after, a_relocations + i))
                        return false;
        return true;
}

typedef void (*GroupFunction)(Changes *c, const Candidate *before, size_t n_before, const Candidate *after,
                size_t n_after);

static void for_each_group(Changes *c, const Candidates *before, const Candidates *after, GroupFunction f) {
        for (size_t b = 0, a = 0; b < before->n && a < after->n;) {
                size_t n_b = group_size(before, b), n_a = group_size(after, a);

                if (same_group(before->items + b, after->items + a)) {
                        f(c, before->items + b, n_b, after->items + a, n_a);
                        b += n_b;
                        a += n_a;
                } else if (compare_candidates(before->items + b, after->items + a) < 0)
                        b += n_b;
                else
                        a += n_a;
        }
}

/* Names of file scope occur once; a variant that is alone before and after is the same one. */
static void pair_singles(Changes *c, const Candidate *before, size_t n_before, const Candidate *after,
                size_t n_after) {
        if (n_before == 1 && n_after == 1 && !is_paired(c, before->symbol, after->symbol) &&
                        (before->code || (!name_has_number(c->before, before->symbol) &&
                                                !name_has_number(c->after, after->symbol))))
                pair(c, before->symbol, after->symbol);
}

/* What the program never changes is the same when its bytes are. What is writable and was not decided by
 * who uses it stays open, but for what nothing at all refers to. */
static bool content_decides(const Object *o, uint32_t symbol) {
        if (o->symbols[symbol].size == 0)
                return true;
        switch (o->sections[o->symbols[symbol].section].kind) {
        case OBJECT_READ_ONLY:
        case OBJECT_STRINGS:
        case OBJECT_INIT:
        case OBJECT_TABLE:
        case OBJECT_EXPORT:
        case OBJECT_IGNORED:
                return true;
        default:
                return startswith(o->symbols[symbol].name, "__UNIQUE_ID_") ||
                                startswith(o->symbols[symbol].name, "__param");
        }
}

static void pair_by_content(Changes *c, const Candidate *before, size_t n_before, const Candidate *after,
                size_t n_after) {
        for (size_t b = 0; b < n_before; b++)
                for (size_t a = 0; a < n_after; a++)
                        if (!is_paired(c, before[b].symbol, after[a].symbol) &&
                                        content_decides(c->before, before[b].symbol) &&
                                        content_equal(c, before[b].symbol, after[a].symbol)) {
                                pair(c, before[b].symbol, after[a].symbol);
                                break;
                        }
}

/* Could they be one static local? Same name, size and kind, and in one and the same function. */
static bool share_function(const Changes *c, uint32_t before, uint32_t after) {
        const ObjectSymbol *b = c->before->symbols + before, *a = c->after->symbols + after;

        if (c->after_of[before] || c->symbols[after].before || b->size != a->size ||
                        c->before->sections[b->section].kind != c->after->sections[a->section].kind)
                return false;
        for (uint32_t f = 1; f < c->after->n_symbols; f++)
                if (c->symbols[f].before && object_symbol_is_function(c->after, f) &&
                                object_symbol_is_defined(c->after, f) &&
                                object_symbol_is_defined(c->before, c->symbols[f].before) &&
                                object_symbol_refers_to(c->after, f, after) &&
                                object_symbol_refers_to(c->before, c->symbols[f].before, before))
                        return true;
        return false;
}

static size_t count_partners(const Changes *c, const Candidate *before, size_t n_before, const Candidate *after,
                size_t n_after) {
        size_t n = 0;

        for (size_t b = 0; b < n_before; b++)
                for (size_t a = 0; a < n_after; a++)
                        n += share_function(c, before[b].symbol, after[a].symbol);
        return n;
}

/* Where the code around changed too much to lay references beside each other. Only if there is no choice. */
static void pair_by_function(Changes *c, const Candidate *before, size_t n_before, const Candidate *after,
                size_t n_after) {
        if (before->code)
                return;
        for (size_t b = 0; b < n_before; b++)
                for (size_t a = 0; a < n_after; a++)
                        if (share_function(c, before[b].symbol, after[a].symbol) &&
                                        count_partners(c, before + b, 1, after, n_after) == 1 &&
                                        count_partners(c, before, n_before, after + a, 1) == 1) {
                                pair(c, before[b].symbol, after[a].symbol);
                                break;
                        }
}

/* A part that is seldom run follows the function that it was taken from. */
static void pair_parts(Changes *c) {
        for (uint32_t a = 1; a < c->after->n_symbols; a++) {
                uint32_t parent, parent_before;

                if (c->symbols[a].before || !object_symbol_is_function(c->after, a))
                        continue;
                parent = object_function_parent(c->after, a);
                parent_before = c->symbols[parent].before;
                if (parent == a || !parent_before)
                        continue;
                for (uint32_t b = 1; b < c->before->n_symbols; b++)
                        if (b != parent_before && !c->after_of[b] && object_symbol_is_function(c->before, b) &&
                                        object_function_parent(c->before, b) == parent_before) {
                                pair(c, b, a);
                                break;
                        }
        }
}

static int compare_votes(const void *a, const void *b) {
        const Vote *x = a, *y = b;

        if (x->before != y->before)
                return x->before < y->before ? -1 : 1;
        return x->after < y->after ? -1 : x->after > y->after;
}

/* Heaviest first; ties in the order of the file, that the result does not depend on sorting. */
static int compare_weights(const void *a, const void *b) {
        const Vote *x = a, *y = b;

        if (x->weight != y->weight)
                return x->weight > y->weight ? -1 : 1;
        return compare_votes(a, b);
}

static void votes_sum(Votes *v) {
        size_t n = 0;

        qsort(v->items, v->n, sizeof(*v->items), compare_votes);
        for (size_t i = 0; i < v->n; i++)
                if (n > 0 && compare_votes(v->items + n - 1, v->items + i) == 0)
                        v->items[n - 1].weight += v->items[i].weight;
                else
                        v->items[n++] = v->items[i];
        v->n = n;
}

/* Of two that were voted for equally the one with the same content is the better. */
static void votes_weigh_content(const Changes *c, Votes *v) {
        for (size_t i = 0; i < v->n; i++) {
                Vote *w = v->items + i;

                w->weight = w->weight < UINT32_MAX / 4 ? w->weight * 2 : w->weight;
                if (content_equal(c, w->before, w->after))
                        w->weight++;
        }
}

/* Return: 1: something was paired, 0: nothing, or -ENOMEM. */
static int pair_by_votes(const Comparison *x) {
        Changes *c = x->changes;
        Votes v = { 0 };
        _cleanup_free_ Vote *items = NULL;
        int r = 0, found = 0;

        for (uint32_t a = 1; a < c->after->n_symbols && r >= 0; a++) {
                uint32_t b = c->symbols[a].before;

                if (b && symbol_is_compared(c->after, a) && symbol_is_compared(c->before, b))
                        r = align(x, b, a, &v);
        }
        items = v.items;
        if (r < 0)
                return r;
        if (v.n == 0)
                return 0;
        votes_sum(&v);
        votes_weigh_content(c, &v);
        qsort(v.items, v.n, sizeof(*v.items), compare_weights);
        for (size_t i = 0; i < v.n; i++)
                if (!is_paired(c, v.items[i].before, v.items[i].after) &&
                                symbol_is_code(c->before, v.items[i].before) ==
                                                symbol_is_code(c->after, v.items[i].after)) {
                        pair(c, v.items[i].before, v.items[i].after);
                        found = 1;
                }
        return found;
}

/**
 * correlate() - fill `after_of` and `before` of all symbols
 * @x: its changes have arrays that are all zero, its tables are read
 *
 * Return: 0 or -ENOMEM.
 */
int correlate(Comparison *x) {
        Changes *c = x->changes;
        Candidates before = { 0 }, after = { 0 };
        _cleanup_free_ Candidate *before_items = NULL, *after_items = NULL;
        int r;

        pair_globals(c);
        r = candidates_read(c->before, &before);
        if (r < 0)
                return r;
        before_items = before.items;
        r = candidates_read(c->after, &after);
        if (r < 0)
                return r;
        after_items = after.items;
        for_each_group(c, &before, &after, pair_singles);
        for (unsigned i = 0; i < ROUNDS; i++) {
                pair_parts(c);
                r = pair_by_votes(x);
                if (r < 0)
                        return r;
                if (r == 0)
                        break;
        }
        for_each_group(c, &before, &after, pair_by_function);
        for_each_group(c, &before, &after, pair_by_content);
        pair_parts(c);
        pair_left_by_name(c);
        return 0;
}
