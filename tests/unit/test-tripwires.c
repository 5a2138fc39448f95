/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "livepatch/klp-message.h"
#include "livepatch/state.h"
#include "livepatch/tripwires.h"
#include "tests/unit/tree.h"

START_TEST(tripwires_are_told_by_name) {
        _cleanup_(tree_free) Tree t = tree_new();
        TripwireCounts c;
        int fd;

        ck_assert_int_eq(livepatch_tripwires(t.kernel, "hp_a", &c), -ENOENT);
        ck_assert_int_eq(livepatch_tripwire_open(t.kernel, "hp_a"), -ENOENT);
        tree_file(&t, "sys/module/hp_a/hotpatch/tripwires", "CVE-2026-0001 3\nCVE-2026-0002 0\n");
        ck_assert_ok(livepatch_tripwires(t.kernel, "hp_a", &c));
        ck_assert_uint_eq(c.n, 2);
        ck_assert_uint_eq(tripwire_counts_sum(&c), 3);
        ck_assert_uint_eq(tripwire_counts_find(&c, "CVE-2026-0001"), 3);
        ck_assert_uint_eq(tripwire_counts_find(&c, "CVE"), 0);
        tripwire_counts_done(&c);
        ck_assert_uint_eq(tripwire_counts_sum(&c), 0);
        fd = livepatch_tripwire_open(t.kernel, "hp_a");
        ck_assert_ok(fd);
        close(fd);
}
END_TEST

START_TEST(counts_do_not_overflow) {
        TripwireCounts c;

        ck_assert_ok(tripwire_counts_parse("a 18446744073709551615\nb 2\n", &c));
        ck_assert_uint_eq(tripwire_counts_sum(&c), UINT64_MAX);
        tripwire_counts_done(&c);
        ck_assert_ok(tripwire_counts_parse("", &c));
        ck_assert_uint_eq(c.n, 0);
        tripwire_counts_done(&c);
}
END_TEST

static const char *const malformed[] = {
        "a -1\n", "a 1x\n", "a\n", " 1\n", "a  1\n", "a b 1\n", "a\x1b[31m 1\n", "a\xff 1\n", "a 99999999999999999999\n",
};

START_TEST(what_the_runtime_does_not_write_is_refused) {
        TripwireCounts c;

        ck_assert_int_eq(tripwire_counts_parse(malformed[_i], &c), -EBADMSG);
}
END_TEST

static const struct {
        const char *text;
        int r;
        KlpEvent event;
        const char *patch, *module;
} messages[] = {
        { "livepatch: applying patch 'hp_a' to loading module 'pktgen'", 1, KLP_APPLIED, "hp_a", "pktgen" },
        { "livepatch: reverting patch 'hp_a' on unloading module 'pktgen'", 1, KLP_REVERTED, "hp_a", "pktgen" },
        { "livepatch: patch 'hp_a' failed for module 'pktgen', refusing to load module 'pktgen'", 1, KLP_REFUSED,
          "hp_a", "pktgen" },
        { "livepatch: enabling patch 'hp_a'", 1, KLP_CHANGED, "", "" },
        { "livepatch: 'hp_a': unpatching complete", 1, KLP_CHANGED, "", "" },
        { "livepatch: applying patch 'hp_a' to loading module 'pkt gen'", 1, KLP_CHANGED, "", "" },
        { "livepatch: applying patch 'hp/a' to loading module 'pktgen'", 1, KLP_CHANGED, "", "" },
        { "livepatch: applying patch '' to loading module 'pktgen'", 1, KLP_CHANGED, "", "" },
        { "livepatch: applying patch 'hp_a", 1, KLP_CHANGED, "", "" },
        { "livepatch: applying patch 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' to loading module 'x'", 1,
          KLP_CHANGED, "", "" },
        { "hotpatch: applying patch 'hp_a' to loading module 'pktgen'", 0, KLP_CHANGED, "", "" },
        { "x livepatch: enabling patch 'hp_a'", 0, KLP_CHANGED, "", "" },
        { "", 0, KLP_CHANGED, "", "" },
};

START_TEST(lines_of_livepatch_are_understood) {
        KlpMessage m;

        ck_assert_int_eq(klp_message_parse(messages[_i].text, &m), messages[_i].r);
        if (messages[_i].r == 0)
                return;
        ck_assert_int_eq(m.event, messages[_i].event);
        ck_assert_str_eq(m.patch, messages[_i].patch);
        ck_assert_str_eq(m.module, messages[_i].module);
}
END_TEST

static Suite *tripwires_suite(void) {
        Suite *s = suite_create("tripwires");
        TCase *c = tcase_create("tripwires");

        tcase_add_test(c, tripwires_are_told_by_name);
        tcase_add_test(c, counts_do_not_overflow);
        tcase_add_loop_test(c, what_the_runtime_does_not_write_is_refused, 0, ELEMENTSOF(malformed));
        tcase_add_loop_test(c, lines_of_livepatch_are_understood, 0, ELEMENTSOF(messages));
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(tripwires_suite)
