/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading objects: relocations name what is meant, sections are what they are for. */

#include <elf.h>

#include "tests/unit/object-material.h"
#include "tests/unit/unit.h"

static char *folder;

static void setup(void) {
        folder = scratch_new();
}

static void teardown(void) {
        scratch_free(folder);
}

/* The relocation of @function against @symbol, which must be its only one. */
static const ObjectRelocation *relocation(const Object *o, const char *function, const char *symbol) {
        const ObjectSymbol *f = o->symbols + object_find(o, function);
        const ObjectSection *s = o->sections + f->section;
        const ObjectRelocation *found = NULL;

        ck_assert_msg(object_find(o, function) != 0, "no '%s'", function);
        for (size_t i = 0; i < s->n_relocations; i++)
                if (streq(o->symbols[s->relocations[i].symbol].name, symbol)) {
                        ck_assert_msg(!found, "'%s' refers to '%s' twice", function, symbol);
                        found = s->relocations + i;
                }
        ck_assert_msg(found, "'%s' does not refer to '%s'", function, symbol);
        ck_assert_ptr_eq(object_relocation_at(s, found->offset), found);
        return found;
}

START_TEST(test_relocations_name_what_is_meant) {
        _cleanup_object_free_ Object *o = object_compile_and_read(folder, "a",
                "extern void away(const char *);\n"
                "static int counter, other[4]; int table[8] = { 1 }; extern int far[8];\n"
                "static __attribute__((noinline)) void near(void) { asm volatile(\"\"); }\n"
                "void calls(void) { near(); away(\"text\"); }\n"
                "int compares(void) { return counter == 77777; }\n int *leaks(void) { return other; }\n"
                "void sets(int x) { counter = x; other[3] = 1234567; far[2] = 9; }\n"
                "int *end(void) { return table + 8; }\n"
                "static int low[2]; int *leaks_too(void) { return low; } int before(void) { return low[-2]; }\n");

        ck_assert_int_eq(relocation(o, "calls", "near")->delta, 0);
        ck_assert_int_eq(relocation(o, "calls", "away")->delta, 0);
        ck_assert_int_eq(relocation(o, "compares", "counter")->delta, 0);
        ck_assert_int_ne(relocation(o, "compares", "counter")->addend, -4);
        ck_assert_int_eq(relocation(o, "sets", "counter")->delta, 0);
        ck_assert_int_eq(relocation(o, "sets", "other")->delta, 12);
        ck_assert_int_eq(relocation(o, "sets", "far")->delta, 8);
        ck_assert_int_eq(relocation(o, "end", "table")->delta, 32);
        ck_assert_int_eq(relocation(o, "before", "low")->delta, -8);
}
END_TEST

START_TEST(test_cold_parts_and_their_ways_back) {
        _cleanup_object_free_ Object *o = object_compile_and_read(folder, "a",
                "extern __attribute__((cold)) void rare(int);\n"
                "extern int common(int);\n"
                "int f(int a) { int i = common(a); if (i < 0) { rare(1); i = common(2); } return i + 1; }\n");
        uint32_t f = object_find(o, "f"), cold = object_find(o, "f.cold");
        const ObjectRelocation *there = relocation(o, "f", "f.cold"), *back = relocation(o, "f.cold", "f");

        ck_assert(object_symbol_is_function(o, f) && object_symbol_is_function(o, cold));
        ck_assert_uint_eq(there->symbol, cold);
        ck_assert_int_eq(there->delta, 0);
        ck_assert_uint_eq(back->symbol, f);
        ck_assert_int_gt(back->delta, 0);
        ck_assert_int_lt(back->delta, (int64_t) o->symbols[f].size);
}
END_TEST

START_TEST(test_tables_point_into_functions) {
        _cleanup_object_free_ Object *o = object_compile_and_read(folder, "a",
                "static __attribute__((noinline)) int f(int x) {\n"
                "  if (x) asm volatile(\"1: ud2\\n\"\n"
                "    \".pushsection __bug_table,\\\"aw\\\"\\n 2: .long 1b - .\\n .long %c0 - .\\n"
                "    .word 7\\n .word 0\\n .popsection\\n\"\n"
                "    \".pushsection .discard.reachable\\n .long 1b - .\\n .popsection\" : : \"i\"(\"file.c\"));\n"
                "  return x; }\n"
                "int g(int x) { return f(x) + 1; }\n");
        unsigned seen = 0;

        for (size_t i = 1; i < o->n_sections; i++) {
                const ObjectSection *s = o->sections + i;

                if (!streq(s->name, "__bug_table") && !streq(s->name, ".discard.reachable"))
                        continue;
                ck_assert_int_eq(s->kind, OBJECT_TABLE);
                ck_assert_uint_ge(s->n_relocations, 1);
                ck_assert_str_eq(o->symbols[s->relocations[0].symbol].name, "f");
                ck_assert_int_gt(s->relocations[0].delta, 0);
                if (s->n_relocations > 1) {
                        const ObjectSymbol *string = o->symbols + s->relocations[1].symbol;

                        ck_assert_int_eq(o->sections[string->section].kind, OBJECT_STRINGS);
                        ck_assert_str_eq((const char *) o->sections[string->section].data +
                                        string->value + s->relocations[1].delta, "file.c");
                }
                seen++;
        }
        ck_assert_uint_eq(seen, 2);
}
END_TEST

START_TEST(test_section_kinds) {
        static const struct {
                const char *name;
                ObjectSectionKind kind;
        } expected[] = {
                { ".text.f", OBJECT_CODE },           { ".noinstr.text", OBJECT_CODE },
                { ".init.text", OBJECT_INIT },        { ".exit.text", OBJECT_INIT },
                { ".initcall6.init", OBJECT_INIT },   { ".init.data", OBJECT_INIT },
                { ".data.d", OBJECT_DATA },           { ".bss.b", OBJECT_DATA },
                { ".data..percpu", OBJECT_DATA },     { ".data.once", OBJECT_DATA },
                { ".rodata.r", OBJECT_READ_ONLY },    { ".rodata..table", OBJECT_READ_ONLY },
                { ".rodata.f.str1.1", OBJECT_STRINGS }, { "___ksymtab+f", OBJECT_EXPORT },
                { "__ksymtab_strings", OBJECT_EXPORT }, { ".discard.addressable", OBJECT_TABLE },
                { "__mcount_loc", OBJECT_TABLE },     { ".modinfo", OBJECT_IGNORED },
                { ".debug_info", OBJECT_IGNORED },    { ".comment", OBJECT_IGNORED },
                { "__bug_table_of_mine", OBJECT_DATA },
        };
        _cleanup_object_free_ Object *o = object_compile_and_read(folder, "a",
                "#define S(x) __attribute__((used, section(x)))\n"
                "void f(void) { extern void g(const char *); g(\"a string\"); }\n"
                "S(\".noinstr.text\") void n(void) { }\n S(\".init.text\") void i(void) { }\n"
                "S(\".exit.text\") void e(void) { }\n S(\".initcall6.init\") int c = 1;\n"
                "S(\".init.data\") int id = 1;\n int d = 1, b; S(\".data..percpu\") int p;\n"
                "S(\".data.once\") char once; const int r[3] = { 1 }; S(\".rodata..table\") int rw = 1;\n"
                "S(\"___ksymtab+f\") const int k = 1; S(\"__ksymtab_strings\") const char ks[] = \"f\";\n"
                "S(\".discard.addressable\") void *a = f; S(\".modinfo\") const char m[] = \"a=b\";\n"
                "S(\"__bug_table_of_mine\") int mine = 1;\n");
        unsigned seen = 0;

        for (size_t i = 1; i < o->n_sections; i++)
                for (size_t n = 0; n < ELEMENTSOF(expected); n++)
                        if (streq(o->sections[i].name, expected[n].name)) {
                                ck_assert_msg(o->sections[i].kind == expected[n].kind, "'%s' is %d",
                                        expected[n].name, o->sections[i].kind);
                                seen++;
                        }
        ck_assert_uint_eq(seen, ELEMENTSOF(expected));
}
END_TEST

START_TEST(test_all_symbols_and_relocations_are_there) {
        _cleanup_object_free_ Object *o = object_compile_and_read(folder, "a",
                "extern void g(int *); static int a, b; void f(void) { g(&a); g(&b); }\n"
                "static void *pointers[] = { &a, f, &b }; void **h(void) { return pointers; }\n");
        _cleanup_free_ char *symbols = object_command("readelf -sW %s/a.o | grep -c '^ *[0-9]*: '", folder);
        _cleanup_free_ char *relas = object_command(
                "readelf -rW %s/a.o | awk '/^Relocation/ { on = !/debug/ } on && /R_X86_64/' | wc -l", folder);
        size_t n = 0;

        for (size_t i = 0; i < o->n_sections; i++)
                n += o->sections[i].n_relocations;
        ck_assert_uint_eq(o->n_symbols, strtoul(symbols, NULL, 10));
        ck_assert_uint_eq(n, strtoul(relas, NULL, 10));
        ck_assert_uint_gt(n, 6);
}
END_TEST

START_TEST(test_covering_finds_the_one_that_lies_there) {
        _cleanup_object_free_ Object *o = object_compile_and_read(folder, "a",
                "#define S __attribute__((section(\".data.all\")))\n"
                "S int a[2] = { 1 }; S int b[2] = { 2 }; extern int b_too[2] __attribute__((alias(\"b\")));\n");
        uint32_t a = object_find(o, "a"), b = object_find(o, "b"), section = o->symbols[a].section;
        uint64_t at = o->symbols[b].value;

        ck_assert_uint_eq(object_covering(o, section, o->symbols[a].value + 7), a);
        ck_assert(object_covering(o, section, at) == b || object_covering(o, section, at) == object_find(o, "b_too"));
        ck_assert_uint_eq(object_covering(o, section, 16), 0);
        ck_assert_uint_eq(object_covering(o, section + 1, 0), 0);
        ck_assert_uint_eq(object_find(o, "c"), 0);
        ck_assert_uint_eq(object_find(o, ""), 0);
}
END_TEST

START_TEST(test_base_names) {
        static const char *const names[][2] = {
                { "f", "f" },           { "f.cold", "f" },        { "f.isra.0", "f" },
                { "f.constprop.12", "f" }, { "f.part.0.isra.1.cold", "f" }, { "count.37", "count" },
                { "__func__.4", "__func__" }, { "f.llvm.123", "f" }, { "v1.2.3", "v1" },
                { "a.b", "a.b" },       { ".LC0", ".LC0" },       { ".5", ".5" },
                { ".cold", ".cold" },   { "", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                ck_assert_msg(object_base_name_length(names[i][0]) == strlen(names[i][1]), "'%s'", names[i][0]);
}
END_TEST

START_TEST(test_parents_of_cold_parts) {
        /* A name, and whose part it is by this name: nobody's, or that one's. */
        static const char *const names[][2] = {
                { "f.cold", "f" }, { "f.cold.3", "f" }, { "f.part.0.cold", "f.part.0" }, { "f.part.0", "f.part.0" },
                { "f.coldest", "f.coldest" }, { "f.cold.part", "f.cold.part" }, { "xf.cold", "xf.cold" },
                { "data.cold", "data.cold" }, { "f", "f" },
        };
        _cleanup_object_free_ Object *o = object_compile_and_read(folder, "p",
                "int f(void) { return 1; }\n"
                "int a(void) __asm__(\"f.cold\"); int a(void) { return 2; }\n"
                "int b(void) __asm__(\"f.cold.3\"); int b(void) { return 3; }\n"
                "int c(void) __asm__(\"f.part.0\"); int c(void) { return 4; }\n"
                "int d(void) __asm__(\"f.part.0.cold\"); int d(void) { return 5; }\n"
                "int e(void) __asm__(\"f.coldest\"); int e(void) { return 6; }\n"
                "int g(void) __asm__(\"f.cold.part\"); int g(void) { return 7; }\n"
                "int h(void) __asm__(\"xf.cold\"); int h(void) { return 8; }\n"
                "int data = 1; int i(void) __asm__(\"data.cold\"); int i(void) { return 9; }\n");

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                ck_assert_msg(object_function_parent(o, object_find(o, names[i][0])) == object_find(o, names[i][1]),
                        "'%s'", names[i][0]);
}
END_TEST

static int read_changed(const uint8_t *bytes, size_t size) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_object_free_ Object *o = NULL;
        _cleanup_free_ char *path = NULL;
        FILE *f;
        int r;

        ck_assert_int_ge(asprintf(&path, "%s/changed.o", folder), 0);
        f = fopen(path, "we");
        ck_assert(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
        r = object_read(path, &o, &error);
        ck_assert(r >= 0 ? o && !sd_bus_error_is_set(&error) : !o && sd_bus_error_is_set(&error));
        return r;
}

START_TEST(test_broken_files_are_refused) {
        _cleanup_object_free_ Object *o = object_compile_and_read(folder, "a",
                "extern void g(int *); static int a; void f(void) { g(&a); }\n");
        _cleanup_free_ uint8_t *bytes = malloc(o->size);
        Elf64_Ehdr *h = (Elf64_Ehdr *) bytes;
        Elf64_Shdr *sections;

        ck_assert_ptr_nonnull(bytes);
        memcpy(bytes, o->data, o->size);
        ck_assert_int_eq(read_changed(bytes, o->size), 0);
        ck_assert_int_lt(read_changed(bytes, 0), 0);
        ck_assert_int_lt(read_changed(bytes, sizeof(*h)), 0);
        ck_assert_int_lt(read_changed(bytes, o->size - 1), 0);
        sections = (Elf64_Shdr *) (bytes + h->e_shoff);
        for (size_t i = 1; i < h->e_shnum; i++) {
                Elf64_Shdr kept = sections[i];

                sections[i].sh_offset = UINT64_MAX - 7;
                ck_assert(read_changed(bytes, o->size) < 0 || kept.sh_type == SHT_NOBITS);
                sections[i] = kept;
                sections[i].sh_name = UINT32_MAX;
                ck_assert_int_lt(read_changed(bytes, o->size), 0);
                sections[i] = kept;
                if (kept.sh_type == SHT_RELA && o->sections[kept.sh_info].kind != OBJECT_IGNORED) {
                        Elf64_Rela *rela = (Elf64_Rela *) (bytes + kept.sh_offset);
                        Elf64_Rela first = *rela;

                        rela->r_offset = o->sections[kept.sh_info].size - 3;
                        ck_assert_int_lt(read_changed(bytes, o->size), 0);
                        *rela = first;
                        rela->r_info = ELF64_R_INFO(o->n_symbols, R_X86_64_PC32);
                        ck_assert_int_lt(read_changed(bytes, o->size), 0);
                        *rela = first;
                }
        }
        ck_assert_int_eq(read_changed(bytes, o->size), 0);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("object");
        TCase *t = tcase_create("object");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_set_timeout(t, 60);
        tcase_add_test(t, test_relocations_name_what_is_meant);
        tcase_add_test(t, test_cold_parts_and_their_ways_back);
        tcase_add_test(t, test_tables_point_into_functions);
        tcase_add_test(t, test_section_kinds);
        tcase_add_test(t, test_all_symbols_and_relocations_are_there);
        tcase_add_test(t, test_covering_finds_the_one_that_lies_there);
        tcase_add_test(t, test_base_names);
        tcase_add_test(t, test_parents_of_cold_parts);
        tcase_add_test(t, test_broken_files_are_refused);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
