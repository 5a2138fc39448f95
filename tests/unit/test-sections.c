/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/mman.h>

#include "daemon/sections.h"
#include "tests/unit/unit.h"
#include "util/file.h"

/* Return: the output, a NUL after it. */
static char *output_of(int fd, size_t *ret_size) {
        char *data;

        *ret_size = (size_t) lseek(fd, 0, SEEK_END);
        data = calloc(1, *ret_size + 1);
        ck_assert_ok(file_pread_all(fd, data, *ret_size, 0));
        return data;
}

static void tell(int out, const char *name, const void *data, size_t size) {
        _cleanup_close_ int fd = section_open();

        ck_assert_ok(fd);
        ck_assert_ok(file_write_all(fd, data, size));
        ck_assert_ok(section_write(out, name, fd));
}

START_TEST(what_is_told_is_read) {
        _cleanup_close_ int out = memfd_create("out", MFD_CLOEXEC);
        _cleanup_free_ char *output = NULL;
        const char *p, *data;
        size_t left, size;

        tell(out, "one", "a\nb\0c", 5);
        tell(out, "one", "", 0);
        tell(out, "two", "one 3\n", 6);
        p = output = output_of(out, &left);
        ck_assert_int_eq(section_read(&p, &left, "two", &data, &size), -ENOENT);
        ck_assert_ptr_eq(p, output);
        ck_assert_ok(section_read(&p, &left, "one", &data, &size));
        ck_assert_uint_eq(size, 5);
        ck_assert_mem_eq(data, "a\nb\0c", 5);
        ck_assert_ok(section_read(&p, &left, "one", &data, &size));
        ck_assert_uint_eq(size, 0);
        ck_assert_ok(section_read(&p, &left, "two", &data, &size));
        ck_assert_mem_eq(data, "one 3\n", 6);
        ck_assert_uint_eq(left, 0);
        ck_assert_int_eq(section_read(&p, &left, "two", &data, &size), -ENOENT);
}
END_TEST

static const struct {
        const char *output;
        int r;
} wrong[] = {
        { "", -ENOENT },
        { "one", -ENOENT },
        { "one\n", -ENOENT },
        { "on 1\nx", -ENOENT },
        { "one1\nx", -ENOENT },
        { "oneone 1\nx", -ENOENT },
        { "one 1x", -ENOENT },
        { "one \nx", -EBADMSG },
        { "one -1\nx", -EBADMSG },
        { "one +1\nx", -EBADMSG },
        { "one 1 \nx", -EBADMSG },
        { "one 2\nx", -EBADMSG },
        { "one 4294967296\nx", -EBADMSG },
        { "one 18446744073709551617\nx", -EBADMSG },
};

START_TEST(anything_else_is_no_section) {
        const char *p = wrong[_i].output, *data = NULL;
        size_t left = strlen(p), size = 0;

        ck_assert_int_eq(section_read(&p, &left, "one", &data, &size), wrong[_i].r);
        ck_assert_ptr_eq(p, wrong[_i].output);
        ck_assert_uint_eq(left, strlen(p));
        ck_assert_ptr_null(data);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("sections");
        TCase *t = tcase_create("sections");

        tcase_add_test(t, what_is_told_is_read);
        tcase_add_loop_test(t, anything_else_is_no_section, 0, ELEMENTSOF(wrong));
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
