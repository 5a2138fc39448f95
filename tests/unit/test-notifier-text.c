/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <time.h>

#include "notifier/text.h"
#include "tests/unit/unit.h"
#include "util/utf8.h"

static void expect_clean(const char *text, size_t max, const char *expected) {
        _cleanup_free_ char *clean = text_clean(text, max);

        ck_assert_ptr_nonnull(clean);
        ck_assert_str_eq(clean, expected);
}

START_TEST(what_others_wrote_becomes_one_line) {
        expect_clean("a fix", 80, "a fix");
        expect_clean("", 80, "");
        expect_clean("  two\n\nlines\t here \r\n", 80, "two lines here");
        expect_clean("\033[31mred\033[0m\a", 80, "[31mred[0m");
        expect_clean("abc\u202Efdp.exe\u2066\uFEFF", 80, "abcfdp.exe"); /* the order of letters is ours */
        expect_clean("zero\u200Bwidth \u00E9\u4F60", 80, "zerowidth \u00E9\u4F60");
        expect_clean("bad \xFF\xC0\x80 bytes \xE4\xBD", 80, "bad bytes");
        expect_clean("\n\033\n", 80, "");
}
END_TEST

START_TEST(what_is_too_long_is_cut_between_characters) {
        char *endless = malloc(100001);
        _cleanup_free_ char *clean = NULL;

        expect_clean("12345", 5, "12345");
        expect_clean("123456", 5, "12345…");
        expect_clean("ééééé é", 5, "ééééé…");
        expect_clean("\u4F60\u4F60\u4F60", 2, "\u4F60\u4F60…");
        memset(endless, 'x', 100000);
        endless[100000] = 0;
        clean = text_clean(endless, 240);
        ck_assert_uint_eq(strlen(clean), 240 + strlen("…"));
        free(endless);
}
END_TEST

START_TEST(markup_is_escaped) {
        static const char *const pairs[][2] = {
                { "plain", "plain" },
                { "<b>x</b> & <a href=\"http://x\">y</a>", "&lt;b&gt;x&lt;/b&gt; &amp; &lt;a href=\"http://x\"&gt;y&lt;/a&gt;" },
                { "&lt;", "&amp;lt;" },
                { "a\nb", "a\nb" },
                { "", "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                _cleanup_free_ char *escaped = text_escape(pairs[i][0]);

                ck_assert_str_eq(escaped, pairs[i][1]);
        }
}
END_TEST

START_TEST(values_are_cleaned_and_never_read_again) {
        _cleanup_free_ char *text = NULL;

        ck_assert_ok(text_fill(&text, TEXT_APPLIED_FIXES, "title", "{fixes}\n\033", "fixes", "%s%n {title}", NULL));
        ck_assert_str_eq(text, "{fixes} (%s%n {title})");
        ck_assert_ok(text_append(&text, TEXT_MORE, "count", "3", NULL));
        ck_assert_str_eq(text, "{fixes} (%s%n {title})\nAnd 3 more: see 'hotpatchctl status'.");
}
END_TEST

/* A brace without its end, a value that nobody gives, a text that is missing: seen here, not on a desktop. */
START_TEST(every_text_is_there) {
        static const char *const names[] = { "title", "fixes", "count", "when", "reason", "time", "day" };

        for (int i = TEXT_NONE + 1; i < _TEXT_MAX; i++) {
                const char *text = text_of((Text) i);

                ck_assert_msg(*text, "text %d is missing", i);
                for (const char *s = strchr(text, '{'); s; s = strchr(s + 1, '{')) {
                        const char *end = strchr(s, '}');
                        bool known = false;

                        ck_assert_ptr_nonnull(end);
                        for (size_t k = 0; k < ELEMENTSOF(names); k++)
                                known = known || (strlen(names[k]) == (size_t) (end - s - 1) && startswith(s + 1, names[k]));
                        ck_assert_msg(known, "'%s' has a value of an unknown name", text);
                }
                ck_assert_msg(!strpbrk(text, "<>&"), "'%s' has markup", text);
        }
}
END_TEST

static uint64_t at(int year, int month, int day, int hour, int minute) {
        struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute,
                .tm_isdst = -1 };

        return (uint64_t) mktime(&tm) * USEC_PER_SEC;
}

static void expect_time(uint64_t usec, uint64_t now, const char *expected) {
        _cleanup_free_ char *text = NULL;

        ck_assert_ok(text_time(&text, usec, now));
        ck_assert_str_eq(text, expected);
}

START_TEST(times_as_people_say_them) {
        ck_assert_int_eq(setenv("TZ", "Europe/Berlin", 1), 0);
        tzset();
        expect_time(at(2026, 10, 20, 22, 0), at(2026, 10, 20, 9, 0), "today at 22:00");
        expect_time(at(2026, 10, 21, 0, 5), at(2026, 10, 20, 23, 59), "tomorrow at 00:05");
        expect_time(at(2026, 10, 22, 22, 0), at(2026, 10, 20, 23, 59), "on Thursday, 22 October at 22:00");
        /* over the ends of summer time and of a year */
        expect_time(at(2026, 10, 25, 22, 0), at(2026, 10, 24, 23, 30), "tomorrow at 22:00");
        expect_time(at(2027, 1, 1, 1, 0), at(2026, 12, 31, 23, 30), "tomorrow at 01:00");
        expect_time(at(2027, 10, 20, 22, 0), at(2026, 10, 20, 22, 0), "on Wednesday, 20 October at 22:00");
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("notifier-text");
        TCase *t = tcase_create("text");

        tcase_add_test(t, what_others_wrote_becomes_one_line);
        tcase_add_test(t, what_is_too_long_is_cut_between_characters);
        tcase_add_test(t, markup_is_escaped);
        tcase_add_test(t, values_are_cleaned_and_never_read_again);
        tcase_add_test(t, every_text_is_there);
        tcase_add_test(t, times_as_people_say_them);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
