/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A pipe stands for /dev/kmsg: it wakes epoll, and what is read is gone. */

#include <sys/stat.h>

#include "livepatch/klog-follow.h"
#include "tests/unit/tree.h"
#include "util/limits.h"

typedef struct Seen {
        char text[4096];
        unsigned n;
        uint64_t lost;
        uint64_t last;
        KernelLogFollower **stop;
} Seen;

static void on_record(void *userdata, const KernelRecord *record) {
        Seen *s = userdata;
        size_t l = strlen(s->text);

        s->n++;
        s->last = record->sequence;
        (void) snprintf(s->text + l, sizeof(s->text) - l, "%u.%u %s\n", record->facility, record->level,
                record->text);
        if (s->stop)
                *s->stop = kernel_log_follower_free(*s->stop);
}

static void on_lost(void *userdata, uint64_t n) {
        Seen *s = userdata;

        s->lost += n;
}

static int pipe_new(const Tree *t) {
        int fd;

        tree_directory(t, "dev");
        ck_assert_int_eq(mkfifoat(t->fd, "dev/kmsg", 0600), 0);
        fd = openat(t->fd, "dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        return fd;
}

static void say(int fd, const char *text) {
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t) strlen(text));
}

static void turn(sd_event *event) {
        for (unsigned i = 0; i < 8; i++)
                ck_assert_ok(sd_event_run(event, 30 * USEC_PER_MSEC));
}

START_TEST(records_come_when_they_are_written) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_kernel_log_follower_free_ KernelLogFollower *f = NULL;
        _cleanup_close_ int fd = pipe_new(&t);
        Seen seen = {};

        ck_assert_ok(sd_event_new(&event));
        ck_assert_ok(kernel_log_follow(t.kernel, event, KERNEL_LOG_NOW, on_record, on_lost, &seen, &f));
        ck_assert(kernel_log_follower_sequence(f) == KERNEL_LOG_NOW);
        turn(event);
        ck_assert_uint_eq(seen.n, 0);
        say(fd, "4,10,100,-;first\n");
        turn(event);
        ck_assert_str_eq(seen.text, "0.4 first\n");
        ck_assert_uint_eq(kernel_log_follower_sequence(f), 11);
        say(fd, "12,11,100,c,caller=T1;from a program\n KEY=value;x\n");
        say(fd, "3,12,100,-;later\n");
        turn(event);
        ck_assert_str_eq(seen.text, "0.4 first\n1.4 from a program\n0.3 later\n");
        ck_assert_uint_eq(seen.lost, 0);
}
END_TEST

START_TEST(it_begins_at_a_number_and_counts_what_is_missing) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_kernel_log_follower_free_ KernelLogFollower *f = NULL;
        _cleanup_close_ int fd = pipe_new(&t);
        Seen seen = {};

        ck_assert_ok(sd_event_new(&event));
        say(fd, "4,8,100,-;before\n");
        say(fd, "4,12,100,-;wanted\n");
        ck_assert_ok(kernel_log_follow(t.kernel, event, 10, on_record, on_lost, &seen, &f));
        say(fd, "4,13,100,-;next\n");
        say(fd, "4,20,100,-;after a gap\n");
        ck_assert_ok(kernel_log_follower_catch_up(f));
        ck_assert_str_eq(seen.text, "0.4 wanted\n0.4 next\n0.4 after a gap\n");
        ck_assert_uint_eq(seen.lost, 2 + 6);
        ck_assert_uint_eq(kernel_log_follower_sequence(f), 21);
}
END_TEST

START_TEST(it_may_be_freed_from_its_own_call) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        KernelLogFollower *f = NULL, *g = NULL;
        _cleanup_close_ int fd = pipe_new(&t);
        Seen seen = { .stop = &f };

        ck_assert_ok(sd_event_new(&event));
        ck_assert_ok(kernel_log_follow(t.kernel, event, KERNEL_LOG_NOW, on_record, NULL, &seen, &f));
        say(fd, "4,1,100,-;one\n4,2,100,-;two\n");
        turn(event);
        ck_assert_uint_eq(seen.n, 1);
        ck_assert_ptr_null(f);

        seen = (Seen) { .stop = &g };
        ck_assert_ok(kernel_log_follow(t.kernel, event, KERNEL_LOG_NOW, on_record, NULL, &seen, &g));
        say(fd, "4,3,100,-;three\n4,4,100,-;four\n");
        ck_assert_int_eq(kernel_log_follower_catch_up(g), -ECANCELED);
        ck_assert_uint_eq(seen.n, 1);
}
END_TEST

START_TEST(a_flood_leaves_the_loop_alone) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_kernel_log_follower_free_ KernelLogFollower *f = NULL;
        _cleanup_close_ int fd = pipe_new(&t);
        const unsigned n = 2000;
        Seen seen = {};
        char line[64];

        /* A pipe may cut a record in two, which the kernel does not: the last one counts. */
        ck_assert_ok(sd_event_new(&event));
        ck_assert_ok(kernel_log_follow(t.kernel, event, KERNEL_LOG_NOW, on_record, on_lost, &seen, &f));
        for (unsigned i = 0; i < n; i++) {
                (void) snprintf(line, sizeof(line), "4,%u,1,-;x\n", i + 1);
                say(fd, line);
        }
        for (unsigned i = 0; i < 100 && seen.last < n; i++)
                ck_assert_ok(sd_event_run(event, USEC_PER_SEC));
        ck_assert_uint_eq(seen.last, n);
}
END_TEST

START_TEST(the_writer_goes) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_kernel_log_follower_free_ KernelLogFollower *f = NULL;
        int fd = pipe_new(&t);
        Seen seen = {};
        unsigned turns = 0;

        ck_assert_ok(sd_event_new(&event));
        ck_assert_ok(kernel_log_follow(t.kernel, event, KERNEL_LOG_NOW, on_record, on_lost, &seen, &f));
        say(fd, "4,1,100,-;last words\n");
        fd = safe_close(fd);
        /* A hang-up that is not answered would wake the loop for ever. */
        while (turns < 50 && sd_event_run(event, 50 * USEC_PER_MSEC) > 0)
                turns++;
        ck_assert_uint_eq(seen.n, 1);
        ck_assert_uint_lt(turns, 50);
}
END_TEST

START_TEST(there_is_no_log) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        KernelLogFollower *f = NULL;

        ck_assert_ok(sd_event_new(&event));
        ck_assert_int_eq(kernel_log_follow(t.kernel, event, 0, on_record, NULL, NULL, &f), -ENOENT);
        ck_assert_ptr_null(f);
}
END_TEST

static bool parses(const char *line, KernelRecord *ret) {
        static char buffer[256];
        char *p = buffer;

        (void) snprintf(buffer, sizeof(buffer), "%s", line);
        return kernel_record_next(&p, ret) > 0;
}

START_TEST(one_record) {
        KernelRecord record;

        ck_assert(parses("30,7,8,-;text; more\x1b\n", &record));
        ck_assert_uint_eq(record.level, 6);
        ck_assert_uint_eq(record.facility, 3);
        ck_assert_uint_eq(record.sequence, 7);
        ck_assert_uint_eq(record.usec, 8);
        ck_assert_str_eq(record.text, "text; more?");
        ck_assert(!parses("", &record));
        ck_assert(!parses("4,1,1,-\n", &record));
        ck_assert(!parses(" 4,1,1,-;x\n", &record));
        ck_assert(!parses("4,,1,-;x\n", &record));
        ck_assert(!parses("4,-1,1,-;x\n", &record));
        ck_assert(!parses("4,1,18446744073709551616,-;x\n", &record));
        ck_assert(!parses("4294967296,1,1,-;x\n", &record));
        ck_assert(parses("4,18446744073709551615,1,-;x\n", &record));
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("klog-follow");
        TCase *t = tcase_create("klog-follow");

        tcase_add_test(t, records_come_when_they_are_written);
        tcase_add_test(t, it_begins_at_a_number_and_counts_what_is_missing);
        tcase_add_test(t, it_may_be_freed_from_its_own_call);
        tcase_add_test(t, a_flood_leaves_the_loop_alone);
        tcase_add_test(t, the_writer_goes);
        tcase_add_test(t, there_is_no_log);
        tcase_add_test(t, one_record);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
