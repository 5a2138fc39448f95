/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "builder/module/table.h"
#include "bundle/digest.h"
#include "tests/unit/unit.h"

static const char patch_json[] =
        "{\"id\":\"x-1\",\"title\":\"a \\\"b\\\" \\\\ ?\?/ é\",\"severity\":\"low\",\"stream\":\"s\",\"sequence\":5,"
        "\"functions\":["
        "{\"object\":\"ext4\",\"function\":\"f.isra.0\",\"replacement\":\"new_f\",\"sympos\":2},"
        "{\"object\":\"vmlinux\",\"function\":\"g\",\"replacement\":\"new_g\"},"
        "{\"object\":\"ext4\",\"function\":\"h\",\"replacement\":\"new_h\"}],"
        "\"callbacks\":[{\"object\":\"xfs\",\"post_patch\":\"after\"},"
        "{\"object\":\"ext4\",\"pre_patch\":\"before\"}],"
        "\"self_test\":\"probe\",\"replace\":true}";

static PatchFile *parse(void) {
        PatchFile *p = NULL;

        ck_assert_ok(patch_file_parse(patch_json, strlen(patch_json), &p, NULL));
        return p;
}

static void has(const char *text, const char *wanted) {
        ck_assert_msg(strstr(text, wanted), "no '%s' in:\n%s", wanted, text);
}

START_TEST(the_text_has_a_line_for_each_function) {
        _cleanup_patch_file_free_ PatchFile *p = parse();
        _cleanup_free_ char *text = NULL;

        ck_assert_ok(table_text(p, &text));
        ck_assert_str_eq(text, "ext4 f.isra.0 2 new_f\nvmlinux g 0 new_g\next4 h 0 new_h\n");
}
END_TEST

START_TEST(the_source_has_the_kernels_structures) {
        _cleanup_patch_file_free_ PatchFile *p = parse();
        _cleanup_free_ char *source = NULL;

        ck_assert_ok(table_source(p, &source));
        /* ext4 is object 0 with both of its functions, then vmlinux, then xfs, which has none. */
        has(source, "hotpatch_functions_0[] = {\n\t{\n\t\t.old_name = \"f.isra.0\",\n\t\t.new_func = new_f,\n"
                    "\t\t.old_sympos = 2,\n\t},\n\t{\n\t\t.old_name = \"h\",");
        has(source, "hotpatch_functions_2[] = {\n\t{}\n};");
        has(source, "\t{\n\t\t.name = \"ext4\",\n\t\t.funcs = hotpatch_functions_0,\n"
                    "\t\t.callbacks.pre_patch = hotpatch_pre_patch_0,\n\t},\n"
                    "\t{\n\t\t.funcs = hotpatch_functions_1,\n\t},\n"
                    "\t{\n\t\t.name = \"xfs\",\n\t\t.funcs = hotpatch_functions_2,\n"
                    "\t\t.callbacks.post_patch = after,\n\t},\n\t{}\n};");
        has(source, "hotpatch_veto(\"pre_patch callback\", \"before\", before(object))");
        has(source, "\t.name = \"probe\",\n\t.run = probe,\n");
        has(source, ".replace = true,");
        has(source, "cpu_to_le64(5ULL)");
        has(source, "#define BUNDLE_ID \"x-1\"");
        /* Quotes, backslashes, trigraphs and what is not ASCII cannot get out of the literal. */
        has(source, "MODULE_DESCRIPTION(\"a \\042b\\042 \\134 \\077\\077/ \\303\\251\");");
}
END_TEST

START_TEST(unexported_symbols_of_a_module_are_forgotten_when_it_goes) {
        static const char text[] =
                "{\"id\":\"x\",\"title\":\"t\",\"severity\":\"low\",\"stream\":\"s\",\"sequence\":1,\"functions\":["
                "{\"object\":\"ext4\",\"function\":\"f\",\"replacement\":\"new_f\"},"
                "{\"object\":\"xfs\",\"function\":\"f\",\"replacement\":\"new_f\"},"
                "{\"object\":\"vmlinux\",\"function\":\"f\",\"replacement\":\"new_f\"}],"
                "\"callbacks\":[{\"object\":\"ext4\",\"post_unpatch\":\"after\"}],"
                "\"symbols\":[{\"name\":\"a\",\"object\":\"ext4\"},{\"name\":\"b\",\"object\":\"vmlinux\"}]}";
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        _cleanup_free_ char *source = NULL;

        ck_assert_ok(patch_file_parse(text, strlen(text), &p, NULL));
        ck_assert(table_has_module_symbols(p, NULL));
        ck_assert(table_has_module_symbols(p, "ext4"));
        ck_assert(!table_has_module_symbols(p, "xfs"));
        ck_assert(!table_has_module_symbols(p, "vmlinux"));
        ck_assert_ok(table_source(p, &source));
        has(source, "static void hotpatch_post_unpatch_0(struct klp_object *object)\n{\n\tafter(object);\n"
                    "\thotpatch_clear_relocations(object);\n}");
        has(source, ".callbacks.post_unpatch = hotpatch_post_unpatch_0,");
        ck_assert_ptr_null(strstr(source, "hotpatch_post_unpatch_1"));
        ck_assert_ptr_null(strstr(source, "hotpatch_post_unpatch_2"));
}
END_TEST

START_TEST(the_digest_is_of_the_text_with_its_nul) {
        _cleanup_patch_file_free_ PatchFile *p = parse();
        _cleanup_free_ char *source = NULL, *text = NULL, *line = NULL;
        uint8_t digest[DIGEST_SIZE];

        ck_assert_ok(table_source(p, &source));
        ck_assert_ok(table_text(p, &text));
        ck_assert_ok(digest_bytes(text, strlen(text) + 1, digest));
        ck_assert_int_ge(asprintf(&line, ".identity.table_sha256 = {\n\t\t0x%02x, 0x%02x, 0x%02x,", digest[0],
                digest[1], digest[2]), 0);
        has(source, line);
}
END_TEST

START_TEST(the_same_patch_gives_the_same_source) {
        _cleanup_patch_file_free_ PatchFile *a = parse(), *b = parse();
        _cleanup_free_ char *one = NULL, *two = NULL;

        ck_assert_ok(table_source(a, &one));
        ck_assert_ok(table_source(b, &two));
        ck_assert_str_eq(one, two);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("table");
        TCase *t = tcase_create("table");

        tcase_add_test(t, the_text_has_a_line_for_each_function);
        tcase_add_test(t, the_source_has_the_kernels_structures);
        tcase_add_test(t, unexported_symbols_of_a_module_are_forgotten_when_it_goes);
        tcase_add_test(t, the_digest_is_of_the_text_with_its_nul);
        tcase_add_test(t, the_same_patch_gives_the_same_source);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
