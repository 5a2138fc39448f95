/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Two lists of references, laid beside each other.
 *
 * When a function changed, the things it refers to still come in nearly the same order. The longest
 * common subsequence of both lists (of tokens, see names.c) says which reference before is which one
 * after; each pair in it is a vote that the two symbols are the same thing.
 */

#include <elf.h>

#include "builder/compare/compare-internal.h"

/* Cells of the table of a longest common subsequence: 4 bytes each. A function that refers to 2000 things
 * and changed from its first line to its last reaches it; such a one does not vote. */
#define CELLS_MAX ((size_t) 4 * 1024 * 1024)

/* Votes of a function that did not change weigh more than all of those that did. */
#define WEIGHT_SAME 1024U
#define WEIGHT_CHANGED 1U

typedef struct References {
        const ObjectRelocation **relocations;
        uint64_t *tokens;
        size_t n;
} References;

static void references_done(References *r) {
        free(r->relocations);
        free(r->tokens);
}

/* Those of the symbol's bytes, then those of its entries in tables: a key of a static branch may be named only
 * there. */
static int references_read(const Object *o, const Tables *t, uint32_t symbol, References *ret) {
        const TableEntry *entries;
        size_t n_entries = tables_of(t, symbol, &entries), n, room;
        const ObjectRelocation *own = object_symbol_fields(o, symbol, &n);

        room = n;
        for (size_t i = 0; i < n_entries; i++)
                room += entries[i].n_relocations;
        ret->relocations = calloc(room ?: 1, sizeof(*ret->relocations));
        ret->tokens = calloc(room ?: 1, sizeof(*ret->tokens));
        if (!ret->relocations || !ret->tokens)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                ret->relocations[ret->n++] = own + i;
        for (size_t i = 0; i < n_entries; i++)
                for (size_t k = 0; k < entries[i].n_relocations; k++)
                        ret->relocations[ret->n++] = entries[i].relocations + k;
        for (size_t i = 0; i < ret->n; i++)
                ret->tokens[i] = relocation_token(o, ret->relocations[i]);
        return 0;
}

/* Symbols that are correlated already need no votes. */
static bool is_open(const Object *o, uint32_t symbol, bool correlated) {
        return !correlated && o->symbols[symbol].bind == STB_LOCAL && symbol_is_compared(o, symbol);
}

static bool has_open(const Changes *c, const References *before) {
        for (size_t i = 0; i < before->n; i++) {
                uint32_t symbol = before->relocations[i]->symbol;

                if (is_open(c->before, symbol, c->after_of[symbol] != 0))
                        return true;
        }
        return false;
}

static int vote(const Changes *c, Votes *v, const ObjectRelocation *before, const ObjectRelocation *after,
                uint32_t weight) {
        if (!is_open(c->before, before->symbol, c->after_of[before->symbol] != 0) ||
                        !is_open(c->after, after->symbol, c->symbols[after->symbol].before != 0))
                return 0;
        if (v->n == v->room) {
                size_t room = v->room ? v->room * 2 : 256;
                Vote *grown = reallocarray(v->items, room, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                v->items = grown;
                v->room = room;
        }
        v->items[v->n++] = (Vote) { before->symbol, after->symbol, weight };
        return 0;
}

static int vote_common(const Changes *c, const References *b, const References *a, size_t from, size_t n_b,
                size_t n_a, Votes *votes) {
        _cleanup_free_ uint32_t *length = NULL;
        size_t width = n_a + 1, i = 0, j = 0;
        int r;

        if (n_b == 0 || n_a == 0 || width > CELLS_MAX / (n_b + 1))
                return 0;
        length = calloc(width * (n_b + 1), sizeof(*length));
        if (!length)
                return -ENOMEM;
        for (size_t x = n_b; x-- > 0;)
                for (size_t y = n_a; y-- > 0;) {
                        uint32_t right = length[x * width + y + 1], down = length[(x + 1) * width + y];

                        if (b->tokens[from + x] == a->tokens[from + y])
                                length[x * width + y] = length[(x + 1) * width + y + 1] + 1;
                        else
                                length[x * width + y] = right > down ? right : down;
                }
        while (i < n_b && j < n_a) {
                if (b->tokens[from + i] == a->tokens[from + j]) {
                        r = vote(c, votes, b->relocations[from + i++], a->relocations[from + j++],
                                WEIGHT_CHANGED);
                        if (r < 0)
                                return r;
                } else if (length[(i + 1) * width + j] >= length[i * width + j + 1])
                        i++;
                else
                        j++;
        }
        return 0;
}

/**
 * align() - votes of two functions or data symbols that are known to be the same
 * @before, @after: the symbols
 * @votes: extended
 *
 * Return: 0 or -ENOMEM.
 */
int align(const Comparison *x, uint32_t before, uint32_t after, Votes *votes) {
        _cleanup_(references_done) References b = { 0 }, a = { 0 };
        const Changes *c = x->changes;
        size_t head = 0, tail = 0, least;
        uint32_t weight;
        int r;

        r = references_read(c->before, &x->before_tables, before, &b);
        if (r < 0 || !has_open(c, &b))
                return r;
        r = references_read(c->after, &x->after_tables, after, &a);
        if (r < 0)
                return r;
        least = b.n < a.n ? b.n : a.n;
        while (head < least && b.tokens[head] == a.tokens[head])
                head++;
        while (tail < least - head && b.tokens[b.n - tail - 1] == a.tokens[a.n - tail - 1])
                tail++;
        weight = head == b.n && b.n == a.n && c->before->symbols[before].size == c->after->symbols[after].size
                        ? WEIGHT_SAME : WEIGHT_CHANGED;
        for (size_t i = 0; i < head + tail; i++) {
                size_t k = i < head ? i : b.n - (i - head) - 1, m = i < head ? i : a.n - (i - head) - 1;

                r = vote(c, votes, b.relocations[k], a.relocations[m], weight);
                if (r < 0)
                        return r;
        }
        return vote_common(c, &b, &a, head, b.n - head - tail, a.n - head - tail, votes);
}
