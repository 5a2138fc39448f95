/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "notifier/board.h"
#include "tests/unit/unit.h"

typedef struct World {
        NoticeSet set;
        Board board;
} World;

static void setup(World *w) {
        *w = (World) { .board.set = &w->set, .board.present = true };
}

static void done(World *w) {
        board_done(&w->board);
        notice_set_done(&w->set);
}

static void tell(World *w, Topic topic, const char *key, const char *body, Urgency urgency) {
        Notice *n = calloc(1, sizeof(*n));

        n->key = strdup(key);
        n->summary = strdup("summary");
        n->body = strdup(body);
        n->details = strdup("details");
        n->actions = ACTION_DETAILS;
        n->urgency = urgency;
        notice_set_put(&w->set, topic, n);
}

static BoardStep next(World *w) {
        BoardStep step = { .operation = BOARD_NOTHING };

        ck_assert_ok(board_next(&w->board, &step));
        return step;
}

#define expect_nothing(w) ck_assert_int_eq(next(w).operation, BOARD_NOTHING)

static void expect_show(World *w, uint32_t replaces, const char *body, uint32_t id) {
        BoardStep step = next(w);

        ck_assert_int_eq(step.operation, BOARD_SHOW);
        ck_assert_uint_eq(step.id, replaces);
        ck_assert_str_eq(step.expanded ? step.notice->details : step.notice->body, body);
        board_shown(&w->board, step.topic, id);
}

/* One stands there, by the number 7. */
static void setup_with_one(World *w) {
        setup(w);
        tell(w, TOPIC_TRACK, "a", "1", URGENCY_CRITICAL);
        expect_show(w, 0, "1", 7);
}

START_TEST(one_notification_for_a_topic) {
        World w;

        setup(&w);
        expect_nothing(&w);
        tell(&w, TOPIC_RESTART, "a", "1", URGENCY_NORMAL);
        expect_show(&w, 0, "1", 7);
        expect_nothing(&w);
        tell(&w, TOPIC_RESTART, "a", "1", URGENCY_NORMAL); /* the same again */
        expect_nothing(&w);
        tell(&w, TOPIC_RESTART, "a", "2", URGENCY_NORMAL);
        expect_show(&w, 7, "2", 7);
        tell(&w, TOPIC_RESTART, "b", "3", URGENCY_NORMAL);
        expect_show(&w, 7, "3", 7);
        notice_set_put(&w.set, TOPIC_RESTART, NULL);
        ck_assert_int_eq(next(&w).operation, BOARD_CLOSE);
        expect_nothing(&w);
        tell(&w, TOPIC_RESTART, "b", "3", URGENCY_NORMAL); /* it is so again */
        expect_show(&w, 0, "3", 8);
        done(&w);
}
END_TEST

START_TEST(closed_stays_closed_until_there_is_something_new) {
        World w;

        setup_with_one(&w);
        board_closed(&w.board, 8); /* somebody else's */
        board_closed(&w.board, 7);
        expect_nothing(&w);
        tell(&w, TOPIC_TRACK, "a", "2", URGENCY_CRITICAL);
        expect_nothing(&w);
        tell(&w, TOPIC_TRACK, "b", "2", URGENCY_CRITICAL);
        expect_show(&w, 0, "2", 9);
        board_closed(&w.board, 9);
        notice_set_put(&w.set, TOPIC_TRACK, NULL);
        expect_nothing(&w); /* what is closed is not closed again */
        done(&w);
}
END_TEST

START_TEST(changes_while_an_answer_is_awaited) {
        World w;

        setup(&w);
        tell(&w, TOPIC_TRACK, "a", "1", URGENCY_CRITICAL);
        ck_assert_int_eq(next(&w).operation, BOARD_SHOW);
        expect_nothing(&w); /* one at a time */
        notice_set_put(&w.set, TOPIC_TRACK, NULL);
        expect_nothing(&w);
        board_shown(&w.board, TOPIC_TRACK, 7);
        ck_assert_int_eq(next(&w).operation, BOARD_CLOSE);
        tell(&w, TOPIC_TRACK, "a", "1", URGENCY_CRITICAL);
        ck_assert_int_eq(next(&w).operation, BOARD_SHOW);
        tell(&w, TOPIC_TRACK, "a", "2", URGENCY_CRITICAL);
        board_shown(&w.board, TOPIC_TRACK, 8);
        expect_show(&w, 8, "2", 8);
        /* one that could not be shown is not tried for ever */
        tell(&w, TOPIC_TRACK, "b", "3", URGENCY_CRITICAL);
        expect_show(&w, 8, "3", 0);
        expect_nothing(&w);
        done(&w);
}
END_TEST

START_TEST(details_take_the_same_place) {
        World w;

        setup_with_one(&w);
        board_expand(&w.board, TOPIC_TRACK);
        expect_show(&w, 7, "details", 7);
        tell(&w, TOPIC_TRACK, "a", "2", URGENCY_CRITICAL);
        expect_show(&w, 7, "details", 7); /* they stay */
        tell(&w, TOPIC_TRACK, "b", "3", URGENCY_CRITICAL);
        expect_show(&w, 7, "3", 7);
        done(&w);
}
END_TEST

START_TEST(details_although_the_button_closes) {
        World w;
        BoardStep step;

        setup_with_one(&w);
        board_expand(&w.board, TOPIC_TRACK);
        step = next(&w);
        ck_assert(step.operation == BOARD_SHOW && step.expanded && step.id == 7);
        board_closed(&w.board, 7); /* comes before the answer */
        board_shown(&w.board, TOPIC_TRACK, 8);
        expect_nothing(&w);
        tell(&w, TOPIC_TRACK, "a", "2", URGENCY_CRITICAL);
        expect_show(&w, 8, "details", 8);
        board_closed(&w.board, 8);
        expect_nothing(&w);
        done(&w);
}
END_TEST

START_TEST(quiet_when_the_desktop_wants_it) {
        World w;

        setup(&w);
        w.board.inhibited = true;
        tell(&w, TOPIC_APPLIED, "a", "low", URGENCY_LOW);
        tell(&w, TOPIC_TRIPWIRE, "a", "critical", URGENCY_CRITICAL);
        tell(&w, TOPIC_RESTART, "a", "normal", URGENCY_NORMAL);
        expect_show(&w, 0, "critical", 7);
        expect_nothing(&w);
        ck_assert(!board_waits(&w.board));
        notice_set_put(&w.set, TOPIC_RESTART, NULL); /* over before anybody was told */
        w.board.inhibited = false;
        expect_show(&w, 0, "low", 8);
        expect_nothing(&w);
        done(&w);
}
END_TEST

START_TEST(what_stands_there_is_put_right_in_quiet) {
        World w;

        setup(&w);
        w.board.inhibited = true;
        tell(&w, TOPIC_RESTART, "a", "in a few minutes", URGENCY_CRITICAL);
        expect_show(&w, 0, "in a few minutes", 7);
        tell(&w, TOPIC_RESTART, "b", "tomorrow", URGENCY_NORMAL);
        expect_show(&w, 7, "tomorrow", 7);
        tell(&w, TOPIC_RESTART, "b", "on Friday", URGENCY_NORMAL);
        expect_show(&w, 7, "on Friday", 7);
        board_closed(&w.board, 7);
        tell(&w, TOPIC_RESTART, "c", "on Saturday", URGENCY_NORMAL);
        expect_nothing(&w);
        tell(&w, TOPIC_ANSWER, "a", "not allowed", URGENCY_NORMAL);
        expect_show(&w, 0, "not allowed", 8);
        w.board.inhibited = false;
        expect_show(&w, 0, "on Saturday", 9);
        done(&w);
}
END_TEST

START_TEST(a_notification_daemon_comes_and_goes) {
        World w;

        setup(&w);
        w.board.present = false;
        ck_assert(!board_waits(&w.board));
        tell(&w, TOPIC_TRACK, "a", "track", URGENCY_CRITICAL);
        tell(&w, TOPIC_RESTART, "a", "restart", URGENCY_NORMAL);
        expect_nothing(&w);
        ck_assert(board_waits(&w.board));
        w.board.present = true;
        expect_show(&w, 0, "restart", 1);
        expect_show(&w, 0, "track", 2);
        board_closed(&w.board, 1);
        board_lost(&w.board);
        w.board.present = true;
        expect_show(&w, 0, "track", 1); /* what was open, and nothing that was closed */
        expect_nothing(&w);
        board_expand(&w.board, TOPIC_RESTART);
        ck_assert_int_eq(next(&w).operation, BOARD_SHOW);
        board_lost(&w.board); /* with an answer on its way */
        w.board.present = true;
        expect_show(&w, 0, "restart", 2);
        expect_show(&w, 0, "track", 3);
        expect_nothing(&w);
        done(&w);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("notifier-board");
        TCase *t = tcase_create("board");

        tcase_add_test(t, one_notification_for_a_topic);
        tcase_add_test(t, closed_stays_closed_until_there_is_something_new);
        tcase_add_test(t, changes_while_an_answer_is_awaited);
        tcase_add_test(t, details_take_the_same_place);
        tcase_add_test(t, details_although_the_button_closes);
        tcase_add_test(t, quiet_when_the_desktop_wants_it);
        tcase_add_test(t, what_stands_there_is_put_right_in_quiet);
        tcase_add_test(t, a_notification_daemon_comes_and_goes);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
