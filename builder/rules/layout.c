/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the fix makes of types.
 *
 * The kernel has objects of each type by the thousand, made by code that stays. So a structure, union or
 * enumeration that exists has to stay as it is, to the byte: a new member is refused even where it only
 * fills a hole, since nobody has initialised that hole in the objects that exist. A type of which only
 * the declaration was written in another way is no change; a new type is none; and a member whose type
 * became another one of the same size (signed or not) is a remark.
 *
 * A type that one function uses on its own stack, and nobody else, could change. But that no object of it
 * waits behind a `void *` cannot be told from types: a cast leaves no trace in debug information. So it
 * is refused, too. Neither seen: that a variable of file scope got another type of the same size and the
 * same initial bytes; BTF has no variables but those of each processor.
 *
 * Types have no identity but their names, and a kernel has many `struct info`. Two sets of types with
 * one name are compared as sets: each that was there must still be there.
 *
 * The image is asked as well: a type that it has by name must be in it as the compiler here made it. If
 * not, the source or its configuration is not what the image was built from, and equal code in the
 * functions that the fix touches is luck.
 */

#include "builder/rules/layout.h"

#include <inttypes.h>

#include "builder/rules/internal.h"
#include "builder/rules/pahole.h"
#include "builder/rules/same-type.h"
#include "dbus/errors.h"

/** struct Layout - one object's types, before and after the fix, and those of the image */
typedef struct Layout {
        const RuleInput *in;
        Findings *findings;
        Types *before;
        Types *after;
        Types *kernel;
        Types *module; /* NULL for vmlinux */
} Layout;

static void layout_done(Layout *l) {
        types_free(l->before);
        types_free(l->after);
        types_free(l->module);
        types_free(l->kernel);
}
#define _cleanup_layout_ _cleanup_(layout_done)

static const char *kind_word(TypeKind kind) {
        return kind == TYPE_STRUCT ? "struct" : kind == TYPE_UNION ? "union" : "enum";
}

static bool is_compared(const Type *t) {
        return *t->name && (t->kind == TYPE_STRUCT || t->kind == TYPE_UNION || t->kind == TYPE_ENUM);
}

static int compare(const Types *a, uint32_t x, const Types *b, uint32_t y, TypeDifference *ret) {
        Type s, t;
        int r;

        r = types_get(a, x, &s);
        if (r == 0)
                r = types_get(b, y, &t);
        if (r < 0)
                return r;
        return s.kind == TYPE_ENUM ? same_enum(a, &s, b, &t, ret) : same_composite(a, &s, b, &t, ret);
}

/**
 * find_same() - is a type among those of its name in another file?
 * @ret: the difference to the most similar one; free with type_difference_done()
 *
 * Return: 1, 0 when the other file has the name, but not the type, -ENOENT when it has not even the
 * name, or another negative errno.
 */
static int find_same(const Types *a, const Type *x, const Types *b, TypeDifference *ret) {
        _cleanup_type_difference_ TypeDifference best = {};
        bool any = false;

        for (uint32_t id = 0; (id = types_find(b, x->kind, x->name, id));) {
                _cleanup_type_difference_ TypeDifference d = {};
                int r = compare(a, x->id, b, id, &d);

                if (r < 0)
                        return r;
                if (d.verdict == TYPES_SAME)
                        return 1;
                if (!any || d.verdict < best.verdict) {
                        type_difference_done(&best);
                        best = d;
                        d = (TypeDifference) {};
                }
                any = true;
        }
        if (!any)
                return -ENOENT;
        *ret = best;
        best = (TypeDifference) {};
        return 0;
}

/* Is there a type of that name in @after that @before has not? Else the type is gone, not changed. */
static int has_successor(const Layout *l, const Type *x) {
        for (uint32_t id = 0; (id = types_find(l->after, x->kind, x->name, id));) {
                _cleanup_type_difference_ TypeDifference d = {};
                Type y;
                int r;

                r = types_get(l->after, id, &y);
                if (r == 0)
                        r = find_same(l->after, &y, l->before, &d);
                if (r <= 0)
                        return r < 0 && r != -ENOENT ? r : 1;
        }
        return 0;
}

static int check_against_after(const Layout *l, const Type *x) {
        _cleanup_type_difference_ TypeDifference d = {};
        int r;

        r = find_same(l->before, x, l->after, &d);
        if (r == -ENOENT || r > 0)
                return 0;
        if (r == 0)
                r = has_successor(l, x);
        if (r <= 0)
                return r;
        if (d.verdict == TYPES_SIMILAR)
                return findings_remark(l->findings, RULE_DATA_LAYOUT, x->name, "'%s %s' changed: %s",
                                kind_word(x->kind), x->name, d.text);
        return findings_refuse(l->findings, RULE_DATA_LAYOUT, x->name, "'%s %s' changed: %s",
                        kind_word(x->kind), x->name, d.text);
}

static int check_against_image(const Layout *l, const Type *x) {
        _cleanup_type_difference_ TypeDifference d = {};
        int r;

        r = find_same(l->before, x, l->module ?: l->kernel, &d);
        if (r == -ENOENT || r > 0)
                return 0;
        if (r < 0 || d.verdict == TYPES_SIMILAR)
                return r;
        return findings_refuse(l->findings, RULE_NOT_MATCHED, x->name,
                        "'%s %s' as compiled here is not what the kernel image has: %s", kind_word(x->kind),
                        x->name, d.text);
}

/* ---- enumerators without an enumeration ---- */

/** struct Constant - an enumerator of an unnamed enumeration: the name is all there is to tell it by */
typedef struct Constant {
        const char *name;
        int64_t value;
        bool counter;
} Constant;

typedef struct Constants {
        Constant *items;
        size_t n;
} Constants;

static void constants_done(Constants *c) {
        free(c->items);
}
#define _cleanup_constants_ _cleanup_(constants_done)

static int compare_constants(const void *a, const void *b) {
        return strcmp(((const Constant *) a)->name, ((const Constant *) b)->name);
}

static int count_constants(const Types *t, const Type *e, Constants *c) {
        Constant *grown = reallocarray(c->items, c->n + e->n, sizeof(*grown));

        if (!grown)
                return -ENOMEM;
        c->items = grown;
        for (uint32_t i = 0; i < e->n; i++) {
                TypeMember m;
                int r = types_member(t, e, i, &m);

                if (r < 0)
                        return r;
                c->items[c->n++] = (Constant) { m.name, m.value, enumerator_counts(t, e, i, m.value) };
        }
        return 0;
}

static int read_constants(const Types *t, Constants *ret) {
        _cleanup_constants_ Constants c = {};

        for (uint32_t id = types_first(t); id < types_end(t); id++) {
                Type e;
                int r = types_get(t, id, &e);

                if (r == 0 && e.kind == TYPE_ENUM && !*e.name && e.n > 0)
                        r = count_constants(t, &e, &c);
                if (r < 0)
                        return r;
        }
        if (c.n > 0)
                qsort(c.items, c.n, sizeof(*c.items), compare_constants);
        *ret = c;
        c = (Constants) {};
        return 0;
}

static int check_constant(const Layout *l, const Constant *old, const Constant *new) {
        if (old->value == new->value)
                return 0;
        if (old->counter && new->value > old->value)
                return findings_remark(l->findings, RULE_DATA_LAYOUT, old->name,
                                "the enumerator '%s' grew from %" PRId64 " to %" PRId64, old->name, old->value,
                                new->value);
        return findings_refuse(l->findings, RULE_DATA_LAYOUT, old->name,
                        "the enumerator '%s' changed from %" PRId64 " to %" PRId64, old->name, old->value, new->value);
}

/* Names that occur once in each; functions may have enumerators of their own. */
static bool only_one(const Constants *c, const Constant *x) {
        return (x == c->items || !streq(x[-1].name, x->name)) &&
                (x + 1 == c->items + c->n || !streq(x[1].name, x->name));
}

static int check_constants(const Layout *l) {
        _cleanup_constants_ Constants old = {}, new = {};
        int r;

        r = read_constants(l->before, &old);
        if (r == 0)
                r = read_constants(l->after, &new);
        for (size_t i = 0; i < old.n && r == 0; i++) {
                const Constant *y = new.n == 0 ? NULL : bsearch(old.items + i, new.items, new.n, sizeof(*new.items),
                                                                compare_constants);

                if (y && only_one(&old, old.items + i) && only_one(&new, y))
                        r = check_constant(l, old.items + i, y);
        }
        return r;
}

/* ---- all ---- */

static int check_types(const Layout *l, int (*check)(const Layout *l, const Type *x)) {
        for (uint32_t id = types_first(l->before); id < types_end(l->before); id++) {
                Type x;
                int r;

                r = types_get(l->before, id, &x);
                if (r == 0 && is_compared(&x))
                        r = check(l, &x);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int find_prototype(const Types *t, const char *function, Type *ret) {
        uint32_t id = types_find(t, TYPE_FUNCTION, function, 0);
        Type f;
        int r;

        if (id == 0)
                return -ENOENT;
        r = types_get(t, id, &f);
        if (r == 0)
                r = types_resolve(t, f.target, ret);
        return r < 0 ? r : ret->kind == TYPE_PROTOTYPE ? 0 : -EBADMSG;
}

static int check_export(const Layout *l, const char *name) {
        _cleanup_type_difference_ TypeDifference d = {};
        Type x, y;
        int r;

        r = find_prototype(l->before, name, &x);
        if (r == 0)
                r = find_prototype(l->after, name, &y);
        if (r == 0)
                r = same_prototype(l->before, &x, l->after, &y, &d);
        if (r < 0)
                return r == -ENOENT ? 0 : r; /* data, or assembly */
        if (d.verdict == TYPES_SAME)
                return 0;
        if (d.verdict == TYPES_SIMILAR)
                return findings_remark(l->findings, RULE_EXPORT_CHANGED, name,
                                "the prototype of the exported function '%s' changed: %s", name, d.text);
        return findings_refuse(l->findings, RULE_EXPORT_CHANGED, name,
                        "the prototype of the exported function '%s' changed: %s", name, d.text);
}

static int check_exports(const Layout *l) {
        const Object *o = l->in->changes->before;
        int r = 0;

        for (uint32_t i = 1; i < o->n_symbols && r == 0; i++) {
                const char *name = exported_name(o, i);

                if (name)
                        r = check_export(l, name);
        }
        return r;
}

/* -ENODATA: the image has no types. */
static int read_image(const Image *image, const Types *base, Types **ret) {
        size_t size;
        const void *data = image_btf(image, &size);

        return data ? types_read(data, size, base, ret) : -ENODATA;
}

static int read_images(Layout *l) {
        bool module = !streq(l->in->image->object, "vmlinux");
        int r;

        r = read_image(module ? l->in->kernel : l->in->image, NULL, &l->kernel);
        return r == 0 && module ? read_image(l->in->image, l->kernel, &l->module) : r;
}

static int check_all(Layout *l) {
        int r;

        r = check_types(l, check_against_after);
        if (r == 0)
                r = check_constants(l);
        if (r == 0)
                r = check_exports(l);
        if (r < 0)
                return r;
        r = read_images(l);
        if (r == -ENODATA)
                return findings_remark(l->findings, RULE_NOT_MATCHED, NULL,
                                "'%s' has no types (.BTF), so that structures could not be compared with it",
                                l->kernel ? l->in->image->object : "vmlinux");
        if (r < 0)
                return r;
        return check_types(l, check_against_image);
}

/**
 * layout_check() - what the fix makes of types, and whether the image has the same
 * @in: one object; its files have debug information
 * @findings: refusals and remarks are added
 * @error: what went wrong
 *
 * Return: 0, also when something was refused, or a negative errno.
 */
int layout_check(const RuleInput *in, Findings *findings, sd_bus_error *error) {
        _cleanup_layout_ Layout l = { .in = in, .findings = findings };
        int r;

        r = pahole_read(in->before_path, in->work_dir, &l.before, error);
        if (r == 0)
                r = pahole_read(in->after_path, in->work_dir, &l.after, error);
        if (r < 0)
                return r;
        r = check_all(&l);
        if (r == -EBADMSG || r == -E2BIG)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                                "the types (.BTF) of '%s' are damaged", in->image->object);
        return r;
}
