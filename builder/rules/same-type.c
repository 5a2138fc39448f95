/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Types of two files, compared as code sees them: where a member lies, how large it is, what it points
 * to. Not compared: typedefs and qualifiers, the order of declarations, whether members stand in an
 * unnamed structure or union of their own (the C language does not tell either), names of parameters.
 *
 * A named structure that another one holds or points to is the same if its name is: it is compared on
 * its own account, so nothing is followed round in circles. Unnamed ones are compared where they stand.
 *
 * Both files may lie (an image comes from outside), so depths and numbers of members have limits.
 */

#include "builder/rules/same-type.h"

#include "util/str.h"

/* Unnamed types in unnamed types, pointers to pointers; the kernel has about 6. */
#define DEPTH_MAX 24U
/* The largest structure of a kernel has some hundred members. */
#define LEAVES_MAX 8192U
/* References followed in one comparison: prototypes that take prototypes branch at each depth. */
#define STEPS_MAX 100000U

/** struct Sides - who is compared with whom
 *  @steps: references followed so far */
typedef struct Sides {
        const Types *a;
        const Types *b;
        unsigned steps;
} Sides;

/** struct Leaf - a named member, also one that stands in unnamed structures */
typedef struct Leaf {
        TypeMember member;
        uint64_t offset; /* in bits, from the outermost structure */
} Leaf;

typedef struct Leaves {
        Leaf *items;
        size_t n;
} Leaves;

static void leaves_done(Leaves *l) {
        free(l->items);
}
#define _cleanup_leaves_ _cleanup_(leaves_done)

static int same_reference(Sides *s, uint32_t x, uint32_t y, unsigned depth, TypeVerdict *ret);

/** type_difference_done() - free what is in it */
void type_difference_done(TypeDifference *d) {
        free(d->text);
        *d = (TypeDifference) {};
}

static int leaves_add(Leaves *l, const TypeMember *m, uint64_t offset) {
        Leaf *grown;

        if (l->n >= LEAVES_MAX)
                return -E2BIG;
        if ((l->n & (l->n - 1)) == 0) { /* room is the next power of two */
                grown = reallocarray(l->items, l->n ? l->n * 2 : 1, sizeof(*grown));
                if (!grown)
                        return -ENOMEM;
                l->items = grown;
        }
        l->items[l->n++] = (Leaf) { *m, offset };
        return 0;
}

static bool is_composite(const Type *t) {
        return t->kind == TYPE_STRUCT || t->kind == TYPE_UNION;
}

static int leaves_read(const Types *t, const Type *type, uint64_t base, unsigned depth, Leaves *l) {
        if (depth > DEPTH_MAX)
                return -E2BIG;
        for (uint32_t i = 0; i < type->n; i++) {
                TypeMember m;
                Type inner = {};
                int r;

                r = types_member(t, type, i, &m);
                if (r < 0)
                        return r;
                if (!*m.name) {
                        r = types_resolve(t, m.target, &inner);
                        if (r < 0)
                                return r;
                }
                if (!*m.name && is_composite(&inner))
                        r = leaves_read(t, &inner, base + m.offset, depth + 1, l);
                else
                        r = leaves_add(l, &m, base + m.offset);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Mostly the one at the same place in the list. */
static const Leaf *leaves_find(const Leaves *l, const char *name, size_t hint) {
        if (hint < l->n && streq(l->items[hint].member.name, name))
                return l->items + hint;
        for (size_t i = 0; i < l->n; i++)
                if (streq(l->items[i].member.name, name))
                        return l->items + i;
        return NULL;
}

static int same_parameters(Sides *s, const Type *x, const Type *y, unsigned depth, TypeVerdict *ret) {
        TypeVerdict worst, v;
        int r;

        if (x->n != y->n) {
                *ret = TYPES_DIFFERENT;
                return 0;
        }
        r = same_reference(s, x->target, y->target, depth + 1, &worst);
        for (uint32_t i = 0; i < x->n && r == 0; i++) {
                TypeMember m, k;

                r = types_member(s->a, x, i, &m);
                if (r == 0)
                        r = types_member(s->b, y, i, &k);
                if (r == 0)
                        r = same_reference(s, m.target, k.target, depth + 1, &v);
                if (r == 0 && v > worst)
                        worst = v;
        }
        if (r == 0)
                *ret = worst;
        return r;
}

static int same_unnamed(Sides *s, const Type *x, const Type *y, unsigned depth, TypeVerdict *ret) {
        _cleanup_leaves_ Leaves l = {}, k = {};
        TypeVerdict worst = TYPES_SAME, v;
        int r;

        r = leaves_read(s->a, x, 0, 0, &l);
        if (r == 0)
                r = leaves_read(s->b, y, 0, 0, &k);
        if (r < 0)
                return r;
        if (l.n != k.n || x->size != y->size)
                worst = TYPES_DIFFERENT;
        for (size_t i = 0; i < l.n && worst != TYPES_DIFFERENT; i++) {
                const Leaf *m = l.items + i, *o = leaves_find(&k, m->member.name, i);

                if (!o || o->offset != m->offset || o->member.bits != m->member.bits) {
                        worst = TYPES_DIFFERENT;
                        break;
                }
                r = same_reference(s, m->member.target, o->member.target, depth + 1, &v);
                if (r < 0)
                        return r;
                if (v > worst)
                        worst = v;
        }
        *ret = worst;
        return 0;
}

static bool is_number(const Type *t) {
        return t->kind == TYPE_INTEGER || t->kind == TYPE_ENUM;
}

static TypeVerdict same_number(const Type *x, const Type *y) {
        if (x->size != y->size)
                return TYPES_DIFFERENT;
        if (x->kind != y->kind)
                return TYPES_SIMILAR;
        if (x->kind == TYPE_ENUM)
                return streq(x->name, y->name) ? TYPES_SAME : TYPES_SIMILAR;
        return x->encoding == y->encoding ? TYPES_SAME : TYPES_SIMILAR;
}

/* A pointer to anything may become one to something, and back: what is stored there stays. */
static int same_pointer(Sides *s, uint32_t x, uint32_t y, unsigned depth, TypeVerdict *ret) {
        Type t, u;
        int r;

        r = types_resolve(s->a, x, &t);
        if (r == 0)
                r = types_resolve(s->b, y, &u);
        if (r < 0)
                return r;
        if ((t.kind == TYPE_VOID) != (u.kind == TYPE_VOID)) {
                *ret = TYPES_SIMILAR;
                return 0;
        }
        return same_reference(s, x, y, depth + 1, ret);
}

static bool names_a_composite(const Type *t) {
        return *t->name && (is_composite(t) || t->kind == TYPE_FORWARD);
}

static int same_resolved(Sides *s, const Type *t, const Type *u, unsigned depth, TypeVerdict *ret) {
        *ret = TYPES_SAME;
        if (names_a_composite(t) && names_a_composite(u))
                *ret = streq(t->name, u->name) ? TYPES_SAME : TYPES_DIFFERENT;
        else if (is_number(t) && is_number(u))
                *ret = same_number(t, u);
        else if (t->kind != u->kind)
                *ret = TYPES_DIFFERENT;
        else if (t->kind == TYPE_POINTER)
                return same_pointer(s, t->target, u->target, depth, ret);
        else if (t->kind == TYPE_ARRAY && t->n != u->n)
                *ret = TYPES_DIFFERENT;
        else if (t->kind == TYPE_ARRAY)
                return same_reference(s, t->target, u->target, depth + 1, ret);
        else if (t->kind == TYPE_PROTOTYPE)
                return same_parameters(s, t, u, depth, ret);
        else if (is_composite(t)) /* one of them without a name: it may have been given one */
                return same_unnamed(s, t, u, depth, ret);
        else if (t->kind == TYPE_FLOAT && t->size != u->size)
                *ret = TYPES_DIFFERENT;
        return 0;
}

static int same_reference(Sides *s, uint32_t x, uint32_t y, unsigned depth, TypeVerdict *ret) {
        Type t, u;
        int r;

        *ret = TYPES_SAME;
        if (depth > DEPTH_MAX)
                return 0; /* as far as anybody looks, they are */
        if (++s->steps > STEPS_MAX)
                return -E2BIG;
        r = types_resolve(s->a, x, &t);
        if (r == 0)
                r = types_resolve(s->b, y, &u);
        return r < 0 ? r : same_resolved(s, &t, &u, depth, ret);
}

static int tell(TypeDifference *d, TypeVerdict verdict, const char *format, ...) _printf_(3, 4);
static int tell(TypeDifference *d, TypeVerdict verdict, const char *format, ...) {
        char *text;
        va_list ap;
        int r;

        if (verdict <= d->verdict)
                return 0;
        va_start(ap, format);
        r = str_vprintf(&text, format, ap);
        va_end(ap);
        if (r < 0)
                return r;
        free(d->text);
        *d = (TypeDifference) { verdict, text };
        return 0;
}

/* A member that came explains why all behind it moved; so it is told first. */
static int compare_names(const Leaves *l, const Leaves *k, TypeDifference *d) {
        int r = 0;

        for (size_t i = 0; i < k->n && r == 0; i++)
                if (!leaves_find(l, k->items[i].member.name, i))
                        r = tell(d, TYPES_DIFFERENT, "member '%s' is new", k->items[i].member.name);
        for (size_t i = 0; i < l->n && r == 0; i++)
                if (!leaves_find(k, l->items[i].member.name, i))
                        r = tell(d, TYPES_DIFFERENT, "member '%s' is gone", l->items[i].member.name);
        return r;
}

static int compare_leaf(Sides *s, const Leaf *m, const Leaf *o, TypeDifference *d) {
        TypeVerdict v;
        int r;

        r = same_reference(s, m->member.target, o->member.target, 0, &v);
        if (r < 0)
                return r;
        if (v == TYPES_DIFFERENT || o->member.bits != m->member.bits)
                return tell(d, TYPES_DIFFERENT, "member '%s' has another type", m->member.name);
        if (o->offset != m->offset)
                return tell(d, TYPES_DIFFERENT, "member '%s' moved", m->member.name);
        if (v == TYPES_SIMILAR)
                return tell(d, TYPES_SIMILAR, "member '%s' has the same size, but another type", m->member.name);
        return 0;
}

/**
 * same_composite() - compare two structures or unions, member by member
 * @a, @x: the one there was
 * @b, @y: the one there is
 * @ret: must be empty; free with type_difference_done()
 *
 * Return: 0, -EBADMSG for a damaged file, -E2BIG for one that no compiler makes, or -ENOMEM.
 */
int same_composite(const Types *a, const Type *x, const Types *b, const Type *y, TypeDifference *ret) {
        _cleanup_type_difference_ TypeDifference d = {};
        _cleanup_leaves_ Leaves l = {}, k = {};
        Sides s = { a, b, 0 };
        int r;

        r = leaves_read(a, x, 0, 0, &l);
        if (r == 0)
                r = leaves_read(b, y, 0, 0, &k);
        if (r == 0)
                r = compare_names(&l, &k, &d);
        for (size_t i = 0; i < l.n && r == 0; i++) {
                const Leaf *o = leaves_find(&k, l.items[i].member.name, i);

                if (o && d.verdict != TYPES_DIFFERENT)
                        r = compare_leaf(&s, l.items + i, o, &d);
        }
        if (r == 0 && x->size != y->size)
                r = tell(&d, TYPES_DIFFERENT, "it has %u bytes instead of %u", y->size, x->size);
        if (r < 0)
                return r;
        *ret = d;
        d = (TypeDifference) {};
        return 0;
}

static int find_enumerator(const Types *t, const Type *type, const char *name, uint32_t hint, TypeMember *ret) {
        for (uint32_t i = 0; i < type->n; i++) {
                int r = types_member(t, type, (hint + i) % type->n, ret);

                if (r < 0)
                        return r;
                if (streq(ret->name, name))
                        return 1;
        }
        return 0;
}

/**
 * enumerator_counts() - is that the last one, larger than all before it?
 *
 * Then it most likely counts the others, as N_STATES or __FOO_MAX do, and nobody stores it.
 */
bool enumerator_counts(const Types *t, const Type *type, uint32_t index, int64_t value) {
        TypeMember m;

        if (index + 1 != type->n)
                return false;
        for (uint32_t i = 0; i < index; i++)
                if (types_member(t, type, i, &m) < 0 || m.value >= value)
                        return false;
        return true;
}

/**
 * same_enum() - compare two enumerations: what exists keeps its value
 *
 * New enumerators are no difference. The last enumerator often counts the others; that it grew is only a
 * similar enumeration. Arguments and return value as in same_composite().
 */
int same_enum(const Types *a, const Type *x, const Types *b, const Type *y, TypeDifference *ret) {
        _cleanup_type_difference_ TypeDifference d = {};
        int r = 0;

        if (x->n > LEAVES_MAX || y->n > LEAVES_MAX)
                return -E2BIG;
        if (x->size != y->size)
                r = tell(&d, TYPES_DIFFERENT, "it has %u bytes instead of %u", y->size, x->size);
        for (uint32_t i = 0; i < x->n && r == 0; i++) {
                TypeMember m, k;
                int found;

                r = types_member(a, x, i, &m);
                if (r < 0)
                        return r;
                found = find_enumerator(b, y, m.name, i, &k);
                if (found < 0)
                        return found;
                if (found > 0 && k.value != m.value)
                        r = tell(&d, enumerator_counts(a, x, i, m.value) && k.value > m.value ? TYPES_SIMILAR : TYPES_DIFFERENT,
                                        "'%s' has another value", m.name);
        }
        if (r < 0)
                return r;
        *ret = d;
        d = (TypeDifference) {};
        return 0;
}

/**
 * same_prototype() - compare what two functions take and return
 * @x, @y: TYPE_PROTOTYPE
 *
 * Arguments and return value as in same_composite().
 */
int same_prototype(const Types *a, const Type *x, const Types *b, const Type *y, TypeDifference *ret) {
        _cleanup_type_difference_ TypeDifference d = {};
        Sides s = { a, b, 0 };
        TypeVerdict v;
        int r;

        r = same_parameters(&s, x, y, 0, &v);
        if (r == 0 && x->n != y->n)
                r = tell(&d, TYPES_DIFFERENT, "it takes %u parameters instead of %u", y->n, x->n);
        else if (r == 0 && v != TYPES_SAME)
                r = tell(&d, v, v == TYPES_DIFFERENT ? "a parameter or what it returns has another type" :
                                                       "a parameter or what it returns has another type of the same size");
        if (r < 0)
                return r;
        *ret = d;
        d = (TypeDifference) {};
        return 0;
}
