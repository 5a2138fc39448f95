/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "daemon/aftermath.h"
#include "tests/unit/store-material.h"
#include "util/strv.h"

#define THIS SD_ID128_MAKE(00, 11, 22, 33, 44, 55, 66, 77, 88, 99, aa, bb, cc, dd, ee, ff)
#define LAST SD_ID128_MAKE(ff, 11, 22, 33, 44, 55, 66, 77, 88, 99, aa, bb, cc, dd, ee, ff)
#define BEFORE SD_ID128_MAKE(ee, 11, 22, 33, 44, 55, 66, 77, 88, 99, aa, bb, cc, dd, ee, ff)

static void admit_for(const char *release, const char *id, const char *digest, const char *supersedes) {
        _cleanup_close_ int fd = store_tmpfile(store, NULL);

        ck_assert_ok(file_write_all(fd, id, strlen(id)));
        ck_assert_ok(store_admitted_commit(store, fd, &(AdmittedRecord) {
                .id = (char *) id, .title = (char *) "t", .severity = (char *) "low", .stream = (char *) "s",
                .sequence = 3, .digest = (char *) digest, .module = (char *) "hp_a", .release = (char *) release,
                .supersedes = supersedes ? (char *[]) { (char *) supersedes, NULL } : NULL, .order = 1,
        }, NULL));
}

static void admit(const char *id, const char *digest, const char *supersedes) {
        admit_for("6.1", id, digest, supersedes);
}

static void try(const char *kind, sd_id128_t boot, bool clean) {
        ck_assert_ok(store_trial_write(store, &(TrialRecord) {
                .transaction = (char *) "t-1", .kind = (char *) kind, .boot_id = boot,
                .started_usec = UINT64_C(1767225600000000), .ids = (char *[]) { (char *) "hp-a", NULL },
                .modules = (char *[]) { (char *) "hp_a", NULL }, .digests = (char *[]) { (char *) DIGEST_A, NULL },
                .clean = clean,
        }, NULL));
}

static void intend(const char *type, const char *id, const char *digest, sd_id128_t boot, bool clean) {
        ck_assert_ok(store_intent_write(store, &(Intent) {
                .type = (char *) type, .ids = (char *[]) { (char *) id, NULL },
                .modules = (char *[]) { (char *) "hp_a", NULL },
                .digests = digest ? (char *[]) { (char *) digest, NULL } : NULL, .boot_id = boot, .clean = clean,
        }, NULL));
}

static size_t strikes(const char *id, const char *digest) {
        _cleanup_(strike_record_done) StrikeRecord r = {};

        return store_strike_get(store, id, digest, &r) < 0 ? 0 : strike_record_count(&r);
}

static bool admitted(const char *id) {
        _cleanup_close_ int fd = store_admitted_open(store, id);

        return fd >= 0;
}

static bool staged(const char *id) {
        _cleanup_close_ int fd = store_spool_open(store, id, NULL);

        return fd >= 0;
}

static bool on_trial(void) {
        TrialRecord *trials;
        size_t n;

        ck_assert_ok(store_trial_list(store, &trials, &n));
        trial_records_free(trials, n);
        return n > 0;
}

static bool intended(void) {
        _cleanup_(intent_done) Intent i = {};

        return store_intent_read(store, &i) != -ENOENT;
}

static uint64_t now = 5;

static void settle(void) {
        _cleanup_close_ int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        ck_assert_ok(aftermath_settle(store, root_fd, THIS, now));
        /* a crash in here is settled by doing it again */
        ck_assert_ok(aftermath_settle(store, root_fd, THIS, now + 1));
}

START_TEST(test_nothing) {
        settle();
        admit("hp-a", DIGEST_A, NULL);
        try("apply", THIS, false);
        intend("apply", "hp-a", DIGEST_A, THIS, false);
        settle();
        ck_assert(on_trial() && intended() && admitted("hp-a"));
        ck_assert_uint_eq(strikes("hp-a", DIGEST_A), 0);
}
END_TEST

START_TEST(test_crash_on_trial_of_an_apply) {
        _cleanup_(strike_record_done) StrikeRecord r = {};

        admit("hp-a", DIGEST_A, NULL);
        try("apply", LAST, false);
        settle();
        ck_assert_uint_eq(strikes("hp-a", DIGEST_A), 1);
        ck_assert(!admitted("hp-a") && staged("hp-a") && !on_trial());
        ck_assert_ok(store_strike_get(store, "hp-a", DIGEST_A, &r));
        ck_assert_str_eq(r.reasons[0], "The machine went down without a shutdown while the patch was on trial after "
                "it had been applied, which began at 2026-01-01T00:00:00Z");
        ck_assert_str_eq(r.when_usec[0], "5");
        ck_assert_str_eq(r.causes[0], "ff112233-4455-6677-8899-aabbccddeeff");
}
END_TEST

START_TEST(test_crash_on_trial_of_a_restore) {
        admit("hp-a", DIGEST_A, NULL);
        try("restore", BEFORE, false);
        settle();
        try("restore", LAST, false);
        settle();
        ck_assert_uint_eq(strikes("hp-a", DIGEST_A), 2);
        ck_assert(admitted("hp-a") && !staged("hp-a") && !on_trial());
}
END_TEST

/* As long as the new one is tried again the old one waits; without the new one it is wanted. */
START_TEST(test_superseded_by_a_restore_that_crashes) {
        _cleanup_free_ char *transaction = aftermath_restore_transaction(THIS, 1);

        admit("hp-old", DIGEST_B, NULL);
        admit("hp-a", DIGEST_A, "hp-old");
        try("restore", BEFORE, false);
        ck_assert_ok(store_superseded_retire(store, "t-1", "hp-old"));
        settle();
        ck_assert(!admitted("hp-old") && admitted("hp-a"));
        ck_assert_ok(store_superseded_adopt(store, transaction, "t-1"));
        try("restore", LAST, false);
        settle();
        ck_assert_uint_eq(strikes("hp-a", DIGEST_A), 2);
        ck_assert(admitted("hp-old") && admitted("hp-a"));
}
END_TEST

START_TEST(test_shutdown_on_trial) {
        admit("hp-a", DIGEST_A, NULL);
        try("apply", LAST, true);
        settle();
        ck_assert_uint_eq(strikes("hp-a", DIGEST_A), 0);
        ck_assert(admitted("hp-a") && !on_trial());
}
END_TEST

/* What was superseded comes back after a crash, and is kept for the next trial after a shutdown. */
START_TEST(test_superseded) {
        bool clean = _i;
        _cleanup_free_ char *transaction = aftermath_restore_transaction(THIS, 1);
        AdmittedRecord *records;
        size_t n;

        admit("hp-old", DIGEST_B, NULL);
        admit("hp-a", DIGEST_A, "hp-old");
        try("apply", LAST, clean);
        ck_assert_ok(store_superseded_retire(store, "t-1", "hp-old"));
        settle();
        ck_assert(admitted("hp-old") == !clean);
        ck_assert(admitted("hp-a") == clean);
        ck_assert_ok(store_superseded_list(store, transaction, &records, &n));
        ck_assert_uint_eq(n, clean);
        admitted_records_free(records, n);
        ck_assert_uint_eq(strikes("hp-old", DIGEST_B), 0);
}
END_TEST

START_TEST(test_crash_while_applying) {
        intend("apply", "hp-a", DIGEST_A, LAST, false);
        settle();
        ck_assert_uint_eq(strikes("hp-a", DIGEST_A), 1);
        ck_assert(!intended());
}
END_TEST

/* It was being rolled back, however the machine ended. */
START_TEST(test_failed_trial) {
        _cleanup_(strike_record_done) StrikeRecord r = {};

        admit("hp-old", DIGEST_B, NULL);
        admit("hp-a", DIGEST_A, "hp-old");
        ck_assert_ok(store_trial_write(store, &(TrialRecord) {
                .transaction = (char *) "t-1", .kind = (char *) "restore", .boot_id = LAST,
                .ids = (char *[]) { (char *) "hp-a", NULL }, .modules = (char *[]) { (char *) "hp_a", NULL },
                .digests = (char *[]) { (char *) DIGEST_A, NULL }, .clean = _i, .reason = (char *) "it warned",
        }, NULL));
        ck_assert_ok(store_superseded_retire(store, "t-1", "hp-old"));
        intend("rollback", "hp-a", DIGEST_A, LAST, _i);
        settle();
        ck_assert_ok(store_strike_get(store, "hp-a", DIGEST_A, &r));
        ck_assert_uint_eq(strike_record_count(&r), 1);
        ck_assert_str_eq(r.reasons[0], "it warned");
        ck_assert(admitted("hp-old") && !admitted("hp-a") && staged("hp-a") && !on_trial() && !intended());
}
END_TEST

/* Intent and trial of one boot: one strike. */
static void write_trial(const char *transaction, const char *id, const char *digest, const char *reason, bool clean) {
        ck_assert_ok(store_trial_write(store, &(TrialRecord) {
                .transaction = (char *) transaction, .kind = (char *) "apply", .boot_id = LAST,
                .started_usec = streq(transaction, "t-1") ? 5 : 6, .ids = (char *[]) { (char *) id, NULL },
                .modules = (char *[]) { (char *) "hp_a", NULL }, .digests = (char *[]) { (char *) digest, NULL },
                .reason = (char *) reason, .clean = clean,
        }, NULL));
}

/* hp-a was in the place of hp-0 and had failed; hp-b, on trial, was in its place by then. */
START_TEST(test_failed_and_superseded) {
        _cleanup_free_ char *transaction = aftermath_restore_transaction(THIS, 1);
        _cleanup_close_ int fd = -EBADF;
        bool clean = _i;

        admit("hp-0", DIGEST_B, NULL);
        ck_assert_ok(store_superseded_retire(store, "t-1", "hp-0"));
        admit("hp-a", DIGEST_A, "hp-0");
        ck_assert_ok(store_superseded_retire(store, "t-2", "hp-a"));
        admit("hp-b", DIGEST_B, "hp-a");
        write_trial("t-1", "hp-a", DIGEST_A, "It warned", clean);
        write_trial("t-2", "hp-b", DIGEST_B, NULL, clean);
        settle();
        ck_assert(!admitted("hp-a") && staged("hp-a") && !on_trial());
        ck_assert_uint_eq(strikes("hp-a", DIGEST_A), 1);
        ck_assert_int_eq(admitted("hp-b"), clean);
        ck_assert_int_eq(admitted("hp-0"), !clean);
        fd = store_superseded_open(store, transaction, "hp-0");
        ck_assert_int_eq(fd >= 0, clean);
        ck_assert_int_eq(store_superseded_open(store, transaction, "hp-a"), -ENOENT);
}
END_TEST

/* What is wanted for another kernel has nobody's place in this one. */
START_TEST(test_failed_and_superseded_in_another_kernel) {
        admit("hp-0", DIGEST_B, NULL);
        ck_assert_ok(store_superseded_retire(store, "t-1", "hp-0"));
        admit("hp-a", DIGEST_A, "hp-0");
        admit_for("6.12", "hp-b", DIGEST_B, _i ? "hp-0" : "hp-a");
        write_trial("t-1", "hp-a", DIGEST_A, "It warned", true);
        settle();
        ck_assert(admitted("hp-0") && !admitted("hp-a") && admitted("hp-b"));
}
END_TEST

START_TEST(test_crash_between_commit_and_the_end) {
        admit("hp-a", DIGEST_A, NULL);
        try("apply", LAST, false);
        intend("apply", "hp-a", DIGEST_A, LAST, false);
        settle();
        ck_assert_uint_eq(strikes("hp-a", DIGEST_A), 1);
        ck_assert(!admitted("hp-a") && staged("hp-a") && !intended() && !on_trial());
}
END_TEST

START_TEST(test_shutdown_while_applying) {
        admit("hp-a", DIGEST_A, NULL);
        intend("apply", "hp-a", DIGEST_A, LAST, true);
        settle();
        ck_assert_uint_eq(strikes("hp-a", DIGEST_A), 0);
        ck_assert(admitted("hp-a") && !intended());
}
END_TEST

START_TEST(test_removal) {
        admit("hp-a", DIGEST_A, NULL);
        intend("remove", "hp-a", DIGEST_A, LAST, _i);
        settle();
        ck_assert_uint_eq(strikes("hp-a", DIGEST_A), !_i);
        ck_assert(!admitted("hp-a") && !intended());
}
END_TEST

/* The old one was going because of the new one, and the new one crashed: the old one is wanted again. */
START_TEST(test_crash_while_superseding) {
        admit("hp-old", DIGEST_B, NULL);
        admit("hp-a", DIGEST_A, "hp-old");
        try("apply", LAST, false);
        intend("remove", "hp-old", DIGEST_B, LAST, false);
        settle();
        ck_assert(admitted("hp-old") && !admitted("hp-a") && staged("hp-a"));
}
END_TEST

/* The same with a shutdown: the trial goes on, and if it fails the old one comes back. */
START_TEST(test_shutdown_while_superseding) {
        _cleanup_free_ char *transaction = aftermath_restore_transaction(THIS, 1);
        AdmittedRecord *records;
        size_t n;

        admit("hp-old", DIGEST_B, NULL);
        admit("hp-a", DIGEST_A, "hp-old");
        try("apply", LAST, true);
        intend("remove", "hp-old", DIGEST_B, LAST, true);
        settle();
        ck_assert(!admitted("hp-old") && admitted("hp-a"));
        ck_assert_ok(store_superseded_list(store, transaction, &records, &n));
        ck_assert_uint_eq(n, 1);
        admitted_records_free(records, n);
}
END_TEST

/* Written by an older version: nothing is known to strike. */
START_TEST(test_intent_without_digests) {
        intend("apply", "hp-a", NULL, LAST, false);
        settle();
        ck_assert_uint_eq(strikes("hp-a", DIGEST_A), 0);
        ck_assert(!intended());
}
END_TEST

/* What somebody staged meanwhile is newer. */
START_TEST(test_demotion_keeps_what_is_staged) {
        _cleanup_close_ int fd = store_tmpfile(store, NULL), there = -EBADF;
        char buf[8] = "";

        ck_assert_ok(file_write_all(fd, "newer", 5));
        ck_assert_ok(store_spool_commit(store, fd, "hp-a", NULL));
        admit("hp-a", DIGEST_A, NULL);
        try("apply", LAST, false);
        settle();
        there = store_spool_open(store, "hp-a", NULL);
        ck_assert_int_eq(pread(there, buf, sizeof(buf), 0), 5);
        ck_assert_str_eq(buf, "newer");
        ck_assert(!admitted("hp-a"));
}
END_TEST

static Suite *aftermath_suite(void) {
        Suite *s = suite_create("aftermath");
        TCase *c = tcase_create("aftermath");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, test_nothing);
        tcase_add_test(c, test_crash_on_trial_of_an_apply);
        tcase_add_test(c, test_crash_on_trial_of_a_restore);
        tcase_add_test(c, test_superseded_by_a_restore_that_crashes);
        tcase_add_test(c, test_shutdown_on_trial);
        tcase_add_loop_test(c, test_superseded, 0, 2);
        tcase_add_loop_test(c, test_failed_trial, 0, 2);
        tcase_add_loop_test(c, test_failed_and_superseded, 0, 2);
        tcase_add_loop_test(c, test_failed_and_superseded_in_another_kernel, 0, 2);
        tcase_add_test(c, test_crash_while_applying);
        tcase_add_test(c, test_crash_between_commit_and_the_end);
        tcase_add_test(c, test_shutdown_while_applying);
        tcase_add_loop_test(c, test_removal, 0, 2);
        tcase_add_test(c, test_crash_while_superseding);
        tcase_add_test(c, test_shutdown_while_superseding);
        tcase_add_test(c, test_intent_without_digests);
        tcase_add_test(c, test_demotion_keeps_what_is_staged);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(aftermath_suite)
