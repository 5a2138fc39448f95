/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <inttypes.h>
#include <time.h>

#include "notifier/notice.h"
#include "tests/unit/unit.h"

#define MINUTE (60 * USEC_PER_SEC)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
/* Tuesday, 2027-01-12 09:00 UTC; tests run there. */
#define NOW (UINT64_C(1799744400) * USEC_PER_SEC)

#define MACHINE                                                                                                        \
        .baseline_state = (char *) "idle", .baseline_name = (char *) "", .baseline_text = (char *) "",                \
        .restart_by = (char *) "", .restart_waits = (char *) ""
#define PATCH(patch_id, patch_state, ...)                                                                              \
        { .id = (char *) (patch_id), .title = (char *) ("The " patch_id), .severity = (char *) "low",                  \
          .state = (char *) (patch_state), __VA_ARGS__ }

static uint64_t decide(const Machine *before, const Machine *machine, uint64_t now, NoticeSet *set) {
        uint64_t wake = UINT64_MAX;

        ck_assert_ok(notices_decide(before, machine, now, set, &wake));
        ck_assert_msg(wake == 0 || wake > now, "a timer in the past");
        return wake;
}

#define expect_in(text, part) ck_assert_msg(strstr(text, part), "'%s' is not in '%s'", part, text)
#define expect_not_in(text, part) ck_assert_msg(!strstr(text, part), "'%s' is in '%s'", part, text)

static void expect_only(const NoticeSet *set, int topic) {
        for (int i = 0; i < _TOPIC_MAX; i++)
                ck_assert_msg((set->items[i] != NULL) == (i == topic), "topic %d", i);
}

START_TEST(a_quiet_machine_says_nothing) {
        MachinePatch patches[] = { PATCH("hp-a", "active", .applied_usec = NOW - DAY, .tripped = 7),
                PATCH("kpatch", "active", .foreign = true, .applied_usec = NOW) };
        Machine m = { MACHINE, .patches = patches, .n_patches = 2 };
        NoticeSet set = { 0 };

        ck_assert_uint_eq(decide(NULL, &m, NOW, &set), 0); /* and sleeps */
        expect_only(&set, -1); /* what was before the login */
        ck_assert_uint_eq(decide(&m, &m, NOW + DAY, &set), 0);
        expect_only(&set, -1);
}
END_TEST

START_TEST(a_fix_that_is_applied_is_told_once) {
        char *fixes[] = { (char *) "CVE-1", (char *) "CVE-2", NULL };
        MachinePatch old[] = { PATCH("hp-a", "staged"), PATCH("hp-old", "active", .applied_usec = NOW - DAY) };
        MachinePatch new[] = { PATCH("hp-a", "active", .applied_usec = NOW, .fixes = fixes),
                PATCH("hp-old", "active", .applied_usec = NOW - DAY) };
        Machine before = { MACHINE, .patches = old, .n_patches = 2 }, after = { MACHINE, .patches = new, .n_patches = 2 };
        NoticeSet set = { 0 };
        const Notice *n;
        uint64_t serial;

        decide(NULL, &before, NOW, &set);
        decide(&before, &after, NOW, &set);
        expect_only(&set, TOPIC_APPLIED);
        n = set.items[TOPIC_APPLIED];
        ck_assert_str_eq(n->summary, "Security fix applied");
        ck_assert_str_eq(n->body, "The hp-a (CVE-1, CVE-2)\nNo restart was needed.");
        ck_assert_int_eq(n->urgency, URGENCY_LOW);
        serial = n->serial;
        decide(&after, &after, NOW + DAY, &set);
        ck_assert_uint_eq(set.items[TOPIC_APPLIED]->serial, serial);
        /* applied again, as after a removal */
        decide(&after, &before, NOW, &set);
        expect_only(&set, -1);
        new[0].applied_usec = NOW + HOUR;
        new[0].severity = (char *) "critical";
        new[0].trial_until_usec = NOW + 2 * HOUR;
        decide(&before, &after, NOW + HOUR, &set);
        ck_assert_int_eq(set.items[TOPIC_APPLIED]->urgency, URGENCY_NORMAL);
        expect_in(set.items[TOPIC_APPLIED]->body, "Until today at 11:00 it is on trial");
        notice_set_done(&set);
}
END_TEST

START_TEST(many_fixes_are_one_notification) {
        MachinePatch patches[] = { PATCH("hp-a", "active", .applied_usec = 1), PATCH("hp-b", "active", .applied_usec = 1),
                PATCH("hp-c", "active", .applied_usec = 1), PATCH("hp-d", "active", .applied_usec = 1),
                PATCH("hp-e", "active", .applied_usec = 1), PATCH("hp-f", "transition", .applied_usec = 1) };
        Machine before = { MACHINE }, after = { MACHINE, .patches = patches, .n_patches = ELEMENTSOF(patches) };
        NoticeSet set = { 0 };

        decide(&before, &after, NOW, &set);
        ck_assert_str_eq(set.items[TOPIC_APPLIED]->summary, "5 security fixes applied");
        expect_in(set.items[TOPIC_APPLIED]->body, "The hp-d (hp-d)\nAnd 1 more");
        expect_not_in(set.items[TOPIC_APPLIED]->body, "hp-e");
        notice_set_done(&set);
}
END_TEST

START_TEST(a_fix_that_failed_is_told_as_long_as_its_hole_is_open) {
        MachineRollback rollbacks[] = { { (char *) "hp-a", NOW - HOUR, (char *) "the kernel warned in 'hp_a'" } };
        MachinePatch patches[] = { PATCH("hp-a", "staged") };
        Machine m = { MACHINE, .rollbacks = rollbacks, .n_rollbacks = 1, .patches = patches, .n_patches = 1 };
        Machine well = { MACHINE };
        NoticeSet set = { 0 };

        /* before the login, and it still matters */
        decide(NULL, &m, NOW, &set);
        expect_only(&set, TOPIC_ROLLED_BACK);
        expect_in(set.items[TOPIC_ROLLED_BACK]->body, "The hp-a: the kernel warned in 'hp_a'.\nWhat it repaired is open again");
        ck_assert_int_eq(set.items[TOPIC_ROLLED_BACK]->urgency, URGENCY_NORMAL);
        patches[0].severity = (char *) "important";
        decide(&m, &m, NOW, &set);
        ck_assert_int_eq(set.items[TOPIC_ROLLED_BACK]->urgency, URGENCY_CRITICAL);
        /* its bundle has gone, so nobody knows its title */
        m.n_patches = 0;
        decide(&m, &m, NOW, &set);
        expect_in(set.items[TOPIC_ROLLED_BACK]->body, "hp-a: ");
        decide(&m, &well, NOW, &set);
        expect_only(&set, -1);
}
END_TEST

START_TEST(a_tripwire_of_another_patch_is_news) {
        MachinePatch old[] = { PATCH("hp-a", "active"), PATCH("hp-b", "active") };
        MachinePatch new[] = { PATCH("hp-a", "active", .tripped = 50), PATCH("hp-b", "active") };
        Machine before = { MACHINE, .patches = old, .n_patches = 2 }, after = { MACHINE, .patches = new, .n_patches = 2 };
        _cleanup_free_ char *first = NULL, *second = NULL;
        NoticeSet set = { 0 };

        decide(&before, &after, NOW, &set);
        ck_assert_str_eq(set.items[TOPIC_TRIPWIRE]->body, "The hp-a (hp-a): 50 times since it was loaded. The fix held.");
        first = strdup(set.items[TOPIC_TRIPWIRE]->key);
        /* Many more of the one do not hide the first of the other. */
        old[0].tripped = 50;
        new[0].tripped = 90;
        new[1].tripped = 1;
        decide(&before, &after, NOW + MINUTE, &set);
        second = strdup(set.items[TOPIC_TRIPWIRE]->key);
        ck_assert_str_ne(first, second);
        ck_assert_str_eq(set.items[TOPIC_TRIPWIRE]->body,
                "The hp-b (hp-b): once. The fix held.\nThe hp-a (hp-a): 90 times since it was loaded. The fix held.");
        /* What is no news changes what stands there, and does not take the other away. */
        old[0].tripped = 90;
        old[1].tripped = 1;
        new[0].tripped = 91;
        decide(&before, &after, NOW + 2 * MINUTE, &set);
        ck_assert_str_eq(set.items[TOPIC_TRIPWIRE]->key, second);
        expect_in(set.items[TOPIC_TRIPWIRE]->body, "hp-b");
        expect_in(set.items[TOPIC_TRIPWIRE]->body, "91 times");
        /* Each has its own hour. */
        old[0].tripped = 91;
        new[0].tripped = 92;
        decide(&before, &after, NOW + 62 * MINUTE, &set);
        ck_assert_str_ne(set.items[TOPIC_TRIPWIRE]->key, second);
        expect_not_in(set.items[TOPIC_TRIPWIRE]->body, "hp-b");
        /* Both are taken out. */
        new[0].tripped = new[1].tripped = 0;
        decide(&before, &after, NOW + 63 * MINUTE, &set);
        expect_only(&set, -1);
        notice_set_done(&set);
}
END_TEST

START_TEST(a_hit_tripwire_is_news_at_times) {
        char *fixes[] = { (char *) "CVE-2026-1", NULL };
        MachinePatch old[] = { PATCH("hp-a", "active", .fixes = fixes, .tripped = 2) };
        MachinePatch new[] = { PATCH("hp-a", "active", .fixes = fixes, .tripped = 3) };
        Machine before = { MACHINE, .patches = old, .n_patches = 1 }, after = { MACHINE, .patches = new, .n_patches = 1 };
        _cleanup_free_ char *key = NULL;
        NoticeSet set = { 0 };

        decide(NULL, &before, NOW, &set);
        expect_only(&set, -1);
        decide(&before, &after, NOW, &set);
        expect_only(&set, TOPIC_TRIPWIRE);
        ck_assert_int_eq(set.items[TOPIC_TRIPWIRE]->urgency, URGENCY_CRITICAL);
        ck_assert_str_eq(set.items[TOPIC_TRIPWIRE]->body, "The hp-a (CVE-2026-1): 3 times since it was loaded. The fix held.");
        key = strdup(set.items[TOPIC_TRIPWIRE]->key);
        /* An attacker in a loop has one notification, whose number grows. */
        for (unsigned i = 4; i < 30; i++) {
                old[0].tripped = i - 1;
                new[0].tripped = i;
                decide(&before, &after, NOW + i * MINUTE, &set);
                ck_assert_str_eq(set.items[TOPIC_TRIPWIRE]->key, key);
        }
        expect_in(set.items[TOPIC_TRIPWIRE]->body, "29 times");
        new[0].tripped = 30;
        decide(&before, &after, NOW + 40 * MINUTE, &set);
        ck_assert_str_ne(set.items[TOPIC_TRIPWIRE]->key, key);
        /* the next morning */
        free(key);
        key = strdup(set.items[TOPIC_TRIPWIRE]->key);
        old[0].tripped = 30;
        new[0].tripped = 31;
        decide(&before, &after, NOW + DAY, &set);
        ck_assert_str_ne(set.items[TOPIC_TRIPWIRE]->key, key);
        /* loaded anew: it counts from the beginning */
        new[0].tripped = 1;
        decide(&before, &after, NOW + 2 * DAY, &set);
        ck_assert_str_eq(set.items[TOPIC_TRIPWIRE]->body, "The hp-a (CVE-2026-1): once. The fix held.");
        after.n_patches = 0;
        decide(&before, &after, NOW + 2 * DAY, &set);
        expect_only(&set, -1);
        notice_set_done(&set);
}
END_TEST

static MachineReason baseline_reason[] = { { (char *) "baseline", (char *) "Baseline 2027.01 is installed" } };

START_TEST(a_restart_goes_by_stages) {
        Machine m = { MACHINE, .reasons = baseline_reason, .n_reasons = 1, .restart_usec = NOW + 13 * HOUR };
        _cleanup_free_ char *key = NULL;
        NoticeSet set = { 0 };
        const Notice *n;

        m.restart_by = (char *) "calendar";
        ck_assert_uint_eq(decide(NULL, &m, NOW, &set), NOW + 12 * HOUR);
        expect_only(&set, TOPIC_RESTART);
        n = set.items[TOPIC_RESTART];
        ck_assert_str_eq(n->summary, "This computer restarts today at 22:00");
        ck_assert_str_eq(n->body, "Baseline 2027.01 is installed");
        ck_assert_uint_eq(n->actions, ACTION_RESTART | ACTION_LATER | ACTION_DETAILS);
        ck_assert_int_eq(n->urgency, URGENCY_NORMAL);
        expect_in(n->details, "Planned for today at 22:00.");
        key = strdup(n->key);
        /* Ten minutes more are no news. */
        m.restart_usec += 10 * MINUTE;
        decide(&m, &m, NOW + MINUTE, &set);
        ck_assert_str_eq(set.items[TOPIC_RESTART]->key, key);
        m.restart_usec -= 10 * MINUTE;
        ck_assert_uint_eq(decide(&m, &m, NOW + 12 * HOUR, &set), NOW + 13 * HOUR - 270 * USEC_PER_SEC);
        ck_assert_str_eq(set.items[TOPIC_RESTART]->summary, "This computer restarts within the hour");
        ck_assert_str_ne(set.items[TOPIC_RESTART]->key, key);
        /* hotpatchd decides five minutes before: until then it is not certain */
        decide(&m, &m, NOW + 13 * HOUR - 5 * MINUTE, &set);
        ck_assert_int_eq(set.items[TOPIC_RESTART]->urgency, URGENCY_NORMAL);
        decide(&m, &m, NOW + 13 * HOUR - 270 * USEC_PER_SEC, &set);
        ck_assert_str_eq(set.items[TOPIC_RESTART]->summary, "This computer restarts in a few minutes");
        ck_assert_int_eq(set.items[TOPIC_RESTART]->urgency, URGENCY_CRITICAL);
        /* … and if somebody works it waits, and moves on and on */
        m.restart_usec += 10 * MINUTE;
        m.restart_waits = (char *) "The restart waits: alice is logged in";
        decide(&m, &m, NOW + 13 * HOUR - 200 * USEC_PER_SEC, &set);
        n = set.items[TOPIC_RESTART];
        ck_assert_str_eq(n->summary, "The restart of this computer waits");
        expect_in(n->body, "alice is logged in");
        ck_assert_int_eq(n->urgency, URGENCY_NORMAL);
        free(key);
        key = strdup(n->key);
        m.restart_usec += 10 * MINUTE;
        decide(&m, &m, NOW + 13 * HOUR + 6 * MINUTE, &set);
        ck_assert_str_eq(set.items[TOPIC_RESTART]->key, key);
        notice_set_done(&set);
}
END_TEST

START_TEST(what_an_administrator_named_is_certain) {
        Machine m = { MACHINE, .reasons = baseline_reason, .n_reasons = 1, .restart_usec = NOW + 5 * MINUTE };
        NoticeSet set = { 0 };
        const Notice *n;

        m.restart_by = (char *) "administrator";
        decide(NULL, &m, NOW, &set);
        n = set.items[TOPIC_RESTART];
        ck_assert_int_eq(n->urgency, URGENCY_CRITICAL);
        ck_assert_uint_eq(n->actions, ACTION_RESTART | ACTION_DETAILS);
        expect_in(n->body, "Save your work: it restarts today at 09:05.");
        expect_in(n->body, "Planned by an administrator");
        notice_set_done(&set);
}
END_TEST

START_TEST(a_restart_is_needed_and_not_planned) {
        MachineReason packages[] = { { (char *) "packages", (char *) "Packages ask for it" },
                { (char *) "pinned", (char *) "A module stays" } };
        Machine m = { MACHINE, .reasons = packages, .n_reasons = 2 };
        NoticeSet set = { 0 };

        /* others tell of that */
        decide(NULL, &m, NOW, &set);
        expect_only(&set, -1);
        m.reasons = baseline_reason;
        m.n_reasons = 1;
        decide(NULL, &m, NOW, &set);
        expect_only(&set, TOPIC_RESTART);
        ck_assert_str_eq(set.items[TOPIC_RESTART]->summary, "This computer has to be restarted");
        ck_assert_uint_eq(set.items[TOPIC_RESTART]->actions, ACTION_RESTART | ACTION_DETAILS);
        notice_set_done(&set);
}
END_TEST

START_TEST(the_deadline_comes_near) {
        Machine m = { MACHINE, .covered_until_usec = NOW + 10 * DAY };
        NoticeSet set = { 0 };

        ck_assert_uint_eq(decide(NULL, &m, NOW, &set), NOW + 7 * DAY);
        expect_only(&set, -1);
        decide(&m, &m, NOW + 7 * DAY, &set);
        expect_only(&set, TOPIC_DEADLINE);
        ck_assert_int_eq(set.items[TOPIC_DEADLINE]->urgency, URGENCY_NORMAL);
        expect_in(set.items[TOPIC_DEADLINE]->body, "until on Friday, 22 January at 09:00");
        expect_in(set.items[TOPIC_DEADLINE]->body, "has to be installed");
        ck_assert_uint_eq(set.items[TOPIC_DEADLINE]->actions, 0);
        decide(&m, &m, NOW + 9 * DAY, &set);
        ck_assert_int_eq(set.items[TOPIC_DEADLINE]->urgency, URGENCY_CRITICAL);
        /* a restart is on its way, then somebody holds it up */
        m.reasons = baseline_reason;
        m.n_reasons = 1;
        m.restart_usec = NOW + 9 * DAY + 2 * HOUR;
        decide(&m, &m, NOW + 9 * DAY, &set);
        expect_only(&set, TOPIC_RESTART);
        m.restart_waits = (char *) "The restart waits: alice is logged in";
        decide(&m, &m, NOW + 9 * DAY, &set);
        expect_in(set.items[TOPIC_DEADLINE]->body, "waits for nobody");
        ck_assert_uint_eq(set.items[TOPIC_DEADLINE]->actions, ACTION_RESTART);
        /* it is over */
        m.restart_usec = 0;
        m.n_reasons = 0;
        decide(&m, &m, NOW + 10 * DAY, &set);
        expect_only(&set, TOPIC_TRACK);
        expect_in(set.items[TOPIC_TRACK]->body, "have ended");
        /* reached at last */
        m.covered_until_usec = NOW + 90 * DAY;
        decide(&m, &m, NOW + 10 * DAY, &set);
        expect_only(&set, -1);
}
END_TEST

START_TEST(the_machine_is_off_the_track) {
        MachineFinding findings[] = {
                { (char *) "not-loaded", (char *) "alert", (char *) "hp-a", (char *) "hp_a",
                  (char *) "Module 'hp_a'\n is <gone>", (char *) "Apply it again." },
                { (char *) "hook", (char *) "attention", (char *) "", (char *) "", (char *) "A hook", (char *) "" },
        };
        MachinePatch patches[] = { PATCH("hp-q", "staged", .wanted = true, .quarantined = true),
                PATCH("hp-r", "staged", .quarantined = true) };
        Machine m = { MACHINE, .findings = findings, .n_findings = 2, .patches = patches, .n_patches = 2 };
        NoticeSet set = { 0 };
        const Notice *n;

        m.baseline_state = (char *) "old-kernel-returned";
        m.baseline_text = (char *) "The old kernel runs";
        decide(NULL, &m, NOW, &set);
        expect_only(&set, TOPIC_TRACK);
        n = set.items[TOPIC_TRACK];
        ck_assert_str_eq(n->body, "Module 'hp_a' is <gone>\nThe hp-q is not in force: the machine went down with it.\n"
                                  "The old kernel runs");
        ck_assert_int_eq(n->urgency, URGENCY_CRITICAL);
        expect_in(n->details, "Module 'hp_a' is <gone>\nApply it again.\n");
        expect_not_in(n->details, "hook");
        n = NULL;
        m.baseline_state = (char *) "reached";
        m.n_findings = m.n_patches = 0;
        decide(&m, &m, NOW, &set);
        expect_only(&set, -1);
}
END_TEST

START_TEST(an_answer_is_always_news) {
        NoticeSet set = { 0 };
        uint64_t serial;

        ck_assert_ok(notice_answer(&set, false, "No", "because\033\nof this"));
        ck_assert_str_eq(set.items[TOPIC_ANSWER]->body, "because of this");
        serial = set.items[TOPIC_ANSWER]->serial;
        ck_assert_ok(notice_answer(&set, false, "No", "because\033\nof this"));
        ck_assert_uint_ne(set.items[TOPIC_ANSWER]->serial, serial);
        notice_set_done(&set);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("notifier-notice");
        TCase *t = tcase_create("notice");

        setenv("TZ", "UTC", 1);
        tzset();
        tcase_add_test(t, a_quiet_machine_says_nothing);
        tcase_add_test(t, a_fix_that_is_applied_is_told_once);
        tcase_add_test(t, many_fixes_are_one_notification);
        tcase_add_test(t, a_fix_that_failed_is_told_as_long_as_its_hole_is_open);
        tcase_add_test(t, a_hit_tripwire_is_news_at_times);
        tcase_add_test(t, a_tripwire_of_another_patch_is_news);
        tcase_add_test(t, a_restart_goes_by_stages);
        tcase_add_test(t, what_an_administrator_named_is_certain);
        tcase_add_test(t, a_restart_is_needed_and_not_planned);
        tcase_add_test(t, the_deadline_comes_near);
        tcase_add_test(t, the_machine_is_off_the_track);
        tcase_add_test(t, an_answer_is_always_news);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
