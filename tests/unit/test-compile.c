/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Fixes applied and compiled, before and after, in a small tree. */

#include "builder/run.h"
#include "builder/source/compile-deps.h"
#include "builder/source/compile-options.h"
#include "builder/source/compile.h"
#include "dbus/errors.h"
#include "tests/unit/source-tree.h"
#include "util/limits.h"
#include "util/strv.h"

static Findings findings;
static Compiled compiled;
static sd_bus_error error;
static char *said; /* to standard error */

static void setup(void) {
        ck_assert_ok(hotpatch_errors_register());
        tree_setup();
        findings = (Findings) {};
        compiled = (Compiled) {};
        error = SD_BUS_ERROR_NULL;
}

static void forget(void) {
        compiled_done(&compiled);
        findings_done(&findings);
        sd_bus_error_free(&error);
        free(said);
        said = NULL;
}

static void teardown(void) {
        forget();
        tree_teardown();
}

/* Applies and compiles the diffs in "1.patch" and, if there is one, "2.patch"; in folder @work. */
static int compile_in(const char *work_name) {
        _cleanup_free_ char *one = path_of("1.patch"), *two = path_of("2.patch"), *work = path_of(work_name),
                *log = path_of("said");
        _cleanup_close_ int out = -EBADF, saved = -EBADF;
        _cleanup_fix_free_ Fix *fix = NULL;
        void *text;
        int r;

        forget();
        ck_assert_int_eq(mkdir(work, 0755), 0);
        ck_assert_ok(fix_read((char *[]) { one, access(two, F_OK) == 0 ? two : NULL, NULL }, &fix, &error));
        out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        saved = dup(STDERR_FILENO);
        ck_assert(out >= 0 && saved >= 0 && dup2(out, STDERR_FILENO) >= 0);
        r = compile_fix(&tree, fix, work, false, &compiled, &findings, &error);
        ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
        ck_assert_ok(file_read_at(AT_FDCWD, log, 1 << 20, &text, NULL));
        said = text;
        return r;
}

#define CHANGE(path, hunk) "--- a/" path "\n+++ b/" path "\n" hunk
#define ONE CHANGE("kern/one.c", "@@ -3,3 +3,5 @@\n int one(int x) {\n+        if (x < 0)\n+                return 0;\n" \
                                 "         return common(x) + COMMON;\n }\n")

static const CompiledUnit *only_unit(void) {
        ck_assert_msg(compiled.n_units == 1, "%zu", compiled.n_units);
        return compiled.units;
}

static const Finding *only_finding(void) {
        ck_assert_msg(findings.n == 1, "%zu", findings.n);
        return findings.items;
}

static void *load(const char *path, size_t *ret_size) {
        void *data;

        ck_assert_ok(file_read_at(AT_FDCWD, path, 1 << 24, &data, ret_size));
        return data;
}

static bool same_files(const char *a, const char *b) {
        size_t size_a, size_b;
        _cleanup_free_ void *x = load(a, &size_a), *y = load(b, &size_b);

        return size_a == size_b && memcmp(x, y, size_a) == 0;
}

static bool exists(const char *name) {
        _cleanup_free_ char *path = path_of(name);

        return access(path, F_OK) == 0;
}

static bool same_section(const char *a, const char *b, const char *section) {
        _cleanup_free_ char *x = path_of("section-a"), *y = path_of("section-b");
        const char *files[2][2] = { { a, x }, { b, y } };

        for (size_t i = 0; i < 2; i++) {
                _cleanup_free_ char *argument = NULL;

                (void) unlink(files[i][1]);
                ck_assert_int_ge(asprintf(&argument, "%s=%s", section, files[i][1]), 0);
                ck_assert_int_eq(run_program(&(Run) {
                        .arguments = (char *const[]) { (char *) "objcopy", (char *) "--dump-section", argument,
                                (char *) files[i][0], (char *) "/dev/null", NULL },
                }), 0);
        }
        return same_files(x, y);
}

START_TEST(test_one_file) {
        _cleanup_free_ char *after = NULL, *kept = NULL;
        const CompiledUnit *u;

        put("1.patch", ONE);
        ck_assert_ok(compile_in("work"));
        u = only_unit();
        ck_assert_str_eq(u->path, "kern/one.o");
        ck_assert_str_eq(u->target, "kern/one.o");
        ck_assert_str_eq(u->source, "kern/one.c");
        ck_assert_str_eq(u->object, "vmlinux");
        ck_assert_ptr_null(u->header);
        ck_assert_uint_eq(findings.n, 0);
        ck_assert_ptr_null(compiled.unchanged);
        ck_assert(!same_section(u->before, u->after, ".text.one"));
        ck_assert(same_section(u->before, u->after, ".text.line")); /* it returns its __LINE__ */
        ck_assert(!exists("work/before/prepared") && !exists("work/after/prepared")); /* by make prepare */
        ck_assert(!exists("tree/kern/one.o") && !exists("tree/kern/.one.o.cmd"));
        /* Again, from the kept object; elsewhere, to the same bytes. */
        after = strdup(u->after);
        ck_assert_ok(compile_in("work-two"));
        u = only_unit();
        kept = path_of("objects/kern%one.o");
        ck_assert_str_eq(u->before, kept);
        ck_assert(same_files(u->after, after));
        ck_assert(!exists("work-two/before/kern/one.o"));
}
END_TEST

/* A header that was read for it changed: the kept object is another source's. */
START_TEST(test_kept_object_of_other_source) {
        put("1.patch", ONE);
        ck_assert_ok(compile_in("work"));
        put("tree/include/common.h", "#define COMMON 1000\nint common(int x);\n");
        ck_assert_ok(compile_in("work2"));
        ck_assert(!strstr(only_unit()->before, "/objects/"));
        ck_assert_ok(compile_in("work3"));
        ck_assert(strstr(only_unit()->before, "/objects/"));
        put("objects/kern%one.o", "damaged");
        ck_assert_ok(compile_in("work4"));
        ck_assert(!strstr(only_unit()->before, "/objects/"));
}
END_TEST

/* The first compile that looks for an option does not find it, as on a machine without memory. */
static void lose_an_option(void) {
        _cleanup_free_ char *lost = path_of("lost"), *makefile = NULL;
        const char *text = tree_files[0].text, *at = strstr(text, " -O2");

        ck_assert_ptr_nonnull(at);
        ck_assert_int_gt(asprintf(&makefile, "%.*s $(shell rm %s 2>/dev/null || echo -fno-ivopts)%s",
                (int) (at - text), text, lost, at), 0);
        put("tree/Makefile", makefile);
        put("lost", "");
}

START_TEST(test_lost_option) {
        _cleanup_free_ char *lost = path_of("lost");
        const CompiledUnit *u;

        lose_an_option();
        put("1.patch", ONE);
        ck_assert_ok(compile_in("work"));
        ck_assert_int_lt(access(lost, F_OK), 0);
        u = only_unit();
        ck_assert_int_eq(options_differ(u->before, u->after, NULL), 0);
        ck_assert(!same_section(u->before, u->after, ".text.one"));
        ck_assert(same_section(u->before, u->after, ".text.line"));
        /* What is kept is good. */
        ck_assert_ok(compile_in("work2"));
        ck_assert(strstr(only_unit()->before, "/objects/"));
        ck_assert_int_eq(options_differ(only_unit()->before, only_unit()->after, NULL), 0);
}
END_TEST

/* What was kept from an earlier build is given up for both modules that have the object. */
START_TEST(test_lost_option_in_two_modules) {
        lose_an_option();
        put("1.patch", CHANGE("mod/b.c", "@@ -1,3 +1,3 @@\n int b(void) {\n-        return 1;\n+        return 2;\n }\n"));
        ck_assert_ok(compile_in("work"));
        put("lost", "");
        ck_assert_ok(compile_in("work2"));
        ck_assert_uint_eq(compiled.n_units, 2);
        ck_assert_str_eq(compiled.units[0].before, compiled.units[1].before);
        for (size_t i = 0; i < 2; i++)
                ck_assert_int_eq(options_differ(compiled.units[i].before, compiled.units[i].after, NULL), 0);
}
END_TEST

START_TEST(test_header) {
        put("1.patch", CHANGE("include/common.h", "@@ -1,2 +1,2 @@\n-#define COMMON 1\n+#define COMMON 2\n int common(int x);\n"));
        ck_assert_ok(compile_in("work"));
        ck_assert_uint_eq(compiled.n_units, 2); /* three.c has it under a condition that does not hold */
        ck_assert_ptr_null(compiled.unchanged);
        ck_assert_str_eq(compiled.units[0].path, "far/f.o");
        ck_assert_str_eq(compiled.units[0].target, "mod/../far/f.o");
        ck_assert_str_eq(compiled.units[0].object, "big_one");
        ck_assert_str_eq(compiled.units[0].header, "include/common.h");
        ck_assert_str_eq(compiled.units[1].path, "kern/one.o");
        ck_assert(!same_files(compiled.units[0].before, compiled.units[0].after));
}
END_TEST

/* A comment in a header: all objects come out the same. */
START_TEST(test_header_without_effect) {
        put("1.patch", CHANGE("include/quiet.h", "@@ -1,2 +1,3 @@\n-/* one */\n+/* two\n+ */\n #define QUIET 1\n"));
        ck_assert_ok(compile_in("work"));
        ck_assert_uint_eq(compiled.n_units, 0);
        ck_assert_uint_eq(strv_length(compiled.unchanged), 2);
        ck_assert_str_eq(compiled.unchanged[0], "kern/one.o");
        ck_assert_str_eq(compiled.unchanged[1], "kern/two.o");
        ck_assert_int_eq(only_finding()->rule, RULE_NO_CHANGE);
        ck_assert(only_finding()->refused);
}
END_TEST

START_TEST(test_header_of_boot_code) {
        put("1.patch", CHANGE("include/common.h", "@@ -1,2 +1,2 @@\n-#define COMMON 1\n+#define COMMON 2\n int common(int x);\n"));
        put("tree/arch/x86/boot/early.c", "#include \"early.h\"\n");
        put("tree/arch/x86/boot/early.h", "#include <common.h>\n");
        ck_assert_ok(compile_in("work"));
        ck_assert_uint_eq(compiled.n_units, 2);
        ck_assert_int_eq(only_finding()->rule, RULE_BUILD_FILES);
        ck_assert(!only_finding()->refused);
        ck_assert_msg(strstr(only_finding()->text, "by 'arch/x86/boot/early.c', which"), "%s", only_finding()->text);
}
END_TEST

/* one.c includes it too, but does not know the name. */
START_TEST(test_header_with_a_new_name) {
        put("1.patch", CHANGE("include/quiet.h", "@@ -1,2 +1,3 @@\n /* one */\n+#define LOUD 2\n #define QUIET 1\n")
                CHANGE("kern/two.c", "@@ -4,3 +4,3 @@\n int two(int x) {\n-        return x * 2 + QUIET + WAY;\n"
                                "+        return x * 2 + LOUD + WAY;\n }\n"));
        ck_assert_ok(compile_in("work"));
        ck_assert_str_eq(only_unit()->path, "kern/two.o");
        ck_assert_ptr_null(compiled.unchanged);
        ck_assert_int_eq(only_finding()->rule, RULE_TOO_MANY_OBJECTS);
        ck_assert(!only_finding()->refused);
        ck_assert_msg(strstr(only_finding()->text, "'LOUD'") && strstr(only_finding()->text, "of 2 files"),
                "%s", only_finding()->text);
}
END_TEST

/* A name that was there already somewhere else may mean another thing now. */
START_TEST(test_header_with_a_known_name) {
        put("1.patch", CHANGE("include/quiet.h", "@@ -1,2 +1,3 @@\n /* one */\n+#define WAY 6\n #define QUIET 1\n"));
        put("tree/far/touched.h", "#ifndef WAY\n#define WAY 5\n#endif\n");
        ck_assert_ok(compile_in("work"));
        ck_assert_str_eq(only_unit()->path, "kern/two.o");
        ck_assert(!same_section(only_unit()->before, only_unit()->after, ".text.two"));
}
END_TEST

START_TEST(test_header_with_a_name_that_nobody_uses) {
        put("1.patch", CHANGE("include/quiet.h", "@@ -1,2 +1,3 @@\n /* one */\n+#define LOUD 2\n #define QUIET 1\n"));
        ck_assert_ok(compile_in("work"));
        ck_assert_uint_eq(compiled.n_units, 0);
        ck_assert_ptr_null(compiled.unchanged);
        ck_assert_uint_eq(findings_refusals(&findings), 1);
        ck_assert_int_eq(findings.items[findings.n - 1].rule, RULE_NO_CHANGE);
}
END_TEST

/* It cannot be patched, so it must be told. */
START_TEST(test_header_with_a_name_of_boot_code) {
        put("1.patch", CHANGE("include/quiet.h", "@@ -1,2 +1,3 @@\n /* one */\n+#define WAY 6\n #define QUIET 1\n"));
        put("tree/far/touched.h", "#ifndef WAY\n#define WAY 5\n#endif\n");
        put("tree/arch/x86/boot/early.c", "#include <quiet.h>\nint early;\n");
        put("tree/arch/x86/boot/late.c", "#include <quiet.h>\n#ifdef WAY\nint late;\n#endif\n");
        ck_assert_ok(compile_in("work"));
        ck_assert_str_eq(only_unit()->path, "kern/two.o");
        ck_assert_uint_eq(findings.n, 2);
        ck_assert_int_eq(findings.items[1].rule, RULE_BUILD_FILES);
        ck_assert_msg(strstr(findings.items[1].text, "by 'arch/x86/boot/late.c', which"), "%s", findings.items[1].text);
}
END_TEST

/* f.c asks for "common.h", and had to take the one in include/ so far. */
START_TEST(test_header_before_another) {
        put("1.patch", "--- /dev/null\n+++ b/far/common.h\n@@ -0,0 +1 @@\n+#define COMMON 7\n");
        ck_assert_ok(compile_in("work"));
        ck_assert_str_eq(only_unit()->path, "far/f.o");
        ck_assert(!same_section(only_unit()->before, only_unit()->after, ".text.f"));
}
END_TEST

START_TEST(test_header_by_a_macro) {
        put("tree/include/hidden.h", "#define HIDDEN 3\n");
        put("tree/kern/three.c", "#define WHICH <hidden.h>\n#include WHICH\nint three(void) {\n        return HIDDEN;\n}\n");
        put("1.patch", CHANGE("include/hidden.h", "@@ -1 +1 @@\n-#define HIDDEN 3\n+#define HIDDEN 4\n"));
        ck_assert_ok(compile_in("work"));
        ck_assert_str_eq(only_unit()->path, "kern/three.o");
}
END_TEST

START_TEST(test_included_source) {
        put("1.patch", CHANGE("kern/body.c", "@@ -1,3 +1,3 @@\n static int body(int x) {\n-        return x + 1;\n"
                                "+        return x + 2;\n }\n"));
        ck_assert_ok(compile_in("work"));
        ck_assert_str_eq(only_unit()->path, "kern/two.o");
        ck_assert_str_eq(only_unit()->header, "kern/body.c");
        ck_assert(!same_files(only_unit()->before, only_unit()->after));
}
END_TEST

/* two.c reads it as kern/sub/../../far/touched.h, and nothing else makes the shadow's kern/sub a real folder. */
START_TEST(test_past_the_shadow) {
        put("1.patch", CHANGE("far/touched.h", "@@ -1 +1 @@\n-#define WAY 5\n+#define WAY 6\n"));
        ck_assert_ok(compile_in("work"));
        ck_assert_str_eq(only_unit()->path, "kern/two.o");
        ck_assert(!same_section(only_unit()->before, only_unit()->after, ".text.two"));
}
END_TEST

START_TEST(test_two_modules) {
        put("1.patch", CHANGE("mod/b.c", "@@ -1,3 +1,3 @@\n int b(void) {\n-        return 1;\n+        return 2;\n }\n"));
        ck_assert_ok(compile_in("work"));
        ck_assert_uint_eq(compiled.n_units, 2);
        ck_assert_str_eq(compiled.units[0].object, "big_one");
        ck_assert_str_eq(compiled.units[1].object, "other");
        ck_assert_str_eq(compiled.units[0].after, compiled.units[1].after);
}
END_TEST

/* Two diffs for one file, the second at a place that the first moved; and a header that is new. */
START_TEST(test_several_diffs) {
        put("1.patch", ONE "--- /dev/null\n+++ b/include/new.h\n@@ -0,0 +1 @@\n+#define NEW 7\n");
        put("2.patch", CHANGE("kern/one.c", "@@ -1,2 +1,3 @@\n #include <common.h>\n+#include <new.h>\n #include <quiet.h>\n"
                              "@@ -5,4 +6,4 @@\n }\n int line(void) {\n-        return __LINE__;\n+        return NEW;\n }\n"));
        ck_assert_ok(compile_in("work"));
        ck_assert_str_eq(only_unit()->path, "kern/one.o");
        ck_assert_int_eq(only_finding()->rule, RULE_FIX_OFFSET);
        ck_assert(!only_finding()->refused);
        ck_assert_msg(strstr(only_finding()->text, "2 lines further down"), "%s", only_finding()->text);
}
END_TEST

START_TEST(test_does_not_apply) {
        put("1.patch", CHANGE("kern/one.c", "@@ -1,3 +1,3 @@\n #include <common.h>\n-#include <quiet.h>\n+#include <other.h>\n int one(int x) {\n"
                              "@@ -3,2 +3,2 @@\n-int one(long x) {\n+int one(short x) {\n         return common(x) + COMMON;\n"));
        ck_assert_int_lt(compile_in("work"), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("FixDoesNotApply"));
        ck_assert_msg(strstr(error.message, "Hunk 2 of '") && strstr(error.message, "'kern/one.c'"), "%s", error.message);
        /* No fuzz: the context must be there. */
        put("1.patch", CHANGE("kern/one.c", "@@ -3,3 +3,3 @@\n int other(int x) {\n-        return common(x) + COMMON;\n"
                              "+        return 0;\n }\n"));
        ck_assert_int_lt(compile_in("work2"), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("FixDoesNotApply"));
        put("1.patch", CHANGE("kern/none.c", "@@ -1 +1 @@\n-a\n+b\n"));
        ck_assert_int_lt(compile_in("work3"), 0);
        ck_assert_msg(strstr(error.message, "does not have"), "%s", error.message);
        put("1.patch", "--- /dev/null\n+++ b/kern/one.c\n@@ -0,0 +1 @@\n+int a;\n");
        ck_assert_int_lt(compile_in("work4"), 0);
        ck_assert_msg(strstr(error.message, "which the source has"), "%s", error.message);
        put("1.patch", CHANGE("include/quiet.h", "@@ -1,2 +0,0 @@\n-/* one */\n-#define QUIET 2\n"));
        ck_assert_int_lt(compile_in("work5"), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("FixDoesNotApply"));
}
END_TEST

START_TEST(test_already_applied) {
        put("1.patch", CHANGE("kern/one.c", "@@ -1,3 +1,3 @@\n #include <common.h>\n-#include <loud.h>\n+#include <quiet.h>\n int one(int x) {\n"));
        ck_assert_int_lt(compile_in("work"), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("FixAlreadyApplied"));
        ck_assert_msg(strstr(error.message, "'kern/one.c'"), "%s", error.message);
}
END_TEST

START_TEST(test_link) {
        _cleanup_free_ char *link = path_of("tree/kern/linked.c");

        ck_assert_int_eq(symlink("one.c", link), 0);
        put("1.patch", CHANGE("kern/linked.c", "@@ -1,2 +1,1 @@\n #include <common.h>\n-#include <quiet.h>\n"));
        ck_assert_int_lt(compile_in("work"), 0);
        ck_assert_msg(strstr(error.message, "symbolic link"), "%s", error.message);
}
END_TEST

/* The compiler's lines name the author's file and the line in it, not one that a directive made up. */
START_TEST(test_compile_error) {
        put("1.patch", ONE CHANGE("kern/one.c", "@@ -8,3 +8,4 @@\n int line(void) {\n         return __LINE__;\n }\n+int broken(void) { return nothing; }\n"));
        ck_assert_int_lt(compile_in("work"), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("ModuleBuildFailed"));
        ck_assert_msg(strstr(error.message, "with the fix"), "%s", error.message);
        ck_assert_msg(strstr(said, "kern/one.c:11:"), "%s", said);
        ck_assert_msg(!strstr(said, root) && !strstr(said, "make:"), "%s", said);
}
END_TEST

static const struct {
        const char *path;
        Rule rule;
        bool refused;
        bool with_code; /* else alone */
} other_files[] = {
        { "Documentation/a.rst", RULE_NOT_BUILT, false, true },
        { "kern/never.c", RULE_NOT_BUILT, false, true },
        { "kern/never.c", RULE_NOT_BUILT, true, false },
        { "arch/arm64/kernel/a.c", RULE_NOT_BUILT, false, true },
        { "kern/sub/unreached.c", RULE_NOT_BUILT, true, false },
        { "kern/Kconfig", RULE_BUILD_FILES, true, true },
        { "kern/gen.c", RULE_BUILD_FILES, true, true },
        { "lib/l.S", RULE_BUILD_FILES, true, true },
};

START_TEST(test_other_files) {
        _cleanup_free_ char *diff = NULL, *name = NULL;

        ck_assert_int_ge(asprintf(&name, "tree/%s", other_files[_i].path), 0);
        put(name, "a\n");
        ck_assert_int_ge(asprintf(&diff, "--- a/%s\n+++ b/%s\n@@ -1 +1 @@\n-a\n+b\n%s", other_files[_i].path,
                        other_files[_i].path, other_files[_i].with_code ? ONE : ""), 0);
        put("1.patch", diff);
        ck_assert_ok(compile_in("work"));
        ck_assert_int_eq(only_finding()->rule, other_files[_i].rule);
        ck_assert(only_finding()->refused == other_files[_i].refused);
        ck_assert_str_eq(only_finding()->file, other_files[_i].path);
        ck_assert_uint_eq(compiled.n_units, other_files[_i].refused ? 0 : 1);
}
END_TEST

START_TEST(test_nothing) {
        put("tree/MAINTAINERS", "a\n");
        put("1.patch", CHANGE("MAINTAINERS", "@@ -1 +1 @@\n-a\n+b\n"));
        ck_assert_ok(compile_in("work"));
        ck_assert_uint_eq(findings.n, 2);
        ck_assert_int_eq(findings.items[1].rule, RULE_NO_CHANGE);
        ck_assert(findings.items[1].refused && !findings.items[0].refused);
}
END_TEST

/* @n C files, of which every @step-th really includes the header. */
static void put_many(size_t n, size_t step) {
        _cleanup_free_ char *makefile = NULL;
        size_t size;
        FILE *f = open_memstream(&makefile, &size);

        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *name = NULL;

                fprintf(f, "obj-y += m%zu.o\n", i);
                ck_assert_int_ge(asprintf(&name, "tree/kern/m%zu.c", i), 0);
                put(name, i % step == 0 ? "#include \"many.h\"\nint m(void) {\n        return MANY;\n}\n" :
                                          "#ifdef NEVER\n#include \"many.h\"\n#endif\nint m;\n");
        }
        fclose(f);
        put("tree/kern/Makefile", makefile);
        put("tree/kern/many.h", "#define MANY 1\n");
        put("1.patch", CHANGE("kern/many.h", "@@ -1 +1 @@\n-#define MANY 1\n+#define MANY 2\n"));
}

START_TEST(test_too_many) {
        put_many(HOTPATCH_UNITS_MAX * 4 + 1, 1);
        ck_assert_ok(compile_in("work"));
        ck_assert_uint_eq(compiled.n_units, 0);
        ck_assert_int_eq(only_finding()->rule, RULE_TOO_MANY_OBJECTS);
        ck_assert_msg(strstr(only_finding()->text, "257 objects") && strstr(only_finding()->text, "'kern/m0.o'"), "%s",
                only_finding()->text);
}
END_TEST

/* More candidates than are taken: the preprocessor says that they are few. */
START_TEST(test_many_candidates) {
        put_many(HOTPATCH_UNITS_MAX + 6, 10);
        ck_assert_ok(compile_in("work"));
        ck_assert_uint_eq(compiled.n_units, (HOTPATCH_UNITS_MAX + 6) / 10);
        ck_assert_uint_eq(findings.n, 0);
}
END_TEST

START_TEST(test_command_file) {
        _cleanup_(object_command_done) ObjectCommand c = {};
        char text[] = "savedcmd_fs/a.o := gcc -DMODULE -c\n\nsource_fs/a.o := fs/a.c\n\ndeps_fs/a.o := \\\n"
                "    $(wildcard include/config/SMP) \\\n  include/linux/a.h \\\n  /usr/lib/gcc/stdarg.h \\\n\n"
                "fs/a.o: $(deps_fs/a.o)\n\n$(deps_fs/a.o):\n";
        char none[] = "cmd_fs/a.o := gcc -c\n";

        ck_assert_ok(object_command_parse(text, &c));
        ck_assert(c.module);
        ck_assert_uint_eq(strv_length(c.deps), 3);
        ck_assert_str_eq(c.deps[0], "fs/a.c");
        ck_assert_str_eq(c.deps[1], "include/linux/a.h");
        ck_assert_str_eq(c.deps[2], "/usr/lib/gcc/stdarg.h");
        object_command_done(&c);
        ck_assert_int_eq(object_command_parse(none, &c), -EBADMSG);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("compile");
        TCase *t = tcase_create("compile");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, test_one_file);
        tcase_add_test(t, test_kept_object_of_other_source);
        tcase_add_test(t, test_lost_option);
        tcase_add_test(t, test_lost_option_in_two_modules);
        tcase_add_test(t, test_header);
        tcase_add_test(t, test_header_without_effect);
        tcase_add_test(t, test_header_of_boot_code);
        tcase_add_test(t, test_header_with_a_new_name);
        tcase_add_test(t, test_header_with_a_known_name);
        tcase_add_test(t, test_header_with_a_name_that_nobody_uses);
        tcase_add_test(t, test_header_with_a_name_of_boot_code);
        tcase_add_test(t, test_header_before_another);
        tcase_add_test(t, test_header_by_a_macro);
        tcase_add_test(t, test_included_source);
        tcase_add_test(t, test_past_the_shadow);
        tcase_add_test(t, test_two_modules);
        tcase_add_test(t, test_several_diffs);
        tcase_add_test(t, test_does_not_apply);
        tcase_add_test(t, test_already_applied);
        tcase_add_test(t, test_link);
        tcase_add_test(t, test_compile_error);
        tcase_add_loop_test(t, test_other_files, 0, ELEMENTSOF(other_files));
        tcase_add_test(t, test_nothing);
        tcase_add_test(t, test_too_many);
        tcase_add_test(t, test_many_candidates);
        tcase_add_test(t, test_command_file);
        tcase_set_timeout(t, 100);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
