/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Types by BTF, made by the compiler and pahole(1) from a source of our own. */

#include <fcntl.h>

#include "builder/image/btf.h"
#include "tests/unit/unit.h"
#include "util/file.h"

static const char source[] =
        "enum colour { RED = -1, BLUE = 7 };\n"
        "typedef const volatile unsigned int counter;\n"
        "struct inner { char a; long b; };\n"
        "union both { int i; struct inner in; };\n"
        "struct outer { counter n; struct inner *p; unsigned x:3, y:5; enum colour c; int tab[6];\n"
        "               int (*call)(struct inner *, ...); struct { short deep; }; union both u; };\n"
        "struct outer thing; enum colour favourite = BLUE;\n"
        "int function(struct outer *o, long l) { return o->n + l; }\n";

static char *folder;

static char *path(const char *name) {
        char *s;

        ck_assert_int_ge(asprintf(&s, "%s/%s", folder, name), 0);
        return s;
}

static void setup(void) {
        _cleanup_free_ char *c = NULL, *command = NULL;
        FILE *f;

        folder = scratch_new();
        c = path("a.c");
        f = fopen(c, "we");
        ck_assert_ptr_nonnull(f);
        ck_assert_int_ge(fputs(source, f), 0);
        ck_assert_int_eq(fclose(f), 0);
        ck_assert_int_ge(asprintf(&command, "cd %s && gcc -g -O1 -c a.c && pahole --btf_encode_detached=a.btf a.o", folder), 0);
        ck_assert_int_eq(system(command), 0);
}

static void teardown(void) {
        scratch_free(folder);
}

static Types *read_types(void) {
        _cleanup_free_ char *p = path("a.btf");
        Types *t = NULL;

        ck_assert_ok(types_read_file(p, &t));
        return t;
}

START_TEST(structures_are_read_with_their_members) {
        _cleanup_types_free_ Types *t = read_types();
        TypeMember m;
        Type s, x;

        ck_assert_ok(types_get(t, types_find(t, TYPE_STRUCT, "outer", 0), &s));
        ck_assert_str_eq(s.name, "outer");
        ck_assert_uint_eq(s.n, 9);
        ck_assert_ok(types_member(t, &s, 0, &m));
        ck_assert_str_eq(m.name, "n");
        ck_assert_ok(types_resolve(t, m.target, &x));
        ck_assert_int_eq(x.kind, TYPE_INTEGER);
        ck_assert_uint_eq(x.size, 4);
        ck_assert_ok(types_member(t, &s, 3, &m));
        ck_assert_str_eq(m.name, "y");
        ck_assert_uint_eq(m.offset, 128 + 3);
        ck_assert_uint_eq(m.bits, 5);
        ck_assert_ok(types_member(t, &s, 5, &m));
        ck_assert_ok(types_resolve(t, m.target, &x));
        ck_assert_int_eq(x.kind, TYPE_ARRAY);
        ck_assert_uint_eq(x.n, 6);
        ck_assert_ok(types_member(t, &s, 7, &m));
        ck_assert_str_eq(m.name, "");
        ck_assert_int_eq(types_member(t, &s, 9, &m), -EBADMSG);
}
END_TEST

START_TEST(enumerators_have_their_values) {
        _cleanup_types_free_ Types *t = read_types();
        TypeMember m;
        Type e;

        ck_assert_ok(types_get(t, types_find(t, TYPE_ENUM, "colour", 0), &e));
        ck_assert_ok(types_member(t, &e, 0, &m));
        ck_assert_str_eq(m.name, "RED");
        ck_assert_int_eq(m.value, -1);
        ck_assert_ok(types_member(t, &e, 1, &m));
        ck_assert_int_eq(m.value, 7);
}
END_TEST

START_TEST(functions_have_their_prototypes) {
        _cleanup_types_free_ Types *t = read_types();
        TypeMember m;
        Type f, p;

        ck_assert_ok(types_get(t, types_find(t, TYPE_FUNCTION, "function", 0), &f));
        ck_assert_ok(types_resolve(t, f.target, &p));
        ck_assert_int_eq(p.kind, TYPE_PROTOTYPE);
        ck_assert_uint_eq(p.n, 2);
        ck_assert_ok(types_member(t, &p, 1, &m));
        ck_assert_str_eq(m.name, "l");
}
END_TEST

START_TEST(sizes_are_told_by_name) {
        _cleanup_types_free_ Types *t = read_types();
        uint64_t size = 0;

        ck_assert_ok(types_size(t, TYPE_STRUCT, "inner", &size));
        ck_assert_uint_eq(size, 16);
        ck_assert_ok(types_size(t, TYPE_UNION, "both", &size));
        ck_assert_uint_eq(size, 16);
        ck_assert_int_eq(types_size(t, TYPE_UNION, "inner", &size), -ENOENT);
        ck_assert_int_eq(types_size(t, TYPE_STRUCT, "nothing", &size), -ENOENT);
}
END_TEST

START_TEST(every_number_outside_of_the_file_is_an_error) {
        _cleanup_types_free_ Types *t = read_types();
        Type x;

        ck_assert_int_eq(types_get(t, types_end(t), &x), -EBADMSG);
        ck_assert_int_eq(types_get(t, UINT32_MAX, &x), -EBADMSG);
        ck_assert_ok(types_get(t, 0, &x));
        ck_assert_int_eq(x.kind, TYPE_VOID);
}
END_TEST

/* Each byte once: nothing may crash, and what is read stays inside. Valgrind and ASan look on. */
START_TEST(a_damaged_file_is_survived) {
        _cleanup_free_ char *p = path("a.btf");
        _cleanup_free_ void *data = NULL;
        size_t size;

        ck_assert_ok(file_read_at(AT_FDCWD, p, SIZE_MAX / 2, &data, &size));
        for (size_t i = 0; i < size; i++) {
                _cleanup_types_free_ Types *t = NULL;
                uint8_t *byte = (uint8_t *) data + i, old = *byte;

                *byte = old ^ 0xff;
                if (types_read(data, size, NULL, &t) >= 0)
                        for (uint32_t id = 0; id < types_end(t); id++) {
                                TypeMember m;
                                Type x;

                                if (types_resolve(t, id, &x) >= 0 && x.n > 0 && x.n < 100)
                                        (void) (types_member(t, &x, x.n - 1, &m) < 0);
                        }
                *byte = old;
        }
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("btf");
        TCase *c = tcase_create("btf");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, structures_are_read_with_their_members);
        tcase_add_test(c, enumerators_have_their_values);
        tcase_add_test(c, functions_have_their_prototypes);
        tcase_add_test(c, sizes_are_told_by_name);
        tcase_add_test(c, every_number_outside_of_the_file_is_an_error);
        tcase_add_test(c, a_damaged_file_is_survived);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(suite)
