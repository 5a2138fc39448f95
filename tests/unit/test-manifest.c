/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bundle/manifest.h"
#include "tests/unit/bundle-material.h"
#include "util/strv.h"

static const char full[] =
        "{\"type\":\"org.hotpatch.bundle\",\"format\":1,\"id\":\"hp-x\",\"title\":\"T\",\"description\":\"a\\nb\","
        "\"severity\":\"important\",\"kind\":\"hotpatch\",\"stream\":\"s\",\"sequence\":9007199254740991,"
        "\"baseline\":\"2026.10\",\"created\":\"2026-11-21T09:00:00Z\",\"expires\":\"2027-01-01T00:00:00Z\","
        "\"fixes\":[{\"id\":\"CVE-2026-1\",\"severity\":\"low\",\"summary\":\"S\",\"references\":[\"https://x/\"]},{\"id\":\"B\"}],"
        "\"requires\":[\"r\"],\"conflicts\":[\"c\"],\"supersedes\":[\"old\"],"
        "\"targets\":[{\"arch\":\"x86_64\",\"release\":\"6.12.117+deb12-cloud-amd64\",\"build_id\":\"0123456789abcdef\","
        "\"member\":\"m.ko\",\"module\":\"hp_m\",\"replace\":true,\"objects\":[{\"name\":\"vmlinux\",\"functions\":[\"f\",\"g,2\"]},"
        "{\"name\":\"ext4\",\"build_id\":\"aabbccddeeff0011\",\"functions\":[\"h.isra.0\"],"
        "\"originals\":[{\"function\":\"h.isra.0\",\"size\":64,\"masked\":\"0+5,20+4\","
        "\"source\":\"fs/ext4/inode.c\","
        "\"sha256\":\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}]}]}],"
        "\"members\":[{\"name\":\"m.ko\",\"size\":67108864,"
        "\"sha256\":\"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\",\"role\":\"patch-module\"}],"
        "\"trial\":{\"seconds\":0},\"force_safe\":true,"
        "\"provenance\":{\"builder\":\"b\",\"source\":\"s\",\"toolchain\":\"t\","
        "\"fix_sha256\":\"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"}}";

static const char baseline[] =
        "{\"type\":\"org.hotpatch.bundle\",\"format\":1,\"id\":\"b-2026.10\",\"title\":\"T\",\"severity\":\"low\","
        "\"kind\":\"baseline\",\"stream\":\"s\",\"sequence\":1,\"created\":\"2026-11-21T09:00:00Z\","
        "\"packages\":[{\"name\":\"linux-image-amd64\",\"version\":\"1:6.1.176-1~deb12u1\"}],"
        "\"kernel_release\":\"6.1.0-50-amd64\",\"deadline\":\"2026-12-01T00:00:00Z\",\"members\":[]}";

static int parse(const char *json, sd_bus_error *error) {
        Manifest *m = (Manifest *) 1;
        int r = manifest_parse(json, strlen(json), &m, error);

        if (r < 0)
                ck_assert_ptr_eq(m, (Manifest *) 1);
        else
                manifest_free(m);
        return r;
}

/* @full with the first @from replaced; free it */
static char *edited(const char *from, const char *to) {
        const char *at = strstr(full, from);
        char *json;

        ck_assert_msg(at, "no '%s'", from);
        ck_assert_int_gt(asprintf(&json, "%.*s%s%s", (int) (at - full), full, to, at + strlen(from)), 0);
        return json;
}

START_TEST(every_field_is_read) {
        _cleanup_manifest_free_ Manifest *m = NULL;
        const ManifestTarget *t;

        ck_assert_ok(manifest_parse(full, strlen(full), &m, NULL));
        ck_assert_str_eq(m->id, "hp-x");
        ck_assert_str_eq(m->description, "a\nb");
        ck_assert_int_eq(m->severity, SEVERITY_IMPORTANT);
        ck_assert_uint_eq(m->sequence, (UINT64_C(1) << 53) - 1);
        ck_assert_uint_eq(m->created_usec, UINT64_C(1795251600) * USEC_PER_SEC);
        ck_assert_uint_eq(m->n_fixes, 2);
        ck_assert_int_eq(m->fixes[1].severity, _SEVERITY_INVALID);
        ck_assert_uint_eq(strv_length(m->fixes[1].references), 0);
        ck_assert_str_eq(m->supersedes[0], "old");
        t = manifest_find_target(m, "x86_64", "6.12.117+deb12-cloud-amd64", "0123456789abcdef");
        ck_assert_ptr_eq(t, &m->targets[0]);
        ck_assert_ptr_null(manifest_find_target(m, "x86_64", "6.12.117+deb12-cloud-amd64", "f123456789abcdef"));
        ck_assert(t->replace);
        ck_assert_str_eq(t->objects[0].functions[1], "g,2");
        ck_assert_uint_eq(t->objects[0].n_originals, 0);
        ck_assert_uint_eq(t->objects[1].n_originals, 1);
        ck_assert_str_eq(t->objects[1].originals[0].masked, "0+5,20+4");
        ck_assert_uint_eq(t->objects[1].originals[0].size, 64);
        ck_assert_str_eq(t->objects[1].originals[0].source, "fs/ext4/inode.c");
        ck_assert_ptr_null(t->objects[0].build_id);
        ck_assert_str_eq(t->objects[1].build_id, "aabbccddeeff0011");
        ck_assert_uint_eq(m->members[0].size, HOTPATCH_BUNDLE_MAX);
        ck_assert_uint_eq(m->members[0].sha256[31], 0x1f);
        ck_assert_uint_eq(m->trial_seconds, 0);
        ck_assert(m->force_safe);
        ck_assert_str_eq(m->provenance.toolchain, "t");
}
END_TEST

START_TEST(a_baseline_is_read) {
        _cleanup_manifest_free_ Manifest *m = NULL;

        ck_assert_ok(manifest_parse(baseline, strlen(baseline), &m, NULL));
        ck_assert_int_eq(m->kind, MANIFEST_BASELINE);
        ck_assert_str_eq(m->packages[0].version, "1:6.1.176-1~deb12u1");
        ck_assert_str_eq(m->kernel_release, "6.1.0-50-amd64");
        ck_assert_uint_eq(m->trial_seconds, MANIFEST_TRIAL_SECONDS);
        ck_assert_uint_eq(strv_length(m->requires), 0);
        ck_assert_ptr_nonnull(m->requires);
}
END_TEST

/* What is written is read, and written again is the same. */
static void check_round_trip(const char *json) {
        _cleanup_manifest_free_ Manifest *m = NULL, *again = NULL;
        _cleanup_free_ char *first = NULL, *second = NULL;
        size_t n_first, n_second;

        ck_assert_ok(manifest_parse(json, strlen(json), &m, NULL));
        ck_assert_ok(manifest_format(m, &first, &n_first));
        ck_assert_ok(manifest_parse(first, n_first, &again, NULL));
        ck_assert_ok(manifest_format(again, &second, &n_second));
        ck_assert_str_eq(first, second);
        ck_assert_uint_eq(strlen(first), n_first);
}

START_TEST(writing_is_stable) {
        check_round_trip(full);
        check_round_trip(baseline);
}
END_TEST

/* from, to, refusal, what the message must name */
static const struct {
        const char *from, *to, *refusal, *place;
} refusals[] = {
        { "\"functions\":[\"h", "\"nmae\":1,\"functions\":[\"h", "ManifestUnknownField", "targets[0].objects[1].nmae" },
        { "{\"type\"", "{\"x\":1,\"type\"", "ManifestUnknownField", "'x'" },
        { "\"seconds\":0", "\"seconds\":0,\"minutes\":1", "ManifestUnknownField", "trial.minutes" },
        { "\"seconds\":0", "\"seconds\":0,\"\\u001b[2J\":1", "ManifestUnknownField", "trial.?" },
        { "\"id\":\"hp-x\",", "\"id\":\"hp-x\",\"id\":\"hp-x\",", "ManifestDuplicateKey", "line 1" },
        { "\"id\":\"B\"", "\"id\":\"B\",\"id\":\"B\"", "ManifestDuplicateKey", "line 1" },
        { "org.hotpatch.bundle", "org.hotpatch.index", "ManifestInvalid", "type" },
        { "\"format\":1", "\"format\":2", "ManifestInvalid", "format" },
        { "\"format\":1", "\"format\":\"1\"", "ManifestInvalid", "format" },
        { "\"format\":1", "\"format\":1.0", "ManifestInvalid", "format" },
        { "\"type\":\"org.hotpatch.bundle\",", "", "ManifestInvalid", "type is missing" },
        { "\"sequence\":9007199254740991,", "", "ManifestInvalid", "sequence is missing" },
        { "\"release\":\"6.12.117+deb12-cloud-amd64\",", "", "ManifestInvalid", "targets[0].release is missing" },
        { "9007199254740991", "9007199254740992", "ManifestInvalid", "sequence" },
        { "9007199254740991", "0", "ManifestInvalid", "sequence" },
        { "9007199254740991", "-1", "ManifestInvalid", "sequence" },
        { "9007199254740991", "1.5", "ManifestInvalid", "sequence" },
        { "9007199254740991", "99999999999999999999", "ManifestInvalid", "line 1" },
        { "9007199254740991", "true", "ManifestInvalid", "sequence" },
        { "\"hp-x\"", "\"HP-X\"", "ManifestInvalid", "id" },
        { "\"hp-x\"", "\"../x\"", "ManifestInvalid", "id" },
        { "\"hp-x\"", "\"\"", "ManifestInvalid", "id" },
        { "\"hp-x\"", "[]", "ManifestInvalid", "id" },
        { "\"hp-x\"", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "ManifestInvalid", "id" },
        { "\"T\"", "\"a\\nb\"", "ManifestInvalid", "title" },
        { "\"T\"", "\"\\u001b[31m\"", "ManifestInvalid", "title" },
        { "\"T\"", "\"\\u009b31m\"", "ManifestInvalid", "title" },
        { "\"T\"", "\"a\\u0000b\"", "ManifestInvalid", "line 1" },
        { "\"T\"", "\"\xff\"", "ManifestInvalid", "line 1" },
        { "\"T\"", "null", "ManifestInvalid", "title" },
        { "a\\nb", "a\\rb", "ManifestInvalid", "description" },
        { "\"important\"", "\"urgent\"", "ManifestInvalid", "severity" },
        { "\"important\"", "2", "ManifestInvalid", "severity" },
        { "\"kind\":\"hotpatch\"", "\"kind\":\"baseline\"", "ManifestInvalid", "baseline" },
        { "\"kind\":\"hotpatch\"", "\"kind\":\"coldpatch\"", "ManifestInvalid", "kind" },
        { "2026.10", "2026.13", "ManifestInvalid", "baseline" },
        { "2026.10", "2026-10", "ManifestInvalid", "baseline" },
        { "2026-11-21T09:00:00Z", "2026-11-21T09:00:00+01:00", "ManifestInvalid", "created" },
        { "2026-11-21T09:00:00Z", "2026-02-30T09:00:00Z", "ManifestInvalid", "created" },
        { "2026-11-21T09:00:00Z", "2026-11-21 09:00:00Z", "ManifestInvalid", "created" },
        { "2026-11-21T09:00:00Z", "2026-11-21T09:00:60Z", "ManifestInvalid", "created" },
        { "2026-11-21T09:00:00Z", "2026-+1-21T09:00:00Z", "ManifestInvalid", "created" },
        { "\"2027-01-01T00:00:00Z\"", "0", "ManifestInvalid", "expires" },
        { "2027-01-01T00", "2020-01-01T00", "ManifestInvalid", "expires" },
        { "[\"r\"]", "[\"hp-x\"]", "ManifestInvalid", "itself" },
        { "[\"r\"]", "[1]", "ManifestInvalid", "requires[0]" },
        { "[\"r\"]", "\"r\"", "ManifestInvalid", "requires" },
        { "\"x86_64\"", "\"x/y\"", "ManifestInvalid", "targets[0].arch" },
        { "6.12.117+deb12", "../6.12", "ManifestInvalid", "targets[0].release" },
        { "0123456789abcdef", "0123456789ABCDEF", "ManifestInvalid", "targets[0].build_id" },
        { "0123456789abcdef", "0123", "ManifestInvalid", "targets[0].build_id" },
        { "\"member\":\"m.ko\"", "\"member\":\"n.ko\"", "ManifestInvalid", "targets[0].member" },
        { "\"hp_m\"", "\"hp-m\"", "ManifestInvalid", "targets[0].module" },
        { "\"replace\":true", "\"replace\":1", "ManifestInvalid", "targets[0].replace" },
        { "\"vmlinux\",", "\"vmlinux\",\"build_id\":\"0123456789abcdef\",", "ManifestInvalid", "targets[0].objects[0].build_id" },
        { "\"name\":\"ext4\",\"build_id\":\"aabbccddeeff0011\"", "\"name\":\"vmlinux\"", "ManifestInvalid", "'vmlinux' twice" },
        { "[\"f\",\"g,2\"]", "[\"f\",\"f\"]", "ManifestInvalid", "targets[0].objects[0]" },
        { "[\"f\",\"g,2\"]", "[]", "ManifestInvalid", "targets[0].objects[0].functions" },
        { "g,2", "g,0", "ManifestInvalid", "targets[0].objects[0].functions[1]" },
        { "0+5,20+4", "0+5,4+4", "ManifestInvalid", "targets[0].objects[1].originals[0].masked" },
        { "0+5,20+4", "0+5,20+45", "ManifestInvalid", "targets[0].objects[1].originals[0].masked" },
        { "0+5,20+4", "0+5,", "ManifestInvalid", "targets[0].objects[1].originals[0].masked" },
        { "0+5,20+4", "0+0", "ManifestInvalid", "targets[0].objects[1].originals[0].masked" },
        { "0+5,20+4", "99999999999999999999+1", "ManifestInvalid", "targets[0].objects[1].originals[0].masked" },
        { "\"fs/ext4/inode.c\"", "\"/fs/ext4/inode.c\"", "ManifestInvalid", "targets[0].objects[1].originals[0].source" },
        { "\"fs/ext4/inode.c\"", "\"fs/../mm/slab.c\"", "ManifestInvalid", "targets[0].objects[1].originals[0].source" },
        { "\"fs/ext4/inode.c\"", "\"./mm/slab.c\"", "ManifestInvalid", "targets[0].objects[1].originals[0].source" },
        { "\"fs/ext4/inode.c\"", "\"mm//slab.c\"", "ManifestInvalid", "targets[0].objects[1].originals[0].source" },
        { "\"fs/ext4/inode.c\"", "\"mm/\"", "ManifestInvalid", "targets[0].objects[1].originals[0].source" },
        { "\"fs/ext4/inode.c\"", "\"..\"", "ManifestInvalid", "targets[0].objects[1].originals[0].source" },
        { "\"fs/ext4/inode.c\"", "\"a b.c\"", "ManifestInvalid", "targets[0].objects[1].originals[0].source" },
        { "\"fs/ext4/inode.c\"", "\"mm/\\u001b.c\"", "ManifestInvalid", "targets[0].objects[1].originals[0].source" },
        { "\"fs/ext4/inode.c\"", "\"\"", "ManifestInvalid", "targets[0].objects[1].originals[0].source" },
        { "\"fs/ext4/inode.c\"", "7", "ManifestInvalid", "targets[0].objects[1].originals[0].source" },
        { "g,2", "g,02", "ManifestInvalid", "targets[0].objects[0].functions[1]" },
        { "g,2", "g,", "ManifestInvalid", "targets[0].objects[0].functions[1]" },
        { "g,2", "g 2", "ManifestInvalid", "targets[0].objects[0].functions[1]" },
        { "\"name\":\"m.ko\"", "\"name\":\"manifest.json\"", "ManifestInvalid", "members[0].name" },
        { "\"name\":\"m.ko\"", "\"name\":\"a/m.ko\"", "ManifestInvalid", "members[0].name" },
        { "67108864", "67108865", "ManifestInvalid", "members[0].size" },
        { "67108864", "0", "ManifestInvalid", "members[0].size" },
        { "00010203", "0001020", "ManifestInvalid", "members[0].sha256" },
        { "00010203", "0001020G", "ManifestInvalid", "members[0].sha256" },
        { "patch-module", "firmware", "ManifestInvalid", "members[0].role" },
        { "\"seconds\":0", "\"seconds\":604801", "ManifestInvalid", "trial.seconds" },
        { "\"seconds\":0", "", "ManifestInvalid", "trial.seconds is missing" },
        { "\"force_safe\":true", "\"force_safe\":\"yes\"", "ManifestInvalid", "force_safe" },
        { "\"force_safe\":true", "\"deadline\":\"2026-12-01T00:00:00Z\"", "ManifestInvalid", "deadline" },
};

START_TEST(each_mistake_is_named) {
        _cleanup_free_ char *json = edited(refusals[_i].from, refusals[_i].to), *name = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        ck_assert_int_gt(asprintf(&name, HOTPATCH_ERROR("%s"), refusals[_i].refusal), 0);
        ck_assert_msg(parse(json, &error) < 0, "accepted: %s", refusals[_i].to);
        ck_assert_msg(streq(error.name, name) && strstr(error.message, refusals[_i].place),
                "'%s': %s, %s", refusals[_i].to, error.name, error.message);
        for (const char *p = error.message; *p; p++)
                ck_assert_msg((unsigned char) *p >= 0x20, "control character: %s", error.message);
}
END_TEST

START_TEST(documents_that_are_none) {
        static const char *const documents[] = {
                "", "{", "[]", "null", "1", "\"x\"", "{}", "{\"type\":1}", "\xef\xbb\xbf{}", "{'type':1}", "{} {}", "{}x",
        };

        for (size_t i = 0; i < ELEMENTSOF(documents); i++)
                ck_assert_refused(parse(documents[i], &error), "ManifestInvalid");
}
END_TEST

START_TEST(bytes_after_the_end_are_refused) {
        _cleanup_free_ char *json = NULL;

        ck_assert_int_gt(asprintf(&json, "%s \n", full), 0);
        ck_assert_ok(parse(json, NULL));
        free(json);
        ck_assert_int_gt(asprintf(&json, "%s{}", full), 0);
        ck_assert_refused(parse(json, &error), "ManifestInvalid");
        ck_assert_refused(manifest_parse(full, sizeof(full), &(Manifest *) { NULL }, &error), "ManifestInvalid");
}
END_TEST

START_TEST(limits_hold) {
        _cleanup_free_ char *many = calloc(1, HOTPATCH_MANIFEST_MAX + 2), *json = NULL;
        size_t n = 0;

        memset(many, ' ', HOTPATCH_MANIFEST_MAX + 1);
        ck_assert_refused(manifest_parse(many, HOTPATCH_MANIFEST_MAX + 1, &(Manifest *) { NULL }, &error), "BundleTooLarge");
        ck_assert_refused(manifest_parse(many, HOTPATCH_MANIFEST_MAX, &(Manifest *) { NULL }, &error), "ManifestInvalid");
        /* One function more than the limit, and the limit */
        for (unsigned i = 0; i < HOTPATCH_FUNCTIONS_MAX; i++)
                n += (size_t) sprintf(many + n, "%s\"f%u\"", i > 0 ? "," : "", i);
        many[n] = 0;
        json = edited("\"h.isra.0\"", many);
        ck_assert_ok(parse(json, NULL));
        free(json);
        strcpy(many + n, ",\"more\"");
        json = edited("\"h.isra.0\"", many);
        ck_assert_refused(parse(json, &error), "ManifestInvalid");
        /* Deep nesting costs no stack */
        memset(many, '[', HOTPATCH_MANIFEST_MAX);
        ck_assert_refused(manifest_parse(many, HOTPATCH_MANIFEST_MAX, &(Manifest *) { NULL }, &error), "ManifestInvalid");
}
END_TEST

START_TEST(times_round_trip) {
        char s[MANIFEST_TIME_SIZE];
        uint64_t t = 7;

        ck_assert_ok(manifest_time_parse("9999-12-31T23:59:59Z", &t));
        ck_assert_ok(manifest_time_format(t, s));
        ck_assert_str_eq(s, "9999-12-31T23:59:59Z");
        ck_assert_int_eq(manifest_time_format(UINT64_MAX, s), -ERANGE);
        t = 7;
        ck_assert_int_eq(manifest_time_parse("1969-12-31T23:59:59Z", &t), -EINVAL);
        ck_assert_uint_eq(t, 7);
}
END_TEST

START_TEST(what_a_person_says_is_added) {
        _cleanup_manifest_free_ Manifest *m = calloc(1, sizeof(*m));

        ck_assert_ok(manifest_add_fix(m, "CVE-2026-1"));
        ck_assert_ok(manifest_add_fix(m, "CVE-2026-2=a=b"));
        ck_assert_uint_eq(m->n_fixes, 2);
        ck_assert_str_eq(m->fixes[0].id, "CVE-2026-1");
        ck_assert_ptr_null(m->fixes[0].summary);
        ck_assert_int_eq(m->fixes[0].severity, _SEVERITY_INVALID);
        ck_assert_str_eq(m->fixes[1].id, "CVE-2026-2");
        ck_assert_str_eq(m->fixes[1].summary, "a=b");
}
END_TEST

START_TEST(a_sequence_is_a_number_that_json_keeps) {
        static const char *const none[] = { "", "0", "-1", "+1", " 1", "1x", "1.0", "9007199254740992", "99999999999999999999" };
        uint64_t n = 7;

        for (size_t i = 0; i < ELEMENTSOF(none); i++)
                ck_assert_int_eq(manifest_sequence_parse(none[i], &n), -EINVAL);
        ck_assert_uint_eq(n, 7);
        ck_assert_ok(manifest_sequence_parse("1", &n));
        ck_assert_uint_eq(n, 1);
        ck_assert_ok(manifest_sequence_parse("9007199254740991", &n));
        ck_assert_uint_eq(n, (UINT64_C(1) << 53) - 1);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("manifest");
        TCase *t = tcase_create("manifest");

        hotpatch_errors_register();
        tcase_add_test(t, every_field_is_read);
        tcase_add_test(t, a_baseline_is_read);
        tcase_add_test(t, writing_is_stable);
        tcase_add_loop_test(t, each_mistake_is_named, 0, ELEMENTSOF(refusals));
        tcase_add_test(t, documents_that_are_none);
        tcase_add_test(t, bytes_after_the_end_are_refused);
        tcase_add_test(t, limits_hold);
        tcase_add_test(t, times_round_trip);
        tcase_add_test(t, what_a_person_says_is_added);
        tcase_add_test(t, a_sequence_is_a_number_that_json_keeps);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
