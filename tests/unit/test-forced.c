/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "daemon/store-forced.h"
#include "dbus/errors.h"
#include "tests/unit/unit.h"
#include "util/strv.h"

static char *root;
static Store *store;

static void setup(void) {
        ck_assert_ok(hotpatch_errors_register());
        root = scratch_new();
        ck_assert_ok(store_open(root, &store, NULL));
}

static void teardown(void) {
        store_free(store);
        scratch_free(root);
}

static Forced forced(void) {
        static char *ids[] = { (char *) "hp-one", (char *) "hp-two", NULL }, *pinned[] = { (char *) "hp_old", NULL };
        static char *modules[] = { (char *) "hp_one", (char *) "hp_two", NULL };
        Forced f = { .ids = ids, .modules = modules, .pinned = pinned, .forced_usec = 5, .caller_uid = 1000 };

        ck_assert_ok(sd_id128_get_boot(&f.boot_id));
        return f;
}

START_TEST(what_was_forced_is_remembered_for_this_boot) {
        _cleanup_(forced_done) Forced back = {};
        _cleanup_free_ char *why = NULL, *none = NULL;
        Forced f = forced();

        ck_assert_ok(store_forced_why(store, &none));
        ck_assert_ptr_null(none);
        ck_assert_ok(store_forced_write(store, &f, NULL));
        ck_assert_ok(store_forced_read(store, f.boot_id, &back));
        ck_assert(strv_contains(back.modules, "hp_one") && strv_contains(back.modules, "hp_two"));
        ck_assert_uint_eq(strv_length(back.modules), 2);
        ck_assert(strv_contains(back.ids, "hp-two"));
        ck_assert_str_eq(back.pinned[0], "hp_old");
        ck_assert_uint_eq(back.caller_uid, 1000);
        ck_assert_ok(store_forced_why(store, &why));
        ck_assert_str_eq(why, "the transition of module 'hp_one' was forced");
        ck_assert_ok(store_forced_clear(store));
        ck_assert_ok(store_forced_clear(store));
        ck_assert_int_eq(store_forced_read(store, f.boot_id, &(Forced) {}), -ENOENT);
}
END_TEST

/* As it was written when a record had one module. */
START_TEST(the_record_of_an_older_version_is_read) {
        _cleanup_(forced_done) Forced back = {};
        _cleanup_free_ char *path = NULL;
        char boot[SD_ID128_STRING_MAX];
        Forced now = forced();
        FILE *f;

        ck_assert_int_ge(asprintf(&path, "%s/var/lib/hotpatch/forced", root), 0);
        f = fopen(path, "w");
        ck_assert_ptr_nonnull(f);
        fprintf(f, "FORMAT=1\nID=hp-one\nMODULE=hp_one\nBOOT_ID=%s\nFORCED_USEC=5\nCALLER_UID=0\nEND=1\n",
                sd_id128_to_string(now.boot_id, boot));
        fclose(f);
        ck_assert_ok(store_forced_read(store, now.boot_id, &back));
        ck_assert_str_eq(back.modules[0], "hp_one");
        ck_assert_uint_eq(strv_length(back.modules), 1);
        ck_assert_ptr_null(back.pinned);
}
END_TEST

START_TEST(a_restart_makes_it_void) {
        sd_id128_t other = SD_ID128_MAKE(01,02,03,04,05,06,07,08,09,0a,0b,0c,0d,0e,0f,10);
        _cleanup_free_ char *path = NULL;
        Forced f = forced();

        ck_assert_ok(store_forced_write(store, &f, NULL));
        ck_assert_int_eq(store_forced_read(store, other, &(Forced) {}), -ENOENT);
        ck_assert_int_ge(asprintf(&path, "%s/var/lib/hotpatch/forced", root), 0);
        ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

/* It may be of this boot, so it counts. */
START_TEST(a_damaged_record_stops_patching) {
        _cleanup_strv_free_ char **damaged = NULL;
        _cleanup_free_ char *path = NULL, *why = NULL;
        FILE *f;

        ck_assert_int_ge(asprintf(&path, "%s/var/lib/hotpatch/forced", root), 0);
        f = fopen(path, "w");
        ck_assert_ptr_nonnull(f);
        fputs("MODULE=hp_one\n", f);
        fclose(f);
        ck_assert_ok(store_forced_why(store, &why));
        ck_assert_ptr_nonnull(strstr(why, "cannot be read"));
        ck_assert_ok(store_damaged(store, &damaged));
        ck_assert(strv_contains(damaged, "forced"));
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("forced");
        TCase *tc = tcase_create("forced");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, what_was_forced_is_remembered_for_this_boot);
        tcase_add_test(tc, the_record_of_an_older_version_is_read);
        tcase_add_test(tc, a_restart_makes_it_void);
        tcase_add_test(tc, a_damaged_record_stops_patching);
        suite_add_tcase(s, tc);
        return s;
}

UNIT_MAIN(suite)
