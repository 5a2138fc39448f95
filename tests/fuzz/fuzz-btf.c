/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Types by BTF: two files, the first behind its length in two bytes. Whatever they say, every type can be
 * asked for and compared with those of its name, the second file can stand on its own and on top of the
 * first, and a type that can be read at all is the same as itself.
 */

#include "builder/image/btf.h"
#include "builder/rules/same-type.h"
#include "tests/fuzz/fuzz.h"

static int compare(const Types *a, const Type *x, const Types *b, const Type *y, TypeDifference *d) {
        switch (x->kind) {
        case TYPE_STRUCT:
        case TYPE_UNION:
                return same_composite(a, x, b, y, d);
        case TYPE_ENUM:
                return same_enum(a, x, b, y, d);
        case TYPE_PROTOTYPE:
                return same_prototype(a, x, b, y, d);
        default:
                return 0;
        }
}

static void check_self(const Types *t, const Type *x) {
        _cleanup_type_difference_ TypeDifference d = {};
        int r = compare(t, x, t, x, &d);

        if ((d.text != NULL) != (d.verdict != TYPES_SAME) || (r < 0 && d.text))
                abort();
}

static void check_others(const Types *t, const Type *x, const Types *others) {
        unsigned n = 0;

        for (uint32_t id = 0; *x->name && n < 4 && (id = types_find(others, x->kind, x->name, id)); n++) {
                _cleanup_type_difference_ TypeDifference d = {};
                Type y;

                if (types_get(others, id, &y) < 0 || !streq(x->name, y.name) || y.kind != x->kind)
                        abort(); /* it was found by what it is */
                if (compare(t, x, others, &y, &d) == 0 && (d.text != NULL) != (d.verdict != TYPES_SAME))
                        abort();
        }
}

static void check_types(const Types *t, const Types *others) {
        for (uint32_t id = 0; id < types_end(t) && id < 512; id++) {
                uint64_t size;
                Type x;

                if (types_get(t, id, &x) < 0)
                        continue;
                if (types_resolve(t, id, &x) == 0 && x.kind == TYPE_ALIAS)
                        abort();
                if (types_get(t, id, &x) < 0)
                        abort();
                check_self(t, &x);
                check_others(t, &x, others);
                (void) (types_size(t, x.kind, x.name, &size) < 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_types_free_ Types *a = NULL, *b = NULL, *split = NULL;
        size_t n;

        if (size < 2)
                return 0;
        n = data[0] | (size_t) data[1] << 8;
        if (n > size - 2 || types_read(data + 2, n, NULL, &a) < 0)
                return 0;
        if (types_read(data + 2 + n, size - 2 - n, NULL, &b) >= 0)
                check_types(a, b);
        if (types_read(data + 2 + n, size - 2 - n, a, &split) >= 0) {
                check_types(split, a);
                types_free(split); /* before what it stands on */
                split = NULL;
        }
        check_types(a, a);
        return 0;
}
