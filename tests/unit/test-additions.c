/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which changes of a header only add names, and which must not be taken for one. */

#include "builder/source/additions.h"
#include "tests/unit/unit.h"
#include "util/strv.h"

/* A header with a bit of everything; @HERE marks the places where something can be put. */
static const char header[] =
        "#ifndef H\n#define H\n@TOP@"
        "/* it's\n@COMMENT@ * a comment */\n"
        "struct s {\n\tint a;\n@MEMBER@};\n@AFTER_STRUCT@"
        "#ifdef A\n@CONDITION@int f(int x);\n#else\nstatic inline int f(int x)\n{\n@BODY@\treturn x;\n}\n@AFTER_BODY@#endif\n"
        "enum e {\n\tONE,\n@ENUMERATOR@};\n"
        "extern int f2(int a,\n@PARAMETER@\t\tint b);\n"
        "#define LONG(x) \\\n@MACRO@\tdo { } while (0)\n"
        "DECLARE_SOMETHING(one)\n@AFTER_CALL@"
        "extern int v[2];\n@END@#endif\n";

/* The header with @what at @place, and without any mark. */
static char *with(const char *place, const char *what) {
        char *text, *out;
        size_t n;
        FILE *f = open_memstream(&text, &n);

        for (const char *at = header; *at; at++)
                if (*at == '@') {
                        const char *end = strchr(at + 1, '@');

                        if (strncmp(at + 1, place, strlen(place)) == 0 && end == at + 1 + strlen(place))
                                fputs(what, f);
                        at = end;
                } else
                        fputc(*at, f);
        ck_assert_int_eq(fclose(f), 0);
        out = text;
        return out;
}

static const struct {
        const char *place;
        const char *what;
        const char *names; /* with a blank behind each; NULL: it is more than an addition */
} cases[] = {
        { "END", "int new(struct t *t, u32 n);\n", "new " },
        { "TOP", "struct t;\nextern struct t *new(void) __must_check;\n", "new " },
        { "AFTER_STRUCT", "/* text */\nstatic inline bool is_it(const struct s *s)\n{\n\tif (s->a) {\n\t\treturn true;\n\t}\n"
          "\treturn '{' == s->a;\n}\n\n", "is_it " },
        { "AFTER_BODY", "static __always_inline int a(void) { return 1; }\nstatic inline int b(void) { return \"}\"[0]; }\n", "a b " },
        { "CONDITION", "#define NEW(x) ((x) + \\\n\t1)\n", "NEW " },
        { "END", "#ifdef CONFIG_B\nint new(void);\n#else\nstatic inline int new(void) { return 0; }\n#endif\n", "new " },
        { "END", "struct t {\n\tstruct s s;\n\tint (*call)(void);\n\tunion { int x; };\n} __packed;\n", "t " },
        { "END", "enum g { A = 1, B = (2, 3), C, };\nenum { D };\n", "g A B C D " },
        { "END", "extern const char *const names[3][4];\nextern int w;\n", "names w " },
        { "END", "// text\n", "" },
        { "COMMENT", " * more { of it\n", "" },
        { "END", "\n\n", "" },
        { "MEMBER", "\tint b;\n", NULL },
        { "ENUMERATOR", "\tTWO,\n", NULL },
        { "BODY", "\tx++;\n", NULL },
        { "PARAMETER", "\t\tint c,\n", NULL },
        { "MACRO", "\tx; \\\n", NULL },
        { "COMMENT", " * end */ int x; /*\n", NULL },
        { "END", "/* open\n", NULL },
        { "AFTER_CALL", "int new(void);\n", NULL },
        { "END", "#include <linux/a.h>\n", NULL },
        { "END", "#undef H2\n", NULL },
        { "END", "#if 0\n", NULL },
        { "TOP", "#endif\n", NULL },
        { "CONDITION", "#else\n", NULL },
        { "END", "#define\n", NULL },
        { "END", "#define X /* open\n", NULL },
        { "END", "DECLARE_STATIC_KEY_FALSE(key);\n", NULL },
        { "END", "static DEFINE_MUTEX(lock);\n", NULL },
        { "END", "EXPORT_SYMBOL(f)\n", NULL },
        { "END", "int new(void)\n{\n\treturn 1;\n}\n", NULL },
        { "END", "static inline __used int new(void) { return 1; }\n", NULL },
        { "END", "static inline __attribute__((constructor)) int new(void) { return 1; }\n", NULL },
        { "END", "__printf(1, 2) void new(const char *, ...);\n", NULL },
        { "END", "int new(void), other(void);\n", NULL },
        { "END", "int variable;\n", NULL },
        { "END", "static int variable = 1;\n", NULL },
        { "END", "extern int a, b;\n", NULL },
        { "END", "extern int a __attribute__((used));\n", NULL },
        { "END", "typedef int t;\n", NULL },
        { "END", "struct t { int a; } t;\n", NULL },
        { "END", "struct t { struct inner { int a; } i; };\n", NULL },
        { "END", "struct t { enum { X } i; };\n", NULL },
        { "END", "asm(\"nop\");\n", NULL },
        { "END", "int new(void)\n", NULL },
        { "END", "}\n", NULL },
        { "END", "static inline int new(void) { return 1; }}\n", NULL },
        { "END", "static inline int new(void) {{ return 1; }\n", NULL },
        { "END", "\"text\";\n", NULL },
        { "END", "static inline int f3(void) __maybe_unused { return 1; }\nint new(void);\n", NULL }, /* hides the next one */
        { "END", "static inline int f3(void) __must_check;\n", NULL },
        { "END", "enum { NUMBER(X), };\n", NULL },
        { "END", "enum { A NUMBER, };\n", NULL },
        { "END", "#define NE\\\nW 1\n", NULL },
        { "END", "#define __ARG_PLACEHOLDER_y 0,\n", NULL },
        { "END", "# define CONFIG_NEW 1\n", NULL },
};

static int find(const char *before, const char *after, char **ret) {
        _cleanup_strv_free_ char **names = NULL;
        size_t n;
        FILE *f = open_memstream(ret, &n);
        int r = additions_find(before, after, &names);

        if (r == 0)
                ck_assert_ptr_null(names);
        for (char **name = names; name && *name; name++)
                fprintf(f, "%s ", *name);
        ck_assert_int_eq(fclose(f), 0);
        return r;
}

START_TEST(each_form) {
        _cleanup_free_ char *before = with("", ""), *after = with(cases[_i].place, cases[_i].what), *names = NULL;
        int r = find(before, after, &names);

        ck_assert_msg(r == (cases[_i].names != NULL), "%s: '%s' gives %d", cases[_i].place, cases[_i].what, r);
        if (r > 0)
                ck_assert_msg(streq(names, cases[_i].names), "'%s' gives '%s'", cases[_i].what, names);
}
END_TEST

/* What is taken away or written anew is never an addition. */
START_TEST(the_old_text_stays) {
        _cleanup_free_ char *before = with("", ""), *more = with("END", "int new(void);\n"), *names = NULL;

        ck_assert_int_eq(find(more, before, &names), 0);
        free(TAKE_PTR(names));
        ck_assert_int_eq(find("int a(int x);\n", "int a(int x, int y);\n", &names), 0);
        free(TAKE_PTR(names));
        ck_assert_int_eq(find("int a;", "int a;\nint b(void);\n", &names), 0); /* the line got its end */
        free(TAKE_PTR(names));
        ck_assert_int_eq(find("", "int b(void);\n", &names), 1);
        ck_assert_str_eq(names, "b ");
        free(TAKE_PTR(names));
        ck_assert_int_eq(find("", "int b(void);", &names), 1);
        free(TAKE_PTR(names));
        ck_assert_int_eq(find(before, before, &names), 1);
        ck_assert_str_eq(names, "");
}
END_TEST

/* Lines are counted in strings, too: else what is new would be looked for one line above. */
START_TEST(strings_of_two_lines) {
        static const char before[] = "static inline void f(void)\n{\n\tasm(\"nop\\\nnop\");\n}\n\nextern int old[2];\nint g(void);\n";
        static const char after[] = "static inline void f(void)\n{\n\tasm(\"nop\\\nnop\");\n}\n\nextern int old[2];\nint old2[3];\n"
                                    "int g(void);\n";
        _cleanup_free_ char *names = NULL;

        ck_assert_int_eq(find(before, after, &names), 0);
}
END_TEST

/* What is new begins or ends like what is old beside it. */
START_TEST(equal_lines_do_not_matter) {
        static const char *const pairs[][2] = {
                { "int a;\n\n/*\n * old\n */\n#define OLD 1\n", "int a;\n\n/*\n * new\n */\n#define NEW 1\n\n/*\n * old\n */\n#define OLD 1\n" },
                { "/*\n * old\n */\n#define OLD 1\n", "/*\n * new\n */\n#define NEW 1\n/*\n * old\n */\n#define OLD 1\n" },
                { "static inline int\nold(void)\n{\n}\n", "static inline int\nNEWw(void)\n{\n}\nstatic inline int\nold(void)\n{\n}\n" },
                { "int a(void)\n{\n}\nint b;\n", "int a(void)\n{\n}\n\nstatic int NEWw(void)\n{\n}\nint b;\n" },
                { "int a(void)\n{\n}\nint b;\n", "int a(void)\n{\n}\nstatic int NEWw(void)\n{\n}\n\nint b;\n" },
                { "#ifdef A\nint a;\n#endif\n", "#ifdef A\nint NEWw(void);\n#endif\n#ifdef A\nint a;\n#endif\n" },
        };

        for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                _cleanup_free_ char *names = NULL;

                ck_assert_msg(find(pairs[i][0], pairs[i][1], &names) == 1, "%zu", i);
                ck_assert_msg(startswith(names, "NEW"), "%zu: %s", i, names);
        }
}
END_TEST

/* A header whose brackets do not match is not understood, wherever something is added. */
START_TEST(what_is_not_understood_is_none) {
        static const char *const headers[] = {
                "#ifdef A\nint f(void) {\n#else\nint g(void) {\n#endif\n}\n", "}\n", "int f(void)\n", "/* open\n", "'a\n", "\"a\n",
                "// text \\\nmore\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(headers); i++) {
                _cleanup_free_ char *after = NULL, *names = NULL;

                ck_assert_int_gt(asprintf(&after, "int new(void);\n%s", headers[i]), 0);
                ck_assert_msg(find(headers[i], after, &names) == 0, "'%s'", headers[i]);
        }
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("additions");
        TCase *t = tcase_create("additions");

        tcase_add_loop_test(t, each_form, 0, ELEMENTSOF(cases));
        tcase_add_test(t, the_old_text_stays);
        tcase_add_test(t, strings_of_two_lines);
        tcase_add_test(t, equal_lines_do_not_matter);
        tcase_add_test(t, what_is_not_understood_is_none);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
