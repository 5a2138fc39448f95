/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Each rule but those over types, with a pair of objects that breaks it and one that nearly does. */

#include "builder/rules/data.h"
#include "tests/unit/rules-material.h"
#include "tests/unit/unit.h"

/* ---- functions ---- */

START_TEST(a_changed_function_is_fine) {
        check_rules("int f(int a) { return helper(a); }", "int f(int a) { return a < 0 ? -1 : helper(a); }");
        ck_assert(is_changed("f"));
        expect_nothing();
}
END_TEST

START_TEST(a_notrace_function_is_refused) {
        check_rules("notrace int f(int a) { return helper(a); } int g(int a) { return helper(a) + 1; }",
                        "notrace int f(int a) { return helper(a + 1); } int g(int a) { return helper(a) + 1; }");
        expect_refused(RULE_NO_FTRACE_SITE, "f", "marked notrace");
}
END_TEST

START_TEST(a_file_without_ftrace_is_named_as_such) {
        check_rules("notrace int f(int a) { return helper(a); }", "notrace int f(int a) { return helper(a + 1); }");
        expect_refused(RULE_NO_FTRACE_SITE, "f", "file is built without ftrace");
}
END_TEST

START_TEST(a_notrace_function_that_did_not_change_is_fine) {
        check_rules("notrace int f(int a) { return helper(a); } int g(int a) { return helper(a) + 1; }",
                        "notrace int f(int a) { return helper(a); } int g(int a) { return helper(a) + 2; }");
        expect_nothing();
}
END_TEST

#define NOTRACE_CALLED(with, more)                                                                         \
        "static noinline notrace int body(int a) { return helper(a) + " with "; }\n"                        \
        "noinline int f(int a) { return body(a); } int g(int a) { return body(a) * 2; } int h(int a) { return f(a) + 3; }" more

START_TEST(callers_take_over_for_a_notrace_function) {
        check_rules(NOTRACE_CALLED("1", ""), NOTRACE_CALLED("2", ""));
        ck_assert(is_changed("body") && is_changed("f") && is_changed("g"));
        ck_assert(!is_changed("h"));
        ck_assert_ptr_nonnull(strstr(rules_changes->symbols[object_find(rules_after, "f")].why, "'body'"));
        expect_nothing();
}
END_TEST

START_TEST(callers_cannot_take_over_for_a_pointer) {
        check_rules(NOTRACE_CALLED("1", " int (*pointer)(int) = body;"), NOTRACE_CALLED("2", " int (*pointer)(int) = body;"));
        ck_assert(!is_changed("f"));
        expect_refused(RULE_NO_FTRACE_SITE, "body", "marked notrace");
}
END_TEST

START_TEST(callers_that_cannot_be_redirected_either_do_not_take_over) {
        check_rules("static noinline notrace int body(int a) { return helper(a) + 1; } int g(int a) { return helper(a) * 2; }\n"
                    "notrace int f(int a) { return body(a) * 3; }",
                    "static noinline notrace int body(int a) { return helper(a) + 2; } int g(int a) { return helper(a) * 2; }\n"
                    "notrace int f(int a) { return body(a) * 3; }");
        ck_assert(!is_changed("f"));
        expect_refused(RULE_NO_FTRACE_SITE, "body", "marked notrace");
}
END_TEST

#define NEIGHBOUR(n)                                                                                       \
        "#define noinstr notrace __attribute__((__section__(\".noinstr.text\"))) noinline\n"                         \
        "static noinstr int inner(int a) { return a * " n "; } noinstr int outer(int a) { return inner(a) + 1; }\n"

START_TEST(callers_in_the_same_section_cannot_be_seen) {
        check_rules(NEIGHBOUR("5"), NEIGHBOUR("7"));
        expect_refused(RULE_NO_FTRACE_SITE, "inner", "noinstr");
}
END_TEST

START_TEST(callers_of_callers_take_over) {
        check_rules("static noinline notrace int body(int a) { return helper(a) + 1; }\n"
                    "static noinline notrace int f(int a) { return body(a) * 3; } noinline int g(int a) { return f(a) * 2; }",
                    "static noinline notrace int body(int a) { return helper(a) + 2; }\n"
                    "static noinline notrace int f(int a) { return body(a) * 3; } noinline int g(int a) { return f(a) * 2; }");
        ck_assert(is_changed("f") && is_changed("g"));
        expect_nothing();
}
END_TEST

START_TEST(schedule_is_always_on_a_stack) {
        check_rules("void schedule(void) { helper(1); }", "void schedule(void) { helper(2); }");
        expect_refused(RULE_ALWAYS_ON_STACK, "schedule", "sleeps");
}
END_TEST

START_TEST(a_function_of_a_module_may_be_called_schedule) {
        check_running("driver", "void schedule(void) { helper(1); }", "void schedule(void) { helper(1); }",
                        "void schedule(void) { helper(2); }");
        expect_nothing();
}
END_TEST

#define THREAD(with)                                                                                       \
        "static int loop(void *p) { while (!kthread_should_stop()) helper(" with "); return 0; }\n"         \
        "static noinline int once(void *p) { return helper(" with "); }\n"

START_TEST(the_main_loop_of_a_kernel_thread_is_always_on_its_stack) {
        check_rules(THREAD("1") "void *start(void) { return kthread_create_on_node(loop, 0); } int g(void) { return once(0); }",
                        THREAD("2") "void *start(void) { return kthread_create_on_node(loop, 0); } int g(void) { return once(0); }");
        expect_refused(RULE_ALWAYS_ON_STACK, "loop", "kernel thread");
}
END_TEST

START_TEST(a_thread_that_ends_by_itself_is_fine) {
        check_rules(THREAD("1") "void *start(void) { return kthread_create_on_node(once, 0); }",
                        THREAD("2") "void *start(void) { return kthread_create_on_node(once, 0); }");
        expect_nothing();
}
END_TEST

START_TEST(marks_that_the_new_code_loses_are_told) {
#define SOURCE(n) "int section(\".sched.text\") f(int a) { return helper(a) + " n "; } int g(int a) { return helper(a) * " n "; }\n" \
        "int h(int a) { return helper(a); } static unsigned long __attribute__((used)) section(\"_kprobe_blacklist\") " \
        "_kbl_addr_g = (unsigned long) g; static unsigned long __attribute__((used)) section(\"_kprobe_blacklist\") " \
        "_kbl_addr_h = (unsigned long) h;"
        check_rules(SOURCE("1"), SOURCE("2"));
#undef SOURCE
        ck_assert_ptr_nonnull(strstr(find(RULE_UNSUPPORTED, false, "f")->text, "no longer marked __sched"));
        ck_assert_ptr_nonnull(strstr(find(RULE_UNSUPPORTED, false, "g")->text, "must not be probed"));
        ck_assert_uint_eq(rules_findings.n, 2);
}
END_TEST

#define NORETURN(n, more) \
        "static noinline __attribute__((noreturn)) void gone(int a) { for (;;) helper(a" more "); }\n" \
        "int f(int a) { if (__builtin_expect(a < 0, 0)) gone(a); return helper(a) + " n "; } int g(int a) { gone(a); }\n"

START_TEST(a_static_function_that_never_returns_is_refused) {
        check_rules(NORETURN("1", ""), NORETURN("2", ""));
        ck_assert(!is_changed("g"));
        expect_refused(RULE_UNSUPPORTED, "f", "calls 'gone', which never returns");
}
END_TEST

START_TEST(one_that_is_in_the_patch_is_fine) {
        check_rules(NORETURN("1", ""), NORETURN("1", " + 1"));
        ck_assert(is_changed("gone"));
        expect_nothing();
        check_rules("extern __attribute__((noreturn)) void panic(int); int f(int a) { if (a < 0) panic(a); return helper(a); }",
                    "extern __attribute__((noreturn)) void panic(int); int f(int a) { if (a < 1) panic(a); return helper(a); }");
        expect_nothing();
}
END_TEST

/* ---- initialisation ---- */

START_TEST(a_new_boot_parameter_is_told) {
#define SETUP "int __init quiet(char *s) { return helper(*s); } struct { int (*call)(char *); } " \
        "__setup_quiet section(\".init.setup\") = { quiet };"
        check_rules("int f(int a) { return helper(a); }", "int f(int a) { return helper(a + 1); } " SETUP);
        expect_remark(RULE_INIT_CODE, "quiet", "has no effect");
        ck_assert_uint_eq(rules_findings.n, 1);
        findings_done(&rules_findings);
        check_rules("int f(int a) { return helper(a); } " SETUP, "int f(int a) { return helper(a + 1); } " SETUP);
        expect_nothing();
#undef SETUP
}
END_TEST

START_TEST(init_code_has_run) {
        check_rules("int __init f(void) { return helper(1); }", "int __init f(void) { return helper(2); }");
        expect_refused(RULE_INIT_CODE, "f", "has already run");
}
END_TEST

/* The distances between init functions are in the code without a relocation. */
START_TEST(init_code_behind_changed_init_code_is_the_same) {
        check_rules("static noinline int __init a(void) { return helper(1); }\n"
                    "static noinline int __init b(void) { return helper(7); }\n"
                    "int __init f(void) { return a() + b(); }",
                    "static noinline int __init a(void) { return helper(1) ? helper(3) : helper(4); }\n"
                    "static noinline int __init b(void) { return helper(7); }\n"
                    "int __init f(void) { return a() + b(); }");
        expect_refused(RULE_INIT_CODE, "a", "has already run");
}
END_TEST

START_TEST(init_data_has_been_read) {
        check_rules("int __initdata limit = 3; int __init f(void) { return helper(limit); }",
                    "int __initdata limit = 4; int __init f(void) { return helper(limit); }");
        expect_refused(RULE_INIT_CODE, "limit", "already been read");
}
END_TEST

START_TEST(new_code_cannot_use_init_code) {
        check_rules("noinline int __init i(int a) { return helper(a); } int f(int a) { return helper(a); }",
                    "noinline int __init i(int a) { return helper(a); } int f(int a) { return i(a); }");
        expect_refused(RULE_INIT_CODE, "f", "'i', which is gone");
}
END_TEST

START_TEST(exit_code_of_what_is_built_in_is_a_remark) {
        check_rules("void __exit f(void) { helper(1); } int g(void) { return helper(1); }",
                    "void __exit f(void) { helper(2); } int g(void) { return helper(2); }");
        expect_remark(RULE_INIT_CODE, "f", "no effect");
}
END_TEST

START_TEST(exit_code_of_a_module_is_refused) {
        check_running("driver", "void __exit f(void) { helper(1); }", "void __exit f(void) { helper(1); }",
                        "void __exit f(void) { helper(2); }");
        expect_refused(RULE_INIT_CODE, "f", "exit code of a module");
}
END_TEST

/* ---- data ---- */

START_TEST(the_initial_value_of_data_is_refused) {
        check_rules("int limit = 3; int f(void) { return helper(limit); }", "int limit = 4; int f(void) { return helper(limit); }");
        expect_refused(RULE_DATA_VALUE, "limit", "initial value");
}
END_TEST

START_TEST(new_data_is_fine) {
        check_rules("int limit = 3; int f(void) { return helper(limit); }",
                    "int limit = 3; static int count; int f(void) { return helper(limit + count++); }");
        expect_nothing();
}
END_TEST

START_TEST(data_that_grew_is_refused) {
        check_rules("int table[4] = { 1 }; int f(int i) { return helper(table[i & 3]); }",
                    "int table[8] = { 1 }; int f(int i) { return helper(table[i & 7]); }");
        expect_refused(RULE_DATA_VALUE, "table", "16 bytes in the running kernel and would need 32");
}
END_TEST

START_TEST(a_private_constant_may_change) {
        check_rules("static const int table[] = { 1, 2, 3, 4, 5 }; int f(int i) { return helper(table[i]); }",
                    "static const int table[] = { 1, 2, 3, 4, 6 }; int f(int i) { return helper(table[i]) + 1; }");
        expect_nothing();
}
END_TEST

#define OPS(second)                                                                                        \
        "static int one(int a) { return helper(a); } static int two(int a) { return helper(a + 2); }\n"     \
        "struct ops { int (*a)(int), (*b)(int); }; static const struct ops ops = { one, " second " };\n"    \
        "void start(void) { register_ops(&ops); } int (*other)(int) = two;"

START_TEST(a_table_of_functions_that_changed_is_refused) {
        check_rules(OPS("one"), OPS("two"));
        expect_refused(RULE_DATA_VALUE, "ops", "initial value");
}
END_TEST

START_TEST(data_that_has_likely_been_renamed_is_refused) {
        check_rules("static int old_counter; int f(void) { return helper(old_counter++); }",
                    "static int new_counter; int f(void) { return helper(2 + new_counter++); }");
        expect_refused(RULE_DATA_REMOVED, "old_counter", "'new_counter'");
}
END_TEST

START_TEST(data_that_is_only_gone_is_fine) {
        check_rules("static int counter; int f(void) { return helper(counter++); }", "int f(void) { return helper(0); }");
        expect_nothing();
}
END_TEST

START_TEST(what_belongs_to_one_place_in_the_code_may_be_copied) {
        uint32_t s;

        check_rules("int f(int a) { return helper((long) __func__) + a; }",
                    "int f(int a) { static int __already_done; if (!__already_done++) helper((long) __func__); return helper((long) __func__) + a; }");
        expect_nothing();
        for (s = 1; s < rules_after->n_symbols && !startswith(rules_after->symbols[s].name, "__already_done"); s++)
                ;
        ck_assert_uint_lt(s, rules_after->n_symbols);
        ck_assert(data_may_be_copied(rules_changes, s));
        ck_assert(data_is_private(rules_after, s));
}
END_TEST

START_TEST(writable_data_is_never_copied) {
        check_rules("int limit = 3; static const int two[2] = { 1, 2 }; const int three[3] = { 3 }; int f(int i) { return helper(limit + two[i] + three[i]); }",
                    "int limit = 3; static const int two[2] = { 1, 2 }; const int three[3] = { 3 }; int f(int i) { return helper(limit + two[i] + three[i]) + 1; }");
        ck_assert(!data_may_be_copied(rules_changes, object_find(rules_after, "limit")));
        ck_assert(data_may_be_copied(rules_changes, object_find(rules_after, "two")));
        ck_assert(!data_may_be_copied(rules_changes, object_find(rules_after, "three"))); /* global: somebody may compare addresses */
}
END_TEST

#define LITERAL(const, two)                                                                                \
        "typedef int function(int); struct init { function *" const " *p; } init = {\n"                             \
        "(function *" const "[]) { helper, " two " } }; int f(int a) { return helper(a"

START_TEST(a_literal_that_a_table_points_to_belongs_to_the_table) {
        check_rules(LITERAL("const", "0") "); }", LITERAL("const", "helper") ") + 1; }");
        expect_refused(RULE_DATA_VALUE, "__compound_literal.0", "initial value");
}
END_TEST

START_TEST(a_changed_literal_that_can_be_written_is_refused) {
        check_rules(LITERAL("", "0") "); }", LITERAL("", "helper") ") + 1; }");
        expect_refused(RULE_DATA_VALUE, "__compound_literal.0", "initial value");
}
END_TEST

START_TEST(a_literal_that_can_be_written_is_a_variable) {
        static const char source[] = "struct init { int *p; } init = { (int[]) { 1, 2 } }; int f(void) { return helper(init.p[0]); }";
        uint32_t s;

        check_rules(source, source);
        s = object_find(rules_after, "__compound_literal.0");
        ck_assert_uint_ne(s, 0);
        ck_assert(!data_is_private(rules_after, s));
}
END_TEST

/* ---- what the kernel has from elsewhere ---- */

#define CALLER "int f(int a) { return helper(a"
#define MOVED  "int moved(int a) { return helper(a * 3); } int variable = 5;"

START_TEST(a_function_that_moved_here_is_refused) {
        check_running("vmlinux", CALLER "); }" MOVED, CALLER "); }",
                      CALLER "); } int moved(int a) { return helper(a * 5); }");
        expect_refused(RULE_UNSUPPORTED, "moved", "from another one");
}
END_TEST

START_TEST(a_variable_that_moved_here_is_refused) {
        check_running("vmlinux", CALLER "); }" MOVED, CALLER "); }",
                      "int variable = 5; int f(int a) { return helper(a + variable++); }");
        expect_refused(RULE_DATA_REMOVED, "variable", "have it twice");
}
END_TEST

START_TEST(a_new_function_may_have_the_name_of_a_static_one) {
        check_running("vmlinux", CALLER "); } static int __attribute__((used)) moved(int a) { return helper(a * 3); }",
                      CALLER "); }", "int moved(int a) { return helper(a * 5); } int f(int a) { return helper(moved(a)); }");
        expect_nothing();
}
END_TEST

/* ---- tables of the linker ---- */

#define QUIRK(n) "asm(\".pushsection .pci_fixup_final,\\\"a\\\"; .short " n ", 1; .long f - .; .popsection\");"

START_TEST(a_new_entry_without_a_symbol_is_refused) {
        check_rules(QUIRK("1") CALLER "); }", QUIRK("1") QUIRK("2") CALLER ") + 1; }");
        expect_refused(RULE_MODULE_INTERFACE, ".pci_fixup_final", "its own");
}
END_TEST

START_TEST(a_changed_entry_without_a_symbol_is_refused) {
        check_rules(QUIRK("1") CALLER "); }", QUIRK("2") CALLER ") + 1; }");
        expect_refused(RULE_MODULE_INTERFACE, ".pci_fixup_final", "its own");
}
END_TEST

START_TEST(a_table_that_is_gone_is_refused) {
        check_rules(QUIRK("1") CALLER "); }", CALLER ") + 1; }");
        expect_refused(RULE_MODULE_INTERFACE, ".pci_fixup_final", "its own");
}
END_TEST

START_TEST(a_table_that_stays_is_fine) {
        check_rules(QUIRK("1") CALLER "); }", QUIRK("1") CALLER ") + 1; }");
        expect_nothing();
}
END_TEST

/* ---- static keys, tracepoints ---- */

#define KEY(key)                                                                                           \
        "asm goto(\"1: jmp %l[out]; .pushsection __jump_table,\\\"aw\\\"; .balign 8; .long 1b - ., %l[out] - .; "   \
        ".quad %c0 - .; .popsection\" : : \"i\" (" key ") : : out); a++; out:"

START_TEST(a_static_key_of_a_module_is_refused) {
        check_running("driver", "u64 key; int f(int a) { return helper(a); }", "u64 key; int f(int a) { return helper(a); }",
                        "u64 key; int f(int a) { " KEY("&key") " return helper(a + 1); }");
        expect_refused(RULE_STATIC_KEY, "key", "belongs to a module");
}
END_TEST

START_TEST(a_static_key_of_the_kernel_is_fine) {
        check_rules("u64 key; int f(int a) { return helper(a); }", "u64 key; int f(int a) { " KEY("&key") " return helper(a + 1); }");
        expect_nothing();
}
END_TEST

START_TEST(a_new_static_key_is_a_remark) {
        check_rules("int f(int a) { return helper(a); }", "static u64 key; int f(int a) { " KEY("&key") " return helper(a + 1); }");
        expect_remark(RULE_STATIC_KEY, "key", "is new");
}
END_TEST

START_TEST(the_key_of_a_debug_message_is_fine) {
        check_running("driver", "int f(int a) { return helper(a); }", "int f(int a) { return helper(a); }",
                        "int f(int a) { static u64 __UNIQUE_ID_ddebug7 section(\"__dyndbg\"); " KEY("&__UNIQUE_ID_ddebug7") " return helper(a + 1); }");
        expect_nothing();
}
END_TEST

START_TEST(a_new_tracepoint_is_refused) {
        check_rules("int f(int a) { return helper(a); }",
                    "struct { int x; } __tracepoint_opened section(\"__tracepoints\") = { 1 }; int f(int a) { return helper(a); }");
        expect_refused(RULE_TRACEPOINT, "opened", "is new");
}
END_TEST

/* ---- what is read at load time ---- */

#define PARAMETER(name, value) "struct { int x; } __param_" name " section(\"__param\") = { " value " };"

START_TEST(a_new_parameter_is_refused) {
        check_rules("int f(int a) { return helper(a); }", "int f(int a) { return helper(a); } " PARAMETER("limit", "1"));
        expect_refused(RULE_MODULE_INTERFACE, "limit", "is new");
}
END_TEST

START_TEST(a_changed_parameter_is_refused) {
        check_rules("int f(int a) { return helper(a); } " PARAMETER("limit", "1"), "int f(int a) { return helper(a); } " PARAMETER("limit", "2"));
        expect_refused(RULE_MODULE_INTERFACE, "__param_limit", "module parameter");
}
END_TEST

START_TEST(a_parameter_that_stays_is_fine) {
        check_rules("int f(int a) { return helper(a); } " PARAMETER("limit", "1"), "int f(int a) { return helper(a + 1); } " PARAMETER("limit", "1"));
        expect_nothing();
}
END_TEST

#define DEVICES(more)                                                                                      \
        "const struct id { int vendor, device; } ids[4] = { { 1, 2 }" more " };\n"                          \
        "extern const struct id __mod_pci__ids_device_table[4] __attribute__((unused, alias(\"ids\")));"

START_TEST(a_table_of_devices_is_refused_as_such) {
        check_rules(DEVICES(""), DEVICES(", { 3, 4 }"));
        expect_refused(RULE_MODULE_INTERFACE, "ids", "table of devices");
}
END_TEST

#define INITCALL "void *call section(\".initcall6.init\") = start;"

START_TEST(a_new_initcall_is_refused) {
        check_rules("int __init start(void) { return helper(1); }", "int __init start(void) { return helper(1); } " INITCALL);
        expect_refused(RULE_MODULE_INTERFACE, "start", "is new");
}
END_TEST

START_TEST(module_information_is_a_remark) {
        check_rules("int f(int a) { return helper(a); } const char i[] section(\".modinfo\") = \"author=A\";",
                    "int f(int a) { return helper(a); } const char i[] section(\".modinfo\") = \"author=B\";");
        ck_assert_uint_eq(findings_refusals(&rules_findings), 0);
        ck_assert_ptr_nonnull(find(RULE_MODULE_INTERFACE, false, "author=B"));
}
END_TEST

/* ---- addresses ---- */

START_TEST(the_address_of_a_sealed_function_is_refused) {
        check_rules("int f(int a) { return helper(a); }", "int f(int a) { register_ops(sealed); return helper(a); }");
        expect_refused(RULE_INDIRECT_CALL, "sealed", "through a pointer");
}
END_TEST

START_TEST(a_call_of_a_sealed_function_is_fine) {
        check_rules("int f(int a) { return helper(a); }", "int f(int a) { return sealed(a); }");
        expect_nothing();
}
END_TEST

START_TEST(the_address_of_an_ordinary_function_is_fine) {
        check_rules("int f(int a) { return helper(a); }", "int f(int a) { register_ops(helper); return helper(a); }");
        expect_nothing();
}
END_TEST

#define TABLE(second)                                                                                      \
        "static int (*const table[])(int) = { helper, " second " }; int f(int a) { register_ops(table); return helper(a); }"

START_TEST(a_sealed_function_in_a_new_table_is_refused) {
        check_rules("int f(int a) { return helper(a); }", TABLE("sealed"));
        ck_assert_uint_eq(rules_findings.n, 2);
        ck_assert_ptr_nonnull(find(RULE_INDIRECT_CALL, true, "sealed"));
}
END_TEST

START_TEST(a_new_table_of_functions_is_a_remark) {
        check_rules("int f(int a) { return helper(a); }", TABLE("helper"));
        expect_remark(RULE_INDIRECT_CALL, "table", "after the patch was removed");
}
END_TEST

START_TEST(a_new_table_of_numbers_is_fine) {
        check_rules("int f(int a) { return helper(a); }",
                    "static const int table[] = { 1, 2, 3, 4 }; int f(int a) { register_ops(table); return helper(a); }");
        expect_nothing();
}
END_TEST

START_TEST(the_address_of_a_new_function_is_a_remark) {
        check_rules("int f(int a) { return helper(a); }",
                    "static void later(void *p) { helper(1); } int f(int a) { schedule_call(later); return helper(a); }");
        expect_remark(RULE_INDIRECT_CALL, "later", "after the patch was removed");
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("rules");
        TCase *c = rules_case("rules");

        tcase_add_test(c, a_changed_function_is_fine);
        tcase_add_test(c, a_notrace_function_is_refused);
        tcase_add_test(c, a_file_without_ftrace_is_named_as_such);
        tcase_add_test(c, a_notrace_function_that_did_not_change_is_fine);
        tcase_add_test(c, callers_take_over_for_a_notrace_function);
        tcase_add_test(c, callers_cannot_take_over_for_a_pointer);
        tcase_add_test(c, callers_that_cannot_be_redirected_either_do_not_take_over);
        tcase_add_test(c, callers_in_the_same_section_cannot_be_seen);
        tcase_add_test(c, callers_of_callers_take_over);
        tcase_add_test(c, schedule_is_always_on_a_stack);
        tcase_add_test(c, a_function_of_a_module_may_be_called_schedule);
        tcase_add_test(c, the_main_loop_of_a_kernel_thread_is_always_on_its_stack);
        tcase_add_test(c, a_thread_that_ends_by_itself_is_fine);
        tcase_add_test(c, a_static_function_that_never_returns_is_refused);
        tcase_add_test(c, one_that_is_in_the_patch_is_fine);
        tcase_add_test(c, marks_that_the_new_code_loses_are_told);
        tcase_add_test(c, a_new_boot_parameter_is_told);
        tcase_add_test(c, init_code_has_run);
        tcase_add_test(c, init_code_behind_changed_init_code_is_the_same);
        tcase_add_test(c, init_data_has_been_read);
        tcase_add_test(c, new_code_cannot_use_init_code);
        tcase_add_test(c, exit_code_of_what_is_built_in_is_a_remark);
        tcase_add_test(c, exit_code_of_a_module_is_refused);
        tcase_add_test(c, the_initial_value_of_data_is_refused);
        tcase_add_test(c, new_data_is_fine);
        tcase_add_test(c, data_that_grew_is_refused);
        tcase_add_test(c, a_private_constant_may_change);
        tcase_add_test(c, a_table_of_functions_that_changed_is_refused);
        tcase_add_test(c, data_that_has_likely_been_renamed_is_refused);
        tcase_add_test(c, data_that_is_only_gone_is_fine);
        tcase_add_test(c, what_belongs_to_one_place_in_the_code_may_be_copied);
        tcase_add_test(c, writable_data_is_never_copied);
        tcase_add_test(c, a_literal_that_a_table_points_to_belongs_to_the_table);
        tcase_add_test(c, a_changed_literal_that_can_be_written_is_refused);
        tcase_add_test(c, a_literal_that_can_be_written_is_a_variable);
        tcase_add_test(c, a_function_that_moved_here_is_refused);
        tcase_add_test(c, a_variable_that_moved_here_is_refused);
        tcase_add_test(c, a_new_function_may_have_the_name_of_a_static_one);
        tcase_add_test(c, a_new_entry_without_a_symbol_is_refused);
        tcase_add_test(c, a_changed_entry_without_a_symbol_is_refused);
        tcase_add_test(c, a_table_that_is_gone_is_refused);
        tcase_add_test(c, a_table_that_stays_is_fine);
        tcase_add_test(c, a_static_key_of_a_module_is_refused);
        tcase_add_test(c, a_static_key_of_the_kernel_is_fine);
        tcase_add_test(c, a_new_static_key_is_a_remark);
        tcase_add_test(c, the_key_of_a_debug_message_is_fine);
        tcase_add_test(c, a_new_tracepoint_is_refused);
        tcase_add_test(c, a_new_parameter_is_refused);
        tcase_add_test(c, a_changed_parameter_is_refused);
        tcase_add_test(c, a_parameter_that_stays_is_fine);
        tcase_add_test(c, a_table_of_devices_is_refused_as_such);
        tcase_add_test(c, a_new_initcall_is_refused);
        tcase_add_test(c, module_information_is_a_remark);
        tcase_add_test(c, the_address_of_a_sealed_function_is_refused);
        tcase_add_test(c, a_call_of_a_sealed_function_is_fine);
        tcase_add_test(c, the_address_of_an_ordinary_function_is_fine);
        tcase_add_test(c, a_sealed_function_in_a_new_table_is_refused);
        tcase_add_test(c, a_new_table_of_functions_is_a_remark);
        tcase_add_test(c, a_new_table_of_numbers_is_fine);
        tcase_add_test(c, the_address_of_a_new_function_is_a_remark);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(suite)
