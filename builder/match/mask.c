/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is left of a function when the bytes that a running kernel may have changed are taken out, and
 * its digest. With it a daemon can tell, without knowing the rules here, that the code in memory is the
 * code that a patch was made for.
 *
 * Fields that move with KASLR are masked although the daemon could work out their values: a digest
 * needs no knowledge of addresses, and everything in between is still compared.
 */

#include "builder/match/matcher.h"

#define ENDBR_SIZE 4U  /* endbr64 */
#define FTRACE_SIZE 5U /* arch/x86/include/asm/ftrace.h: MCOUNT_INSN_SIZE */

typedef struct Ranges {
        MatchRange *items;
        size_t n;
        size_t room;
        uint64_t size; /* of the function */
} Ranges;

/** match_free() - Return: NULL */
Match *match_free(Match *match) {
        if (!match)
                return NULL;
        free(match->masked);
        free(match);
        return NULL;
}

static void match_freep(Match **match) {
        match_free(*match);
}

static int add_range(Ranges *ranges, uint64_t offset, uint64_t size) {
        MatchRange *grown;

        if (offset >= ranges->size || size == 0)
                return 0;
        if (size > ranges->size - offset)
                size = ranges->size - offset;
        if (ranges->n == ranges->room) {
                grown = reallocarray(ranges->items, 2 * ranges->room + 16, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                ranges->items = grown;
                ranges->room = 2 * ranges->room + 16;
        }
        ranges->items[ranges->n++] = (MatchRange) { (uint32_t) offset, (uint32_t) size };
        return 0;
}

static int add_sites(const Matcher *m, uint64_t address, const uint8_t *code, Ranges *ranges) {
        const Site *end = m->sites.items + m->sites.n;
        int r = 0;

        for (const Site *s = sites_from(&m->sites, address);
             r >= 0 && s < end && s->address < address + ranges->size; s++) {
                uint64_t offset = s->address - address;
                uint32_t size = s->size;
                Insn i;

                if (size == 0) {
                        if (insn_decode(code + offset, ranges->size - offset, &i) < 0)
                                return -EBADMSG;
                        size = i.length;
                }
                r = add_range(ranges, offset, size);
        }
        return r;
}

static int add_ftrace(const Matcher *m, uint64_t address, const uint8_t *code, Ranges *ranges) {
        static const uint8_t endbr[ENDBR_SIZE] = { 0xf3, 0x0f, 0x1e, 0xfa };

        if (!image_ftrace_site(m->image, address))
                return 0;
        if (ranges->size > sizeof(endbr) && memcmp(code, endbr, sizeof(endbr)) == 0)
                return add_range(ranges, ENDBR_SIZE, FTRACE_SIZE);
        return add_range(ranges, 0, FTRACE_SIZE);
}

static int add_moving(const Matcher *m, uint64_t address, const uint8_t *code, Ranges *ranges) {
        int r = 0;
        Insn i;

        for (uint64_t at = 0; at < ranges->size && r >= 0; at += i.length) {
                if (insn_decode(code + at, ranges->size - at, &i) < 0)
                        return -EBADMSG;
                if (i.displacement_size > 0 && image_relocated(m->image, address + at + i.displacement_offset))
                        r = add_range(ranges, at + i.displacement_offset, i.displacement_size);
                if (r >= 0 && i.immediate_size > 0 &&
                    image_relocated(m->image, address + at + i.immediate_offset))
                        r = add_range(ranges, at + i.immediate_offset, i.immediate_size);
        }
        return r;
}

static int compare_ranges(const void *a, const void *b) {
        const MatchRange *x = a, *y = b;

        return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Sorted, and those that touch each other made one. */
static void merge_ranges(Ranges *ranges) {
        size_t n = 0;

        if (ranges->n == 0)
                return;
        qsort(ranges->items, ranges->n, sizeof(*ranges->items), compare_ranges);
        for (size_t i = 1; i < ranges->n; i++) {
                MatchRange *last = ranges->items + n;
                const MatchRange *next = ranges->items + i;

                if (next->offset > last->offset + last->size)
                        ranges->items[++n] = *next;
                else if (next->offset + next->size > last->offset + last->size)
                        last->size = next->offset + next->size - last->offset;
        }
        ranges->n = n + 1;
}

static int digest_masked(const uint8_t *code, Match *match) {
        _cleanup_free_ uint8_t *copy = malloc(match->size);

        if (!copy)
                return -ENOMEM;
        memcpy(copy, code, match->size);
        for (size_t i = 0; i < match->n_masked; i++)
                memset(copy + match->masked[i].offset, 0, match->masked[i].size);
        return digest_bytes(copy, match->size, match->sha256);
}

/* A static call's trampoline is one jump, and the kernel writes it (arch/x86/kernel/static_call.c). */
static bool is_trampoline(const Matcher *m, const Part *part) {
        return startswith(m->object->symbols[part->symbol].name, "__SCT__"); /* STATIC_CALL_TRAMP_PREFIX */
}

static int collect_ranges(const Matcher *m, const Part *part, const uint8_t *code, Ranges *ranges) {
        int r;

        if (is_trampoline(m, part))
                return add_range(ranges, 0, ranges->size);
        r = add_sites(m, part->address, code, ranges);
        if (r >= 0)
                r = add_ftrace(m, part->address, code, ranges);
        if (r >= 0)
                r = add_moving(m, part->address, code, ranges);
        if (r >= 0)
                merge_ranges(ranges);
        return r;
}

/**
 * match_make() - the result for a part that matched
 * @part: with its size
 * @ret: free with match_free()
 *
 * Return: 0 or a negative errno.
 */
int match_make(const Matcher *m, const Part *part, Match **ret) {
        _cleanup_(match_freep) Match *match = calloc(1, sizeof(*match));
        Ranges ranges = { .size = part->size };
        const uint8_t *code;
        size_t size;
        int r;

        if (!match)
                return -ENOMEM;
        code = image_bytes(m->image, part->address, &size);
        if (!code || size < part->size || part->size > UINT32_MAX)
                return -EBADMSG;
        r = collect_ranges(m, part, code, &ranges);
        match->masked = ranges.items;
        match->n_masked = ranges.n;
        if (r < 0)
                return r;
        match->symbol = part->symbol;
        match->size = part->size;
        match->image = symbol_of(m, part->symbol, part->address);
        if (!match->image)
                return -EBADMSG;
        r = digest_masked(code, match);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(match);
        return 0;
}
