/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "daemon/store-baseline.h"
#include "tests/unit/store-material.h"
#include "util/limits.h"
#include "util/strv.h"

#define BOOT SD_ID128_MAKE(00, 11, 22, 33, 44, 55, 66, 77, 88, 99, aa, bb, cc, dd, ee, ff)

static BaselineState state(void) {
        static char *history[] = { (char *) "2026.04 missed 1777000000", (char *) "2026.07 reached 1784671200", NULL };

        return (BaselineState) {
                .since_usec = 7, .name = (char *) "2026.10", .bundle = (char *) "base-2026-10", .deadline_usec = 9, .forced = true,
                .phase = BASELINE_FAILED, .phase_usec = 11, .cause = BASELINE_OLD_KERNEL_RETURNED,
                .text = (char *) "Baseline 2026.10: it\ncame back", .kernel = (char *) "6.1.0-56-cloud-amd64",
                .run = BOOT, .again_usec = 15, .boot_id = BOOT, .restart_usec = 12, .deferrals = 2, .deferred_until_usec = 13,
                .reached = (char *) "2026.07", .reached_usec = 14, .reached_kernel = (char *) "6.1.0-50-cloud-amd64",
                .history = history,
        };
}

START_TEST(test_round_trip) {
        _cleanup_(baseline_state_done) BaselineState back = { 0 };
        BaselineState s = state();

        ck_assert_int_eq(store_baseline_read(store, &back), -ENOENT);
        ck_assert_ok(store_baseline_write(store, &s, NULL));
        reopen();
        ck_assert_ok(store_baseline_read(store, &back));
        ck_assert_uint_eq(back.since_usec, 7);
        ck_assert_str_eq(back.name, s.name);
        ck_assert_str_eq(back.bundle, s.bundle);
        ck_assert_uint_eq(back.deadline_usec, 9);
        ck_assert(back.forced);
        ck_assert_int_eq(back.phase, s.phase);
        ck_assert_uint_eq(back.phase_usec, 11);
        ck_assert_int_eq(back.cause, s.cause);
        ck_assert_str_eq(back.text, s.text);
        ck_assert_str_eq(back.kernel, s.kernel);
        ck_assert(sd_id128_equal(back.run, BOOT));
        ck_assert_uint_eq(back.again_usec, 15);
        ck_assert(sd_id128_equal(back.boot_id, BOOT));
        ck_assert_uint_eq(back.restart_usec, 12);
        ck_assert_uint_eq(back.deferrals, 2);
        ck_assert_uint_eq(back.deferred_until_usec, 13);
        ck_assert_str_eq(back.reached, s.reached);
        ck_assert_uint_eq(back.reached_usec, 14);
        ck_assert_str_eq(back.reached_kernel, s.reached_kernel);
        ck_assert_uint_eq(strv_length(back.history), 2);
        ck_assert_str_eq(back.history[1], "2026.07 reached 1784671200");
}
END_TEST

/* Nothing unsound is written, and the file before stays. */
START_TEST(test_unsound_is_refused) {
        static char *too_long[HOTPATCH_BASELINE_HISTORY_MAX + 2];
        BaselineState s = state();

        ck_assert_ok(store_baseline_write(store, &s, NULL));
        s.name = (char *) "2026.13";
        ck_assert_int_lt(store_baseline_write(store, &s, NULL), 0);
        s = state();
        s.name = NULL;
        ck_assert_int_lt(store_baseline_write(store, &s, NULL), 0);
        s = state();
        s.cause = BASELINE_CAUSE_NONE;
        ck_assert_int_lt(store_baseline_write(store, &s, NULL), 0);
        s = state();
        s.kernel = (char *) "../../x";
        ck_assert_int_lt(store_baseline_write(store, &s, NULL), 0);
        s = state();
        s.phase = BASELINE_REACHED;
        s.cause = BASELINE_CAUSE_NONE;
        s.reached = NULL;
        ck_assert_int_lt(store_baseline_write(store, &s, NULL), 0);
        s = state();
        for (size_t i = 0; i < ELEMENTSOF(too_long) - 1; i++)
                too_long[i] = (char *) "2026.04 missed 1777000000";
        s.history = too_long;
        ck_assert_int_lt(store_baseline_write(store, &s, NULL), 0);
        s = (BaselineState) { 0 };
        ck_assert_ok(store_baseline_read(store, &s));
        ck_assert_str_eq(s.name, "2026.10");
        baseline_state_done(&s);
}
END_TEST

START_TEST(test_damage_is_named) {
        static const char *const bad[] = { "", "FORMAT=1\nEND=1\n", "rubbish" };
        BaselineState s = { .since_usec = 77 };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_strv_free_ char **names = NULL;

                put("baseline-state", bad[i]);
                ck_assert_int_eq(store_baseline_read(store, &s), -EBADMSG);
                ck_assert_uint_eq(s.since_usec, 77);
                ck_assert_ok(store_damaged(store, &names));
                ck_assert(strv_contains(names, "baseline-state"));
        }
}
END_TEST

START_TEST(test_history_lines) {
        static const char *const bad[] = { "", "2026.10", "2026.10 ", "2026.10 missed", "2026.10 missed ", "2026.10 lost 1",
                "2026.13 missed 1", "2026.10 missed 1x", "2026.10 missed 1 2", "2026.10  missed 1",
                "2026.10 missed 1234567890123" };

        ck_assert(baseline_history_is_valid("2026.10 missed 1793577600"));
        ck_assert(baseline_history_is_valid("2026.10 old-kernel-returned 1"));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ck_assert_msg(!baseline_history_is_valid(bad[i]), "'%s'", bad[i]);
}
END_TEST

static Suite *store_baseline_suite(void) {
        Suite *s = suite_create("store-baseline");
        TCase *t = tcase_create("store-baseline");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, test_round_trip);
        tcase_add_test(t, test_unsound_is_refused);
        tcase_add_test(t, test_damage_is_named);
        tcase_add_test(t, test_history_lines);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(store_baseline_suite)
