/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Pairs of objects made by the compiler; the kernel's image is a module made of the first. What comes out is
 * read back by readelf and objdump.
 */

#include <fcntl.h>

#include "builder/extract/extract.h"
#include "dbus/errors.h"
#include "tests/unit/object-material.h"
#include "tests/unit/unit.h"
#include "util/file.h"
#include "util/strv.h"

/* What the kernel's macros do, as far as it is seen in an object. */
static const char prelude[] =
        "struct bug_entry { int bug_addr_disp; int file_disp; unsigned short line, flags; } types_1;\n"
        "struct exception_table_entry { int insn, fixup, data; } types_2;\n"
        "struct static_key { int enabled; long type; } types_0;\n"
        "struct jump_entry { int code, target; long key; } types_3;\n"
        "struct alt_instr { int instr_offset, repl_offset; short cpuid; unsigned char instrlen, replacementlen; }\n"
        "        types_4;\n"
        "#define noinline __attribute__((noinline, noclone))\n"
        "#define notrace __attribute__((no_instrument_function))\n"
        "#define in(s) __attribute__((section(s)))\n"
        "#define BUG(line) asm volatile(\"1: ud2\\n.pushsection __bug_table,\\\"aw\\\"\\n.long 1b - .\\n.long %c0 - .\\n\""
        "        \".word %c1\\n.word 0\\n.popsection\" : : \"i\"(\"file.c\"), \"i\"(line))\n"
        "#define LOCK(x) asm volatile(\".pushsection .smp_locks,\\\"a\\\"\\n.balign 4\\n.long 671f - .\\n.popsection\\n\""
        "        \"671: lock; incl %0\" : \"+m\"(x))\n"
        "#define FAULT(p) asm volatile(\"1: movl (%0), %%eax\\n2:\\n.pushsection __ex_table,\\\"a\\\"\\n.balign 4\\n\""
        "        \".long 1b - .\\n.long 2b - .\\n.long 3\\n.popsection\" : : \"r\"(p) : \"eax\")\n"
        "#define ALTERNATIVE(call) asm volatile(\"661: nop\\n nop\\n nop\\n nop\\n nop\\n662:\\n\"                  \\\n"
        "        \".pushsection .altinstructions,\\\"a\\\"\\n.long 661b - .\\n.long 663f - .\\n.word 7\\n\"          \\\n"
        "        \".byte 662b - 661b\\n.byte 664f - 663f\\n.popsection\\n\"                                      \\\n"
        "        \".pushsection .altinstr_replacement,\\\"ax\\\"\\n663: call \" #call \"\\n664:\\n.popsection\")\n"
        "#define BRANCH(key, l) asm goto(\"1: jmp %l[\" #l \"]\\n.pushsection __jump_table,\\\"aw\\\"\\n.balign 8\\n\"  \\\n"
        "        \".long 1b - ., %l[\" #l \"] - .\\n.quad %c0 + 2 - .\\n.popsection\" : : \"i\"(&key) : : l)\n"
        "#define UNKNOWN(name) asm volatile(\"1: nop\\n.pushsection \" name \",\\\"aw\\\"\\n.quad 1b\\n.popsection\")\n"
        "extern int exported(int), spaced(int), module_export(int), __SCT__hidden_key(int), __SCT__open_key(int);\n"
        "extern int exported_data;\n";

static const char symvers_text[] =
        "0x1\t__fentry__\tvmlinux\tEXPORT_SYMBOL\t\n"
        "0x1\tkeep\tvmlinux\tEXPORT_SYMBOL\t\n"
        "0x1\texported\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"
        "0x1\texported_data\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"
        "0x1\tspaced\tvmlinux\tEXPORT_SYMBOL_GPL\tSPACE\n"
        "0x1\t__SCT__hidden_key\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"
        "0x1\t__SCT__open_key\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"
        "0x1\t__SCK__open_key\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"
        "0x1\tmodule_export\tdrivers/the-other\tEXPORT_SYMBOL_GPL\t\n";

/* What the image has besides the object before the fix. */
static const char elsewhere[] =
        "int hidden(int a) { return a + 1; } int hidden_data = 5;\n"
        "static int __attribute__((used, noinline)) twice(int a) { return a + 7; }\n"
        "int spaced(int a) { return a; } int __SCT__open_key(int a) { return a; }\n";

typedef struct Fixture {
        char *folder;
        char *path;
        char *image_path;
        Object *before, *after;
        Image *image, *kernel;
        Changes *changes;
        Matcher *matcher;
        Symvers *symvers;
        Provided provided;
        Findings findings;
        Extracted result;
        char *relocations; /* "SECTION+OFFSET TYPE SYMBOL ADDEND" lines */
} Fixture;

static Fixture fx;

static void put(const char *name, const char *text) {
        _cleanup_close_ int dir = open(fx.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        ck_assert_ok(file_replace_at(dir, name, text, strlen(text), 0644));
}

static char *path_of(const char *name) {
        char *s;

        ck_assert_int_ge(asprintf(&s, "%s/%s", fx.folder, name), 0);
        return s;
}

static void setup(void) {
        _cleanup_free_ char *path = NULL;

        ck_assert_ok(hotpatch_errors_register());
        fx = (Fixture) { .folder = scratch_new() };
        fx.path = path_of("out.o");
        put("Module.symvers", symvers_text);
        path = path_of("Module.symvers");
        ck_assert_ok(symvers_load(path, &fx.symvers, NULL));
}

static void teardown(void) {
        extracted_done(&fx.result);
        provided_done(&fx.provided);
        findings_done(&fx.findings);
        matcher_free(fx.matcher);
        changes_free(fx.changes);
        object_free(fx.before);
        object_free(fx.after);
        image_free(fx.image);
        symvers_free(fx.symvers);
        free(fx.relocations);
        free(fx.path);
        free(fx.image_path);
        scratch_free(fx.folder);
}

static Object *compile(const char *name, const char *source) {
        _cleanup_free_ char *text = NULL;

        ck_assert_int_ge(asprintf(&text, "%s#line 1 \"fix.c\"\n%s", prelude, source), 0);
        return object_compile_and_read(fx.folder, name, text);
}

/* The object before the fix and what is elsewhere, as `vmlinux` or a module. */
static void make_image(const char *name, const char *rest) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *info = NULL;

        ck_assert_int_ge(asprintf(&info, "static const char n[] __attribute__((used, section(\".modinfo\"))) = \"name=%s\";",
                                  name), 0);
        free(object_compile(fx.folder, "info", info));
        free(object_compile(fx.folder, "rest", rest));
        free(object_command("cd %s && ld -r --build-id=sha1 -o image.ko before.o rest.o info.o && "
                            "pahole --btf_encode_detached=btf image.ko && objcopy --add-section .BTF=btf image.ko 2>&1",
                            fx.folder));
        fx.image_path = path_of("image.ko");
        ck_assert_msg(image_open_module(fx.image_path, &fx.image, &error) >= 0, "%s", error.message);
}

static void extract_in(const char *module, const char *before, const char *after) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        fx.before = compile("before", before);
        fx.after = compile("after", after);
        make_image(module, elsewhere);
        ck_assert_ok(changes_find(fx.before, fx.after, &fx.changes, &error));
        ck_assert_ok(matcher_new(fx.before, fx.image, &fx.matcher));
        r = extract(&(ExtractInput) {
                .changes = fx.changes,
                .image = fx.image,
                .kernel = fx.image,
                .matcher = fx.matcher,
                .symvers = fx.symvers,
                .provided = &fx.provided,
                .number = 3,
        }, fx.path, &fx.result, &fx.findings, &error);
        ck_assert_msg(r >= 0, "%s: %s", strerror(-r), error.message);
}

static void read_back(void) {
        fx.relocations = object_command("readelf -rW %s | awk '/^Relocation section/ { gsub(/[\\047]|\\.rela/, \"\", $3); s = $3 } "
                "/R_X86_64/ { o = $1; sub(/^0+/, \"\", o); print s \"+\" (o == \"\" ? 0 : o), $3, $5 $6 $7 }'", fx.path);
}

/* Good for vmlinux; what was refused fails the test. */
static void extracted(const char *before, const char *after) {
        extract_in("vmlinux", before, after);
        for (size_t i = 0; i < fx.findings.n; i++)
                ck_assert_msg(!fx.findings.items[i].refused, "%s", fx.findings.items[i].text);
        read_back();
}

static void refused(Rule rule, const char *text) {
        for (size_t i = 0; i < fx.findings.n; i++)
                if (fx.findings.items[i].rule == rule && fx.findings.items[i].refused &&
                                strstr(fx.findings.items[i].text, text)) {
                        ck_assert_int_lt(access(fx.path, F_OK), 0);
                        ck_assert_uint_eq(fx.result.n_functions, 0);
                        return;
                }
        ck_abort_msg("no refusal '%s', but %zu others, first: %s", text, fx.findings.n,
                fx.findings.n ? fx.findings.items[0].text : "none");
}

static void has(const char *wanted) {
        ck_assert_msg(strstr(fx.relocations, wanted), "no '%s' in:\n%s", wanted, fx.relocations);
}

static size_t count_lines(const char *begin) {
        size_t n = 0;

        for (const char *line = fx.relocations; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
                n += startswith(line, begin) != NULL;
        return n;
}

/* The text of a section, as readelf -p prints strings. */
static char *strings_of(const char *section) {
        return object_command("readelf -W -p %s %s", section, fx.path);
}

static uint64_t size_of(const char *section) {
        _cleanup_free_ char *out = object_command("objdump -h %s | awk '$2 == \"%s\" { print $3 }'", fx.path, section);

        return *out ? strtoull(out, NULL, 16) : 0;
}

static const PatchSymbol *symbol(const char *name) {
        for (size_t i = 0; i < fx.result.n_symbols; i++)
                if (streq(fx.result.symbols[i].name, name))
                        return fx.result.symbols + i;
        ck_abort_msg("no symbol '%s'", name);
}

/* ---- code and symbols ---- */

START_TEST(calls_go_to_replacements_and_addresses_to_originals) {
#define SOURCE(n)                                                                                              \
        "extern void keep(int (*)(int)); static noinline int changed(int a) { return exported(a) + " n "; }\n"     \
        "static noinline int other(int a) { return exported(a + 9); }\n"                                           \
        "int user(int a) { keep(changed); keep(other); return changed(a) + other(a) + " n "; }\n"                   \
        "int same(int a) { return changed(a) - 1; }\n"
        extracted(SOURCE("1"), SOURCE("2"));
#undef SOURCE
        ck_assert_uint_eq(fx.result.n_functions, 2);
        ck_assert_str_eq(fx.result.functions[0].object, "vmlinux");
        ck_assert_str_eq(fx.result.functions[0].function, "changed");
        ck_assert_str_eq(fx.result.functions[0].replacement, "hotpatch_3_changed");
        ck_assert_str_eq(fx.result.functions[1].replacement, "hotpatch_3_user");
        ck_assert_str_eq(symbol("hotpatch.3.changed")->symbol, "changed");
        ck_assert_str_eq(symbol("hotpatch.3.changed")->owner, "vmlinux");
        has("R_X86_64_PLT32 exported-4");
        has("R_X86_64_32S hotpatch.3.changed+0");   /* its address */
        has("R_X86_64_PC32 .text-4");               /* its call: it is the first function */
        has("R_X86_64_32S hotpatch.3.other+0");
        has("hotpatch.3.other-4");
        ck_assert_uint_eq(count_lines("__mcount_loc+"), 2);
        ck_assert_uint_eq(size_of("__mcount_loc"), 16);
}
END_TEST

START_TEST(each_symbol_is_resolved_in_its_own_way) {
        extracted("extern int hidden(int), hidden_data; static int (*volatile pointer)(int);\n"
                  "static noinline int twice(int a) { return pointer(a); }\n"
                  "int f(int a) { return twice(a) + hidden(a) + hidden_data + exported_data + spaced(a); }",
                  "extern int hidden(int), hidden_data; static int (*volatile pointer)(int);\n"
                  "static noinline int twice(int a) { return pointer(a); }\n"
                  "int f(int a) { return twice(a) + hidden(a) + hidden_data + exported_data + spaced(a) + 1; }");
        ck_assert_uint_eq(symbol("hidden")->sympos, 0);
        ck_assert_str_eq(symbol("hidden")->object, "vmlinux");
        ck_assert_uint_eq(symbol("hidden_data")->sympos, 0);
        ck_assert_uint_eq(symbol("hotpatch.3.twice")->sympos, 1);
        ck_assert_str_eq(symbol("hotpatch.3.twice")->symbol, "twice");
        ck_assert_str_eq(symbol("hotpatch.3.spaced")->symbol, "spaced"); /* a namespace */
        ck_assert_uint_eq(fx.result.n_symbols, 4);
        has("exported_data-4");
}
END_TEST

START_TEST(static_calls_of_known_keys_only_stay_static) {
#define SOURCE(n) "int f(int a) { return __SCT__hidden_key(a) + __SCT__open_key(a) + " n "; }"
        extracted(SOURCE("1"), SOURCE("2"));
#undef SOURCE
        has("R_X86_64_PLT32 __SCT__hidden_key-4");
        has("R_X86_64_PLT32 hotpatch.3.__SCT__open_key-4");
        ck_assert_str_eq(symbol("hotpatch.3.__SCT__open_key")->symbol, "__SCT__open_key");
}
END_TEST

START_TEST(new_functions_and_data_come_along) {
        extracted("int f(int a) { return exported(a); }",
                  "static int counter; int table[4] = { 1, 2, 3, 4 }; static const char *const names[] = { \"first\", \"second\" };\n"
                  "static int percpu in(\".data..percpu\");\n"
                  "static noinline int added(int a) { counter += a; return table[a & 3] + percpu; }\n"
                  "int f(int a) { exported_data = (long) added; return exported(a) + added(a) + *names[a]; }");
        ck_assert_uint_eq(strv_length(fx.result.added), 1);
        ck_assert(strv_contains(fx.result.added, "added"));
        ck_assert_uint_eq(fx.result.n_symbols, 0);
        has(" .bss-4");
        has(".data+");
        has("R_X86_64_PC32 .data..percpu-4");
        has("R_X86_64_64 .rodata+");
        ck_assert_uint_eq(size_of(".bss"), 4);
        ck_assert_uint_eq(size_of(".data"), 16);
        ck_assert_uint_eq(size_of(".data..percpu"), 4);
}
END_TEST

START_TEST(existing_data_is_never_copied_but_private_data_is) {
#define SOURCE(n)                                                                                              \
        "static int state = 7; static const int numbers[] = { 3, 5, 7, " "9 };\n"                                    \
        "int f(int a) { static char __already_done in(\".data.once\"); if (!__already_done) { __already_done = 1;\n"     \
        "exported((long) __func__); } state++; return numbers[a] + " n "; }\n"                                       \
        "int g(int a) { static char __already_done in(\".data.once\"); if (!__already_done) { __already_done = 1;\n"     \
        "exported((long) __func__); } return state; }\n"
        extracted(SOURCE("1"), SOURCE("2"));
#undef SOURCE
        ck_assert_str_eq(symbol("hotpatch.3.state")->symbol, "state");
        ck_assert_str_eq(symbol("hotpatch.3.numbers")->symbol, "numbers");
        ck_assert_uint_eq(size_of(".data"), 1); /* f's flag, not g's */
        ck_assert_uint_eq(size_of(".rodata"), 2); /* "f" */
}
END_TEST

START_TEST(debug_messages_bring_their_descriptor_and_its_key) {
#define MESSAGE(name) "static struct { const char *format; long line; long key[2]; } __attribute__((aligned(8))) " name " in(\"__dyndbg\") = { \"text\", 7 };\n"  \
        "BRANCH(" name ".key, yes); return exported(a) + 1; yes: return exported(a) + "
#define SOURCE(n) "int f(int a) { " MESSAGE("descriptor") n "; }\nint g(int a) { " MESSAGE("descriptor") "5; }\n"
        extracted(SOURCE("2"), SOURCE("3"));
#undef SOURCE
#undef MESSAGE
        ck_assert_uint_eq(size_of("__dyndbg"), 32);
        has("__dyndbg+0 R_X86_64_64 .rodata+0");
        has("__jump_table+8 R_X86_64_PC64 __dyndbg+12");
        ck_assert_uint_eq(fx.result.n_symbols, 0);
}
END_TEST

START_TEST(other_objects_of_the_fix_may_bring_symbols) {
        _cleanup_free_ char *other = path_of("other.o"), *symbols = NULL;
        _cleanup_(provided_done) Provided brought = {};
        Extracted second;

        extracted("int f(int a) { return exported(a); }",
                  "int counter; int fresh(int a) { return exported(a) + counter; } static int local(int a) { return a; }\n"
                  "int f(int a) { return exported(a) + local(a); }");
        ck_assert_ok(extract_provided(fx.changes, "vmlinux", &brought));
        ck_assert_uint_eq(strv_length(brought.names), 2);
        ck_assert(strv_contains(brought.names, "fresh") && strv_contains(brought.names, "counter"));
        ck_assert_str_eq(brought.objects[1], "vmlinux");
        symbols = object_command("readelf -sW %s | grep -E 'GLOBAL.* (fresh|counter)$' | grep -vc UND", fx.path);
        ck_assert_str_eq(symbols, "2\n");
        changes_free(fx.changes);
        object_free(fx.after);
        fx.after = compile("second", "extern int fresh(int); int f(int a) { return exported(a) + fresh(a); }");
        ck_assert_ok(changes_find(fx.before, fx.after, &fx.changes, NULL));
        ck_assert_ok(extract(&(ExtractInput) { .changes = fx.changes, .image = fx.image, .kernel = fx.image,
                .matcher = fx.matcher, .symvers = fx.symvers, .provided = &brought }, other, &second, &fx.findings, NULL));
        ck_assert_uint_eq(second.n_symbols, 0);
        ck_assert_uint_eq(findings_refusals(&fx.findings), 0);
        extracted_done(&second);
        free(object_command("readelf -sW %s | grep -q 'UND fresh$'", other));
}
END_TEST

START_TEST(only_the_strings_that_are_used_come_along) {
        _cleanup_free_ char *text = NULL;
#define SOURCE(n)                                                                                              \
        "int f(int a) { exported((long) \"a string of f\"); exported((long) \"both have it\"); return " n "; }\n"        \
        "int g(int a) { exported((long) \"a string of g\"); exported((long) \"both have it\"); return a; }\n"

        extracted(SOURCE("1"), SOURCE("2"));
#undef SOURCE
        text = strings_of(".rodata");
        ck_assert_ptr_nonnull(strstr(text, "a string of f"));
        ck_assert_ptr_nonnull(strstr(text, "both have it"));
        ck_assert_ptr_null(strstr(text, "a string of g"));
}
END_TEST

START_TEST(cold_parts_go_with_their_function) {
        _cleanup_free_ char *symbols = NULL;
#define SOURCE(n)                                                                                              \
        "int keep(int) __attribute__((cold));\n"                                                                  \
        "int f(int a) { int b = 0; if (a == 3) { b = keep(a + 4); } return exported(a) + b + " n "; }\n"
        extracted(SOURCE("1"), SOURCE("2"));
#undef SOURCE
        ck_assert_uint_ne(object_find(fx.after, "f.cold"), 0);
        symbols = object_command("readelf -sW %s", fx.path);
        ck_assert_ptr_nonnull(strstr(symbols, " f\n"));
        ck_assert_ptr_nonnull(strstr(symbols, " f.cold\n"));
        ck_assert_uint_gt(size_of(".text.unlikely"), 0);
        has("R_X86_64_PC32 .text.unlikely-4");
        has(".text.unlikely+");
}
END_TEST

START_TEST(branches_within_a_shared_section_get_a_relocation) {
#define SOURCE(n)                                                                                              \
        "static noinline in(\".sched.text\") int helper(int a) { return exported(a) + 3; }\n"                       \
        "int in(\".sched.text\") f(int a) { return helper(a) + helper(a + 1) + " n "; }\n"
        extracted(SOURCE("1"), SOURCE("2"));
#undef SOURCE
        has("R_X86_64_PLT32 hotpatch.3.helper-4");
        ck_assert_uint_eq(fx.result.n_functions, 1);
}
END_TEST

START_TEST(what_ftrace_cannot_redirect_is_carried_by_its_callers) {
#define SOURCE(n)                                                                                              \
        "static noinline notrace int body(int a) { return exported(a) + " n "; }\n"                                \
        "int f(int a) { return body(a) + " n "; }\n"
        extracted(SOURCE("1"), SOURCE("2"));
#undef SOURCE
        ck_assert_uint_eq(fx.result.n_functions, 1);
        ck_assert_str_eq(fx.result.functions[0].function, "f");
}
END_TEST

START_TEST(what_ftrace_cannot_redirect_must_not_have_others_callers) {
#define SOURCE(n)                                                                                              \
        "static noinline notrace int body(int a) { return exported(a) + " n "; }\n"                                \
        "int f(int a) { return body(a) + " n "; } int g(int a) { return body(a); }\n"
        extract_in("vmlinux", SOURCE("1"), SOURCE("2"));
#undef SOURCE
        refused(RULE_NO_FTRACE_SITE, "ftrace has no place to redirect 'body', and it is used by g");
}
END_TEST

START_TEST(what_is_not_in_the_image_is_missing) {
        extract_in("vmlinux", "int f(int a) { return exported(a); }",
                   "int nowhere(int); int f(int a) { return nowhere(a); }");
        refused(RULE_MISSING_SYMBOL, "'nowhere' is not in 'vmlinux'");
}
END_TEST

START_TEST(what_init_leaves_behind_is_not_there) {
        extract_in("vmlinux", "int in(\".init.data\") once = 4; int f(int a) { return exported(a); }",
                   "int in(\".init.data\") once = 4; int f(int a) { return exported(a) + once; }");
        refused(RULE_INIT_CODE, "The code refers to 'once', which is only there while the kernel starts");
}
END_TEST

START_TEST(the_same_input_gives_the_same_bytes) {
        _cleanup_free_ char *again = path_of("again.o"), *sums = NULL;
        Extracted second;

        extracted("int hidden(int); int f(int a) { return hidden(a); }",
                  "int hidden(int); static int n[3]; int f(int a) { BUG(3); return hidden(a) + n[a]++; }");
        ck_assert_ok(extract(&(ExtractInput) { .changes = fx.changes, .image = fx.image, .kernel = fx.image,
                .matcher = fx.matcher, .symvers = fx.symvers, .number = 3 }, again, &second, &fx.findings, NULL));
        extracted_done(&second);
        sums = object_command("sha256sum < %s && sha256sum < %s", fx.path, again);
        ck_assert_int_eq(strncmp(sums, strchr(sums, '\n') + 1, 64), 0);
        free(object_command("! grep -q %s %s", fx.folder, fx.path));
}
END_TEST

/* ---- tables ---- */

/* @entry in two functions of which one is changed; then there is one of @size bytes in @section. */
static void one_entry_of_two(const char *entry, const char *section, uint64_t size) {
        _cleanup_free_ char *before = NULL, *after = NULL;
        static const char format[] =
                "int hidden(int); static int value; long key[2];\n"
                "int f(int a) { %s; return exported(a) + %d; l_yes: return hidden(a + 77); }\n"
                "int g(int a) { %s; return exported(a) + 5; l_yes: return hidden(a + 78); }\n";

        ck_assert_int_ge(asprintf(&before, format, entry, 1, entry), 0);
        ck_assert_int_ge(asprintf(&after, format, entry, 2, entry), 0);
        extracted(before, after);
        ck_assert_uint_eq(fx.result.n_functions, 1);
        ck_assert_uint_eq(size_of(section), size);
}

START_TEST(bug_entries) {
        _cleanup_free_ char *text = NULL;

        one_entry_of_two("BUG(17)", "__bug_table", 12);
        has("__bug_table+0 R_X86_64_PC32 .text+");
        has("__bug_table+4 R_X86_64_PC32 .rodata+0");
        text = strings_of(".rodata");
        ck_assert_ptr_nonnull(strstr(text, "file.c"));
}
END_TEST

START_TEST(exception_entries) {
        one_entry_of_two("FAULT((int *) (long) a)", "__ex_table", 12);
        has("__ex_table+0 R_X86_64_PC32 .text+");
        has("__ex_table+4 R_X86_64_PC32 .text+");
}
END_TEST

START_TEST(lock_prefixes) {
        one_entry_of_two("LOCK(value)", ".smp_locks", 4);
        has(".smp_locks+0 R_X86_64_PC32 .text+");
        has("hotpatch.3.value-4");
}
END_TEST

START_TEST(alternatives_and_their_replacements) {
        one_entry_of_two("ALTERNATIVE(hidden)", ".altinstructions", 12);
        ck_assert_uint_eq(size_of(".altinstr_replacement"), 5);
        has(".altinstructions+0 R_X86_64_PC32 .text+");
        has(".altinstructions+4 R_X86_64_PC32 .altinstr_replacement+0");
        has(".altinstr_replacement+1 R_X86_64_PLT32 hidden-4");
}
END_TEST

/* A replacement by nothing lies where the next one begins. */
START_TEST(replacements_by_nothing_are_not_mixed_up_with_others) {
#define NOTHING "asm volatile(\"661: nop\\n662:\\n.pushsection .altinstructions,\\\"a\\\"\\n.long 661b - .\\n.long 663f - .\\n\""   \
        "\".word 7\\n.byte 1\\n.byte 0\\n.popsection\\n.pushsection .altinstr_replacement,\\\"ax\\\"\\n663:\\n.popsection\")"
#define SOURCE(n) "int hidden(int); static noinline int f(int a) { " NOTHING "; return exported(a) + " n "; }\n"         \
                  "noinline int k(int a) { ALTERNATIVE(exported); return f(a) + " n "; }\n"                             \
                  "static noinline int z(int a) { ALTERNATIVE(hidden); return k(a) + 8 + " n "; }\n"                    \
                  "int user(int a) { return z(a) + f(a + 1); }\n"
        extracted(SOURCE("1"), SOURCE("2"));
#undef SOURCE
#undef NOTHING
        ck_assert_uint_eq(size_of(".altinstructions"), 36);
        ck_assert_uint_eq(size_of(".altinstr_replacement"), 10);
        /* f, z, k: local symbols come first. */
        has(".altinstructions+10 R_X86_64_PC32 .altinstr_replacement+0");
        has(".altinstructions+1c R_X86_64_PC32 .altinstr_replacement+5");
        has(".altinstr_replacement+1 R_X86_64_PLT32 hidden-4");
        has(".altinstr_replacement+6 R_X86_64_PLT32 exported-4");
}
END_TEST

/* arch/x86/include/asm/cpufeature.h, _static_cpu_has() */
START_TEST(code_beside_a_function_comes_along) {
        one_entry_of_two("asm goto(\"jmp 6f\\n.pushsection .altinstr_aux,\\\"ax\\\"\\n6: testb $1, exported_data(%%rip)\\n\"\n"
                         "\"jnz %l[l_yes]\\njmp %l[no]\\n.popsection\" : : : : l_yes, no); no:;"
                         "if (0) goto l_yes", ".altinstr_aux", 18);
        has(".altinstr_aux+2 R_X86_64_PC32 exported_data-5");
        has(".altinstr_aux+9 R_X86_64_PC32 .text+");
        has(".altinstr_aux+e R_X86_64_PC32 .text+");
        has("R_X86_64_PC32 .altinstr_aux-4");
}
END_TEST

START_TEST(static_branches_of_vmlinux) {
        one_entry_of_two("BRANCH(key, l_yes)", "__jump_table", 16);
        has("__jump_table+0 R_X86_64_PC32 .text+");
        has("__jump_table+4 R_X86_64_PC32 .text+");
        has("__jump_table+8 R_X86_64_PC64 key+2");
        ck_assert_str_eq(symbol("key")->object, "vmlinux");
}
END_TEST

START_TEST(annotations_for_objtool) {
        one_entry_of_two("asm volatile(\"1:\\n.pushsection .discard.reachable\\n.long 1b - .\\n.popsection\")",
                ".discard.reachable", 4);
        has(".discard.reachable+0 R_X86_64_PC32 .text+");
}
END_TEST

START_TEST(unknown_tables_are_refused) {
        extract_in("vmlinux", "int f(int a) { UNKNOWN(\"__secret_table\"); return exported(a); }",
                   "int f(int a) { UNKNOWN(\"__secret_table\"); return exported(a) + 1; }");
        refused(RULE_UNSUPPORTED, "Section '__secret_table' says something about 'f' that is not known");
}
END_TEST

START_TEST(unknown_annotations_are_refused) {
        extract_in("vmlinux", "int f(int a) { UNKNOWN(\".discard.secret\"); return exported(a); }",
                   "int f(int a) { UNKNOWN(\".discard.secret\"); return exported(a) + 1; }");
        refused(RULE_UNSUPPORTED, "Section '.discard.secret' says something about 'f' that is not known");
}
END_TEST

START_TEST(padding_before_functions_comes_along) {
        _cleanup_free_ char *sections = NULL, *symbols = NULL;
#define SOURCE(n)                                                                                              \
        "__attribute__((patchable_function_entry(16, 16))) int f(int a) { return exported(a) + " n "; }\n"         \
        "__attribute__((patchable_function_entry(16, 16))) int g(int a) { return exported(a) + 5; }\n"
        extracted(SOURCE("1"), SOURCE("2"));
#undef SOURCE
        has("__patchable_function_entries+0 R_X86_64_64 .text+0");
        ck_assert_uint_eq(count_lines("__patchable_function_entries+"), 1);
        sections = object_command("readelf -SW %s | grep __patchable_function_entries", fx.path);
        ck_assert_ptr_nonnull(strstr(sections, " WAL  1 "));
        symbols = object_command("readelf -sW %s", fx.path);
        ck_assert_ptr_nonnull(strstr(symbols, "0000000000000010 "));
}
END_TEST

/* Nobody writes them into a module: the variable is read. */
START_TEST(constants_of_the_kernels_start_become_loads) {
        _cleanup_free_ char *code = NULL;
#define SOURCE(n)                                                                                              \
        "int f(int a) { long b; register long c asm(\"r9\");\n"                                                    \
        "asm(\"mov %1, %0\\n1:\\n.pushsection runtime_ptr_exported_data,\\\"a\\\"\\n.long 1b - 8 - .\\n.popsection\"\n"     \
        "    : \"=a\"(b) : \"i\"(0x0123456789abcdefUL));\n"                                                       \
        "asm(\"mov %1, %0\\n1:\\n.pushsection runtime_ptr_exported_data,\\\"a\\\"\\n.long 1b - 8 - .\\n.popsection\"\n"     \
        "    : \"=r\"(c) : \"i\"(0x0123456789abcdefUL)); return exported(b + c) + " n "; }\n"
        extracted(SOURCE("1"), SOURCE("2"));
#undef SOURCE
        has("R_X86_64_PC32 exported_data-4");
        code = object_command("objdump -d %s", fx.path);
        ck_assert_ptr_nonnull(strstr(code, "48 8b 05 00 00 00 00 \tmov    0x0(%rip),%rax"));
        ck_assert_ptr_nonnull(strstr(code, "4c 8b 0d 00 00 00 00 \tmov    0x0(%rip),%r9"));
        ck_assert_ptr_nonnull(strstr(code, "0f 1f 00             \tnopl   (%rax)"));
        ck_assert_ptr_null(strstr(code, "movabs"));
}
END_TEST

START_TEST(shifts_of_the_kernels_start_are_refused) {
#define SOURCE(n) "int f(int a) { asm(\"shrl $12, %k0\\n1:\\n.pushsection runtime_shift_exported_data,\\\"a\\\"\\n\"\n"      \
                  "\".long 1b - 1 - .\\n.popsection\" : \"+r\"(a)); return exported(a) + " n "; }\n"
        extract_in("vmlinux", SOURCE("1"), SOURCE("2"));
#undef SOURCE
        refused(RULE_UNSUPPORTED, "Section 'runtime_shift_exported_data' says something about 'f' that is not known");
}
END_TEST

/* ---- modules ---- */

START_TEST(symbols_of_modules_come_with_the_patched_one) {
#define SOURCE(n)                                                                                              \
        "int hidden(int); static int state; extern int module_export(int);\n"                                     \
        "int f(int a) { state++; return module_export(a) + hidden(a) + exported(a) + " n "; }\n"
        extract_in("driver", SOURCE("1"), SOURCE("2"));
#undef SOURCE
        ck_assert_uint_eq(findings_refusals(&fx.findings), 0);
        ck_assert_str_eq(fx.result.functions[0].object, "driver");
        ck_assert_str_eq(symbol("hotpatch.3.module_export")->object, "the_other");
        ck_assert_str_eq(symbol("hotpatch.3.module_export")->owner, "driver");
        ck_assert_str_eq(symbol("hotpatch.3.hidden")->object, "driver");
        ck_assert_str_eq(symbol("hotpatch.3.state")->owner, "driver");
        ck_assert_uint_eq(fx.result.n_symbols, 3);
}
END_TEST

START_TEST(modules_that_may_be_absent_are_not_used) {
        extract_in("driver", "int f(int a) { return exported(a); }", "int f(int a) { return module_export(a); }");
        refused(RULE_LATE_SYMBOL, "'module_export' is of module 'the_other', which need not be loaded when 'driver' is");
}
END_TEST

/* Whose code a new function is: the patch's own, the kernel's, the same module's, or one's that is there. */
START_TEST(additions_to_modules_that_are_there_are_used) {
        static const char *const owners[] = { "", "vmlinux", "driver", "the_other" };

        ck_assert_ok(provided_add(&fx.provided, "fresh", owners[_i]));
        extract_in("driver", "extern int module_export(int); int f(int a) { return module_export(a); }",
                "extern int fresh(int), module_export(int); int f(int a) { return module_export(fresh(a)); }");
        ck_assert_uint_eq(findings_refusals(&fx.findings), 0);
        read_back();
        has("R_X86_64_PLT32 fresh-4");
}
END_TEST

START_TEST(additions_to_modules_that_may_be_absent_are_not_used) {
        ck_assert_ok(provided_add(&fx.provided, "fresh", "the_other"));
        extract_in("driver", "int f(int a) { return exported(a); }",
                "extern int fresh(int); int f(int a) { return exported(fresh(a)); }");
        refused(RULE_LATE_SYMBOL, "'fresh' is added to module 'the_other', which need not be loaded when 'driver' is");
}
END_TEST

START_TEST(additions_to_modules_are_not_for_the_kernel) {
        ck_assert_ok(provided_add(&fx.provided, "fresh", "the_other"));
        extract_in("vmlinux", "int f(int a) { return exported(a); }",
                "extern int fresh(int); int f(int a) { return exported(fresh(a)); }");
        refused(RULE_LATE_SYMBOL, "'fresh' is added to module 'the_other', which need not be loaded when 'vmlinux' is");
}
END_TEST

/* In the patch all names are in one room; in the kernel each module has its own. */
START_TEST(additions_are_not_taken_for_what_is_there) {
        static const struct {
                const char *name, *owner, *object;
        } cases[] = {
                { "hidden", "the_other", "driver" }, { "hidden", "the_other", "vmlinux" }, { "hidden", "", "driver" },
                { "exported", "the_other", "driver" }, { "module_export", "vmlinux", "driver" },
        };
#define SOURCE(n) "extern int hidden(int), module_export(int); int f(int a) { return exported(a) + hidden(a) + module_export(a) + " n "; }"
        ck_assert_ok(provided_add(&fx.provided, cases[_i].name, cases[_i].owner));
        extract_in(cases[_i].object, SOURCE("1"), SOURCE("2"));
#undef SOURCE
        refused(RULE_AMBIGUOUS_SYMBOL, "and something else for");
}
END_TEST

START_TEST(what_moves_within_an_object_is_taken_from_the_fix) {
        ck_assert_ok(provided_add(&fx.provided, "hidden", "driver"));
        ck_assert_ok(provided_add(&fx.provided, "twice", "vmlinux")); /* no business of a static function's */
        extract_in("driver", "extern int hidden(int); int f(int a) { return hidden(a) + 1; }",
                   "extern int hidden(int), twice(int); int f(int a) { return hidden(a) + twice(a); }");
        ck_assert_uint_eq(findings_refusals(&fx.findings), 0);
        read_back();
        has("R_X86_64_PLT32 hidden-4");
        has("R_X86_64_PLT32 twice-4");
}
END_TEST

START_TEST(keys_of_modules_are_refused_and_tracepoints_silenced) {
#define SOURCE(key, n) "long " key "[2]; int hidden(int); int f(int a) { BRANCH(" key ", yes); return exported(a) + " n ";\n"  \
                       "yes: return hidden(a); }"
        extract_in("driver", SOURCE("__tracepoint_x", "1"), SOURCE("__tracepoint_x", "2"));
        ck_assert_uint_eq(findings_refusals(&fx.findings), 0);
        ck_assert_uint_eq(fx.findings.n, 1);
        ck_assert_str_eq(fx.findings.items[0].text,
                "The new 'f' does not report the tracepoint 'x', which is of the module");
        ck_assert_uint_eq(size_of("__jump_table"), 16);
        read_back();
        has("__jump_table+8 R_X86_64_PC64 .data+2");
        ck_assert_uint_eq(size_of(".data"), 16);
}
END_TEST

START_TEST(keys_of_modules_are_refused) {
        extract_in("driver", SOURCE("some_key", "1"), SOURCE("some_key", "2"));
#undef SOURCE
        refused(RULE_STATIC_KEY, "The static key 'some_key' is of a module");
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("extract");
        TCase *t = tcase_create("extract");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_set_timeout(t, 60);
        tcase_add_test(t, calls_go_to_replacements_and_addresses_to_originals);
        tcase_add_test(t, each_symbol_is_resolved_in_its_own_way);
        tcase_add_test(t, static_calls_of_known_keys_only_stay_static);
        tcase_add_test(t, new_functions_and_data_come_along);
        tcase_add_test(t, existing_data_is_never_copied_but_private_data_is);
        tcase_add_test(t, debug_messages_bring_their_descriptor_and_its_key);
        tcase_add_test(t, other_objects_of_the_fix_may_bring_symbols);
        tcase_add_test(t, only_the_strings_that_are_used_come_along);
        tcase_add_test(t, cold_parts_go_with_their_function);
        tcase_add_test(t, branches_within_a_shared_section_get_a_relocation);
        tcase_add_test(t, what_ftrace_cannot_redirect_is_carried_by_its_callers);
        tcase_add_test(t, what_ftrace_cannot_redirect_must_not_have_others_callers);
        tcase_add_test(t, what_is_not_in_the_image_is_missing);
        tcase_add_test(t, what_init_leaves_behind_is_not_there);
        tcase_add_test(t, the_same_input_gives_the_same_bytes);
        tcase_add_test(t, bug_entries);
        tcase_add_test(t, exception_entries);
        tcase_add_test(t, lock_prefixes);
        tcase_add_test(t, alternatives_and_their_replacements);
        tcase_add_test(t, replacements_by_nothing_are_not_mixed_up_with_others);
        tcase_add_test(t, code_beside_a_function_comes_along);
        tcase_add_test(t, static_branches_of_vmlinux);
        tcase_add_test(t, annotations_for_objtool);
        tcase_add_test(t, unknown_tables_are_refused);
        tcase_add_test(t, unknown_annotations_are_refused);
        tcase_add_test(t, padding_before_functions_comes_along);
        tcase_add_test(t, constants_of_the_kernels_start_become_loads);
        tcase_add_test(t, shifts_of_the_kernels_start_are_refused);
        tcase_add_test(t, symbols_of_modules_come_with_the_patched_one);
        tcase_add_test(t, modules_that_may_be_absent_are_not_used);
        tcase_add_loop_test(t, additions_to_modules_that_are_there_are_used, 0, 4);
        tcase_add_test(t, additions_to_modules_that_may_be_absent_are_not_used);
        tcase_add_test(t, additions_to_modules_are_not_for_the_kernel);
        tcase_add_loop_test(t, additions_are_not_taken_for_what_is_there, 0, 5);
        tcase_add_test(t, what_moves_within_an_object_is_taken_from_the_fix);
        tcase_add_test(t, keys_of_modules_are_refused_and_tracepoints_silenced);
        tcase_add_test(t, keys_of_modules_are_refused);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
