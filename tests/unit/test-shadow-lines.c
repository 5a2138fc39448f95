/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Line numbers, with the compiler as judge: both files are preprocessed, and each `mark(NAME, __LINE__)`
 * that both have must come out with the same number.
 */

#include <fcntl.h>

#include "builder/run.h"
#include "builder/source/shadow-lines.h"
#include "tests/unit/unit.h"
#include "util/file.h"

static char *root, *before_path, *after_path, *kept_path;

static char *path_of(const char *name) {
        char *path;

        ck_assert_int_ge(asprintf(&path, "%s/%s", root, name), 0);
        return path;
}

static void setup(void) {
        root = scratch_new();
        before_path = path_of("before.c");
        after_path = path_of("after.c");
        kept_path = path_of("kept.c");
}

static void teardown(void) {
        free(before_path);
        free(after_path);
        free(kept_path);
        scratch_free(root);
}

static void put(const char *path, const char *text, size_t size) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        ck_assert_int_ge(fd, 0);
        ck_assert_ok(file_write_all(fd, text, size));
}

/* Writes kept.c; returns its text. */
static char *keep(const char *before, const char *after) {
        _cleanup_free_ LineChange *changes = NULL;
        size_t n, size;
        char *text;

        put(before_path, before, strlen(before));
        put(after_path, after, strlen(after));
        ck_assert_ok(line_changes(before_path, after_path, &changes, &n));
        ck_assert_ok(lines_keep(after, strlen(after), changes, n, &text, &size));
        ck_assert_uint_eq(strlen(text), size);
        put(kept_path, text, size);
        return text;
}

typedef struct Marks {
        struct {
                char name[32];
                unsigned line;
        } items[64];
        size_t n;
} Marks;

static void hear_mark(const char *line, void *userdata) {
        Marks *m = userdata;

        for (const char *c = line; (c = strstr(c, "mark(")); c++) {
                ck_assert_uint_lt(m->n, ELEMENTSOF(m->items));
                if (sscanf(c, "mark(%31[a-z0-9_], %u)", m->items[m->n].name, &m->items[m->n].line) == 2)
                        m->n++;
        }
}

static void preprocess(const char *path, bool defined, Marks *ret) {
        *ret = (Marks) {};
        ck_assert_int_eq(run_program(&(Run) {
                .arguments = (char *const[]) { (char *) "gcc", (char *) "-E", (char *) "-P",
                        (char *) (defined ? "-DX" : "-UX"), (char *) path, NULL },
                .line = hear_mark,
                .userdata = ret,
        }), 0);
        ck_assert_uint_gt(ret->n, 0);
}

/* Marks beginning with "loose" may be off. */
static void check_marks(const char *before, const char *after) {
        _cleanup_free_ char *text = keep(before, after);

        for (unsigned defined = 0; defined < 2; defined++) {
                Marks a, b;
                size_t common = 0;

                preprocess(before_path, defined, &a);
                preprocess(kept_path, defined, &b);
                for (size_t i = 0; i < a.n; i++)
                        for (size_t k = 0; k < b.n; k++)
                                if (streq(a.items[i].name, b.items[k].name) &&
                                                !startswith(a.items[i].name, "loose")) {
                                        ck_assert_msg(a.items[i].line == b.items[k].line,
                                                "%s: %u is %u with X=%u in\n%s", a.items[i].name,
                                                a.items[i].line, b.items[k].line, defined, text);
                                        common++;
                                }
                ck_assert_uint_gt(common, 0);
        }
}

#define M(name) "mark(" #name ", __LINE__);\n"

static const struct {
        const char *what, *before, *after;
} pairs[] = {
        { "added lines", M(a) M(b), M(a) "new;\nnew;\n" M(b) },
        { "removed lines", M(a) "old;\nold;\n" M(b), M(a) M(b) },
        { "replaced by more", M(a) "old;\n" M(b), M(a) "new;\nnew;\nnew;\n" M(b) },
        { "at the beginning", "old;\n" M(a), "new;\nnew;\n" M(a) },
        { "two places", M(a) "x;\n" M(b) "y;\n" M(c), M(a) "x;\nx1;\n" M(b) "y;\ny1;\ny2;\n" M(c) },
        { "two places that even out", M(a) "x;\n" M(b) "y;\nz;\n" M(c), M(a) "x;\nx1;\n" M(b) "y;\n" M(c) },
        { "in a macro body", "#define F(x) \\\n one; \\\n two\n" M(a), "#define F(x) \\\n one; \\\n more; \\\n two\n" M(a) },
        { "blank behind the backslash", "#define F(x) \\\n one; \\ \n two\n" M(a),
          "#define F(x) \\\n one; \\ \n more; \\ \n two\n" M(a) },
        { "in a comment", "/* one\n * two\n */\n" M(a), "/* one\n * more\n * more\n * two\n */\n" M(a) },
        { "a comment ends on a code line", "/* one\n */ " M(loose_a) M(b), "/* one\n more\n */ " M(loose_a) M(b) },
        { "in a line comment that goes on", "// one \\\n two \\\n three\n" M(a), "// one \\\n more \\\n two \\\n three\n" M(a) },
        { "in a string that goes on", "s = \"one \\\ntwo (\\\nthree\";\n" M(a), "s = \"one \\\nmore (\\\ntwo (\\\nthree\";\n" M(a) },
        { "in the arguments of a macro", "#define F(...) __VA_ARGS__\nF(one,\n two,\n three)\n" M(a),
          "#define F(...) __VA_ARGS__\nF(one,\n more,\n more,\n two,\n three)\n" M(a) },
        { "parentheses in literals", "s = \"((\"; c = '('; d = '\\''; e = \"\\\"(\";\n" M(a),
          "s = \"((\"; c = '('; d = '\\''; e = \"\\\"(\";\nmore;\n" M(a) },
        { "parentheses in comments", "x; /* ( */ // (\n" M(a), "x; /* ( */ // (\nmore;\n" M(a) },
        { "an apostrophe in a directive", "#ifdef NEVER\n#error don't (\n#endif\n" M(a),
          "#ifdef NEVER\n#error don't (\n#endif\nmore;\n" M(a) },
        { "branches with one half of a pair each", "#ifdef X\nif (a) {\n#else\nif (b &&\nc) {\n#endif\n" M(a) "}\n" M(b),
          "#ifdef X\nif (a) {\n#else\nif (b &&\nc) {\n#endif\n" M(a) "more;\n}\n" M(b) },
        { "an opening parenthesis in each branch", "#ifdef X\nif (f(\n#else\nif (g(\n#endif\na))\n" M(a) "x;\n" M(b),
          "#ifdef X\nif (f(\n#else\nif (g(\n#endif\na))\n" M(a) "x;\nmore;\n" M(b) },
        { "parentheses that never close", "#define OPEN (\nOPEN a) ((\n}\n" M(a) M(b),
          "#define OPEN (\nOPEN a) ((\n}\n" M(a) "more;\n" M(b) },
        { "in a group that may be skipped", "#ifdef X\n" M(a) "#endif\n" M(b) M(c),
          "#ifdef X\nmore;\nmore;\n" M(a) "#endif\n" M(b) M(c) },
        { "in the else of a group", "#ifdef X\n" M(a) "#else\n" M(b) "#endif\n" M(c),
          "#ifdef X\n" M(a) "more;\n#else\n" M(b) "more;\n#endif\n" M(c) },
        { "in nested groups", "#ifndef Y\n#ifdef X\n" M(a) "#else\n" M(b) "#endif\n" M(c) "#else\n#endif\n" M(d),
          "#ifndef Y\n#ifdef X\nmore;\n" M(a) "#else\n" M(b) "#endif\n" M(c) "#else\n#endif\n" M(d) },
        { "before a group", M(a) "#ifdef X\n" M(b) "#elif 1\n" M(c) "#endif\n" M(d),
          M(a) "more;\n#ifdef X\n" M(b) "#elif 1\n" M(c) "#endif\n" M(d) },
        { "a removal in a group", "#ifdef X\nold;\nold;\n" M(a) "#else\n" M(b) "#endif\n" M(c),
          "#ifdef X\n" M(a) "#else\n" M(b) "#endif\n" M(c) },
        { "a new group", M(a) M(b), M(a) "#ifdef X\nmore;\n#else\nless;\nless;\n#endif\n" M(b) },
        { "an include guard", "#ifndef G\n#define G\n" M(a) M(b) "#endif\n", "#ifndef G\n#define G\n" M(a) "more;\n" M(b) "#endif\n" },
        { "no newline at the end", "x;\n" M(a) "mark(b, __LINE__)", "x;\nmore;\n" M(a) "mark(b, __LINE__)" },
        { "in an initializer", "int v[] = {\n 1,\n 2,\n};\n" M(a), "int v[] = {\n 1,\n 3,\n 2,\n};\n" M(a) },
};

START_TEST(test_pairs) {
        check_marks(pairs[_i].before, pairs[_i].after);
}
END_TEST

/* A change that moves nothing adds nothing. */
START_TEST(test_same_length) {
        _cleanup_free_ char *a = keep(M(a) "old;\n" M(b), M(a) "new;\n" M(b));
        _cleanup_free_ char *b = keep(M(a) M(b), M(a) M(b));
        _cleanup_free_ char *c = keep(M(a), M(a) "new;\n"); /* nothing follows */

        ck_assert_ptr_null(strstr(a, "#line"));
        ck_assert_ptr_null(strstr(b, "#line"));
        ck_assert_ptr_null(strstr(c, "#line"));
}
END_TEST

/* C17 6.10.3p11: a directive between the arguments of a macro is undefined, though this compiler takes it. */
START_TEST(test_not_between_parentheses) {
        _cleanup_free_ char *text = keep("f(one,\n  two,\n  three);\n" M(a), "f(one,\n  more,\n  two,\n  three);\n" M(a));

        ck_assert_str_eq(text, "f(one,\n  more,\n  two,\n  three);\n#line 4\n" M(a));
}
END_TEST

static void compile(const char *source, const char *object, const char *name) {
        _cleanup_free_ char *map = NULL;

        /* As __FILE__ is the same in both shadow trees. */
        ck_assert_int_ge(asprintf(&map, "-ffile-prefix-map=%s=%s", source, name), 0);
        ck_assert_int_eq(run_program(&(Run) {
                .arguments = (char *const[]) { (char *) "gcc", (char *) "-O2", (char *) "-ffunction-sections", map,
                        (char *) "-c", (char *) "-o", (char *) object, (char *) source, NULL },
        }), 0);
}

static char *dump_section(const char *object, const char *section, size_t *ret_size) {
        _cleanup_free_ char *argument = NULL, *path = path_of("section");
        void *data;

        ck_assert_int_ge(asprintf(&argument, "%s=%s", section, path), 0);
        ck_assert_int_eq(run_program(&(Run) {
                .arguments = (char *const[]) { (char *) "objcopy", (char *) "--dump-section", argument,
                        (char *) object, (char *) "/dev/null", NULL },
        }), 0);
        ck_assert_ok(file_read_at(AT_FDCWD, path, 1 << 20, &data, ret_size));
        return data;
}

/* What it is for: a table of file and line for each warning, as the kernel's __bug_table. */
#define WARN "asm volatile(\".pushsection warn_table,\\\"a\\\"\\n.long %c0\\n.popsection\" :: \"i\" (__LINE__))"

START_TEST(test_objects) {
        static const char before[] =
                "const char *f(int x) {\n        if (x)\n                " WARN ";\n        return __FILE__;\n}\n"
                "int g(int x) {\n        if (x > 1)\n                " WARN ";\n        return x + __LINE__;\n}\n";
        static const char after[] =
                "const char *f(int x) {\n        if (x < 0)\n                return 0;\n        if (x)\n                "
                WARN ";\n        return __FILE__;\n}\n"
                "int g(int x) {\n        if (x > 1)\n                " WARN ";\n        return x + __LINE__;\n}\n";
        _cleanup_free_ char *text = keep(before, after), *a = path_of("a.o"), *b = path_of("b.o"), *c = path_of("c.o");
        _cleanup_free_ char *code_a = NULL, *code_b = NULL, *code_c = NULL, *table_a = NULL, *table_b = NULL;
        size_t size_a, size_b, size_c;

        compile(before_path, a, "x.c");
        compile(kept_path, b, "x.c");
        compile(after_path, c, "x.c");
        code_a = dump_section(a, ".text.g", &size_a);
        code_b = dump_section(b, ".text.g", &size_b);
        code_c = dump_section(c, ".text.g", &size_c);
        ck_assert_uint_eq(size_a, size_b);
        ck_assert_mem_eq(code_a, code_b, size_a);
        ck_assert(size_a != size_c || memcmp(code_a, code_c, size_a) != 0); /* without it, they differ */
        table_a = dump_section(a, "warn_table", &size_a);
        table_b = dump_section(b, "warn_table", &size_b);
        ck_assert_uint_eq(size_a, 8);
        ck_assert_uint_eq(size_b, 8);
        ck_assert_mem_eq(table_a, table_b, 8);
}
END_TEST

START_TEST(test_no_file) {
        LineChange *changes = NULL;
        size_t n;

        ck_assert_int_lt(line_changes("/nonexistent/a", "/nonexistent/b", &changes, &n), 0);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("shadow-lines");
        TCase *t = tcase_create("shadow-lines");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, test_pairs, 0, ELEMENTSOF(pairs));
        tcase_add_test(t, test_same_length);
        tcase_add_test(t, test_not_between_parentheses);
        tcase_add_test(t, test_objects);
        tcase_add_test(t, test_no_file);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
