/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which hotpatches a baseline contains: the rule of baseline/retire.c, one row for each of its words. */

#include "baseline/retire.h"
#include "tests/unit/unit.h"

#define OLD "6.1.0-50-cloud-amd64"
#define NEW "6.1.0-56-cloud-amd64"

START_TEST(test_rule) {
        static const struct {
                RetireFacts facts;
                RetireVerdict verdict;
                const char *why;
        } rows[] = {
                { { "2026.10", NEW, OLD, "2026.07", true }, RETIRE_CONTAINED, "" },
                { { "2027.01", NEW, OLD, "2026.10", true }, RETIRE_CONTAINED, "" },
                { { "2026.10", NEW, NEW, "2026.07", false }, RETIRE_STAYS, "" },
                { { "2026.10", NEW, NEW, NULL, true }, RETIRE_STAYS, "" },
                { { "2026.10", NEW, OLD, "2026.10", true }, RETIRE_KEPT, "made for this baseline or a later one" },
                { { "2026.10", NEW, OLD, "2027.01", true }, RETIRE_KEPT, "made for this baseline or a later one" },
                { { "2026.10", NEW, OLD, NULL, true }, RETIRE_KEPT, "does not say" },
                { { "2026.10", NEW, OLD, "2026.07", false }, RETIRE_KEPT, "nobody looked" },
                { { "2026.10", OLD, NEW, "2026.07", true }, RETIRE_KEPT, "a newer kernel" },
                { { "2026.10", "6.1.0-100-cloud-amd64", NEW, "2026.07", true }, RETIRE_CONTAINED, "" },
                /* The baseline itself says so: then it does not matter what the patch says, or whether it has a target. */
                { { "2026.10", NEW, OLD, NULL, true, true }, RETIRE_CONTAINED, "" },
                { { "2026.10", NEW, OLD, "2026.10", true, true }, RETIRE_CONTAINED, "" },
                { { "2026.10", NEW, OLD, NULL, false, true }, RETIRE_CONTAINED, "" },
                { { "2026.10", NEW, NEW, NULL, true, true }, RETIRE_STAYS, "" },
                { { "2026.10", OLD, NEW, NULL, true, true }, RETIRE_KEPT, "a newer kernel" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                const char *why;

                ck_assert_msg(retire_decide(&rows[i].facts, &why) == rows[i].verdict, "row %zu", i);
                ck_assert_msg(*rows[i].why ? !!strstr(why, rows[i].why) : !*why, "row %zu: %s", i, why);
        }
}
END_TEST

static Suite *retire_suite(void) {
        Suite *s = suite_create("retire");
        TCase *t = tcase_create("all");

        tcase_add_test(t, test_rule);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(retire_suite)
