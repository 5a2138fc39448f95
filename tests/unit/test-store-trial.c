/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tests/unit/store-material.h"
#include "util/limits.h"
#include "util/strv.h"

#define BOOT SD_ID128_MAKE(00, 11, 22, 33, 44, 55, 66, 77, 88, 99, aa, bb, cc, dd, ee, ff)
#define OTHER_BOOT SD_ID128_MAKE(ff, 11, 22, 33, 44, 55, 66, 77, 88, 99, aa, bb, cc, dd, ee, ff)

static bool is_damaged(const char *name) {
        _cleanup_strv_free_ char **names = NULL;

        ck_assert_ok(store_damaged(store, &names));
        return strv_contains(names, name);
}

/* --- trials --- */

static TrialRecord trial(const char *transaction, sd_id128_t boot, uint64_t started) {
        static char *ids[] = { (char *) "hp-a", (char *) "hp-b", NULL };
        static char *modules[] = { (char *) "hp_a", (char *) "hp_b", NULL };
        static char *digests[] = { (char *) DIGEST_A, (char *) DIGEST_B, NULL };

        return (TrialRecord) {
                .transaction = (char *) transaction, .kind = (char *) "apply", .boot_id = boot,
                .started_usec = started, .until_boottime_usec = 2, .until_realtime_usec = 3,
                .kmsg_sequence = 4, .ids = ids, .modules = modules, .digests = digests,
        };
}

static void begin(const char *transaction, sd_id128_t boot, uint64_t started) {
        TrialRecord r = trial(transaction, boot, started);

        ck_assert_ok(store_trial_write(store, &r, NULL));
}

START_TEST(test_trials) {
        TrialRecord *records;
        size_t n;

        ck_assert_ok(store_trial_list(store, &records, &n));
        ck_assert_uint_eq(n, 0);
        ck_assert_ptr_null(records);

        begin("t-2", OTHER_BOOT, 20);
        begin("t-1", BOOT, 10);
        reopen();
        ck_assert_ok(store_trial_list(store, &records, &n));
        ck_assert_uint_eq(n, 2);
        ck_assert_str_eq(records[0].transaction, "t-1");
        ck_assert_str_eq(records[0].kind, "apply");
        ck_assert(sd_id128_equal(records[0].boot_id, BOOT));
        ck_assert_uint_eq(records[0].started_usec, 10);
        ck_assert_uint_eq(records[0].until_boottime_usec, 2);
        ck_assert_uint_eq(records[0].until_realtime_usec, 3);
        ck_assert_uint_eq(records[0].kmsg_sequence, 4);
        ck_assert_str_eq(records[0].ids[1], "hp-b");
        ck_assert_str_eq(records[0].modules[1], "hp_b");
        ck_assert_str_eq(records[0].digests[1], DIGEST_B);
        ck_assert(!records[0].clean);
        trial_records_free(records, n);

        ck_assert_ok(store_trial_remove(store, "t-1"));
        ck_assert_ok(store_trial_remove(store, "t-1"));
        ck_assert_int_eq(store_trial_remove(store, "../intent"), -EINVAL);
        ck_assert(!exists("trials/t-1"));
        ck_assert(exists("trials/t-2"));
}
END_TEST

START_TEST(test_trial_refuses) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        TrialRecord r = trial("t", BOOT, 1);

        r.transaction = (char *) "../t";
        ck_assert_int_lt(store_trial_write(store, &r, &e), 0);
        ck_assert(sd_bus_error_has_name(&e, HOTPATCH_ERROR("StateUnwritable")));
        r = trial("t", BOOT, 1);
        r.kind = (char *) "other";
        ck_assert_int_lt(store_trial_write(store, &r, NULL), 0);
        r = trial("t", BOOT, 1);
        r.digests = (char *[]) { (char *) DIGEST_A, NULL };
        ck_assert_int_lt(store_trial_write(store, &r, NULL), 0);
        ck_assert(!exists("trials/t"));
}
END_TEST

static bool trial_is_clean(const char *transaction) {
        TrialRecord *records;
        bool clean = false;
        size_t n;

        ck_assert_ok(store_trial_list(store, &records, &n));
        for (size_t i = 0; i < n; i++)
                clean = clean || (streq(records[i].transaction, transaction) && records[i].clean);
        trial_records_free(records, n);
        return clean;
}

START_TEST(test_mark_clean) {
        Intent i = {
                .type = (char *) "apply", .ids = (char *[]) { (char *) "hp-a", NULL },
                .modules = (char *[]) { (char *) "hp_a", NULL }, .digests = (char *[]) { (char *) DIGEST_A, NULL },
                .boot_id = BOOT, .started_usec = 12,
        };
        _cleanup_(intent_done) Intent back = { 0 };

        ck_assert_ok(store_mark_clean(store, BOOT, NULL));
        begin("t-here", BOOT, 1);
        begin("t-there", OTHER_BOOT, 2);
        ck_assert_ok(store_intent_write(store, &i, NULL));
        ck_assert_ok(store_mark_clean(store, OTHER_BOOT, NULL));
        ck_assert(!trial_is_clean("t-here"));
        ck_assert(trial_is_clean("t-there"));
        ck_assert_ok(store_intent_read(store, &back));
        ck_assert(!back.clean);
        intent_done(&back);
        ck_assert_ok(store_mark_clean(store, BOOT, NULL));
        ck_assert(trial_is_clean("t-here"));
        ck_assert_ok(store_intent_read(store, &back));
        ck_assert(back.clean);
        ck_assert_str_eq(back.digests[0], DIGEST_A);
        ck_assert_uint_eq(back.started_usec, 12);
        /* and back: the kernel runs on */
        ck_assert_ok(store_mark_running(store, BOOT, NULL));
        ck_assert(!trial_is_clean("t-here"));
        ck_assert(trial_is_clean("t-there"));
        intent_done(&back);
        ck_assert_ok(store_intent_read(store, &back));
        ck_assert(!back.clean);
}
END_TEST

/* What is damaged does not keep the rest from being marked. */
START_TEST(test_trial_damage) {
        TrialRecord *records;
        size_t n;

        begin("t-good", BOOT, 1);
        begin("t-renamed", BOOT, 1);
        put("trials/t-cut", "FORMAT=1\nTRANSACTION=t-cut\n");
        put("trials/.#t-half", "x");
        put("intent", "apply");
        {
                _cleanup_free_ char *from = state_path("trials/t-renamed"), *to = state_path("trials/t-new");
                ck_assert_int_eq(rename(from, to), 0);
        }
        ck_assert_ok(store_mark_clean(store, BOOT, NULL));
        reopen();
        ck_assert(!exists("trials/.#t-half"));
        ck_assert_ok(store_trial_list(store, &records, &n));
        ck_assert_uint_eq(n, 1);
        ck_assert(records[0].clean);
        trial_records_free(records, n);
        ck_assert(is_damaged("trials/t-cut"));
        ck_assert(is_damaged("trials/t-new"));
        ck_assert(is_damaged("intent"));
        ck_assert(!is_damaged("trials/t-good"));
}
END_TEST

/* --- strikes --- */

START_TEST(test_strikes) {
        _cleanup_(strike_record_done) StrikeRecord r = {};

        ck_assert_int_eq(store_strike_get(store, "hp-a", DIGEST_A, &r), -ENOENT);
        ck_assert_int_eq(store_strike_add(store, "hp-a", DIGEST_A, "boot-1", 17, "The machine ended\nbadly", NULL), 1);
        ck_assert_ok(store_strike_get(store, "hp-a", DIGEST_A, &r));
        ck_assert(!strike_record_is_quarantined(&r));
        strike_record_done(&r);

        /* once for each cause */
        ck_assert_int_eq(store_strike_add(store, "hp-a", DIGEST_A, "boot-1", 18, "again", NULL), 1);
        /* other content begins anew */
        ck_assert_int_eq(store_strike_add(store, "hp-a", DIGEST_B, "boot-2", 19, "other", NULL), 1);
        reopen();
        ck_assert_int_eq(store_strike_add(store, "hp-a", DIGEST_A, "boot-2", 20, "second", NULL), 2);
        ck_assert_ok(store_strike_get(store, "hp-a", DIGEST_A, &r));
        ck_assert(strike_record_is_quarantined(&r));
        ck_assert_uint_eq(strike_record_count(&r), 2);
        ck_assert_str_eq(r.reasons[0], "The machine ended\nbadly");
        ck_assert_str_eq(r.when_usec[0], "17");
        ck_assert_str_eq(r.causes[1], "boot-2");
}
END_TEST

START_TEST(test_strike_list_and_clear) {
        StrikeRecord *records;
        size_t n;

        ck_assert_int_eq(store_strike_add(store, "hp-a", DIGEST_B, "b", 1, "r", NULL), 1);
        ck_assert_int_eq(store_strike_add(store, "hp-a", DIGEST_A, "b", 1, "r", NULL), 1);
        /* a name that begins with another */
        ck_assert_int_eq(store_strike_add(store, "hp-a.x", DIGEST_A, "b", 1, "r", NULL), 1);
        ck_assert_ok(store_strike_list(store, &records, &n));
        ck_assert_uint_eq(n, 3);
        ck_assert_str_eq(records[0].digest, DIGEST_A);
        ck_assert_str_eq(records[2].id, "hp-a.x");
        strike_records_free(records, n);

        ck_assert_int_eq(store_strike_clear(store, "hp-a", DIGEST_A), 1);
        ck_assert_int_eq(store_strike_clear(store, "hp-a", DIGEST_A), 0);
        ck_assert(exists("strikes/hp-a." DIGEST_B));
        ck_assert_int_eq(store_strike_clear(store, "hp-a", NULL), 1);
        ck_assert(!exists("strikes/hp-a." DIGEST_B));
        ck_assert(exists("strikes/hp-a.x." DIGEST_A));
        ck_assert_int_eq(store_strike_clear(store, "../x", NULL), -EINVAL);
}
END_TEST

START_TEST(test_strike_limits) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_(strike_record_done) StrikeRecord r = {};
        char cause[16];

        for (unsigned i = 0; i < HOTPATCH_STRIKES_MAX + 3; i++) {
                snprintf(cause, sizeof(cause), "boot-%u", i);
                ck_assert_int_gt(store_strike_add(store, "hp-a", DIGEST_A, cause, i, "r", NULL), 0);
        }
        ck_assert_ok(store_strike_get(store, "hp-a", DIGEST_A, &r));
        ck_assert_uint_eq(strike_record_count(&r), HOTPATCH_STRIKES_MAX);

        ck_assert_int_lt(store_strike_add(store, "../a", DIGEST_A, "b", 1, "r", &e), 0);
        ck_assert(sd_bus_error_has_name(&e, HOTPATCH_ERROR("StateUnwritable")));
        ck_assert_int_lt(store_strike_add(store, "hp-a", "short", "b", 1, "r", NULL), 0);
        ck_assert_int_lt(store_strike_add(store, "hp-b", DIGEST_A, "../b", 1, "r", NULL), 0);
        ck_assert(!exists("strikes/hp-b." DIGEST_A));
}
END_TEST

/* A damaged strike is neither nothing nor overwritten; releasing deletes it. */
START_TEST(test_strike_damage) {
        _cleanup_(strike_record_done) StrikeRecord r = {};

        put("strikes/hp-a." DIGEST_A, "FORMAT=1\nID=hp-a\nDIGEST=" DIGEST_A "\nCAUSE=b\nCAUSE=c\nWHEN_USEC=1\n"
                "REASON=r\nEND=1\n");
        put("strikes/hp-b." DIGEST_A, "FORMAT=1\nID=hp-a\nDIGEST=" DIGEST_A "\nCAUSE=b\nWHEN_USEC=1\nREASON=r\nEND=1\n");
        put("strikes/hp-c." DIGEST_A, "FORMAT=1\nID=hp-c\nDIGEST=" DIGEST_A "\nCAUSE=b\nWHEN_USEC=01\nREASON=r\nEND=1\n");
        put("strikes/what", "");
        ck_assert_int_eq(store_strike_get(store, "hp-a", DIGEST_A, &r), -EBADMSG);
        ck_assert_int_eq(store_strike_get(store, "hp-b", DIGEST_A, &r), -EBADMSG);
        ck_assert_int_eq(store_strike_get(store, "hp-c", DIGEST_A, &r), -EBADMSG);
        ck_assert_int_lt(store_strike_add(store, "hp-a", DIGEST_A, "d", 2, "r", NULL), 0);
        ck_assert(is_damaged("strikes/hp-a." DIGEST_A));
        ck_assert(is_damaged("strikes/hp-b." DIGEST_A));
        ck_assert(is_damaged("strikes/what"));
        ck_assert_int_eq(store_strike_clear(store, "hp-a", NULL), 1);
        ck_assert(!is_damaged("strikes/hp-a." DIGEST_A));
}
END_TEST

/* --- superseded --- */

static void admit(const char *id, const char *digest, uint64_t order, const char *text) {
        _cleanup_close_ int fd = store_tmpfile(store, NULL);

        ck_assert_int_ge(fd, 0);
        ck_assert_ok(file_write_all(fd, text, strlen(text)));
        ck_assert_ok(store_admitted_commit(store, fd, &(AdmittedRecord) {
                .id = (char *) id, .title = (char *) "t", .severity = (char *) "low", .stream = (char *) "s",
                .sequence = 3, .digest = (char *) digest, .module = (char *) "hp_a", .release = (char *) "6.1",
                .order = order,
        }, NULL));
}

static void assert_content(int fd, const char *text) {
        char buf[64];
        ssize_t n;

        ck_assert_int_ge(fd, 0);
        n = pread(fd, buf, sizeof(buf), 0);
        ck_assert_int_eq(n, (ssize_t) strlen(text));
        ck_assert_mem_eq(buf, text, (size_t) n);
        close(fd);
}

START_TEST(test_superseded) {
        AdmittedRecord *records;
        size_t n;

        begin("t-1", BOOT, 1);
        admit("hp-a", DIGEST_A, 1, "a");
        admit("hp-b", DIGEST_B, 2, "b");
        ck_assert_ok(store_superseded_list(store, "t-1", &records, &n));
        ck_assert_uint_eq(n, 0);
        ck_assert_ok(store_superseded_retire(store, "t-1", "hp-b"));
        ck_assert_ok(store_superseded_retire(store, "t-1", "hp-a"));
        ck_assert_int_eq(store_superseded_retire(store, "t-1", "hp-a"), -ENOENT);
        ck_assert(!exists("admitted/hp-a." DIGEST_A ".hpb"));
        reopen();
        ck_assert_int_eq(store_admitted_open(store, "hp-a"), -ENOENT);
        ck_assert_ok(store_superseded_list(store, "t-1", &records, &n));
        ck_assert_uint_eq(n, 2);
        ck_assert_str_eq(records[0].id, "hp-a");
        ck_assert_uint_eq(records[1].order, 2);
        admitted_records_free(records, n);
        assert_content(store_superseded_open(store, "t-1", "hp-a"), "a");
        ck_assert_int_eq(store_superseded_open(store, "t-1", "hp-c"), -ENOENT);
        ck_assert_int_eq(store_superseded_open(store, "t-2", "hp-a"), -ENOENT);

        ck_assert_ok(store_superseded_restore(store, "t-1", "hp-a"));
        assert_content(store_admitted_open(store, "hp-a"), "a");
        ck_assert(!exists("superseded/t-1/hp-a." DIGEST_A ".hpb"));
        ck_assert_int_eq(store_superseded_restore(store, "t-1", "hp-a"), -EEXIST);
        ck_assert_int_eq(store_superseded_restore(store, "t-1", "hp-c"), -ENOENT);

        ck_assert_ok(store_superseded_drop(store, "t-1"));
        ck_assert_ok(store_superseded_drop(store, "t-1"));
        ck_assert(!exists("superseded/t-1"));
        assert_content(store_admitted_open(store, "hp-a"), "a");
        ck_assert_int_eq(store_superseded_drop(store, "../admitted"), -EINVAL);
}
END_TEST

/* What was applied again meanwhile is not overwritten by what was superseded. */
START_TEST(test_superseded_meets_admitted) {
        begin("t-1", BOOT, 1);
        admit("hp-a", DIGEST_A, 1, "a");
        ck_assert_ok(store_superseded_retire(store, "t-1", "hp-a"));
        admit("hp-a", DIGEST_B, 2, "newer");
        ck_assert_int_eq(store_superseded_restore(store, "t-1", "hp-a"), -EEXIST);
        assert_content(store_admitted_open(store, "hp-a"), "newer");
        assert_content(store_superseded_open(store, "t-1", "hp-a"), "a");
}
END_TEST

/* The folder stays while its trial or an intent may want it, and goes with them. */
START_TEST(test_superseded_is_kept) {
        Intent i = {
                .type = (char *) "apply", .ids = (char *[]) { (char *) "hp-n", NULL },
                .modules = (char *[]) { (char *) "hp_n", NULL }, .boot_id = BOOT,
        };

        admit("hp-a", DIGEST_A, 1, "a");
        ck_assert_ok(store_intent_write(store, &i, NULL));
        ck_assert_ok(store_superseded_retire(store, "t-1", "hp-a"));
        reopen();
        ck_assert(exists("superseded/t-1/hp-a.record"));
        begin("t-1", BOOT, 1);
        ck_assert_ok(store_intent_clear(store));
        reopen();
        ck_assert(exists("superseded/t-1/hp-a.record"));
        put("trials/t-1", "damaged");
        reopen();
        ck_assert(exists("superseded/t-1/hp-a.record"));
        ck_assert_ok(store_trial_remove(store, "t-1"));
        put("intent", "damaged");
        reopen();
        ck_assert(exists("superseded/t-1/hp-a.record"));
        ck_assert_ok(store_intent_clear(store));
        reopen();
        ck_assert(!exists("superseded/t-1"));
}
END_TEST

START_TEST(test_superseded_damage) {
        AdmittedRecord *records;
        size_t n;

        begin("t-1", BOOT, 1);
        admit("hp-a", DIGEST_A, 1, "a");
        ck_assert_ok(store_superseded_retire(store, "t-1", "hp-a"));
        put("superseded/t-1/hp-b.record", "x");
        put("superseded/file", "x");
        put("admitted/hp-d.record", "x");
        ck_assert_ok(store_superseded_list(store, "t-1", &records, &n));
        ck_assert_uint_eq(n, 1);
        admitted_records_free(records, n);
        ck_assert_int_eq(store_superseded_retire(store, "t-1", "hp-d"), -EBADMSG);
        ck_assert(is_damaged("superseded/t-1/hp-b.record"));
        ck_assert(is_damaged("superseded/file"));
        ck_assert(!is_damaged("superseded/t-1/hp-a.record"));
        reopen();
        ck_assert(exists("superseded/t-1/hp-b.record"));
}
END_TEST

static Suite *store_trial_suite(void) {
        Suite *s = suite_create("store-trial");
        TCase *c = tcase_create("store-trial");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, test_trials);
        tcase_add_test(c, test_trial_refuses);
        tcase_add_test(c, test_mark_clean);
        tcase_add_test(c, test_trial_damage);
        tcase_add_test(c, test_strikes);
        tcase_add_test(c, test_strike_list_and_clear);
        tcase_add_test(c, test_strike_limits);
        tcase_add_test(c, test_strike_damage);
        tcase_add_test(c, test_superseded);
        tcase_add_test(c, test_superseded_meets_admitted);
        tcase_add_test(c, test_superseded_is_kept);
        tcase_add_test(c, test_superseded_damage);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(store_trial_suite)
