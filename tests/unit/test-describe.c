/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The answers are read back by the library that others use, and looked at value by value. */

#include <jansson.h>

#include "daemon/describe.h"
#include "dbus/errors.h"
#include "tests/unit/unit.h"

/* What a manifest may hold and JSON must not be broken by. */
#define NASTY "\"quoted\", \\ and \n\t</script> \xc3\xa4"

static json_t *parse(char *text) {
        json_error_t error;
        json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &error);

        ck_assert_msg(j, "%s: %s", error.text, text);
        free(text);
        return j;
}

static const char *string_at(const json_t *j, const char *key) {
        const json_t *value = json_object_get(j, key);

        ck_assert_msg(value, "no '%s'", key);
        return json_string_value(value);
}

static void assert_null(const json_t *j, const char *key) {
        ck_assert_msg(json_is_null(json_object_get(j, key)), "'%s' is not null", key);
}

START_TEST(test_plan) {
        PlanStep steps[] = { { STEP_INSERT, (char *) "hp-a", (char *) "hp_a" } };
        PlanFunction functions[] = {
                { (char *) "hp-a", (char *) "vmlinux", (char *) "f", FUNCTION_KEPT, true },
        };
        PlanCondition conditions[] = {
                { NULL, (char *) "ftrace", (char *) "on", (char *) "on", true },
                { (char *) "hp-a", (char *) "function vmlinux:f", (char *) NASTY, (char *) "\xff", false },
        };
        Plan p = {
                .steps = steps, .n_steps = 1, .functions = functions, .n_functions = 1,
                .conditions = conditions, .n_conditions = 2, .changed = true,
        };
        KernelIdentity k = { .arch = (char *) "x86_64", .release = (char *) "6.1", .build_id = (char *) "aa" };
        const json_t *item;
        char *text = NULL;
        json_t *j;

        ck_assert_ok(describe_plan(&p, "apply", &k, (char *[]) { (char *) "hp-a", NULL }, &text));
        j = parse(text);
        ck_assert_str_eq(json_string_value(json_array_get(json_object_get(j, "ids"), 0)), "hp-a");
        ck_assert_str_eq(string_at(json_object_get(j, "kernel"), "build_id"), "aa");
        ck_assert(json_is_true(json_object_get(j, "changed")));
        assert_null(j, "refusal");
        item = json_array_get(json_object_get(j, "steps"), 0);
        ck_assert_str_eq(string_at(item, "action"), "insert");
        ck_assert_str_eq(string_at(item, "module"), "hp_a");
        item = json_array_get(json_object_get(j, "functions"), 0);
        ck_assert_str_eq(string_at(item, "change"), "kept");
        ck_assert(json_is_true(json_object_get(item, "deferred")));
        assert_null(json_array_get(json_object_get(j, "conditions"), 0), "patch");
        item = json_array_get(json_object_get(j, "conditions"), 1);
        ck_assert_str_eq(string_at(item, "patch"), "hp-a");
        ck_assert_str_eq(string_at(item, "found"), NASTY);
        ck_assert_str_eq(string_at(item, "needed"), "?");
        ck_assert(json_is_false(json_object_get(item, "ok")));
        json_decref(j);
}
END_TEST

START_TEST(test_refusal) {
        KernelIdentity k = { .arch = (char *) "x86_64", .release = (char *) "6.1", .build_id = (char *) "aa" };
        Plan p = { .refusal = SD_BUS_ERROR_NULL };
        const json_t *refusal;
        char *text = NULL;
        json_t *j;

        (void) sd_bus_error_set(&p.refusal, HOTPATCH_ERROR("Disabled"), NASTY);
        ck_assert_ok(describe_plan(&p, "remove", &k, NULL, &text));
        j = parse(text);
        refusal = json_object_get(j, "refusal");
        ck_assert_str_eq(string_at(refusal, "name"), HOTPATCH_ERROR("Disabled"));
        ck_assert_str_eq(string_at(refusal, "message"), NASTY);
        ck_assert_str_eq(string_at(refusal, "remedy"), hotpatch_error_find(HOTPATCH_ERROR("Disabled"))->remedy);
        ck_assert_uint_eq(json_array_size(json_object_get(j, "ids")), 0);
        json_decref(j);
        sd_bus_error_free(&p.refusal);
}
END_TEST

START_TEST(test_patch) {
        ManifestFix fix = {
                .id = (char *) "CVE-1", .summary = NULL, .severity = SEVERITY_LOW,
                .references = (char *[]) { (char *) "https://x/?a=\"b\"", NULL },
        };
        ManifestObject object = { .name = (char *) "vmlinux", .functions = (char *[]) { (char *) "f", NULL } };
        ManifestTarget targets[] = {
                { .module = (char *) "hp_a", .release = (char *) "6.2" },
                { .module = (char *) "hp_a", .release = (char *) "6.1", .objects = &object, .n_objects = 1 },
        };
        Manifest m = {
                .id = (char *) "hp-a", .title = (char *) NASTY, .severity = SEVERITY_CRITICAL, .stream = (char *) "s",
                .sequence = 3, .fixes = &fix, .n_fixes = 1, .targets = targets, .n_targets = 2,
        };
        AdmittedRecord record = { .admitted_usec = UINT64_C(1800000000) * USEC_PER_SEC };
        Signer signer = { .subject = (char *) "CN=" NASTY, .issuer = (char *) "CN=i", .spki_sha256 = (char *) "00" };
        Description d = {
                .id = "hp-a", .state = "active", .module = "hp_a", .release = "6.1", .record = &record,
                .manifest = &m, .signers = &signer, .n_signers = 1, .digest = "aa", .tripped = UINT64_MAX,
        };
        const json_t *item;
        char *text = NULL;
        json_t *j;

        ck_assert_ok(describe_patch(&d, &text));
        j = parse(text);
        ck_assert_str_eq(string_at(j, "title"), NASTY);
        ck_assert_str_eq(string_at(j, "severity"), "critical");
        ck_assert_str_eq(string_at(j, "admitted"), "2027-01-15T08:00:00Z");
        assert_null(j, "applied");
        assert_null(j, "description");
        ck_assert_int_eq(json_integer_value(json_object_get(j, "sequence")), 3);
        ck_assert_int_eq(json_integer_value(json_object_get(j, "tripped")), (INT64_C(1) << 53) - 1);
        item = json_array_get(json_object_get(j, "fixes"), 0);
        ck_assert_str_eq(string_at(item, "id"), "CVE-1");
        assert_null(item, "summary");
        item = json_array_get(json_object_get(j, "objects"), 0);
        ck_assert_str_eq(string_at(item, "name"), "vmlinux");
        item = json_array_get(json_object_get(j, "signers"), 0);
        ck_assert_str_eq(string_at(item, "subject"), "CN=" NASTY);
        assert_null(item, "signing_time");
        json_decref(j);
}
END_TEST

/* Somebody else's livepatch: next to nothing is known. */
START_TEST(test_foreign) {
        Description d = { .id = "kpatch_x", .state = "active", .foreign = true, .module = "kpatch_x" };
        char *text = NULL;
        json_t *j;

        ck_assert_ok(describe_patch(&d, &text));
        j = parse(text);
        ck_assert(json_is_true(json_object_get(j, "foreign")));
        assert_null(j, "title");
        assert_null(j, "sequence");
        assert_null(j, "digest");
        ck_assert_uint_eq(json_array_size(json_object_get(j, "fixes")), 0);
        ck_assert(json_is_array(json_object_get(j, "objects")));
        json_decref(j);
}
END_TEST

/* The bundle is gone, the record remains. */
START_TEST(test_record_only) {
        AdmittedRecord record = {
                .title = (char *) "T", .severity = (char *) "low", .stream = (char *) "s", .sequence = 3,
                .fixes = (char *[]) { (char *) "CVE-1", NULL },
        };
        Description d = { .id = "hp-a", .state = "active", .module = "hp_a", .record = &record };
        char *text = NULL;
        json_t *j;

        ck_assert_ok(describe_patch(&d, &text));
        j = parse(text);
        ck_assert_str_eq(string_at(j, "title"), "T");
        ck_assert_str_eq(string_at(json_array_get(json_object_get(j, "fixes"), 0), "id"), "CVE-1");
        json_decref(j);
}
END_TEST

START_TEST(test_audit) {
        KernelIdentity k = { (char *) "x86_64", (char *) "6.1", (char *) "aabb" };
        PatchedObject objects[] = { { (char *) "ext4", PATCHED_WAITING }, { (char *) "vmlinux", PATCHED_YES } };
        AuditPatch patch = {
                .id = (char *) "hp-a", .module = (char *) "hp_a", .state = "patched", .wanted = true,
                .bundle = AUDIT_BUNDLE_GOOD, .n_functions = 3, .objects = objects, .n_objects = 2,
                .last_event = (char *) "applied", .last_event_usec = 1000000,
        };
        AuditReport report = { .patches = &patch, .n_patches = 1, .n_bundles = 1, .bytes = 9, .journal = true };
        FindingSet findings = { 0 };
        char *text = NULL;
        json_t *j, *p;

        ck_assert_ok(finding_set_add(&findings, FINDING_OTHER_KERNEL, "hp-b", "6.2", "Kept \xff"));
        ck_assert_ok(describe_audit(&report, &findings, &k, &text));
        j = parse(text);
        ck_assert(json_is_false(json_object_get(j, "drift"))); /* good to know is no drift */
        p = json_array_get(json_object_get(j, "patches"), 0);
        ck_assert_str_eq(string_at(p, "bundle"), "good");
        ck_assert_str_eq(string_at(p, "last_event_time"), "1970-01-01T00:00:01Z");
        ck_assert_str_eq(string_at(json_array_get(json_object_get(p, "objects"), 0), "state"), "waiting");
        p = json_array_get(json_object_get(j, "findings"), 0);
        ck_assert_str_eq(string_at(p, "message"), "Kept ?");
        ck_assert_str_eq(string_at(p, "kind"), "other-kernel");
        json_decref(j);
        ck_assert_ok(finding_set_add(&findings, FINDING_HOOK, NULL, "f", "Odd"));
        finding_set_sort(&findings);
        ck_assert_ok(describe_audit(&report, &findings, &k, &text));
        j = parse(text);
        ck_assert(json_is_true(json_object_get(j, "drift")));
        assert_null(json_array_get(json_object_get(j, "findings"), 0), "patch");
        json_decref(j);
        finding_set_done(&findings);
}
END_TEST

static Suite *describe_suite(void) {
        Suite *s = suite_create("describe");
        TCase *c = tcase_create("describe");

        tcase_add_test(c, test_plan);
        tcase_add_test(c, test_refusal);
        tcase_add_test(c, test_patch);
        tcase_add_test(c, test_foreign);
        tcase_add_test(c, test_record_only);
        tcase_add_test(c, test_audit);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(describe_suite)
