/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <jansson.h>

#include "daemon/status.h"
#include "tests/unit/unit.h"
#include "util/strv.h"

#define S(text) ((char *) (text))
#define BASE .id = S("hp-a"), .title = S("T"), .severity = S("low"), .stream = S("s"), .module = S("hp_a"), \
        .digest = S(""), .recorded = true, .state = PATCH_ACTIVE

START_TEST(what_is_in_force) {
        PatchedObject good[] = { { S("vmlinux"), PATCHED_YES }, { S("ext4"), PATCHED_WAITING } };
        PatchedObject bad[] = { { S("vmlinux"), PATCHED_YES }, { S("ext4"), PATCHED_NO } };

        char *others[] = { S("hp_b"), S("hp_c"), NULL }, *also[] = { S("hp_b"), S("hp_a"), NULL };

        ck_assert(status_is_in_force(&(Patch) { BASE }, NULL));
        ck_assert(status_is_in_force(&(Patch) { BASE, .trial_until_usec = 1 }, NULL));
        ck_assert(status_is_in_force(&(Patch) { BASE, .objects = good, .n_objects = 2 }, others));
        ck_assert(!status_is_in_force(&(Patch) { BASE, .objects = bad, .n_objects = 2 }, NULL));
        ck_assert(!status_is_in_force(&(Patch) { BASE }, also));
        ck_assert(!status_is_in_force(&(Patch) { BASE }, also + 1));
        ck_assert(!status_is_in_force(&(Patch) { .module = S("m"), .state = PATCH_ACTIVE }, NULL));
        ck_assert(!status_is_in_force(&(Patch) { .module = S("m"), .recorded = true, .foreign = true, .state = PATCH_ACTIVE }, NULL));
        for (PatchState s = 0; s < _PATCH_STATE_MAX; s++)
                ck_assert_int_eq(status_is_in_force(&(Patch) { .module = S("m"), .recorded = true, .state = s }, NULL),
                                s == PATCH_ACTIVE);
}
END_TEST

static const KernelIdentity kernel = { .arch = S("x86_64"), .release = S("6.1"), .build_id = S("aa"), .version = S("") };

START_TEST(only_what_looks_like_a_cve_is_a_line) {
        char *one[] = { S("CVE-2026-0002"), S("GHSA-1"), S("CVE-2026-1"), S("CVE-26-0001"), S("CVE-2026-0001x"),
                S("CVE-2026-123456"), S("CVE-"), S("CVE-2026-0001\nCVE-2026-9999"), NULL };
        char *two[] = { S("CVE-2026-0001"), S("CVE-2026-0002"), NULL };
        const Patch a = { BASE, .fixes = one }, b = { BASE, .fixes = two }, c = { BASE };
        const Patch *patches[] = { &a, &b, &c };
        Status s = { .version = "1", .kernel = &kernel, .patches = patches, .n_patches = 3 };
        _cleanup_free_ char *lines = NULL;

        ck_assert_ok(status_lines(&s, &lines));
        ck_assert_str_eq(lines, "# kernel 6.1 boot 00000000-0000-0000-0000-000000000000\n"
                        "CVE-2026-0001\nCVE-2026-0002\nCVE-2026-123456\n");
}
END_TEST

START_TEST(nothing_is_said_of_nothing) {
        Status s = { .version = "1", .kernel = &kernel };
        _cleanup_free_ char *lines = NULL, *json = NULL;
        json_t *j;

        ck_assert_ok(status_lines(&s, &lines));
        ck_assert_str_eq(strchr(lines, '\n'), "\n");
        ck_assert_ok(status_json(&s, &json));
        j = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_ptr_nonnull(j);
        ck_assert_uint_eq(json_array_size(json_object_get(j, "patches")), 0);
        ck_assert(json_is_null(json_object_get(j, "changed")));
        json_decref(j);
}
END_TEST

START_TEST(odd_bytes_do_not_spoil_it) {
        char *fixes[] = { S("\xff"), S("CVE-2026-0001"), NULL };
        const Patch p = { BASE, .fixes = fixes, .trial_until_usec = 5, .applied_usec = 1, .sequence = UINT64_MAX };
        const Patch *patches[] = { &p };
        Status s = { .version = "1", .kernel = &kernel, .patches = patches, .n_patches = 1, .changed_usec = 1 };
        _cleanup_free_ char *json = NULL;
        json_t *j, *patch;

        ck_assert_ok(status_json(&s, &json));
        j = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_ptr_nonnull(j);
        patch = json_array_get(json_object_get(j, "patches"), 0);
        ck_assert(json_is_true(json_object_get(patch, "trial")));
        ck_assert_int_eq(json_integer_value(json_object_get(patch, "sequence")), (INT64_C(1) << 53) - 1);
        ck_assert_str_eq(json_string_value(json_object_get(patch, "applied")), "1970-01-01T00:00:00Z");
        json_decref(j);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("status");
        TCase *t = tcase_create("status");

        tcase_add_test(t, what_is_in_force);
        tcase_add_test(t, only_what_looks_like_a_cve_is_a_line);
        tcase_add_test(t, nothing_is_said_of_nothing);
        tcase_add_test(t, odd_bytes_do_not_spoil_it);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
