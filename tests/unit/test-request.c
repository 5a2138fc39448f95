/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The parts of a request that need no bus; tests/bus has the others. */

#include "daemon/request.h"
#include "dbus/names.h"
#include "tests/unit/unit.h"
#include "util/limits.h"

START_TEST(ids_are_names_and_never_paths) {
        static const char *const good[] = { "a", "hp-2026-11-x", "hp_Module", "9.b", "_x" };
        static const char *const bad[] = { "", ".", "..", "-a", ".a", "a/b", "a b", "a\n", "\xc3\xa4", "a*" };
        char edge[HOTPATCH_ID_MAX + 2] = "";

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                ck_assert_msg(request_id_is_valid(good[i]), "%s", good[i]);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ck_assert_msg(!request_id_is_valid(bad[i]), "%s", bad[i]);
        memset(edge, 'a', HOTPATCH_ID_MAX);
        ck_assert(request_id_is_valid(edge));
        edge[HOTPATCH_ID_MAX] = 'a';
        ck_assert(!request_id_is_valid(edge));
}
END_TEST

START_TEST(each_verb_has_its_action) {
        static const struct {
                RequestVerb verb;
                bool downgrade;
                const char *action;
                bool mutating;
        } rows[] = {
                { REQUEST_STAGE, false, HOTPATCH_ACTION_APPLY, false },
                { REQUEST_APPLY, false, HOTPATCH_ACTION_APPLY, true },
                { REQUEST_APPLY, true, HOTPATCH_ACTION_APPLY_DOWNGRADE, true },
                { REQUEST_APPLY_BUNDLE, false, HOTPATCH_ACTION_APPLY, true },
                { REQUEST_APPLY_BUNDLE, true, HOTPATCH_ACTION_APPLY_DOWNGRADE, true },
                { REQUEST_REMOVE, false, HOTPATCH_ACTION_REMOVE, true },
                { REQUEST_PLAN, true, NULL, false },
                { REQUEST_PLAN_BUNDLE, true, HOTPATCH_ACTION_VERIFY, false },
                { REQUEST_VERIFY_BUNDLE, false, HOTPATCH_ACTION_VERIFY, false },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Request r = { .verb = rows[i].verb, .allow_downgrade = rows[i].downgrade };

                ck_assert(streq_ptr(request_action(&r, 0), rows[i].action));
                ck_assert_ptr_null(request_action(&r, 1));
                ck_assert_int_eq(request_is_mutating(&r), rows[i].mutating);
        }
}
END_TEST

/* Each risk is a question of its own. */
START_TEST(two_consents_are_two_actions) {
        Request r = { .verb = REQUEST_APPLY, .allow_replace_foreign = true };

        ck_assert_str_eq(request_action(&r, 0), HOTPATCH_ACTION_APPLY_REPLACE_FOREIGN);
        ck_assert_ptr_null(request_action(&r, 1));
        r.allow_downgrade = true;
        ck_assert_str_eq(request_action(&r, 0), HOTPATCH_ACTION_APPLY_DOWNGRADE);
        ck_assert_str_eq(request_action(&r, 1), HOTPATCH_ACTION_APPLY_REPLACE_FOREIGN);
        ck_assert_ptr_null(request_action(&r, 2));
        r.verb = REQUEST_PLAN;
        ck_assert_ptr_null(request_action(&r, 0));
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("request");
        TCase *t = tcase_create("request");

        tcase_add_test(t, ids_are_names_and_never_paths);
        tcase_add_test(t, each_verb_has_its_action);
        tcase_add_test(t, two_consents_are_two_actions);
        suite_add_tcase(s, t);
        return s;
}
UNIT_MAIN(suite)
