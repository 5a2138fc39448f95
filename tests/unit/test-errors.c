/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dbus/errors.h"
#include "tests/unit/unit.h"

START_TEST(every_row_is_complete_and_unique) {
        for (size_t i = 0; i < n_hotpatch_errors; i++) {
                const HotpatchError *e = &hotpatch_errors[i];

                ck_assert_msg(startswith(e->name, "org.hotpatch.Error."), "%s", e->name);
                ck_assert_msg(sd_bus_interface_name_is_valid(e->name) > 0, "%s", e->name);
                ck_assert_int_gt(e->error, 0);
                ck_assert_msg(e->remedy[strlen(e->remedy) - 1] == '.', "%s", e->remedy);
                ck_assert_ptr_eq(hotpatch_error_find(e->name), e);
        }
        ck_assert_ptr_null(hotpatch_error_find("org.hotpatch.Error.None"));
        ck_assert_int_eq(hotpatch_error_find(SD_BUS_ERROR_ACCESS_DENIED)->exit, HOTPATCH_EXIT_NOT_AUTHORIZED);
}
END_TEST

START_TEST(sd_bus_translates_our_names) {
        sd_bus_error error = SD_BUS_ERROR_NULL;

        ck_assert_ok(hotpatch_errors_register());
        ck_assert_ok(hotpatch_errors_register());
        ck_assert_int_eq(sd_bus_error_setf(&error, HOTPATCH_ERROR("SignerRevoked"), "x"), -EKEYREVOKED);
        sd_bus_error_free(&error);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("errors");
        TCase *t = tcase_create("errors");

        tcase_add_test(t, every_row_is_complete_and_unique);
        tcase_add_test(t, sd_bus_translates_our_names);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
