/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <elf.h>

#include "builder/build/description.h"
#include "tests/unit/unit.h"
#include "util/strv.h"

/* What one call of hotpatch-build would have found out by then. */
typedef struct Case {
        BuildOptions options;
        Fix fix;
        BuildUnit unit;
        Build build;
} Case;

static void begin(Case *c, size_t n_functions) {
        *c = (Case) { .options.output = "/tmp/hp-x.hpb" };
        c->unit.extracted.functions = calloc(n_functions + 1, sizeof(PatchFunction));
        c->unit.extracted.n_functions = n_functions;
        for (size_t i = 0; i < n_functions; i++) {
                char name[32];

                snprintf(name, sizeof(name), "function_%zu", i);
                c->unit.extracted.functions[i] =
                        (PatchFunction) { .object = strdup("vmlinux"), .function = strdup(name), .replacement = strdup(name) };
        }
        c->build = (Build) { .options = &c->options, .fix = &c->fix, .units = &c->unit, .n_units = 1 };
}

static void end(Case *c) {
        extracted_done(&c->unit.extracted);
}

START_TEST(the_output_gives_the_id_and_the_id_the_module) {
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        Case c;

        begin(&c, 1);
        ck_assert_ok(describe_patch(&c.build, &p, NULL));
        ck_assert_str_eq(p->manifest->id, "hp-x");
        ck_assert_str_eq(p->manifest->stream, "hp-x");
        ck_assert_str_eq(p->module, "hp_x");
        ck_assert_uint_eq(p->manifest->sequence, 1);
        ck_assert_int_eq(p->manifest->severity, SEVERITY_MODERATE);
        ck_assert_uint_eq(p->n_functions, 1);
        ck_assert_str_eq(p->functions[0].function, "function_0");
        end(&c);
}
END_TEST

START_TEST(options_win) {
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        char *fixes[] = { (char *) "CVE-2026-0001=a hole", NULL }, *cves[] = { (char *) "CVE-2026-9999", NULL };
        Case c;

        begin(&c, 1);
        c.fix.subject = (char *) "of the mail";
        c.fix.cves = cves;
        c.options.id = "site-7";
        c.options.title = "mine";
        c.options.stream = "site";
        c.options.sequence = "9007199254740991";
        c.options.severity = "critical";
        c.options.fixes = fixes;
        ck_assert_ok(describe_patch(&c.build, &p, NULL));
        ck_assert_str_eq(p->manifest->id, "site-7");
        ck_assert_str_eq(p->module, "hp_site_7");
        ck_assert_str_eq(p->manifest->title, "mine");
        ck_assert_str_eq(p->manifest->stream, "site");
        ck_assert_uint_eq(p->manifest->sequence, 9007199254740991);
        ck_assert_int_eq(p->manifest->severity, SEVERITY_CRITICAL);
        ck_assert_uint_eq(p->manifest->n_fixes, 1);
        ck_assert_str_eq(p->manifest->fixes[0].id, "CVE-2026-0001");
        ck_assert_str_eq(p->manifest->fixes[0].summary, "a hole");
        end(&c);
}
END_TEST

START_TEST(the_fix_speaks_where_options_are_silent) {
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        char *cves[] = { (char *) "CVE-2026-0001", (char *) "CVE-2026-0002", NULL };
        Case c;

        begin(&c, 1);
        c.fix.subject = (char *) "net: check the length";
        c.fix.cves = cves;
        ck_assert_ok(describe_patch(&c.build, &p, NULL));
        ck_assert_str_eq(p->manifest->title, "net: check the length");
        ck_assert_uint_eq(p->manifest->n_fixes, 2);
        ck_assert_str_eq(p->manifest->fixes[1].id, "CVE-2026-0002");
        ck_assert_ptr_null(p->manifest->fixes[1].summary);
        end(&c);
}
END_TEST

START_TEST(without_a_subject_the_functions_are_the_title) {
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        Case c;

        begin(&c, 5);
        ck_assert_ok(describe_patch(&c.build, &p, NULL));
        ck_assert_str_eq(p->manifest->title, "Change of function_0(), function_1(), function_2() and 2 more");
        end(&c);
}
END_TEST

START_TEST(a_long_title_ends_with_a_whole_character) {
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        char title[600];
        Case c;

        for (size_t i = 0; i < sizeof(title); i++)
                title[i] = "\xc3\xa9"[(i + 1) % 2]; /* the limit falls between the two bytes of an é */
        title[0] = 'x';
        title[sizeof(title) - 1] = '\0';
        begin(&c, 1);
        c.options.title = title;
        ck_assert_ok(describe_patch(&c.build, &p, NULL));
        ck_assert_uint_le(strlen(p->manifest->title), 256);
        ck_assert_uint_ge(strlen(p->manifest->title), 254);
        ck_assert_int_eq((unsigned char) p->manifest->title[strlen(p->manifest->title) - 1], 0xa9);
        end(&c);
}
END_TEST

static const struct {
        const char *id, *output, *severity, *sequence;
        const char *named;
} mistakes[] = {
        { "Not An Id", NULL, NULL, NULL, "Not An Id" },
        { NULL, "My Fix.hpb", NULL, NULL, "--id" },
        { NULL, NULL, "bad", NULL, "--severity" },
        { NULL, NULL, NULL, "0", "--sequence" },
        { NULL, NULL, NULL, "-1", "--sequence" },
        { NULL, NULL, NULL, "1x", "--sequence" },
        { "an-id-that-is-valid-but-makes-a-module-name-that-is-too-long", NULL, NULL, NULL, "too long" },
};

START_TEST(a_mistake_is_named) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        Case c;

        begin(&c, 1);
        c.options.id = mistakes[_i].id;
        c.options.output = mistakes[_i].output ?: c.options.output;
        c.options.severity = mistakes[_i].severity;
        c.options.sequence = mistakes[_i].sequence;
        ck_assert_int_lt(describe_patch(&c.build, &p, &error), 0);
        ck_assert_str_eq(error.name, SD_BUS_ERROR_INVALID_ARGS);
        ck_assert_msg(strstr(error.message, mistakes[_i].named), "%s", error.message);
        end(&c);
}
END_TEST

START_TEST(options_are_checked_by_themselves) {
        static const struct {
                const char *id, *sequence, *severity, *words;
        } cases[] = {
                { "hp-x", "12", "low", NULL }, { NULL, NULL, NULL, NULL },
                { "HP", NULL, NULL, "'HP'" }, { NULL, "0", NULL, "--sequence" }, { NULL, "1x", NULL, "--sequence" },
                { NULL, NULL, "bad", "--severity" },
                { "hp-0123456789012345678901234567890123456789012345678901234567", NULL, NULL, "too long" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                Case c;
                int r;

                begin(&c, 0);
                c.options.id = cases[i].id;
                c.options.sequence = cases[i].sequence;
                c.options.severity = cases[i].severity;
                r = describe_check(&c.build, &error);
                ck_assert_msg((r < 0) == !!cases[i].words, "%zu: %d", i, r);
                if (r < 0)
                        ck_assert_msg(strstr(error.message, cases[i].words), "%zu: %s", i, error.message);
                end(&c);
        }
}
END_TEST

static bool refused_for(Build *b, const char *words) {
        ck_assert_ok(build_require_effect(b));
        return b->findings.n == 1 && b->findings.items[0].refused && b->findings.items[0].rule == RULE_NO_CHANGE &&
                strstr(b->findings.items[0].text, words);
}

START_TEST(a_fix_that_redirects_nothing_is_refused) {
        ObjectSection sections[] = { {}, { .name = ".text.f", .kind = OBJECT_CODE, .flags = SHF_EXECINSTR } };
        ObjectSymbol symbols[] = { {}, { .name = "f", .section = 1, .type = STT_FUNC, .bind = STB_GLOBAL, .size = 4 } };
        Object after = { .sections = sections, .n_sections = 2, .symbols = symbols, .n_symbols = 2 };
        SymbolChange changed[] = { {}, { .kind = CHANGE_NEW } };
        Changes changes = { .after = &after, .symbols = changed };
        Tree tree = { .release = (char *) "6.1" };
        Case c;

        begin(&c, 0);
        c.build.tree = &tree;
        ck_assert(refused_for(&c.build, "changes nothing"));
        findings_done(&c.build.findings);
        c.unit.changes = &changes;
        c.unit.after = &after;
        ck_assert(refused_for(&c.build, "only adds code"));
        /* One reason is enough. */
        ck_assert_ok(build_require_effect(&c.build));
        ck_assert_uint_eq(c.build.findings.n, 1);
        findings_done(&c.build.findings);
        end(&c);
        begin(&c, 1);
        ck_assert_ok(build_require_effect(&c.build));
        ck_assert_uint_eq(c.build.findings.n, 0);
        end(&c);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("description");
        TCase *t = tcase_create("description");

        tcase_add_test(t, the_output_gives_the_id_and_the_id_the_module);
        tcase_add_test(t, options_win);
        tcase_add_test(t, the_fix_speaks_where_options_are_silent);
        tcase_add_test(t, without_a_subject_the_functions_are_the_title);
        tcase_add_test(t, a_long_title_ends_with_a_whole_character);
        tcase_add_test(t, options_are_checked_by_themselves);
        tcase_add_test(t, a_fix_that_redirects_nothing_is_refused);
        tcase_add_loop_test(t, a_mistake_is_named, 0, ELEMENTSOF(mistakes));
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
