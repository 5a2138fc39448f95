/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "daemon/blockers-text.h"
#include "daemon/freeze-policy.h"
#include "daemon/stacks.h"
#include "tests/unit/unit.h"
#include "util/limits.h"
#include "util/strv.h"

#define BLOCKER(id, name, letter, ...) \
        { .pid = (id), .tid = (id), .command = (name), .state = (letter), __VA_ARGS__ }
#define UNIT(name) .unit = (char *) (name)
#define IN(name) .function = (char *) (name)

/* --- what may be frozen --- */

static const struct {
        const char *unit;
        bool allowed;
} units[] = {
        { "web.service", true },
        { "docker-0a1b.scope", true },
        { "postgresql@15-main.service", false },
        { "cache.service", false },
        { "cached.service", true },
        { "systemd-journald.service", false },
        { "dbus.service", false },
        { "polkit.service", false },
        { "hotpatchd.service", false },
        { "hotpatch-blockers.service", false },
        { "init.scope", false },
        { "session-3.scope", false },
        { "user@1000.service", false },
        { "ssh.service", false },
        { "iscsid.service", false },
        { "user-1000.slice", false },
        { "system.slice", false },
        { "x.socket", false },
        { "home.mount", false },
        { "", false },
};

START_TEST(some_units_are_never_frozen) {
        char *exclude[] = { (char *) "postgresql@*.service", (char *) "cache.service", NULL };

        ck_assert_msg(freeze_is_allowed(units[_i].unit, exclude) == units[_i].allowed, "%s", units[_i].unit);
}
END_TEST

START_TEST(without_a_list_the_built_in_one_counts) {
        ck_assert(freeze_is_allowed("cache.service", NULL));
        ck_assert(!freeze_is_allowed("dbus.service", NULL));
}
END_TEST

/* --- words --- */

START_TEST(the_worst_are_named_first) {
        Blocker items[] = {
                BLOCKER(1, "a", 'S', UNIT("a.service"), IN("fn")),
                BLOCKER(2, "b", 'S', UNIT("b.service")),
                BLOCKER(3, "b2", 'S', UNIT("b.service"), IN("fn2")),
                BLOCKER(4, "c", 'D', UNIT("c.service")),
                BLOCKER(5, "alone", 'S'),
                BLOCKER(6, "kt", 'S', .kernel_thread = true, IN("fn")),
        };
        Blockers b = { .items = items, .n = ELEMENTSOF(items), .n_more = 4 }, one = { .items = items, .n = 1 },
                 none = {};
        _cleanup_free_ char *text = NULL, *single = NULL, *empty = NULL;

        ck_assert_ok(blockers_summary(&b, &text));
        ck_assert_str_eq(text, "'c' (4) of c.service, kernel thread 'kt' (6) in fn, "
                "2 tasks of b.service ('b' and others) in fn2 and 6 more");
        ck_assert_ok(blockers_summary(&one, &single));
        ck_assert_str_eq(single, "'a' (1) of a.service in fn");
        ck_assert_ok(blockers_summary(&none, &empty));
        ck_assert_str_eq(empty, "");
}
END_TEST

START_TEST(each_kind_has_its_advice) {
        static const struct {
                Blocker b;
                bool freeze;
                const char *part;
        } rows[] = {
                { BLOCKER(1, "x", 'S', UNIT("a.service")), true, "a.service is paused for a moment" },
                { BLOCKER(1, "x", 'S', UNIT("a.service")), false, "restart a.service" },
                { BLOCKER(1, "x", 'D', UNIT("a.service")), false, "what a.service waits for" },
                { BLOCKER(1, "x", 'D'), false, "a device or file system does not answer" },
                { BLOCKER(1, "x", 'S'), false, "or end it" },
                { BLOCKER(1, "x", 'S', UNIT("session-3.scope")), false, "it is of session-3.scope" },
                { BLOCKER(1, "x", 'S', .kernel_thread = true), false, "nothing can wake a kernel thread" },
                { BLOCKER(1, "x", 'R', .kernel_thread = true, .reason = BLOCKER_RUNNING), false, "less to do" },
        };
        _cleanup_free_ char *text = NULL;

        ck_assert_ok(blocker_advice(&rows[_i].b, rows[_i].freeze, &text));
        ck_assert_msg(strstr(text, rows[_i].part), "'%s' is not in '%s'", rows[_i].part, text);
}
END_TEST

START_TEST(a_stack_on_one_line) {
        char *frames[] = { (char *) "hp_wait [m]", (char *) "vfs_read", NULL };
        Blocker b = BLOCKER(7, "x", 'S', UNIT("a.service"), .stack = frames);
        _cleanup_free_ char *text = NULL;

        ck_assert_ok(blocker_stack_text(&b, &text));
        ck_assert_str_eq(text, "x[7] (a.service): hp_wait [m] < vfs_read");
}
END_TEST

/* --- the answer of hotpatch-blockers --- */

static int merge(const char *text, Blockers *b, char **ret_debug) {
        return stacks_merge(text, strlen(text), b, ret_debug);
}

START_TEST(stacks_are_merged_by_thread) {
        Blocker items[] = { BLOCKER(7, "x", 'S'), BLOCKER(8, "y", 'S') };
        Blockers b = { .items = items, .n = 2 };
        _cleanup_free_ char *debug = NULL;

        ck_assert_ok(merge("{\"debug\":\"on\\u0007\",\"tasks\":["
                "{\"tid\":8,\"stack\":[\"a\\nb\",\"c [m]\"]},{\"tid\":9,\"stack\":[\"z\"]}]}", &b, &debug));
        ck_assert_str_eq(debug, "on?");
        ck_assert_ptr_null(items[0].stack);
        ck_assert_uint_eq(strv_length(items[1].stack), 2);
        ck_assert_str_eq(items[1].stack[0], "a?b");
        strv_free(items[1].stack);
}
END_TEST

static const char *const nonsense[] = {
        "", "{", "[]", "null", "{}", "{\"debug\":\"on\"}", "{\"tasks\":[]}", "{\"debug\":1,\"tasks\":[]}",
        "{\"debug\":\"on\",\"tasks\":{}}", "{\"debug\":\"on\",\"tasks\":[1]}",
        "{\"debug\":\"on\",\"tasks\":[{\"tid\":-1,\"stack\":[]}]}",
        "{\"debug\":\"on\",\"tasks\":[{\"tid\":4294967296,\"stack\":[]}]}",
        "{\"debug\":\"on\",\"tasks\":[{\"tid\":7,\"stack\":\"x\"}]}",
        "{\"debug\":\"on\",\"tasks\":[{\"tid\":7,\"stack\":[7]}]}",
        "{\"debug\":\"on\",\"debug\":\"on\",\"tasks\":[]}",
};

START_TEST(nonsense_is_refused) {
        Blocker items[] = { BLOCKER(7, "x", 'S') };
        Blockers b = { .items = items, .n = 1 };
        char *debug = NULL;

        ck_assert_int_eq(merge(nonsense[_i], &b, &debug), -EBADMSG);
        ck_assert_ptr_null(debug);
        strv_free(items[0].stack);
}
END_TEST

START_TEST(the_answer_has_limits) {
        _cleanup_free_ char *text = NULL, *debug = NULL;
        Blocker items[] = { BLOCKER(7, "x", 'S') };
        Blockers b = { .items = items, .n = 1 };
        size_t size;
        FILE *f = open_memstream(&text, &size);

        fputs("{\"debug\":\"", f);
        for (unsigned i = 0; i < 500; i++)
                fputc('d', f);
        fputs("\",\"tasks\":[{\"tid\":7,\"stack\":[\"0\"", f);
        for (unsigned i = 0; i < 5 * HOTPATCH_FRAMES_MAX; i++)
                fputs(",\"frame\"", f);
        fputs("]}]}", f);
        fclose(f);
        ck_assert_ok(stacks_merge(text, size, &b, &debug));
        ck_assert_uint_eq(strlen(debug), 80);
        ck_assert_uint_eq(strv_length(items[0].stack), HOTPATCH_FRAMES_MAX);
        strv_free(items[0].stack);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("stall");
        TCase *tc = tcase_create("stall");

        tcase_add_loop_test(tc, some_units_are_never_frozen, 0, ELEMENTSOF(units));
        tcase_add_test(tc, without_a_list_the_built_in_one_counts);
        tcase_add_test(tc, the_worst_are_named_first);
        tcase_add_loop_test(tc, each_kind_has_its_advice, 0, 8);
        tcase_add_test(tc, a_stack_on_one_line);
        tcase_add_test(tc, stacks_are_merged_by_thread);
        tcase_add_loop_test(tc, nonsense_is_refused, 0, ELEMENTSOF(nonsense));
        tcase_add_test(tc, the_answer_has_limits);
        suite_add_tcase(s, tc);
        return s;
}

UNIT_MAIN(suite)
