/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "livepatch/klog.h"
#include "tests/unit/tree.h"
#include "util/limits.h"

static void log_append(const Tree *t, const char *text) {
        _cleanup_close_ int fd = openat(t->fd, "dev/kmsg", O_WRONLY | O_APPEND | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_ok(file_write_all(fd, text, strlen(text)));
}

START_TEST(lines_since_the_mark_that_matter) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_kernel_log_free_ KernelLog *l = NULL;
        _cleanup_free_ char *text = NULL, *later = NULL;

        tree_file(&t, "dev/kmsg", "6,1,100,-;livepatch: before the mark\n");
        ck_assert_ok(kernel_log_open(t.kernel, &l));
        log_append(&t,
                "3,2,200,-;livepatch: symbol 'x' not found in symbol table\n"
                " SUBSYSTEM=livepatch: not a line\n"
                "6,3,300,-;usb 1-1: unrelated\n"
                "6,4,400,c;hp_x: loading out-of-tree module\n"
                "6,5,500,-;hp_xy: another module\n"
                "4,6,600,-;hotpatch: bad\x1b[31m\xff text\n"
                "no record at all\n");
        ck_assert_ok(kernel_log_read(l, "hp_x", &text));
        ck_assert_str_eq(text,
                "livepatch: symbol 'x' not found in symbol table\n"
                "hp_x: loading out-of-tree module\n"
                "hotpatch: bad?[31m? text");
        ck_assert_ok(kernel_log_read(l, NULL, &later));
        ck_assert_str_eq(later, "");
}
END_TEST

START_TEST(only_the_last_lines_and_cut) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_kernel_log_free_ KernelLog *l = NULL;
        _cleanup_free_ char *text = NULL;
        char line[1024], expected[64];
        size_t lines = 1;

        tree_file(&t, "dev/kmsg", "");
        ck_assert_ok(kernel_log_open(t.kernel, &l));
        for (unsigned i = 0; i < 20; i++) {
                (void) snprintf(line, sizeof(line), "6,1,1,-;livepatch: %u %0*d\n", i, 500, 0);
                log_append(&t, line);
        }
        ck_assert_ok(kernel_log_read(l, NULL, &text));
        for (const char *p = text; *p; p++)
                lines += *p == '\n';
        ck_assert_uint_eq(lines, HOTPATCH_KERNEL_LOG_LINES);
        (void) snprintf(expected, sizeof(expected), "livepatch: %u ",
                        20 - HOTPATCH_KERNEL_LOG_LINES);
        ck_assert_ptr_eq(strstr(text, expected), text);
        ck_assert_uint_eq(strcspn(text, "\n"), HOTPATCH_KERNEL_LOG_LINE_MAX);
}
END_TEST

START_TEST(no_log_is_an_empty_log) {
        _cleanup_(tree_free) Tree t = tree_new();
        _cleanup_kernel_log_free_ KernelLog *l = NULL;
        _cleanup_free_ char *text = NULL;

        ck_assert_ok(kernel_log_open(t.kernel, &l));
        ck_assert_ok(kernel_log_read(l, "hp_x", &text));
        ck_assert_str_eq(text, "");
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("klog");
        TCase *t = tcase_create("klog");

        tcase_add_test(t, lines_since_the_mark_that_matter);
        tcase_add_test(t, only_the_last_lines_and_cut);
        tcase_add_test(t, no_log_is_an_empty_log);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
