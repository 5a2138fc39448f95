/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One attempt: is the function that the compiler made here the one at this address? The attempt has no
 * effect outside of itself. What it learns about other symbols is believed only when all of it matched,
 * so a candidate that fails late leaves nothing behind.
 */

#include "builder/match/matcher.h"

#include <elf.h>
#include <inttypes.h>

/* A function has one .cold part, and some pieces of .altinstr_aux, one for each static_cpu_has(). */
#define PARTS_MAX 1024U

/** body_done() - free what a body owns; it may be used again */
void body_done(Body *b) {
        for (size_t i = 0; i < b->n_parts; i++)
                free(b->parts[i].points);
        free(b->parts);
        free(b->branches);
        free(b->places);
        free(b->difference);
        *b = (Body) {};
}

static int append(void **array, size_t *n, const void *item, size_t size) {
        if ((*n & (*n - 1)) == 0) { /* 0, 1, 2, 4 … */
                void *grown = reallocarray(*array, *n ? 2 * *n : 1, size);

                if (!grown)
                        return -ENOMEM;
                *array = grown;
        }
        memcpy((uint8_t *) *array + *n * size, item, size);
        (*n)++;
        return 0;
}

/** body_add_part() - one more piece to match; nothing happens when it is there already at that address.
 *  Return: 1, 0 when it is there at another address, or a negative errno */
int body_add_part(Body *b, uint32_t symbol, uint32_t section, uint64_t start, uint64_t end, uint64_t address) {
        Part part = {
                .symbol = symbol,
                .section = section,
                .start = start,
                .end = end,
                .address = address,
        };
        int r;

        for (size_t i = 0; i < b->n_parts; i++)
                if (b->parts[i].section == section && b->parts[i].start == start)
                        return b->parts[i].address == address;
        if (b->n_parts >= PARTS_MAX)
                return -E2BIG;
        r = append((void **) &b->parts, &b->n_parts, &part, sizeof(part));
        return r < 0 ? r : 1;
}

int body_add_branch(Body *b, const Branch *branch) {
        return append((void **) &b->branches, &b->n_branches, branch, sizeof(*branch));
}

int body_add_place(Body *b, uint32_t symbol, uint64_t address) {
        Place place = { symbol, address };

        return append((void **) &b->places, &b->n_places, &place, sizeof(place));
}

/** body_part() - the part that a place of the object lies in, or ends with it; or NULL */
const Part *body_part(const Body *b, uint32_t section, uint64_t offset) {
        const Part *ends = NULL;

        for (size_t i = 0; i < b->n_parts; i++) {
                const Part *p = b->parts + i;

                if (p->section != section || offset < p->start || offset > p->end)
                        continue;
                if (offset < p->end)
                        return p;
                ends = p;
        }
        return ends;
}

/* Where the image has an instruction of the object; false: no instruction begins there. */
static bool map_place(const Body *b, uint32_t section, uint64_t offset, uint64_t *ret) {
        const Part *part = body_part(b, section, offset);
        size_t low = 0, high = part ? part->n_points : 0;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (part->points[middle].offset < offset)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (!part || low == part->n_points || part->points[low].offset != offset)
                return false;
        *ret = part->points[low].address;
        return true;
}

static int check_branches(const Matcher *m, Body *b) {
        for (size_t i = 0; i < b->n_branches; i++) {
                const Branch *branch = b->branches + i;
                uint64_t address;

                if (!map_place(b, branch->section, branch->target, &address) || address != branch->address)
                        return explain_instruction(m, b, branch->from_section, branch->from);
        }
        return 1;
}

/* One symbol has one address, within this function and compared with what is known. */
static int compare_places(const void *a, const void *b) {
        const Place *x = a, *y = b;

        if (x->symbol != y->symbol)
                return x->symbol < y->symbol ? -1 : 1;
        return x->address < y->address ? -1 : x->address > y->address;
}

static int check_places(const Matcher *m, Body *b) {
        if (b->n_places > 0)
                qsort(b->places, b->n_places, sizeof(*b->places), compare_places);
        for (size_t i = 1; i < b->n_places; i++)
                if (b->places[i].symbol == b->places[i - 1].symbol &&
                    b->places[i].address != b->places[i - 1].address)
                        return explain(b, "refers to '%s' everywhere, where the image refers to 0x%" PRIx64
                                       " and to 0x%" PRIx64, m->object->symbols[b->places[i].symbol].name,
                                       b->places[i - 1].address, b->places[i].address);
        return 1;
}

/* All parts of a function and what is between them, without a look at what comes after. */
static int match_parts(Matcher *m, uint32_t function, uint64_t address, Body *b) {
        const ObjectSymbol *s = m->object->symbols + function;
        int r;

        b->function = function;
        r = body_add_part(b, function, s->section, s->value, s->value + s->size, address);
        for (size_t i = 0; i < b->n_parts && r > 0; i++)
                r = part_walk(m, b, i);
        if (r > 0)
                r = check_branches(m, b);
        if (r > 0)
                r = check_places(m, b);
        return r;
}

static size_t skip_filling(const uint8_t *code, size_t size) {
        size_t at = 0;
        Insn i;

        while (at < size && insn_decode(code + at, size - at, &i) == 0 &&
               (i.kind == INSN_NOP || i.kind == INSN_INT3) && i.length <= size - at)
                at += i.length;
        return at;
}

/*
 * A weak function that another object overrides loses its name in the image, and its code stays behind.
 * Which one it is, only a comparison can tell. Return: 1 and its size, 0 none, or a negative errno.
 */
static int match_overridden(Matcher *m, uint64_t address, uint64_t *ret_size) {
        for (uint32_t i = 1; i < m->object->n_symbols; i++) {
                const ObjectSymbol *s = m->object->symbols + i;
                Body b = {};
                int r;

                if (s->bind != STB_WEAK || s->size == 0 || !object_symbol_is_function(m->object, i) ||
                    !object_symbol_is_defined(m->object, i))
                        continue;
                r = match_parts(m, i, address, &b);
                if (r > 0)
                        *ret_size = b.parts[0].size;
                body_done(&b);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* What the image has between a part's end and the next symbol must be nothing. */
static int check_end(Matcher *m, Body *b, const Part *part) {
        uint64_t end = part->address + part->size, size, weak;
        const ImageSymbol *symbol = image_covering(m->image, end - 1);
        const uint8_t *code;
        size_t room;

        if (part->symbol == 0)
                return 1;
        if (!symbol || symbol->address != part->address)
                return explain(b, "ends at 0x%" PRIx64 ", where the image has another symbol", end);
        for (size = part->size; size < symbol->size; size += weak) {
                int r;

                code = image_bytes(m->image, symbol->address + size, &room);
                if (!code)
                        break;
                size += skip_filling(code, room < symbol->size - size ? room : symbol->size - size);
                if (size >= symbol->size)
                        break;
                r = match_overridden(m, symbol->address + size, &weak);
                if (r <= 0)
                        return r < 0 ? r : explain(b, "has %" PRIu64 " bytes, in the image it goes on at 0x%" PRIx64,
                                                   part->size, symbol->address + size);
        }
        return 1;
}

/**
 * body_match() - compare a function of the object with what lies at an address
 * @function: its symbol, with a size
 * @address: in the image
 * @ret: what was found; with 0 its difference. body_done() it in both cases
 *
 * Return: 1 it is the same, 0 it is not, or a negative errno.
 */
int body_match(Matcher *m, uint32_t function, uint64_t address, Body *ret) {
        Body b = {};
        int r;

        r = match_parts(m, function, address, &b);
        for (size_t i = 0; i < b.n_parts && r > 0; i++)
                r = check_end(m, &b, b.parts + i);
        if (r < 0)
                body_done(&b);
        *ret = b;
        return r;
}
