/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Two objects compared: each test is one rule, told by a small source before and after. */

#include <elf.h>

#include "builder/compare/inlined.h"
#include "builder/compare/touched.h"
#include "tests/unit/object-material.h"
#include "tests/unit/unit.h"
#include "util/strv.h"

/* What each source begins with. One line, so that lines of a source are counted from 1. */
#define PRELUDE                                                                                            \
        "#define noinline __attribute__((noinline))\n"                                                     \
        "#define TABLE(name, flags) \".pushsection \" name \",\\\"\" flags \"\\\"\\n\"\n"                  \
        "#define WARN() asm volatile(\"1: ud2\\n\" TABLE(\"__bug_table\", \"aw\")"                         \
        " \"2: .long 1b - .\\n .long %c0 - .\\n .word %c1\\n .word %c2\\n .org 2b + 12\\n .popsection\""    \
        " : : \"i\"(__FILE__), \"i\"(__LINE__), \"i\"(2305))\n"                                            \
        "extern void sink(const void *, ...);\n"                                                           \
        "extern int source(void);\n"                                                                       \
        "extern void rare(int) __attribute__((cold));\n"                                                   \
        "#line 1\n"

static char *folder;
static Object *before, *after;
static Changes *changes;

static void setup(void) {
        folder = scratch_new();
}

static void teardown(void) {
        changes = changes_free(changes);
        before = object_free(before);
        after = object_free(after);
        scratch_free(folder);
}

static Object *compile(const char *name, const char *source) {
        _cleanup_free_ char *text = NULL;

        ck_assert_int_ge(asprintf(&text, "%s%s", PRELUDE, source), 0);
        return object_compile_and_read(folder, name, text);
}

static void compare(const char *source_before, const char *source_after) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        changes_free(changes);
        object_free(before);
        object_free(after);
        before = compile("before", source_before);
        after = compile("after", source_after);
        r = changes_find(before, after, &changes, &error);
        ck_assert_msg(r >= 0, "%s", error.message);
}

static const SymbolChange *change(const char *name) {
        uint32_t symbol = object_find(after, name);

        ck_assert_msg(symbol != 0, "no '%s' after", name);
        return changes->symbols + symbol;
}

#define assert_kind(name, expected)                                                                        \
        do {                                                                                               \
                const SymbolChange *_c = change(name);                                                     \
                ck_assert_msg(_c->kind == (expected), "'%s' is %d: %s", (name), _c->kind,                  \
                        _c->why ?: "no reason");                                                           \
                ck_assert_msg(!_c->why == (_c->kind != CHANGE_CHANGED), "'%s' and its reason", (name));     \
        } while (0)

#define assert_why(name, part)                                                                             \
        do {                                                                                               \
                assert_kind(name, CHANGE_CHANGED);                                                         \
                ck_assert_msg(strstr(change(name)->why, (part)), "'%s': %s", (name), change(name)->why);    \
        } while (0)

#define assert_was(name, expected)                                                                         \
        do {                                                                                               \
                ck_assert_str_eq(before->symbols[change(name)->before].name, (expected));                  \
                ck_assert_uint_eq(changes->after_of[change(name)->before], object_find(after, (name)));    \
        } while (0)

static unsigned count(ChangeKind kind) {
        unsigned n = 0;

        for (size_t i = 0; i < after->n_symbols; i++)
                n += changes->symbols[i].kind == kind;
        return n;
}

static bool was_split(const Object *o, const char *name) {
        return object_find(o, name) != 0;
}

START_TEST(test_the_same_source_has_no_change) {
        static const char source[] =
                "static int count; const int table[] = { 1, 2 };\n"
                "static noinline int f(int x) { static int n; n += x; if (x < 0) { rare(n); WARN(); } return n; }\n"
                "int g(int x) { static int n; sink(\"%d\", table, &count); return f(x) + ++n; }\n";

        compare(source, source);
        ck_assert_uint_eq(count(CHANGE_CHANGED) + count(CHANGE_NEW), 0);
        ck_assert_uint_ge(count(CHANGE_SAME), 6);
        for (size_t i = 1; i < after->n_symbols; i++)
                if (changes->symbols[i].kind == CHANGE_SAME)
                        ck_assert_str_eq(after->symbols[i].name, before->symbols[changes->symbols[i].before].name);
}
END_TEST

START_TEST(test_lines_are_no_change) {
        compare("int f(int x) { if (x) WARN(); return x; }\n", "\n\n\nint f(int x) { if (x) WARN(); return x; }\n");
        assert_kind("f", CHANGE_SAME);
}
END_TEST

START_TEST(test_other_flags_of_a_warning_are_a_change) {
        compare("int f(int x) { if (x) WARN(); return x; }\n",
                "#define FLAGS 7\n int f(int x) { if (x) asm volatile(\"1: ud2\\n\" TABLE(\"__bug_table\", \"aw\")"
                " \"2: .long 1b - .\\n .long %c0 - .\\n .word 1\\n .word 7\\n .popsection\""
                " : : \"i\"(__FILE__)); return x; }\n");
        assert_why("f", "__bug_table");
}
END_TEST

START_TEST(test_code_and_its_reasons) {
        compare("extern int a(int), b(int); int other; int var, var_too;\n"
                "int value(int x) { return x + 17; }\n"
                "int calls(int x) { return a(x) + 1; }\n"
                "int refers(void) { return var; }\n"
                "int fewer(int x) { a(x); return b(x) + 1; }\n"
                "int place(void) { static int t[4]; sink(t); return t[1]; }\n"
                "int untouched(int x) { return a(x) * 3; }\n",
                "extern int a(int), b(int); int other; int var, var_too;\n"
                "int value(int x) { return x + 18; }\n"
                "int calls(int x) { if (b(x)) return 0; return a(x) + 1; }\n"
                "int refers(void) { return var_too; }\n"
                "int fewer(int x) { return b(x) + 1; }\n"
                "int place(void) { static int t[4]; sink(t); return t[2]; }\n"
                "int untouched(int x) { return a(x) * 3; }\n");
        assert_why("value", "the code differs from +0x");
        assert_why("calls", "calls 'b' at +0x");
        assert_why("refers", "refers to 'var_too' at +0x");
        assert_why("fewer", "does not call 'a' any more");
        assert_why("place", "refers to another place in 't.");
        assert_kind("untouched", CHANGE_SAME);
        ck_assert_uint_eq(count(CHANGE_CHANGED), 5);
}
END_TEST

START_TEST(test_callers_change_only_by_inlining) {
        compare("static int inlined(int x) { return x + 1; }\n"
                "static noinline int called(int x) { return x + source(); }\n"
                "int f(int x) { return inlined(x); }\n int g(int x) { return called(x) + 1; }\n",
                "static int inlined(int x) { return x + 2; }\n"
                "static noinline int called(int x) { return x - source(); }\n"
                "int f(int x) { return inlined(x); }\n int g(int x) { return called(x) + 1; }\n");
        assert_kind("f", CHANGE_CHANGED);
        assert_kind("called", CHANGE_CHANGED);
        assert_kind("g", CHANGE_SAME);
}
END_TEST

START_TEST(test_new_functions) {
        compare("int f(int x) { return x; }\n",
                "static noinline int helper(int x) { return x + source(); }\n int f(int x) { return helper(x) + 1; }\n");
        assert_kind("helper", CHANGE_NEW);
        ck_assert_uint_eq(change("helper")->before, 0);
        assert_why("f", "calls 'helper'");
}
END_TEST

START_TEST(test_static_locals_whose_numbers_moved) {
        compare("int f(void) { static int n = 1; return n++; }\n int g(void) { static int n = 2; return n += 2; }\n",
                "int e(void) { static int n = 3; return n += 3; }\n"
                "int f(void) { static int n = 1; return n++; }\n int g(void) { static int n = 2; return n += 2; }\n");
        assert_kind("f", CHANGE_SAME);
        assert_kind("g", CHANGE_SAME);
        assert_kind("e", CHANGE_NEW);
        ck_assert_uint_eq(count(CHANGE_NEW), 2);
        ck_assert_uint_eq(count(CHANGE_CHANGED), 0);
        for (size_t i = 1; i < after->n_symbols; i++)
                if (startswith(after->symbols[i].name, "n.") && changes->symbols[i].before)
                        ck_assert_int_eq(*(const int *) (after->sections[after->symbols[i].section].data),
                                *(const int *) (before->sections[before->symbols[changes->symbols[i].before]
                                                                         .section].data));
}
END_TEST

START_TEST(test_several_static_locals_in_a_changed_function) {
        compare("int f(int x) { { static int n; if (x & 1) n += source(); x += n; }"
                " { static int n; if (x & 2) n -= source(); x -= n; } return x; }\n",
                "int f(int x) { { static int n; if (x & 1) n += source(); x += n; }"
                " { static int n; if (x & 4) n *= source(); x ^= n; }"
                " { static int n; if (x & 2) n -= source(); x -= n; } return x; }\n");
        assert_kind("f", CHANGE_CHANGED);
        ck_assert_uint_eq(count(CHANGE_NEW), 1);
}
END_TEST

/* Everything else it refers to has kept its order, so that this is not laid beside itself. */
START_TEST(test_the_only_static_local_of_its_name_in_a_function_is_itself) {
        compare("int f(int x) { static int n; n += x; rare(1); source(); rare(2); source(); return 0; }\n",
                "int f(int x) { static int n; rare(1); source(); rare(2); source(); n += x; return 0; }\n");
        assert_kind("f", CHANGE_CHANGED);
        ck_assert_uint_eq(count(CHANGE_NEW), 0);
}
END_TEST

START_TEST(test_a_static_local_of_another_function_is_another) {
        compare("int f(void) { static int n; return n++; }\n int g(int x) { return x; }\n",
                "int f(void) { return 0; }\n int g(int x) { static int n; return n++ + x; }\n");
        ck_assert_uint_eq(count(CHANGE_NEW), 1);
        assert_kind("f", CHANGE_CHANGED);
        assert_kind("g", CHANGE_CHANGED);
}
END_TEST

START_TEST(test_a_new_static_in_place_of_the_old_is_a_change) {
        compare("static int old; int *x(void) { return &old; } int f(void) { return old++; }\n",
                "static int old, fresh; int *x(void) { return &old; } int f(void) { return fresh++; }\n");
        assert_why("f", "'fresh'");
        assert_kind("fresh", CHANGE_NEW);
        assert_kind("old", CHANGE_SAME);
        assert_kind("x", CHANGE_SAME);
}
END_TEST

START_TEST(test_cold_parts_belong_to_their_functions) {
        compare("int f(int x) { if (x < 0) { rare(1); rare(2); return source(); } return x + 1; }\n",
                "int f(int x) { if (x < 0) { rare(1); rare(3); return source(); } return x + 1; }\n");
        assert_kind("f.cold", CHANGE_CHANGED);
        assert_why("f", "'f.cold'");
        ck_assert_uint_eq(object_function_parent(after, object_find(after, "f.cold")), object_find(after, "f"));
        ck_assert_uint_eq(object_function_parent(after, object_find(after, "f")), object_find(after, "f"));
        compare("int f(int x) { if (x < 0) { rare(1); rare(2); return source(); } return x + 1; }\n",
                "int f(int x) { if (x < 0) { rare(1); rare(2); return source(); } return x + 2; }\n");
        assert_kind("f", CHANGE_CHANGED);
        assert_kind("f.cold", CHANGE_CHANGED);
}
END_TEST

START_TEST(test_variants_of_functions_are_followed) {
        static const char rest[] =
                "int f(int x) { return helper(x, 1) + part(x, 3); }\n"
                "int g(int x) { return helper(x + 1, 1) + part(x, 4); }\n";
        _cleanup_free_ char *one = NULL, *two = NULL;

        ck_assert_int_ge(asprintf(&one, "static noinline int helper(int x, int y) { return source() * x + y; }\n"
                "static noinline int part(int x, int y) { sink(&source); return x; }\n%s", rest), 0);
        ck_assert_int_ge(asprintf(&two, "static noinline int helper(int x, int y) { return source() + x + y; }\n"
                "static noinline int part(int x, int y) { sink(&source); return x; }\n%s", rest), 0);
        compare(one, two);
        ck_assert(was_split(after, "helper.constprop.0"));
        assert_kind("helper.constprop.0", CHANGE_CHANGED);
        assert_kind("f", CHANGE_SAME);
        assert_kind("g", CHANGE_SAME);
        ck_assert_uint_eq(count(CHANGE_NEW), 0);
}
END_TEST

START_TEST(test_several_variants_are_told_apart_by_who_calls_them) {
        static const char body[] =
                "static noinline int helper(int x, int y) { for (int i = 0; i < y; i++) x += source(); return x; }\n"
                "int f(int x) { return helper(x, 11); }\n int g(int x) { return helper(x, 22); }\n";
        _cleanup_free_ char *two = NULL;

        ck_assert_int_ge(asprintf(&two, "static noinline __attribute__((noclone, noipa)) int first(int x)"
                " { return source() + x; }\n int e(int x) { return first(x); }\n%s", body), 0);
        compare(body, two);
        assert_kind("f", CHANGE_SAME);
        assert_kind("g", CHANGE_SAME);
        ck_assert_uint_eq(count(CHANGE_CHANGED), 0);
}
END_TEST

START_TEST(test_strings_are_their_content) {
        compare("void f(void) { sink(\"one\"); }\n void g(void) { sink(\"two\"); }\n",
                "void e(void) { sink(\"a new one comes first\"); }\n"
                "void f(void) { sink(\"one\"); }\n void g(void) { sink(\"Two\"); }\n");
        assert_kind("e", CHANGE_NEW);
        assert_kind("f", CHANGE_SAME);
        assert_why("g", "refers to another constant");
}
END_TEST

START_TEST(test_names_of_functions_are_strings_too) {
        compare("void f(void) { sink(__func__); }\n void g(void) { sink(__func__, 1); }\n",
                "void e(void) { sink(__func__, 3); }\n"
                "void f(void) { sink(__func__); }\n void g(void) { sink(__func__, 2); }\n");
        assert_kind("f", CHANGE_SAME);
        assert_kind("g", CHANGE_CHANGED);
        for (size_t i = 1; i < after->n_symbols; i++)
                if (startswith(after->symbols[i].name, "__func__") && changes->symbols[i].kind != CHANGE_NEW) {
                        const ObjectSymbol *a = after->symbols + i;
                        const ObjectSymbol *b = before->symbols + changes->symbols[i].before;

                        ck_assert_str_eq((const char *) after->sections[a->section].data + a->value,
                                (const char *) before->sections[b->section].data + b->value);
                }
}
END_TEST

START_TEST(test_exceptions_belong_to_their_function) {
#define FAULTS(to)                                                                                         \
        "int f(int *p) { int r = 0; asm volatile(\"1: movl (%1), %0\\n 2: nop\\n 3:\\n\""                  \
        " TABLE(\"__ex_table\", \"a\") \".balign 4\\n .long 1b - .\\n .long " to "b - .\\n .long 3\\n"      \
        " .popsection\" : \"+r\"(r) : \"r\"(p)); return r; }\n"                                            \
        "int g(int *p) { int r = 1; asm volatile(\"1: movl (%1), %0\\n 2:\\n\""                            \
        " TABLE(\"__ex_table\", \"a\") \".balign 4\\n .long 1b - .\\n .long 2b - .\\n .long 3\\n"           \
        " .popsection\" : \"+r\"(r) : \"r\"(p)); return r; }\n"
        compare(FAULTS("2"), FAULTS("3"));
        assert_why("f", "__ex_table");
        assert_kind("g", CHANGE_SAME);
        compare(FAULTS("3"), "int e(int *p) { return *p; }\n" FAULTS("3"));
        assert_kind("f", CHANGE_SAME);
        assert_kind("g", CHANGE_SAME);
}
END_TEST

START_TEST(test_alternatives_belong_to_their_function) {
#define ALTERNATIVE(name, by)                                                                              \
        "void " name "(void) { asm volatile(\"661: nop\\n nop\\n nop\\n nop\\n nop\\n 662:\\n\""           \
        " TABLE(\".altinstructions\", \"a\") \".long 661b - .\\n .long 663f - .\\n .word 77\\n"             \
        " .byte 662b - 661b\\n .byte 664f - 663f\\n .popsection\\n\""                                      \
        " TABLE(\".altinstr_replacement\", \"ax\") \"663: " by "\\n 664:\\n .popsection\"); }\n"
        compare(ALTERNATIVE("f", "call one") ALTERNATIVE("g", "stac"),
                ALTERNATIVE("e", "clac") ALTERNATIVE("f", "call two") ALTERNATIVE("g", "stac"));
        assert_why("f", ".altinstructions");
        assert_kind("g", CHANGE_SAME);
        compare(ALTERNATIVE("f", "stac") ALTERNATIVE("g", "call one"),
                ALTERNATIVE("f", "clac") ALTERNATIVE("g", "call one"));
        assert_kind("f", CHANGE_CHANGED);
        assert_kind("g", CHANGE_SAME);
}
END_TEST

START_TEST(test_static_branches_belong_to_their_function) {
#define BRANCH(key)                                                                                        \
        "extern long one[2], two[2]; int f(int x) { asm goto(\"1: .byte 0x0f,0x1f,0x44,0x00,0\\n\""        \
        " TABLE(\"__jump_table\", \"aw\") \".balign 8\\n .long 1b - ., %l[yes] - .\\n .quad %c0 - .\\n"    \
        " .popsection\" : : \"i\"(" key ") : : yes); return x; yes: return source(); }\n"
        compare(BRANCH("one"), BRANCH("one"));
        assert_kind("f", CHANGE_SAME);
        compare(BRANCH("one"), BRANCH("two"));
        assert_why("f", "__jump_table");
        compare(BRANCH("one"), BRANCH("(char *) one + 1"));
        assert_why("f", "__jump_table");
}
END_TEST

START_TEST(test_what_only_a_table_names) {
#define KEYED(name)                                                                                        \
        "int " name "(int x) { static long key[2]; asm goto(\"1: .byte 0x0f,0x1f,0x44,0x00,0\\n\""           \
        " TABLE(\"__jump_table\", \"aw\") \".balign 8\\n .long 1b - ., %l[yes] - .\\n .quad %c0 - .\\n"    \
        " .popsection\" : : \"i\"(key) : : yes); return x; yes: return source(); }\n"
        compare(KEYED("f") KEYED("g"), KEYED("e") KEYED("f") KEYED("g"));
        assert_kind("f", CHANGE_SAME);
        assert_kind("g", CHANGE_SAME);
        ck_assert_uint_eq(count(CHANGE_NEW), 2);
        for (size_t i = 1; i < before->n_symbols; i++)
                if (startswith(before->symbols[i].name, "key."))
                        ck_assert_uint_ne(changes->after_of[i], 0);
}
END_TEST

START_TEST(test_code_beside_the_function) {
#define BESIDE(name, what)                                                                                 \
        "int " name "(int x) { asm goto(\"jmp 6f\\n\" TABLE(\".altinstr_aux\", \"ax\") \"6: testl $" what   \
        ", %%edi\\n jnz %l[yes]\\n jmp %l[no]\\n .popsection\" : : : : yes, no);"                          \
        " yes: return source(); no: return x + 2; }\n"
        compare(BESIDE("f", "4") BESIDE("g", "8"), BESIDE("e", "16") BESIDE("f", "4") BESIDE("g", "7"));
        assert_kind("f", CHANGE_SAME);
        assert_kind("g", CHANGE_CHANGED);
}
END_TEST

START_TEST(test_data) {
        compare("extern int one(void), two(void); int same = 1, value = 2, grows[2], zero;\n"
                "int (*points)(void) = one; static int gone = 7; int *keep(void) { return &gone; }\n"
                "const char *text = \"text\", *text_too = \"text too\";\n",
                "extern int one(void), two(void); int same = 1, value = 3, grows[3], zero, fresh;\n"
                "int (*points)(void) = two; int *keep(void) { return 0; }\n"
                "const char *text = \"text\", *text_too = \"another\";\n");
        assert_kind("same", CHANGE_SAME);
        assert_kind("zero", CHANGE_SAME);
        ck_assert_int_eq(change("value")->kind, CHANGE_CHANGED);
        ck_assert_int_eq(change("grows")->kind, CHANGE_CHANGED);
        ck_assert_int_eq(change("points")->kind, CHANGE_CHANGED);
        ck_assert_int_eq(change("text_too")->kind, CHANGE_CHANGED);
        assert_kind("text", CHANGE_SAME);
        assert_kind("fresh", CHANGE_NEW);
        ck_assert_uint_eq(changes->after_of[object_find(before, "gone")], 0);
}
END_TEST

START_TEST(test_constants_are_one_with_who_uses_them) {
        compare("static const int limits[3] = { 1, 2, 3 }; int f(int x) { return limits[x]; }\n"
                "static const int others[3] = { 4, 5, 6 }; int g(int x) { return others[x]; }\n"
                "static const int *const inner[] = { limits, others }; int h(int x, int y) { return inner[x][y]; }\n",
                "static const int limits[3] = { 1, 2, 4 }; int f(int x) { return limits[x]; }\n"
                "static const int others[3] = { 4, 5, 6 }; int g(int x) { return others[x]; }\n"
                "static const int *const inner[] = { limits, others }; int h(int x, int y) { return inner[x][y]; }\n");
        assert_kind("limits", CHANGE_NEW);
        assert_kind("inner", CHANGE_NEW);
        assert_kind("others", CHANGE_SAME);
        assert_why("f", "'limits'");
        assert_why("h", "'inner'");
        assert_kind("g", CHANGE_SAME);
}
END_TEST

START_TEST(test_tables_of_functions_keep_their_identity) {
        compare("static int one(void) { return 1; } static int two(void) { return 2; }\n"
                "static int (*const ops[])(void) = { one, two }; void f(void) { sink(ops); }\n",
                "static int one(void) { return 1; } static int two(void) { return 2; }\n"
                "static int (*const ops[])(void) = { one, one }; void f(void) { sink(ops); sink(two); }\n");
        ck_assert_int_eq(change("ops")->kind, CHANGE_CHANGED);
        assert_kind("one", CHANGE_SAME);
}
END_TEST

START_TEST(test_static_came_or_went) {
        compare("static noinline int f(int x) { return source() + x; }\n static int v; int *p(void) { return &v; }\n"
                "int g(int x) { return f(x) + 1; }\n",
                "noinline int f(int x) { return source() + x; }\n int v; int *p(void) { return &v; }\n"
                "int g(int x) { return f(x) + 1; }\n");
        assert_kind("f", CHANGE_SAME);
        assert_kind("v", CHANGE_SAME);
        assert_kind("g", CHANGE_SAME);
        assert_kind("p", CHANGE_SAME);
}
END_TEST

START_TEST(test_functions_that_share_a_section) {
#define SHARED(n)                                                                                          \
        "#define S __attribute__((section(\".sched.text\")))\n"                                            \
        "S static noinline int first(int x) { return source() + x; }\n"                                    \
        "S int grows(int x) { return x * " n "; }\n"                                                       \
        "S int last(int x) { return first(x) + first(x + 1); }\n"
        compare(SHARED("2"), SHARED("(x < 7 ? source() + 12345 : x + 77777) * x"));
        assert_kind("grows", CHANGE_CHANGED);
        assert_kind("first", CHANGE_SAME);
        assert_kind("last", CHANGE_SAME);
        compare(SHARED("2"), "#define S __attribute__((section(\".sched.text\")))\n"
                "S static noinline int second(int x) { return source() - x; }\n"
                "S static noinline int first(int x) { return source() + x; }\n"
                "S int grows(int x) { return x * 2; }\n"
                "S int last(int x) { return first(x) + second(x + 1); }\n");
        assert_kind("last", CHANGE_CHANGED);
}
END_TEST

START_TEST(test_messages_that_moved) {
#define MESSAGE                                                                                            \
        "struct d { const char *a, *b, *c, *d; unsigned line:18, class:6, flags:8; };\n"                   \
        "#define DEBUG() ({ static struct d __attribute__((section(\"__dyndbg\"), used)) descriptor"       \
        " = { \"m\", __func__, \"file\", \"text\", __LINE__, 63, 1 }; sink(&descriptor); })\n"
        compare(MESSAGE "void f(void) { DEBUG(); } void g(void) { DEBUG(); }\n",
                MESSAGE "\n\n void e(void) { DEBUG(); }\n void f(void) { DEBUG(); } void g(void) { DEBUG(); }\n");
        assert_kind("f", CHANGE_SAME);
        assert_kind("g", CHANGE_SAME);
        ck_assert_uint_eq(count(CHANGE_CHANGED), 0);
}
END_TEST

START_TEST(test_code_that_moved_into_init_is_a_change) {
        compare("int f(int x) { return source() + x; }\n",
                "__attribute__((section(\".init.text\"))) int f(int x) { return source() + x; }\n");
        assert_why("f", "'.init.text'");
}
END_TEST

START_TEST(test_switches_made_into_tables) {
#define SWITCHES(v)                                                                                        \
        "int f(int x) { switch (x) { case 0: return 5; case 1: return 17; case 2: return 4; case 3: return 99;"\
        " case 4: return " v "; } return 0; }\n"                                                           \
        "int g(int x) { switch (x) { case 0: return 6; case 1: return 18; case 2: return 5; case 3: return 98;"\
        " case 4: return 7; } return 0; }\n"
        compare(SWITCHES("1"), SWITCHES("2"));
        assert_kind("f", CHANGE_CHANGED);
        assert_kind("g", CHANGE_SAME);
}
END_TEST

START_TEST(test_other_options_are_refused) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *path = object_compile_with(folder, "other", "-mharden-sls=all",
                "int f(int x) { return x; }\n");
        Changes *c = NULL;

        before = compile("before", "int f(int x) { return x; }\n");
        ck_assert_ok(object_read(path, &after, &error));
        ck_assert_int_lt(changes_find(before, after, &c, &error), 0);
        ck_assert_ptr_null(c);
        ck_assert_msg(strstr(error.message, "'-mharden-sls=all' after the fix"), "%s", error.message);
        sd_bus_error_free(&error);
        ck_assert_int_lt(changes_find(after, before, &c, &error), 0);
        ck_assert_msg(strstr(error.message, "'-mharden-sls=all' before the fix"), "%s", error.message);
}
END_TEST

/* A fix that has one diff about test.c. */
#define FIX(text)                                                                                          \
        (Fix) {                                                                                            \
                .files = &(FixFile) { .path = (char *) "test.c" }, .n_files = 1,                           \
                .diffs = &(FixDiff) { .file = 0, .hunks = (char *) (text) }, .n_diffs = 1,                 \
        }

START_TEST(test_lines_that_a_fix_touches) {
        static const TouchedLine expected[] = {
                { 0, 3, false }, { 0, 4, true }, { 0, 5, true }, { 0, 21, false }, { 0, 31, true },
        };
        _cleanup_free_ TouchedLine *lines = NULL;
        const Fix fix = FIX("@@ -2,3 +2,4 @@ f()\n a\n-b\n+c\n d\n+e\n\n@@ -20,2 +21,1 @@\n x\n-y\n"
                "\\ No newline\n@@ -30,0 +31,2 @@\n+n\n+m\n");
        size_t n;

        ck_assert_ok(touched_lines(&fix, &lines, &n));
        ck_assert_uint_eq(n, ELEMENTSOF(expected));
        for (size_t i = 0; i < n; i++)
                ck_assert(lines[i].file == expected[i].file && lines[i].line == expected[i].line &&
                        lines[i].inserted == expected[i].inserted);
}
END_TEST

static void name_inlined(const Fix *fix) {
        _cleanup_free_ char *path_before = NULL, *path_after = NULL;

        ck_assert_int_ge(asprintf(&path_before, "%s/before.o", folder), 0);
        ck_assert_int_ge(asprintf(&path_after, "%s/after.o", folder), 0);
        ck_assert_ok(changes_name_inlined(changes, fix, path_before, path_after));
}

START_TEST(test_inlined_functions_are_named) {
        static const char rest[] =
                "int f(int x) {\n int i = inner(x);\n if (i < 0) { rare(i); return other(i); }\n return i;\n}\n"
                "int g(int x) { return other(x); }\n";
        static const char others[] = "static int other(int x) {\n return x * source();\n}\n";
        _cleanup_free_ char *one = NULL, *two = NULL;

        ck_assert_int_ge(asprintf(&one, "static int inner(int x) {\n int r = source();\n\n return r + x;\n}\n"
                "%s%s", others, rest), 0);
        ck_assert_int_ge(asprintf(&two, "static int added(int x) { return x ^ source(); }\n"
                "static int inner(int x) {\n int r = source();\n if (r < 5) return added(r);\n return r + x;\n}\n"
                "%s%s", others, rest), 0);
        compare(one, two);
        name_inlined(&FIX("@@ -1,5 +1,6 @@\n+static int added\n static int inner\n int r\n-\n+if\n return\n"));
        assert_kind("f", CHANGE_CHANGED);
        ck_assert_uint_eq(strv_length(change("f")->inlined), 2);
        ck_assert(strv_contains(change("f")->inlined, "inner"));
        ck_assert(strv_contains(change("f")->inlined, "added"));
        assert_kind("g", CHANGE_SAME);
        ck_assert_ptr_null(change("g")->inlined);
}
END_TEST

START_TEST(test_inlining_without_debug_information) {
        compare("int f(int x) { return x; }\n", "int f(int x) { return x + 1; }\n");
        free(object_command("objcopy -g %s/before.o", folder));
        name_inlined(&FIX("@@ -1,1 +1,1 @@\n-a\n+b\n"));
        ck_assert_ptr_null(change("f")->inlined);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("changes");
        TCase *t = tcase_create("changes");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_set_timeout(t, 60);
        tcase_add_test(t, test_the_same_source_has_no_change);
        tcase_add_test(t, test_lines_are_no_change);
        tcase_add_test(t, test_other_flags_of_a_warning_are_a_change);
        tcase_add_test(t, test_code_and_its_reasons);
        tcase_add_test(t, test_callers_change_only_by_inlining);
        tcase_add_test(t, test_new_functions);
        tcase_add_test(t, test_static_locals_whose_numbers_moved);
        tcase_add_test(t, test_several_static_locals_in_a_changed_function);
        tcase_add_test(t, test_the_only_static_local_of_its_name_in_a_function_is_itself);
        tcase_add_test(t, test_a_static_local_of_another_function_is_another);
        tcase_add_test(t, test_a_new_static_in_place_of_the_old_is_a_change);
        tcase_add_test(t, test_cold_parts_belong_to_their_functions);
        tcase_add_test(t, test_variants_of_functions_are_followed);
        tcase_add_test(t, test_several_variants_are_told_apart_by_who_calls_them);
        tcase_add_test(t, test_strings_are_their_content);
        tcase_add_test(t, test_names_of_functions_are_strings_too);
        tcase_add_test(t, test_exceptions_belong_to_their_function);
        tcase_add_test(t, test_alternatives_belong_to_their_function);
        tcase_add_test(t, test_static_branches_belong_to_their_function);
        tcase_add_test(t, test_what_only_a_table_names);
        tcase_add_test(t, test_code_beside_the_function);
        tcase_add_test(t, test_data);
        tcase_add_test(t, test_constants_are_one_with_who_uses_them);
        tcase_add_test(t, test_tables_of_functions_keep_their_identity);
        tcase_add_test(t, test_static_came_or_went);
        tcase_add_test(t, test_functions_that_share_a_section);
        tcase_add_test(t, test_messages_that_moved);
        tcase_add_test(t, test_code_that_moved_into_init_is_a_change);
        tcase_add_test(t, test_switches_made_into_tables);
        tcase_add_test(t, test_other_options_are_refused);
        tcase_add_test(t, test_lines_that_a_fix_touches);
        tcase_add_test(t, test_inlined_functions_are_named);
        tcase_add_test(t, test_inlining_without_debug_information);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
