/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "ctl/argument.h"
#include "ctl/verbs.h"
#include "tests/unit/unit.h"
#include "util/strv.h"

typedef struct Parsed {
        Ctl ctl;
        const VerbEntry *verb;
        char **args;
} Parsed;

/* main() has writable strings; the literals of a test are not written to. */
static int parse(Parsed *p, const char *const *words) {
        char *const *argv = (char *const *) words;

        *p = (Parsed) { 0 };
        ctl_init(&p->ctl);
        return options_parse(&p->ctl, (int) strv_length(argv), argv, &p->verb, &p->args);
}
#define PARSE(p, ...) parse(p, (const char *[]) { "hotpatchctl", __VA_ARGS__, NULL })

START_TEST(options_stand_before_and_after_the_verb) {
        Parsed p;

        ck_assert_int_eq(PARSE(&p, "-q", "apply", "--no-wait", "a.hpb", "--json=short", "b"), 0);
        ck_assert_str_eq(p.verb->name, "apply");
        ck_assert(p.ctl.quiet && !p.ctl.wait && p.ctl.json && p.ctl.json_short);
        ck_assert_uint_eq(strv_length(p.args), 3);
        ck_assert_str_eq(p.args[0], "apply");
        ck_assert_str_eq(p.args[1], "a.hpb");
        ck_assert_str_eq(p.args[2], "b");
        strv_free(p.args);
}
END_TEST

START_TEST(two_dashes_end_the_options) {
        Parsed p;

        ck_assert_int_eq(PARSE(&p, "verify", "--", "--json", "-"), 0);
        ck_assert(!p.ctl.json);
        ck_assert_str_eq(p.args[1], "--json");
        ck_assert_str_eq(p.args[2], "-");
        strv_free(p.args);
}
END_TEST

START_TEST(values_stand_beside_or_behind) {
        static const char *const forms[][4] = {
                { "hotpatchctl", "history", "-n5" }, { "hotpatchctl", "history", "--lines=5" },
        };
        Parsed p;

        for (size_t i = 0; i < ELEMENTSOF(forms); i++) {
                ck_assert_int_eq(parse(&p, forms[i]), 0);
                ck_assert_uint_eq(p.ctl.lines, 5);
                strv_free(p.args);
        }
        ck_assert_int_eq(PARSE(&p, "history", "-jqn", "5", "--since", "2026-11-21T09:30:00Z"), 0);
        ck_assert(p.ctl.json && p.ctl.quiet);
        ck_assert_uint_eq(p.ctl.lines, 5);
        ck_assert_uint_eq(p.ctl.since_usec, UINT64_C(1795253400) * USEC_PER_SEC);
        strv_free(p.args);
}
END_TEST

START_TEST(json_can_be_switched_off_again) {
        Parsed p;

        ck_assert_int_eq(PARSE(&p, "list", "-j", "--json=off"), 0);
        ck_assert(!p.ctl.json);
        strv_free(p.args);
}
END_TEST

/* Each of these is refused, and the outputs stay as they were. */
START_TEST(wrong_lines_are_refused) {
        static const char *const lines[][6] = {
                { "hotpatchctl" },
                { "hotpatchctl", "frobnicate" },
                { "hotpatchctl", "" },
                { "hotpatchctl", "--jso", "list" },
                { "hotpatchctl", "--", "--json" },
                { "hotpatchctl", "list", "surplus" },
                { "hotpatchctl", "list", "--json=xml" },
                { "hotpatchctl", "list", "--quiet=yes" },
                { "hotpatchctl", "list", "-x" },
                { "hotpatchctl", "list", "--no-wait" },
                { "hotpatchctl", "--lines=3", "status" },
                { "hotpatchctl", "show" },
                { "hotpatchctl", "apply", "--json" },
                { "hotpatchctl", "cancel", "1", "2" },
                { "hotpatchctl", "history", "-n" },
                { "hotpatchctl", "history", "-n0" },
                { "hotpatchctl", "history", "--lines=-1" },
                { "hotpatchctl", "history", "--lines=5x" },
                { "hotpatchctl", "history", "--lines=99999999999999999999" },
                { "hotpatchctl", "history", "--since=tomorrowish" },
        };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                const VerbEntry *verb = (const VerbEntry *) 1;
                char **args = (char **) 1, *const *argv = (char *const *) lines[i];
                Ctl ctl;

                ctl_init(&ctl);
                ck_assert_msg(options_parse(&ctl, (int) strv_length(argv), argv, &verb, &args) ==
                                HOTPATCH_EXIT_USAGE, "line %zu was accepted", i);
                ck_assert(verb == (const VerbEntry *) 1 && args == (char **) 1);
        }
}
END_TEST

START_TEST(transactions_have_a_limit) {
        const char *argv[20] = { "hotpatchctl", "apply" };
        Parsed p;

        for (size_t i = 2; i < 18; i++)
                argv[i] = "id";
        ck_assert_int_eq(parse(&p, argv), 0);
        strv_free(p.args);
        argv[18] = "id";
        ck_assert_int_eq(parse(&p, argv), HOTPATCH_EXIT_USAGE);
}
END_TEST

START_TEST(help_and_version_need_nothing_else) {
        Parsed p;

        ck_assert_int_eq(PARSE(&p, "--help"), 0);
        ck_assert(p.ctl.help && !p.verb);
        strv_free(p.args);
        ck_assert_int_eq(PARSE(&p, "show", "-h"), 0);
        ck_assert_str_eq(p.verb->name, "show");
        strv_free(p.args);
        ck_assert_int_eq(PARSE(&p, "--version"), 0);
        ck_assert(p.ctl.version);
        strv_free(p.args);
}
END_TEST

START_TEST(files_and_ids_are_told_apart_by_their_form) {
        static const char *const files[] = { "a/b", "./hp", "x.hpb", "-", "UPPER", "a b", "", ".hidden", "é" };
        static const char *const ids[] = { "hp-2026-11-fsmount", "a", "0.1_2", "hpb", "a.hpb.1" };
        char longest[66] = "";

        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                ck_assert_msg(argument_is_file(files[i]), "%s", files[i]);
        for (size_t i = 0; i < ELEMENTSOF(ids); i++)
                ck_assert_msg(!argument_is_file(ids[i]) && argument_is_id(ids[i]), "%s", ids[i]);
        memset(longest, 'a', 64);
        ck_assert(argument_is_id(longest));
        longest[64] = 'a';
        ck_assert(!argument_is_id(longest));
}
END_TEST

START_TEST(only_regular_files_are_opened) {
        static const struct {
                const char *name, *error;
        } rows[] = {
                { "/", HOTPATCH_ERROR("BundleUnreadable") },
                { "/dev/zero", HOTPATCH_ERROR("BundleUnreadable") },
                { "/nonexistent/x.hpb", SD_BUS_ERROR_FILE_NOT_FOUND },
                { "/dev/null/x.hpb", SD_BUS_ERROR_FILE_NOT_FOUND },
        };

        ck_assert_ok(hotpatch_errors_register());
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                sd_bus_error error = SD_BUS_ERROR_NULL;
                int fd = -7;

                ck_assert_int_lt(argument_open(rows[i].name, &fd, &error), 0);
                ck_assert_int_eq(fd, -7);
                ck_assert_str_eq(error.name, rows[i].error);
                sd_bus_error_free(&error);
        }
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("ctl-options");
        TCase *t = tcase_create("ctl-options");

        tcase_add_test(t, options_stand_before_and_after_the_verb);
        tcase_add_test(t, two_dashes_end_the_options);
        tcase_add_test(t, values_stand_beside_or_behind);
        tcase_add_test(t, json_can_be_switched_off_again);
        tcase_add_test(t, wrong_lines_are_refused);
        tcase_add_test(t, transactions_have_a_limit);
        tcase_add_test(t, help_and_version_need_nothing_else);
        tcase_add_test(t, files_and_ids_are_told_apart_by_their_form);
        tcase_add_test(t, only_regular_files_are_opened);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
