/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a fix may do to types, and what not; exported functions, whose types are a promise, too. */

#include "tests/unit/rules-material.h"
#include "tests/unit/unit.h"

/* ---- types ---- */

#define SHARED(members) "struct shared { " members " } *shared; int f(struct shared *s) { return helper(s->a); }"

START_TEST(a_new_member_is_refused) {
        check_rules(SHARED("int a; int b;"), SHARED("int a; int b; int c;"));
        expect_refused(RULE_DATA_LAYOUT, "shared", "member 'c' is new");
}
END_TEST

START_TEST(a_new_member_in_a_hole_is_refused) {
        check_rules(SHARED("char a; long b;"), SHARED("char a; char hole; long b;"));
        expect_refused(RULE_DATA_LAYOUT, "shared", "member 'hole' is new");
}
END_TEST

START_TEST(a_member_that_moved_is_refused) {
        check_rules(SHARED("int a; int b;"), SHARED("int b; int a;"));
        ck_assert_uint_eq(rules_findings.n, 1);
        expect_refused(RULE_DATA_LAYOUT, "shared", "moved");
}
END_TEST

START_TEST(a_member_that_is_gone_is_refused) {
        check_rules(SHARED("int a; int b;"), SHARED("int a;"));
        expect_refused(RULE_DATA_LAYOUT, "shared", "member 'b' is gone");
}
END_TEST

START_TEST(a_bit_field_of_another_width_is_refused) {
        check_rules(SHARED("u32 a:4, b:4;"), SHARED("u32 a:4, b:5;"));
        expect_refused(RULE_DATA_LAYOUT, "shared", "member 'b' has another type");
}
END_TEST

START_TEST(a_pointer_to_something_else_is_refused) {
        check_rules(SHARED("int a; struct file *p;"), SHARED("int a; struct task *p;"));
        expect_refused(RULE_DATA_LAYOUT, "shared", "member 'p' has another type");
}
END_TEST

START_TEST(a_callback_with_another_parameter_is_refused) {
        check_rules(SHARED("int a; int (*call)(struct file *);"), SHARED("int a; int (*call)(struct file *, int);"));
        expect_refused(RULE_DATA_LAYOUT, "shared", "member 'call' has another type");
}
END_TEST

START_TEST(another_way_to_declare_the_same_is_fine) {
        check_rules(SHARED("unsigned int a; unsigned long b; int c; int d; char *e;"),
                    SHARED("u32 a; const u64 b; struct { int c; }; union { int d; }; volatile char *e;"));
        expect_nothing();
}
END_TEST

START_TEST(a_number_that_is_signed_now_is_a_remark) {
        check_rules(SHARED("int a; int b;"), SHARED("int a; unsigned int b;"));
        expect_remark(RULE_DATA_LAYOUT, "shared", "member 'b' has the same size");
}
END_TEST

START_TEST(a_new_type_is_fine) {
        check_rules(SHARED("int a; int b;"),
                    "struct shared { int a; int b; } *shared; struct fresh { long x, y; } *fresh; enum new { NEW = 4 } new;\n"
                    "int f(struct shared *s) { return helper(s->a + fresh->x + (new == NEW)); }");
        expect_nothing();
}
END_TEST

START_TEST(a_type_that_is_gone_is_fine) {
        check_rules("struct gone { long x, y; } *gone; int f(void) { return helper(gone->x); }", "int f(void) { return helper(0); }");
        expect_nothing();
}
END_TEST

#define STATE(values) "enum state { " values " } state; int f(void) { return helper(state == BUSY); }"

START_TEST(an_enumerator_with_another_value_is_refused) {
        check_rules(STATE("IDLE, BUSY, DEAD = 9"), STATE("IDLE, NEW, BUSY, DEAD = 9"));
        expect_refused(RULE_DATA_LAYOUT, "state", "'BUSY' has another value");
}
END_TEST

START_TEST(a_new_enumerator_is_fine) {
        check_rules(STATE("IDLE, BUSY"), STATE("IDLE, BUSY, NEW"));
        expect_nothing();
}
END_TEST

START_TEST(an_enumerator_that_counts_the_others_may_grow) {
        check_rules(STATE("IDLE, BUSY, N_STATES"), STATE("IDLE, BUSY, NEW, N_STATES"));
        expect_remark(RULE_DATA_LAYOUT, "state", "'N_STATES' has another value");
}
END_TEST

START_TEST(an_unnamed_enumerator_with_another_value_is_refused) {
        check_rules("enum { ZERO, ONE, TWO, FOUR = 4 } e; int f(void) { return helper(e == TWO); }",
                    "enum { ZERO, ONE = 3, TWO = 2, FOUR = 4 } e; int f(void) { return helper(e == TWO); }");
        expect_refused(RULE_DATA_LAYOUT, "ONE", "from 1 to 3");
}
END_TEST

START_TEST(a_type_that_the_image_has_otherwise_is_refused) {
        check_running("vmlinux", SHARED("int a; long b;"), SHARED("int a; int b;"), SHARED("int a; int b;"));
        expect_refused(RULE_NOT_MATCHED, "shared", "not what the kernel image has");
}
END_TEST

START_TEST(one_of_several_types_of_a_name_in_the_image_will_do) {
        check_running("vmlinux",
                        "void a(void) { struct shared { long other; } s; helper((long) &s); } " SHARED("int a; int b;"),
                        SHARED("int a; int b;"), SHARED("int a; int b;"));
        expect_nothing();
}
END_TEST

/* ---- exports ---- */

#define EXPORT(name)                                                                                       \
        "asm(\".pushsection .export_symbol,\\\"a\\\"; __export_symbol_" name ": .asciz \\\"\\\"; .asciz \\\"\\\"; "  \
        ".balign 8; .quad " name "; .popsection\");\n"

START_TEST(an_export_that_goes_is_refused) {
        check_rules("int f(int a) { return helper(a); } " EXPORT("f"), "int f(int a) { return helper(a); }");
        expect_refused(RULE_EXPORT_CHANGED, "f", "no longer exported");
}
END_TEST

START_TEST(an_export_that_comes_is_a_remark) {
        check_rules("int f(int a) { return helper(a); }", "int f(int a) { return helper(a); } " EXPORT("f"));
        expect_remark(RULE_EXPORT_CHANGED, "f", "newly exported");
}
END_TEST

START_TEST(an_exported_function_keeps_its_prototype) {
        check_rules("int f(int a) { return helper(a); } " EXPORT("f"), "int f(int a, int b) { return helper(a + b); } " EXPORT("f"));
        expect_refused(RULE_EXPORT_CHANGED, "f", "takes 2 parameters instead of 1");
}
END_TEST

START_TEST(other_functions_need_not_keep_their_prototype) {
        check_rules("int f(int a) { return helper(a); }", "int f(int a, int b) { return helper(a + b); }");
        expect_nothing();
}
END_TEST

START_TEST(qualifiers_are_no_part_of_a_prototype) {
        check_rules("int f(char *a) { return helper(*a); } " EXPORT("f"), "int f(const char *s) { return helper(*s); } " EXPORT("f"));
        expect_nothing();
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("layout");
        TCase *c = rules_case("layout");

        tcase_add_test(c, a_new_member_is_refused);
        tcase_add_test(c, a_new_member_in_a_hole_is_refused);
        tcase_add_test(c, a_member_that_moved_is_refused);
        tcase_add_test(c, a_member_that_is_gone_is_refused);
        tcase_add_test(c, a_bit_field_of_another_width_is_refused);
        tcase_add_test(c, a_pointer_to_something_else_is_refused);
        tcase_add_test(c, a_callback_with_another_parameter_is_refused);
        tcase_add_test(c, another_way_to_declare_the_same_is_fine);
        tcase_add_test(c, a_number_that_is_signed_now_is_a_remark);
        tcase_add_test(c, a_new_type_is_fine);
        tcase_add_test(c, a_type_that_is_gone_is_fine);
        tcase_add_test(c, an_enumerator_with_another_value_is_refused);
        tcase_add_test(c, a_new_enumerator_is_fine);
        tcase_add_test(c, an_enumerator_that_counts_the_others_may_grow);
        tcase_add_test(c, an_unnamed_enumerator_with_another_value_is_refused);
        tcase_add_test(c, a_type_that_the_image_has_otherwise_is_refused);
        tcase_add_test(c, one_of_several_types_of_a_name_in_the_image_will_do);
        tcase_add_test(c, an_export_that_goes_is_refused);
        tcase_add_test(c, an_export_that_comes_is_a_remark);
        tcase_add_test(c, an_exported_function_keeps_its_prototype);
        tcase_add_test(c, other_functions_need_not_keep_their_prototype);
        tcase_add_test(c, qualifiers_are_no_part_of_a_prototype);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(suite)
