/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bundle/patchfile.h"
#include "dbus/errors.h"
#include "tests/unit/unit.h"

#define HEAD "\"id\":\"x\",\"title\":\"t\",\"severity\":\"low\",\"stream\":\"s\",\"sequence\":1"
#define FUNCTION "{\"object\":\"vmlinux\",\"function\":\"f\",\"replacement\":\"r\"}"
#define FUNCTIONS ",\"functions\":[" FUNCTION "]"

static int parse(const char *text, PatchFile **ret, sd_bus_error *error) {
        return patch_file_parse(text, strlen(text), ret, error);
}

/* Refused with PatchFileInvalid and exactly this message. */
static void refused(const char *text, const char *message) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        PatchFile *p = NULL;

        ck_assert_ok(hotpatch_errors_register());
        ck_assert_msg(parse(text, &p, &error) < 0, "accepted: %s", text);
        ck_assert_ptr_null(p);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("PatchFileInvalid"));
        ck_assert_str_eq(error.message, message);
        sd_bus_error_free(&error);
}

START_TEST(the_smallest_patch_has_the_defaults) {
        _cleanup_patch_file_free_ PatchFile *p = NULL;

        ck_assert_ok(parse("{" HEAD FUNCTIONS "}", &p, NULL));
        ck_assert_str_eq(p->manifest->id, "x");
        ck_assert_str_eq(p->manifest->title, "t");
        ck_assert_str_eq(p->manifest->stream, "s");
        ck_assert_uint_eq(p->manifest->sequence, 1);
        ck_assert_int_eq(p->manifest->kind, MANIFEST_HOTPATCH);
        ck_assert_uint_eq(p->manifest->trial_seconds, 600);
        ck_assert(!p->manifest->force_safe);
        ck_assert_str_eq(p->module, "hp_x");
        ck_assert_ptr_null(p->sources);
        ck_assert(!p->replace);
        ck_assert_uint_eq(p->n_functions, 1);
        ck_assert_str_eq(p->functions[0].object, "vmlinux");
        ck_assert_uint_eq(p->functions[0].sympos, 0);
}
END_TEST

START_TEST(every_key_arrives) {
        static const char text[] =
                "{" HEAD ",\"description\":\"a\\nb\",\"trial\":{\"seconds\":5},\"force_safe\":true,"
                "\"fixes\":[{\"id\":\"CVE-1\",\"severity\":\"critical\",\"summary\":\"s\",\"references\":[\"u\"]},"
                "{\"id\":\"CVE-2\"}],"
                "\"requires\":[\"a\"],\"conflicts\":[\"b\"],\"supersedes\":[\"c\",\"d\"],"
                "\"module\":\"m_1\",\"sources\":[\"a.c\",\"b.c\"],\"self_test\":\"st\",\"replace\":true,"
                "\"functions\":[{\"object\":\"ext4\",\"function\":\"f.isra.0\",\"replacement\":\"r\",\"sympos\":2}],"
                "\"callbacks\":[{\"object\":\"ext4\",\"pre_patch\":\"p1\",\"post_patch\":\"p2\","
                "\"pre_unpatch\":\"p3\",\"post_unpatch\":\"p4\"}],"
                "\"symbols\":[{\"name\":\"s1\",\"object\":\"ext4\",\"sympos\":3}]}";
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        const Manifest *m;

        ck_assert_ok(parse(text, &p, NULL));
        m = p->manifest;
        ck_assert_str_eq(m->description, "a\nb");
        ck_assert_uint_eq(m->trial_seconds, 5);
        ck_assert(m->force_safe);
        ck_assert_uint_eq(m->n_fixes, 2);
        ck_assert_int_eq(m->fixes[0].severity, SEVERITY_CRITICAL);
        ck_assert_str_eq(m->fixes[0].references[0], "u");
        ck_assert_int_eq(m->fixes[1].severity, _SEVERITY_INVALID);
        ck_assert_str_eq(m->requires[0], "a");
        ck_assert_str_eq(m->conflicts[0], "b");
        ck_assert_str_eq(m->supersedes[1], "d");
        ck_assert_str_eq(p->module, "m_1");
        ck_assert_str_eq(p->sources[1], "b.c");
        ck_assert_str_eq(p->self_test, "st");
        ck_assert(p->replace);
        ck_assert_str_eq(p->functions[0].function, "f.isra.0");
        ck_assert_uint_eq(p->functions[0].sympos, 2);
        ck_assert_str_eq(p->callbacks[0].post_unpatch, "p4");
        ck_assert_str_eq(p->symbols[0].name, "s1");
        ck_assert_uint_eq(p->symbols[0].sympos, 3);
}
END_TEST

START_TEST(the_module_is_named_after_the_id) {
        static const struct {
                const char *id, *module;
        } cases[] = {
                { "hp-2026-11-fsmount", "hp_2026_11_fsmount" },
                { "fsmount.2", "hp_fsmount_2" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_patch_file_free_ PatchFile *p = NULL;
                _cleanup_free_ char *text = NULL;

                ck_assert_int_ge(asprintf(&text, "{\"id\":\"%s\",\"title\":\"t\",\"severity\":\"low\","
                        "\"stream\":\"s\",\"sequence\":1" FUNCTIONS "}", cases[i].id), 0);
                ck_assert_ok(parse(text, &p, NULL));
                ck_assert_str_eq(p->module, cases[i].module);
        }
        refused("{\"id\":\"a123456789a123456789a123456789a123456789a123456789abcd\",\"title\":\"t\",\"severity\":\"low\","
                "\"stream\":\"s\",\"sequence\":1" FUNCTIONS "}",
                "patch.json: module: is missing; 'hp_a123456789a123456789a123456789a123456789a123456789abcd', "
                "made from the id, is longer than 55 characters");
}
END_TEST

START_TEST(refusals_name_the_place) {
        static const struct {
                const char *text, *message;
        } cases[] = {
                { "", "patch.json, line 1, column 0: '[' or '{' expected near end of file" },
                { "[]", "patch.json: must be an object" },
                { "{" HEAD FUNCTIONS "} x", "patch.json, line 1, column 135: end of file expected near 'x'" },
                { "{\"id\":\"x\",\"id\":\"y\"}", "patch.json, line 1, column 14: duplicate object key near '\"id\"'" },
                { "{" HEAD "}", "patch.json: the key 'functions' is missing" },
                { "{" HEAD ",\"functions\":[]}", "patch.json: functions: must not be empty" },
                { "{" HEAD FUNCTIONS ",\"colour\":1}", "patch.json: colour: this key is not known" },
                { "{" HEAD FUNCTIONS ",\"targets\":[]}", "patch.json: targets: this key is not known" },
                { "{" HEAD ",\"functions\":[" FUNCTION ",{\"object\":\"vmlinux\",\"function\":\"f\"}]}",
                  "patch.json: functions[1]: the key 'replacement' is missing" },
                { "{" HEAD ",\"functions\":[" FUNCTION "," FUNCTION "]}",
                  "patch.json: functions[1]: 'f' of 'vmlinux' is there twice" },
                { "{" HEAD ",\"functions\":[{\"object\":\"a-b\",\"function\":\"f\",\"replacement\":\"r\"}]}",
                  "patch.json: functions[0].object: 'a-b' is not possible here" },
                { "{" HEAD ",\"functions\":[{\"object\":\"vmlinux\",\"function\":\"f,1\",\"replacement\":\"r\"}]}",
                  "patch.json: functions[0].function: 'f,1' is not possible here" },
                { "{" HEAD ",\"functions\":[{\"object\":\"vmlinux\",\"function\":\"f\",\"replacement\":\"r();x\"}]}",
                  "patch.json: functions[0].replacement: 'r();x' is not possible here" },
                { "{" HEAD ",\"functions\":[{\"object\":\"vmlinux\",\"function\":\"f\",\"replacement\":\"r\",\"sympos\":-1}]}",
                  "patch.json: functions[0].sympos: must be between 0 and 4294967295" },
                { "{" HEAD FUNCTIONS ",\"fixes\":[{\"id\":\"C\",\"severity\":\"high\"}]}",
                  "patch.json: fixes[0].severity: must be \"low\", \"moderate\", \"important\" or \"critical\"" },
                { "{" HEAD FUNCTIONS ",\"fixes\":[{\"id\":\"C\",\"references\":[\"u\",7]}]}",
                  "patch.json: fixes[0].references[1]: must be a string" },
                { "{" HEAD FUNCTIONS ",\"sources\":[\"../a.c\"]}",
                  "patch.json: sources[0]: '../a.c' is not possible here" },
                { "{" HEAD FUNCTIONS ",\"sources\":[\"-a.c\"]}",
                  "patch.json: sources[0]: '-a.c' is not possible here" },
                { "{" HEAD FUNCTIONS ",\"sources\":[\"$(x).c\"]}",
                  "patch.json: sources[0]: '$(x).c' is not possible here" },
                { "{" HEAD FUNCTIONS ",\"sources\":[\"a.c\",\"a.c\"]}",
                  "patch.json: sources[1]: 'a.c' is there twice" },
                { "{" HEAD FUNCTIONS ",\"sources\":[]}", "patch.json: sources: must not be empty" },
                { "{" HEAD FUNCTIONS ",\"module\":\"HP_x\"}",
                  "patch.json: module: 'HP_x' is not possible here" },
                { "{" HEAD FUNCTIONS ",\"replace\":1}", "patch.json: replace: must be true or false" },
                { "{" HEAD FUNCTIONS ",\"trial\":{\"minutes\":1}}",
                  "patch.json: trial.minutes: this key is not known" },
                { "{" HEAD FUNCTIONS ",\"callbacks\":[{\"object\":\"vmlinux\"}]}",
                  "patch.json: callbacks[0]: names no callback" },
                { "{" HEAD FUNCTIONS ",\"callbacks\":[{\"object\":\"a\",\"pre_patch\":\"p\"},{\"object\":\"a\",\"pre_patch\":\"p\"}]}",
                  "patch.json: callbacks[1]: 'a' is there twice" },
                { "{" HEAD FUNCTIONS ",\"symbols\":[{\"name\":\"s\",\"object\":\"a\"},{\"name\":\"s\",\"object\":\"b\"}]}",
                  "patch.json: symbols[1]: 's' is there twice" },
                { "{\"id\":\"x\",\"title\":\"t\",\"severity\":\"low\",\"stream\":\"s\",\"sequence\":0" FUNCTIONS "}",
                  "patch.json: sequence: must not be 0" },
                { "{\"id\":\"x\",\"title\":\"a\\nb\",\"severity\":\"low\",\"stream\":\"s\",\"sequence\":1" FUNCTIONS "}",
                  "patch.json: title: 'a\nb' is not possible here" },
                { "{\"id\":\"x\",\"title\":\"t\",\"severity\":\"low\",\"stream\":\"s\",\"sequence\":1.0" FUNCTIONS "}",
                  "patch.json: sequence: must be a whole number" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                refused(cases[i].text, cases[i].message);
}
END_TEST

START_TEST(every_prefix_is_refused) {
        static const char text[] = "{" HEAD FUNCTIONS "}";

        for (size_t l = 0; l < sizeof(text) - 1; l++) {
                PatchFile *p = NULL;

                ck_assert_int_lt(patch_file_parse(text, l, &p, NULL), 0);
        }
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("patchfile");
        TCase *t = tcase_create("patchfile");

        tcase_add_test(t, the_smallest_patch_has_the_defaults);
        tcase_add_test(t, every_key_arrives);
        tcase_add_test(t, the_module_is_named_after_the_id);
        tcase_add_test(t, refusals_name_the_place);
        tcase_add_test(t, every_prefix_is_refused);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
