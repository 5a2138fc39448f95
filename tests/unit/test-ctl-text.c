/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <locale.h>
#include <time.h>

#include "ctl/progress.h"
#include "ctl/text.h"
#include "tests/unit/unit.h"

START_TEST(nothing_that_acts_on_a_terminal_passes) {
        static const struct {
                const char *in, *out;
        } rows[] = {
                { "plain", "plain" },
                { "", "" },
                { "grün – ✓ 漢字", "grün – ✓ 漢字" },
                { "two\nlines\there", "two\nlines here" },
                { "\033[31mred\033[0m", "?[31mred?[0m" },
                { "\033]0;title\007", "?]0;title?" },
                { "over\rwrite", "over write" },
                { "back\b\b\bspace", "back???space" },
                { "\x7f", "?" },
                { "\xc2\x9b" "31m", "?31m" },            /* CSI as one C1 character */
                { "\x9b" "31m", "?31m" },                /* the same as a bare byte */
                { "a\xe2\x80\xaetxt.exe", "a?txt.exe" }, /* right-to-left override */
                { "a\xe2\x81\xa6z", "a?z" },             /* left-to-right isolate */
                { "a\xe2\x80\xa8z", "a?z" },             /* line separator */
                { "\xef\xbb\xbfz", "?z" },               /* byte order mark */
                { "\xc0\xaf", "??" },                    /* overlong '/' */
                { "\xe0\x9b\x9b", "???" },               /* overlong, too */
                { "\xed\xa0\x80", "???" },               /* surrogate */
                { "\xf4\x90\x80\x80", "????" },          /* beyond U+10FFFF */
                { "cut\xe2\x82", "cut??" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char *out = text_sanitize(rows[i].in);
                ck_assert_str_eq(out, rows[i].out);
                free(out);
        }
        char *line = text_line("evil\033[2J\nhotpatchd: fine");
        ck_assert_str_eq(line, "evil?[2J?hotpatchd: fine");
        free(line);
        char *nothing = text_sanitize(NULL);
        ck_assert_str_eq(nothing, "");
        free(nothing);
}
END_TEST

static void check_wrap(const char *text, const char *indent, unsigned width, const char *expected) {
        char *out;

        ck_assert_ok(text_wrap(text, indent, width, &out));
        ck_assert_str_eq(out, expected);
        free(out);
}

START_TEST(text_is_broken_between_words) {
        check_wrap("one two three", "", 7, "one two\nthree");
        check_wrap("one two three", "  ", 7, "one\n  two\n  three");
        check_wrap("a first\nsecond", "> ", 80, "a first\n> second");
        check_wrap("unbreakable-and-long x", "", 5, "unbreakable-and-long\nx");
        check_wrap("", "  ", 10, "");
        check_wrap("end\n", "  ", 10, "end");
        if (setlocale(LC_CTYPE, "C.UTF-8"))
                check_wrap("äöü äöü", "", 7, "äöü äöü");
}
END_TEST

START_TEST(long_words_are_cut_on_demand) {
        static const char *const rows[][2] = {
                { "0123456789", "0123\n4567\n89" }, { "ab 01234 c", "ab 0123\n4 c" },
                { "0123", "0123" }, { "", "" }, { "a\n01234", "a\n0123\n4" },
                { "ab-cdef", "ab-\ncdef" }, { "a-bcdefg", "a-\nbcde\nfg" }, { "-bcdef", "-bcd\nef" },
                { "a/b/c/d/", "a/b/\nc/d/" }, { "abcd-ef", "abcd\n-ef" }, { "x a-b-c-d", "x a-b-\nc-d" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                char *out = text_cut(rows[i][0], 4);
                ck_assert_str_eq(out, rows[i][1]);
                free(out);
        }
        if (setlocale(LC_CTYPE, "C.UTF-8")) {
                char *out = text_cut("äöüäöü 漢字漢", 4);
                ck_assert_str_eq(out, "äöüä\nöü 漢字\n漢");
                free(out);
        }
}
END_TEST

START_TEST(times_are_read_and_written) {
        static const char *const wrong[] = { "", "-", "-x", "-5y", "-99999999999", "2026-13-01", "21.11.2026",
                "2026-11-21T09:30:00", "2026-11-21 ", "now" };
        const uint64_t now = UINT64_C(1795253400) * USEC_PER_SEC; /* 2026-11-21 09:30 UTC */
        uint64_t t = 7;
        char *text;

        setenv("TZ", "UTC", 1);
        tzset();
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                ck_assert_msg(time_parse(wrong[i], now, &t) == -EINVAL && t == 7, "%s", wrong[i]);
        ck_assert_ok(time_parse("-2h", now, &t));
        ck_assert_uint_eq(t, now - 7200 * USEC_PER_SEC);
        ck_assert_ok(time_parse("-90", now, &t));
        ck_assert_uint_eq(t, now - 90 * USEC_PER_SEC);
        ck_assert_ok(time_parse("-1000000000w", now, &t));
        ck_assert_uint_eq(t, 0);
        ck_assert_ok(time_parse("today", now, &t));
        ck_assert_uint_eq(t, now - 34200 * USEC_PER_SEC);
        ck_assert_ok(time_parse("2026-11-21 09:30", now, &t));
        ck_assert_uint_eq(t, now);
        ck_assert_ok(time_format_utc(now, &text));
        ck_assert_str_eq(text, "2026-11-21T09:30:00Z");
        free(text);
}
END_TEST

static char *progress(double share, unsigned width) {
        JobInfo job = { .id = 3, .state = (char *) "transition", .progress = share };
        char *line;

        ck_assert_ok(progress_format(&job, width, &line));
        return line;
}

START_TEST(progress_fits_its_width) {
        static const double shares[] = { -1, 0, 0.004, 0.5, 0.996, 1, 7 };

        for (unsigned width = 25; width < 120; width++)
                for (size_t i = 0; i < ELEMENTSOF(shares); i++) {
                        char *line = progress(shares[i], width);
                        ck_assert_msg(strlen(line) < width, "%u: %s", width, line);
                        free(line);
                }
        char *half = progress(0.5, 80);
        ck_assert_str_eq(half, "transition  [###############               ]  50 %");
        free(half);
        char *beyond = progress(7, 80);
        ck_assert_str_eq(beyond, "transition  [##############################] 100 %");
        free(beyond);
}
END_TEST

START_TEST(no_colour_means_no_escapes) {
        for (Style s = STYLE_NONE; s < _STYLE_MAX; s++) {
                ck_assert_str_eq(style_on(false, s), "");
                ck_assert_str_eq(style_off(false, s), "");
                ck_assert_int_eq(*style_on(true, s) != '\0', *style_off(true, s) != '\0');
        }
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("ctl-text");
        TCase *t = tcase_create("ctl-text");

        tcase_add_test(t, nothing_that_acts_on_a_terminal_passes);
        tcase_add_test(t, text_is_broken_between_words);
        tcase_add_test(t, long_words_are_cut_on_demand);
        tcase_add_test(t, times_are_read_and_written);
        tcase_add_test(t, progress_fits_its_width);
        tcase_add_test(t, no_colour_means_no_escapes);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
