/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Is this the same code, is this the same data?
 *
 * Bytes are compared outside relocated fields; fields by what they refer to: the correlated symbol and the
 * same distance from it. Strings and other mergeable constants are their content, wherever the assembler put
 * them. Things without a symbol (a constant that gcc put into .rodata, a piece of assembly in another
 * section) are compared by content as far as they reach, and are different when that cannot be told.
 *
 * Functions that share a section (.init.text, .sched.text) call each other without relocations, and there
 * the same bytes can lead to another function; so instructions are looked at, and a branch out of the
 * function is compared by what it leads to.
 */

#include <elf.h>

#include "builder/compare/compare-internal.h"
#include "builder/object/insn.h"

/* Unnamed things refer to unnamed things: two are usual, more is assembly that nobody wrote yet. */
#define DEPTH_MAX 8U

static bool types_same(uint32_t a, uint32_t b) {
        bool a_relative = a == R_X86_64_PC32 || a == R_X86_64_PLT32;
        bool b_relative = b == R_X86_64_PC32 || b == R_X86_64_PLT32;

        /* A static function that became global is called by another type. */
        return a == b || (a_relative && b_relative);
}

static size_t relocation_size(const ObjectRelocation *r) {
        switch (r->type) {
        case R_X86_64_64:
        case R_X86_64_PC64:
                return 8;
        case R_X86_64_16:
        case R_X86_64_PC16:
                return 2;
        case R_X86_64_8:
        case R_X86_64_PC8:
                return 1;
        default:
                return 4;
        }
}

static bool is_in(const ObjectSection *s, const ObjectRelocation *r, uint64_t end) {
        return r < s->relocations + s->n_relocations && r->offset < end;
}

static bool raw_same(const ObjectSection *b, uint64_t b_offset, const ObjectSection *a, uint64_t a_offset,
                uint64_t size) {
        static const uint8_t zero[64];

        if (b->data && a->data)
                return memcmp(b->data + b_offset, a->data + a_offset, size) == 0;
        if (!b->data && !a->data)
                return true;
        for (uint64_t i = 0; i < size; i += sizeof(zero)) {
                const uint8_t *p = b->data ? b->data + b_offset + i : a->data + a_offset + i;

                if (memcmp(p, zero, size - i < sizeof(zero) ? size - i : sizeof(zero)) != 0)
                        return false;
        }
        return true;
}

static bool reference_same(Comparison *x, const ObjectRelocation *before, const ObjectRelocation *after);

/**
 * bytes_same() - compare a range of two sections, relocated fields by what they refer to
 *
 * A range that is not within its section is not the same as anything.
 */
bool bytes_same(Comparison *x, uint32_t before_section, uint64_t before_offset, uint32_t after_section,
                uint64_t after_offset, uint64_t size) {
        const ObjectSection *b, *a;
        const ObjectRelocation *rb, *ra;

        if (before_section >= x->before->n_sections || after_section >= x->after->n_sections)
                return false;
        b = x->before->sections + before_section;
        a = x->after->sections + after_section;
        if (before_offset > b->size || size > b->size - before_offset || after_offset > a->size ||
                        size > a->size - after_offset)
                return false;
        rb = object_fields_from(b, before_offset);
        ra = object_fields_from(a, after_offset);
        for (uint64_t at = 0; at < size;) {
                bool more_b = is_in(b, rb, before_offset + size), more_a = is_in(a, ra, after_offset + size);
                uint64_t end = more_b ? rb->offset - before_offset : size;

                if (more_b != more_a || (more_a && ra->offset - after_offset != end) ||
                                (end > at && !raw_same(b, before_offset + at, a, after_offset + at, end - at)))
                        return false;
                if (!more_b)
                        break;
                if (!reference_same(x, rb, ra))
                        return false;
                at = end + relocation_size(rb);
                rb++;
                ra++;
        }
        return true;
}

static bool constant_same(const ObjectSection *b, uint64_t b_at, const ObjectSection *a, uint64_t a_at) {
        uint64_t room_b, room_a, least;

        if (!b->data || !a->data || b_at >= b->size || a_at >= a->size || b->entry_size != a->entry_size ||
                        (b->flags & SHF_STRINGS) != (a->flags & SHF_STRINGS))
                return false;
        room_b = b->size - b_at;
        room_a = a->size - a_at;
        least = room_b < room_a ? room_b : room_a;
        if (!(b->flags & SHF_STRINGS))
                return b->entry_size <= least && memcmp(b->data + b_at, a->data + a_at, b->entry_size) == 0;
        /* Characters may be wide. */
        for (uint64_t i = 0, width = b->entry_size ?: 1; i + width <= least; i += width) {
                bool end = true;

                if (memcmp(b->data + b_at + i, a->data + a_at + i, width) != 0)
                        return false;
                for (uint64_t n = 0; n < width; n++)
                        end = end && b->data[b_at + i + n] == 0;
                if (end)
                        return true;
        }
        return false;
}

static int compare_anonymous(const void *a, const void *b) {
        const Anonymous *x = a, *y = b;

        if (x->section != y->section)
                return x->section < y->section ? -1 : 1;
        return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool is_anonymous(const Object *o, const ObjectRelocation *r, Anonymous *ret) {
        const ObjectSymbol *s = o->symbols + r->symbol;

        if (!object_symbol_is_defined(o, r->symbol) ||
                        !(s->type == STT_SECTION || startswith(s->name, ".L")) ||
                        s->value + (uint64_t) r->delta > o->sections[s->section].size)
                return false;
        *ret = (Anonymous) { s->section, s->value + (uint64_t) r->delta };
        return true;
}

/**
 * anonymous_read() - all places without a symbol that something refers to
 * @ret: sorted; to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int anonymous_read(const Object *o, Anonymous **ret, size_t *ret_n) {
        _cleanup_free_ Anonymous *list = NULL;
        size_t n = 0, room = 0;

        for (size_t i = 1; i < o->n_sections; i++)
                room += o->sections[i].n_relocations;
        list = calloc(room ?: 1, sizeof(*list));
        if (!list)
                return -ENOMEM;
        for (size_t i = 1; i < o->n_sections; i++)
                for (size_t k = 0; k < o->sections[i].n_relocations; k++)
                        if (is_anonymous(o, o->sections[i].relocations + k, list + n))
                                n++;
        qsort(list, n, sizeof(*list), compare_anonymous);
        *ret = TAKE_PTR(list);
        *ret_n = n;
        return 0;
}

/* How far an unnamed thing reaches: to the next one that something refers to, or to a symbol. */
static uint64_t anonymous_end(const Comparison *x, bool after, const Anonymous *from) {
        const Object *o = after ? x->after : x->before;
        uint64_t end = o->sections[from->section].size;
        size_t low = 0, high = x->n_anonymous[after];

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (compare_anonymous(x->anonymous[after] + middle, from) <= 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low < x->n_anonymous[after] && x->anonymous[after][low].section == from->section)
                end = x->anonymous[after][low].offset;
        for (uint64_t at = from->offset; at < end; at++)
                if (object_covering(o, from->section, at))
                        return at;
        return end;
}

/* Padding of one of both is not part of the thing. */
static bool unnamed_constant_same(Comparison *x, const Anonymous *b, const Anonymous *a) {
        uint64_t size_b = anonymous_end(x, false, b) - b->offset, size_a = anonymous_end(x, true, a) - a->offset;
        uint64_t least = size_b < size_a ? size_b : size_a, most = size_b < size_a ? size_a : size_b;
        const ObjectSection *longer = size_b < size_a ? x->after->sections + a->section
                                                      : x->before->sections + b->section;
        uint64_t start = size_b < size_a ? a->offset : b->offset;

        if (!bytes_same(x, b->section, b->offset, a->section, a->offset, least))
                return false;
        if (is_in(longer, object_fields_from(longer, start + least), start + most) || most - least >= 64)
                return false;
        for (uint64_t i = least; i < most; i++)
                if (longer->data && longer->data[start + i] != 0)
                        return false;
        return true;
}

/*
 * Compare code without a symbol, up to where it ends in a jump or return
 *
 * Such is assembly in a section beside the function: .altinstr_aux, or .text.unlikely.
 */
static bool snippet_same(Comparison *x, uint32_t before_section, uint64_t before_offset, uint32_t after_section,
                uint64_t after_offset) {
        const ObjectSection *b = x->before->sections + before_section;
        const ObjectSection *a = x->after->sections + after_section;

        for (;;) {
                Insn insn;

                if (!b->data || !a->data || before_offset >= b->size ||
                                insn_decode(b->data + before_offset, b->size - before_offset, &insn) < 0 ||
                                !bytes_same(x, before_section, before_offset, after_section, after_offset,
                                        insn.length))
                        return false;
                if (insn.kind == INSN_JUMP || insn.kind == INSN_RETURN)
                        return true;
                before_offset += insn.length;
                after_offset += insn.length;
        }
}

static bool unnamed_same(Comparison *x, const ObjectRelocation *before, const ObjectRelocation *after) {
        const ObjectSection *sb, *sa;
        Anonymous b, a;
        bool same;

        if (!is_anonymous(x->before, before, &b) || !is_anonymous(x->after, after, &a) ||
                        x->depth >= DEPTH_MAX)
                return false;
        sb = x->before->sections + b.section;
        sa = x->after->sections + a.section;
        if (sb->kind != sa->kind || (sb->flags & SHF_EXECINSTR) != (sa->flags & SHF_EXECINSTR))
                return false;
        x->depth++;
        if (sb->flags & SHF_EXECINSTR)
                same = snippet_same(x, b.section, b.offset, a.section, a.offset);
        else if (sb->kind == OBJECT_READ_ONLY)
                same = unnamed_constant_same(x, &b, &a);
        else
                same = streq(sb->name, sa->name) && b.offset == a.offset && sb->size == sa->size &&
                                bytes_same(x, b.section, 0, a.section, 0, sb->size);
        x->depth--;
        return same;
}

/* Do two relocated fields refer to the same thing? */
static bool reference_same(Comparison *x, const ObjectRelocation *before, const ObjectRelocation *after) {
        const ObjectSymbol *b = x->before->symbols + before->symbol, *a = x->after->symbols + after->symbol;

        if (!types_same(before->type, after->type))
                return false;
        if (object_symbol_is_defined(x->before, before->symbol) &&
                        object_symbol_is_defined(x->after, after->symbol)) {
                const ObjectSection *sb = x->before->sections + b->section;
                const ObjectSection *sa = x->after->sections + a->section;

                if (sb->flags & SHF_MERGE && sa->flags & SHF_MERGE)
                        return constant_same(sb, b->value + (uint64_t) before->delta, sa,
                                a->value + (uint64_t) after->delta);
        }
        if (x->changes->after_of[before->symbol] == after->symbol)
                return before->delta == after->delta;
        return unnamed_same(x, before, after);
}

typedef struct Walk {
        const ObjectSymbol *symbol;
        const ObjectSection *section;
        uint32_t index; /* of the section */
        uint64_t offset;
        uint64_t end;
        Insn insn;
} Walk;

static Walk walk_begin(const Object *o, uint32_t symbol) {
        const ObjectSymbol *s = o->symbols + symbol;

        return (Walk) {
                .symbol = s,
                .section = o->sections + s->section,
                .index = s->section,
                .offset = s->value,
                .end = s->value + s->size,
        };
}

static bool walk_decode(Walk *w) {
        return w->section->data && w->offset < w->end &&
                insn_decode(w->section->data + w->offset, w->end - w->offset, &w->insn) >= 0;
}

static bool walk_has_relocation(const Walk *w, const ObjectRelocation **ret) {
        *ret = object_fields_from(w->section, w->offset);
        return is_in(w->section, *ret, w->offset + w->insn.length);
}

/* Does the instruction branch out of its function, without a relocation? @ret: where to, as if it had one. */
static bool walk_leaves(const Object *o, const Walk *w, ObjectRelocation *ret) {
        uint64_t target = w->offset + w->insn.length + (uint64_t) w->insn.immediate;
        const ObjectRelocation *r;

        if ((w->insn.kind != INSN_CALL && w->insn.kind != INSN_JUMP && w->insn.kind != INSN_CONDITIONAL_JUMP) ||
                        walk_has_relocation(w, &r) || (target >= w->symbol->value && target < w->end))
                return false;
        *ret = (ObjectRelocation) { .type = R_X86_64_PC32, .symbol = object_covering(o, w->index, target) };
        ret->delta = (int64_t) (target - o->symbols[ret->symbol].value);
        return true;
}

/* One instruction of each; written to @ret when they differ. */
static bool step_same(Comparison *x, const Walk *b, const Walk *a, Difference *ret) {
        bool b_leaves, a_leaves, b_has, a_has;
        ObjectRelocation tb, ta;

        *ret = (Difference) { .kind = DIFFERENCE_CODE, .offset = a->offset - a->symbol->value };
        if (b->insn.operation != a->insn.operation || b->insn.length != a->insn.length)
                return false;
        b_leaves = walk_leaves(x->before, b, &tb);
        a_leaves = walk_leaves(x->after, a, &ta);
        if (b_leaves && a_leaves)
                return tb.symbol && ta.symbol && reference_same(x, &tb, &ta);
        if (!b_leaves && !a_leaves &&
                        bytes_same(x, b->index, b->offset, a->index, a->offset, b->insn.length))
                return true;
        b_has = walk_has_relocation(b, &ret->before);
        a_has = walk_has_relocation(a, &ret->after);
        ret->before = b_has ? ret->before : NULL;
        ret->after = a_has ? ret->after : NULL;
        if (b_has != a_has || (b_has && !reference_same(x, ret->before, ret->after)))
                ret->kind = DIFFERENCE_REFERENCE;
        return false;
}

/* Instruction by instruction, to find the first that differs. */
static bool walk_same(Comparison *x, uint32_t before, uint32_t after, Difference *ret) {
        Walk b = walk_begin(x->before, before), a = walk_begin(x->after, after);

        while (b.offset < b.end && a.offset < a.end) {
                if (!walk_decode(&b) || !walk_decode(&a)) {
                        *ret = (Difference) { .kind = DIFFERENCE_CODE, .offset = a.offset - a.symbol->value };
                        return false;
                }
                if (!step_same(x, &b, &a, ret))
                        return false;
                b.offset += b.insn.length;
                a.offset += a.insn.length;
        }
        *ret = (Difference) { .kind = DIFFERENCE_SIZE, .offset = a.offset - a.symbol->value };
        return b.offset == b.end && a.offset == a.end;
}

/**
 * function_same() - is it the same code, with the same entries in tables?
 * @before, @after: functions that are correlated
 * @ret: the first difference; written when they differ
 */
bool function_same(Comparison *x, uint32_t before, uint32_t after, Difference *ret) {
        const ObjectSymbol *b = x->before->symbols + before, *a = x->after->symbols + after;
        /* Alone in its section, a function branches elsewhere by relocations only. */
        bool quick = object_symbol_is_alone(x->before, before) && object_symbol_is_alone(x->after, after) &&
                        b->size == a->size &&
                        bytes_same(x, b->section, b->value, a->section, a->value, b->size);
        Difference d;

        if (!quick && !walk_same(x, before, after, &d)) {
                *ret = d;
                return false;
        }
        return tables_same(x, before, after, ret);
}

/* Line numbers in data, and nothing else that moves with lines: include/linux/dynamic_debug.h, struct _ddebug;
 * include/linux/printk.h, struct pi_entry; include/linux/codetag.h, struct codetag. */
static const struct LineRow {
        const char *section;
        const char *name;
        uint64_t offset;
        uint32_t mask;
} lines[] = {
        { "__dyndbg", NULL, 32, (UINT32_C(1) << 18) - 1 },
        { NULL, "_entry", 24, UINT32_MAX },
        { "alloc_tags", NULL, 4, UINT32_MAX },
};

static const struct LineRow *line_find(const Object *o, uint32_t symbol) {
        const ObjectSymbol *s = o->symbols + symbol;

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                const struct LineRow *l = lines + i;

                if (l->section && streq(o->sections[s->section].name, l->section))
                        return l;
                if (l->name && o->sections[s->section].kind == OBJECT_READ_ONLY && startswith(s->name, l->name) &&
                                object_base_name_length(s->name) == strlen(l->name))
                        return l;
        }
        return NULL;
}

static bool lined_data_same(Comparison *x, const ObjectSymbol *b, const ObjectSymbol *a,
                const struct LineRow *l) {
        const uint8_t *p = x->before->sections[b->section].data, *q = x->after->sections[a->section].data;
        uint32_t line_b, line_a;

        if (!p || !q || b->size < l->offset + sizeof(line_b))
                return false;
        memcpy(&line_b, p + b->value + l->offset, sizeof(line_b));
        memcpy(&line_a, q + a->value + l->offset, sizeof(line_a));
        return ((line_b ^ line_a) & ~l->mask) == 0 &&
                bytes_same(x, b->section, b->value, a->section, a->value, l->offset) &&
                bytes_same(x, b->section, b->value + l->offset + sizeof(line_b), a->section,
                        a->value + l->offset + sizeof(line_a), b->size - l->offset - sizeof(line_b));
}

/** data_same() - has a data object the same size, initial value and references? */
bool data_same(Comparison *x, uint32_t before, uint32_t after) {
        const ObjectSymbol *b = x->before->symbols + before, *a = x->after->symbols + after;
        const struct LineRow *l = line_find(x->before, before);

        if (b->size != a->size)
                return false;
        if (bytes_same(x, b->section, b->value, a->section, a->value, b->size))
                return true;
        return l && line_find(x->after, after) == l && lined_data_same(x, b, a, l);
}
