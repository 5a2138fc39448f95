/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "builder/module/headers.h"
#include "dbus/errors.h"
#include "tests/unit/scratch-files.h"

static void setup(void) {
        ck_assert_ok(hotpatch_errors_register());
        root = scratch_new();
}

static void teardown(void) {
        scratch_free(root);
}

START_TEST(debians_headers_use_the_common_makefile_beside_them) {
        _cleanup_free_ char *folder = path_of("linux-headers-6.1.0-50-cloud-amd64");
        _cleanup_kernel_headers_free_ KernelHeaders *h = NULL;

        put("linux-headers-6.1.0-50-cloud-amd64/Makefile",
                "include /usr/src/linux-headers-6.1.0-50-common/Makefile\n");
        put("linux-headers-6.1.0-50-cloud-amd64/include/generated/utsrelease.h",
                "#define UTS_RELEASE \"6.1.0-50-cloud-amd64\"\n");
        put("linux-headers-6.1.0-50-common/Makefile", "all:\n");
        ck_assert_ok(kernel_headers_open(folder, &h, NULL));
        ck_assert_str_eq(h->release, "6.1.0-50-cloud-amd64");
        ck_assert_ptr_nonnull(h->makefile);
        ck_assert(strstr(h->makefile, "/linux-headers-6.1.0-50-common/Makefile") != NULL);
        ck_assert_int_eq(access(h->makefile, R_OK), 0);
}
END_TEST

START_TEST(whole_trees_use_their_own_makefile) {
        _cleanup_free_ char *folder = path_of("linux"), *big = calloc(1, 70001);
        _cleanup_kernel_headers_free_ KernelHeaders *h = NULL;

        memset(big, '#', 70000);
        put("linux/Makefile", big);
        put("linux/include/generated/utsrelease.h", "#define UTS_RELEASE \"6.99.0\"\n");
        ck_assert_ok(kernel_headers_open(folder, &h, NULL));
        ck_assert_str_eq(h->release, "6.99.0");
        ck_assert_ptr_null(h->makefile);
}
END_TEST

static void refused(int r, sd_bus_error *error, const char *part) {
        ck_assert_int_lt(r, 0);
        ck_assert_str_eq(error->name, HOTPATCH_ERROR("KernelHeadersMissing"));
        ck_assert_msg(strstr(error->message, part) != NULL, "no '%s' in: %s", part, error->message);
        sd_bus_error_free(error);
}

START_TEST(what_is_no_headers_folder_is_refused) {
        _cleanup_free_ char *missing = path_of("missing"), *evil = path_of("evil");
        sd_bus_error error = SD_BUS_ERROR_NULL;
        KernelHeaders *h = NULL;

        refused(kernel_headers_open(missing, &h, &error), &error, "There are no kernel headers in");
        refused(kernel_headers_open(root, &h, &error), &error, "utsrelease.h");
        put("evil/Makefile", "all:\n");
        put("evil/include/generated/utsrelease.h", "#define UTS_RELEASE \"../../x\"\n");
        refused(kernel_headers_open(evil, &h, &error), &error, "utsrelease.h");
        put("evil/include/generated/utsrelease.h", "#define UTS_RELEASE \"\"\n");
        refused(kernel_headers_open(evil, &h, &error), &error, "utsrelease.h");
        ck_assert_ptr_null(h);
}
END_TEST

START_TEST(missing_headers_name_the_package) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        KernelHeaders *h = NULL;

        refused(kernel_headers_find("0.0.0-none", &h, &error), &error,
                "on Debian the package is 'linux-headers-0.0.0-none'");
        refused(kernel_headers_find("../x", &h, &error), &error, "is not the release of a kernel");
        refused(kernel_headers_find("", &h, &error), &error, "is not the release of a kernel");
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("headers");
        TCase *t = tcase_create("headers");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, debians_headers_use_the_common_makefile_beside_them);
        tcase_add_test(t, whole_trees_use_their_own_makefile);
        tcase_add_test(t, what_is_no_headers_folder_is_refused);
        tcase_add_test(t, missing_headers_name_the_package);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
