/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * kallsyms: names packed by a table of 256 tokens, and addresses as 32-bit offsets from the kernel's
 * first one (scripts/kallsyms.c).
 *
 * A packaged kernel has no ELF symbols, so nothing says where the tables are; their shape does. Found
 * first is the index of the tokens, 256 rising numbers right behind 256 strings that they count the
 * places of. All else lies at distances that follow from the number of symbols:
 *
 *   until 6.3:  offsets, relative_base, num_syms, names, markers, (seqs_of_names,) token_table, token_index
 *   from 6.4:   num_syms, names, markers, token_table, token_index, offsets, relative_base, seqs_of_names
 *
 * each of them aligned to 8 bytes. The number is right when that many names, walked one by one, end
 * exactly where the markers begin, and every 256th is where its marker says. Chance does not pass that,
 * nor do tables of a form that is not known here: then there is no answer.
 */

#include "builder/image/bytes.h"
#include "builder/image/kallsyms.h"
#include "util/limits.h"

#define N_TOKENS 256U
#define INDEX_SIZE ((size_t) N_TOKENS * 2)
#define ALIGNMENT 8U
/* scripts/kallsyms.c: a marker for each 256 names */
#define NAMES_PER_MARKER 256U
/* Fewer are no kernel, and too few to tell the tables from chance. */
#define SYMBOLS_MIN 16U

/** struct Tables - places in @data, which has @size bytes; 0: not there */
typedef struct Tables {
        const uint8_t *data;
        size_t size;
        size_t tokens;
        size_t index;
        size_t n;
        size_t names;
        size_t markers;
        size_t offsets;
        size_t base;
        size_t sequences;
        bool absolute;
} Tables;

/** kallsyms_done() - free what the tables hold */
void kallsyms_done(Kallsyms *k) {
        free(k->addresses);
        free(k->names);
        free(k->types);
        free(k->pool);
        *k = (Kallsyms) { 0 };
}

static size_t token_at(const Tables *t, unsigned token) {
        return t->tokens + bytes_le16(t->data + t->index + (size_t) 2 * token);
}

static bool index_rises(const uint8_t *p) {
        if (bytes_le16(p) != 0)
                return false;
        for (unsigned i = 1; i < N_TOKENS; i++)
                if (bytes_le16(p + (size_t) 2 * i) <= bytes_le16(p + (size_t) 2 * (i - 1)))
                        return false;
        return true;
}

/* Does each number of the index count the bytes before its string, and end the last one at the index? */
static bool tokens_fit(const Tables *t) {
        for (unsigned i = 0; i < N_TOKENS; i++) {
                size_t at = token_at(t, i), end = i + 1 < N_TOKENS ? token_at(t, i + 1) : t->index;
                size_t length;

                if (at >= end)
                        return false;
                length = strnlen((const char *) t->data + at, end - at);
                if (i + 1 < N_TOKENS ? at + length + 1 != end : bytes_align(at + length + 1, ALIGNMENT) != end)
                        return false;
        }
        return true;
}

/* The strings begin where the last one, of which only the place is known, ends right before the index. */
static bool tokens_find(Tables *t) {
        size_t last = bytes_le16(t->data + t->index + INDEX_SIZE - 2);

        for (size_t length = 1; length <= HOTPATCH_SYMBOL_MAX + 1 + ALIGNMENT && last + length <= t->index; length++) {
                t->tokens = t->index - last - length;
                if (t->tokens % ALIGNMENT == 0 && tokens_fit(t))
                        return true;
        }
        return false;
}

/* The packed length of a name: one byte, or two with the lower seven bits first. 0: none */
static size_t name_length(const Tables *t, size_t *at) {
        size_t n;

        if (*at >= t->markers)
                return 0;
        n = t->data[(*at)++];
        if (n & 0x80) {
                if (*at >= t->markers)
                        return 0;
                n = (n & 0x7f) | (size_t) t->data[(*at)++] << 7;
        }
        return n <= t->markers - *at ? n : 0;
}

static bool names_fit(const Tables *t) {
        size_t at = t->names;

        for (size_t i = 0; i < t->n; i++) {
                size_t length;

                if (i % NAMES_PER_MARKER == 0 &&
                    bytes_le32(t->data + t->markers + i / NAMES_PER_MARKER * 4) != at - t->names)
                        return false;
                length = name_length(t, &at);
                if (length == 0)
                        return false;
                at += length;
        }
        return bytes_align(at, ALIGNMENT) == t->markers;
}

static bool markers_plausible(const Tables *t) {
        size_t last = bytes_le32(t->data + t->markers + (t->n - 1) / NAMES_PER_MARKER * 4);

        return bytes_le32(t->data + t->markers) == 0 && last <= t->markers - t->names;
}

static bool names_find_with(Tables *t, bool sequences) {
        size_t between = bytes_align((t->n + NAMES_PER_MARKER - 1) / NAMES_PER_MARKER * 4, ALIGNMENT);

        if (sequences)
                between += bytes_align(3 * t->n, ALIGNMENT);
        if (between > t->tokens || t->tokens - between <= t->names)
                return false;
        t->markers = t->tokens - between;
        t->sequences = sequences ? t->tokens - bytes_align(3 * t->n, ALIGNMENT) : 0;
        return markers_plausible(t) && names_fit(t);
}

/*
 * CONFIG_KALLSYMS_ABSOLUTE_PERCPU: offsets of 0 and above are addresses, those below are counted from
 * the base (kernel/kallsyms.c, kallsyms_sym_address()). Without it all are counted from the base, and
 * none is that large.
 */
static uint64_t address_of(const Tables *t, size_t symbol) {
        uint64_t base = bytes_le64(t->data + t->base);
        uint32_t u = bytes_le32(t->data + t->offsets + 4 * symbol);
        int64_t s = (int32_t) u;

        if (!t->absolute)
                return base + u;
        return s >= 0 ? (uint64_t) s : base - 1 - (uint64_t) s;
}

/* Do the addresses rise, up to the half of memory that is the kernel's? */
static bool offsets_fit(Tables *t) {
        t->absolute = false;
        for (size_t i = 0; i < t->n; i++)
                t->absolute |= (int32_t) bytes_le32(t->data + t->offsets + 4 * i) < 0;
        for (size_t i = 1; i < t->n; i++)
                if (address_of(t, i) < address_of(t, i - 1))
                        return false;
        return (int64_t) address_of(t, t->n - 1) < 0;
}

/* Behind the index of the tokens, or before the names. */
static bool offsets_find(Tables *t) {
        size_t length = bytes_align(4 * t->n, ALIGNMENT), number = t->names - ALIGNMENT;
        size_t behind = t->size - t->index - INDEX_SIZE;

        if (t->sequences == 0 && behind >= length + 8 + 3 * t->n) {
                t->offsets = t->index + INDEX_SIZE;
                t->base = t->offsets + length;
                t->sequences = t->base + 8;
                if (offsets_fit(t))
                        return true;
                t->sequences = 0;
        }
        if (number < length + 8)
                return false;
        t->base = number - 8;
        t->offsets = t->base - length;
        return offsets_fit(t);
}

static bool names_find(Tables *t) {
        for (size_t at = t->tokens; at >= ALIGNMENT; at -= ALIGNMENT) {
                t->n = bytes_le32(t->data + at - ALIGNMENT);
                if (t->n < SYMBOLS_MIN || t->n > HOTPATCH_KALLSYMS_MAX ||
                    bytes_le32(t->data + at - ALIGNMENT + 4) != 0)
                        continue;
                t->names = at;
                if ((names_find_with(t, true) || names_find_with(t, false)) && offsets_find(t))
                        return true;
        }
        return false;
}

/* The order by name names each symbol once. */
static int sequences_check(const Tables *t) {
        _cleanup_free_ uint8_t *seen = calloc(t->n, 1);

        if (!seen)
                return -ENOMEM;
        for (size_t i = 0; i < t->n; i++) {
                const uint8_t *p = t->data + t->sequences + 3 * i;
                size_t number = (size_t) p[0] << 16 | (size_t) p[1] << 8 | p[2];

                if (number >= t->n || seen[number])
                        return -EBADMSG;
                seen[number] = 1;
        }
        return 0;
}

static int addresses_read(const Tables *t, Kallsyms *k) {
        k->addresses = calloc(t->n, sizeof(*k->addresses));
        if (!k->addresses)
                return -ENOMEM;
        for (size_t i = 0; i < t->n; i++)
                k->addresses[i] = address_of(t, i);
        return 0;
}

/* Unpacks one name into @out, which has room for a type and the longest name. Returns its length or 0. */
static size_t name_unpack(const Tables *t, size_t *at, char *out) {
        size_t packed = name_length(t, at), n = 0;

        for (size_t i = 0; i < packed; i++) {
                const char *token = (const char *) t->data + token_at(t, t->data[*at + i]);
                size_t length = strlen(token);

                if (length > HOTPATCH_SYMBOL_MAX + 1 - n)
                        return 0;
                memcpy(out + n, token, length);
                n += length;
        }
        *at += packed;
        return n;
}

static int names_read(const Tables *t, Kallsyms *k) {
        size_t room = 0, used = 0, at = t->names;

        k->names = calloc(t->n, sizeof(*k->names));
        k->types = malloc(t->n);
        if (!k->names || !k->types)
                return -ENOMEM;
        for (size_t i = 0; i < t->n; i++) {
                char name[HOTPATCH_SYMBOL_MAX + 1];
                size_t n;

                if (room - used <= sizeof(name)) {
                        char *more;

                        room = room ? room * 2 : 1024 * 1024;
                        if (room > HOTPATCH_KALLSYMS_NAMES_MAX)
                                return -EFBIG;
                        more = realloc(k->pool, room);
                        if (!more)
                                return -ENOMEM;
                        k->pool = more;
                }
                n = name_unpack(t, &at, name);
                if (n < 2)
                        return -EBADMSG;
                k->types[i] = name[0];
                k->names[i] = (uint32_t) used;
                memcpy(k->pool + used, name + 1, n - 1);
                used += n;
                k->pool[used - 1] = 0;
        }
        return 0;
}

static int tables_read(const Tables *t, Kallsyms *ret) {
        _cleanup_(kallsyms_done) Kallsyms k = { .n = t->n };
        int r = t->sequences ? sequences_check(t) : 0;

        if (r >= 0)
                r = addresses_read(t, &k);
        if (r >= 0)
                r = names_read(t, &k);
        if (r < 0)
                return r;
        *ret = k;
        k = (Kallsyms) { 0 };
        return 0;
}

/**
 * kallsyms_read() - find and unpack the tables
 * @data: the kernel's .rodata, aligned as it is there
 * @ret: to be given to kallsyms_done(); addresses do not fall
 *
 * Return: 0, -ENOENT when there are no tables of a known form, -EBADMSG when what they say cannot be,
 * -EFBIG for names without end, or -ENOMEM.
 */
int kallsyms_read(const uint8_t *data, size_t size, Kallsyms *ret) {
        Tables t = { .data = data, .size = size };

        for (size_t at = 0; at + INDEX_SIZE <= size; at += ALIGNMENT) {
                if (bytes_le64(data + at) == 0 || !index_rises(data + at))
                        continue;
                t.index = at;
                if (tokens_find(&t) && names_find(&t))
                        return tables_read(&t, ret);
        }
        return -ENOENT;
}
