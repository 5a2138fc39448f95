/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>

#include "daemon/config.h"
#include "tests/unit/tree.h"
#include "util/limits.h"
#include "util/strv.h"

static Tree tree;
static Config config;
static char **warnings;

static void setup(void) {
        tree = tree_new();
}

static void teardown(void) {
        config_done(&config);
        warnings = strv_free(warnings);
        tree_free(&tree);
}

static void load(void) {
        config_done(&config);
        warnings = strv_free(warnings);
        ck_assert_ok(config_load(tree.root, &config, &warnings));
        ck_assert_ptr_nonnull(warnings);
}

#define USR "usr/lib/hotpatch/hotpatchd.conf"
#define ETC "etc/hotpatch/hotpatchd.conf"

static void assert_defaults(void) {
        ck_assert_uint_eq(config.trust.signatures_min, 1);
        ck_assert(!config.trust.require_crl);
        ck_assert_ptr_null(config.forbid);
        ck_assert(!config.forbid_unreadable);
        ck_assert_uint_eq(config.transition_timeout_usec, 60 * USEC_PER_SEC);
        ck_assert_uint_eq(config.idle_timeout_usec, 60 * USEC_PER_SEC);
}

START_TEST(test_nothing) {
        load();
        assert_defaults();
        ck_assert_uint_eq(strv_length(warnings), 0);
}
END_TEST

START_TEST(test_all) {
        tree_file(&tree, ETC, "# a comment\n[Trust]\nSignaturesMin=2\nRequireRevocationList=yes\n\n"
                "[Transition]\nTimeoutSec = 5 min\n[Service]\nIdleTimeoutSec=90s\n");
        load();
        ck_assert_uint_eq(strv_length(warnings), 0);
        ck_assert_uint_eq(config.trust.signatures_min, 2);
        ck_assert(config.trust.require_crl);
        ck_assert_uint_eq(config.transition_timeout_usec, 300 * USEC_PER_SEC);
        ck_assert_uint_eq(config.idle_timeout_usec, 90 * USEC_PER_SEC);
}
END_TEST

START_TEST(test_layers) {
        tree_file(&tree, USR, "[Trust]\nSignaturesMin=2\n[Service]\nIdleTimeoutSec=5\n");
        load();
        ck_assert_uint_eq(config.trust.signatures_min, 2);
        tree_file(&tree, USR ".d/10-vendor.conf", "[Trust]\nSignaturesMin=3\n");
        load();
        ck_assert_uint_eq(config.trust.signatures_min, 3);
        /* the file in /etc takes the place of the one in /usr, whole, and not of the drop-ins */
        tree_file(&tree, ETC, "[Trust]\nSignaturesMin=4\n");
        load();
        ck_assert_uint_eq(config.trust.signatures_min, 3);
        ck_assert_uint_eq(config.idle_timeout_usec, 60 * USEC_PER_SEC);
        /* a drop-in of the same name hides the vendor's */
        tree_file(&tree, ETC ".d/10-vendor.conf", "[Service]\nIdleTimeoutSec=7\n");
        load();
        ck_assert_uint_eq(config.trust.signatures_min, 4);
        ck_assert_uint_eq(config.idle_timeout_usec, 7 * USEC_PER_SEC);
        tree_file(&tree, ETC ".d/20-site.conf", "[Trust]\nSignaturesMin=5\n");
        load();
        ck_assert_uint_eq(config.trust.signatures_min, 5);
        ck_assert_uint_eq(strv_length(warnings), 0);
}
END_TEST

START_TEST(test_masked) {
        _cleanup_free_ char *mask = tree_path(&tree, ETC ".d/10-vendor.conf");

        tree_file(&tree, USR ".d/10-vendor.conf", "[Trust]\nSignaturesMin=3\n");
        tree_directory(&tree, ETC ".d");
        ck_assert_int_eq(symlink("/dev/null", mask), 0);
        load();
        assert_defaults();
}
END_TEST

static const struct {
        const char *text;
        uint64_t seconds; /* UINT64_MAX: a bad value */
} spans[] = {
        { "0", 0 }, { "1", 1 }, { "90", 90 }, { "90s", 90 }, { "90 s", 90 }, { "5min", 300 }, { "24h", 86400 },
        { "", UINT64_MAX }, { "-1", UINT64_MAX }, { "1.5", UINT64_MAX }, { "1m", UINT64_MAX },
        { "s", UINT64_MAX }, { "25h", UINT64_MAX }, { "86401", UINT64_MAX }, { "forever", UINT64_MAX },
        { "99999999999999999999999999", UINT64_MAX }, { "5 min 3s", UINT64_MAX },
};

START_TEST(test_spans) {
        char text[128];

        snprintf(text, sizeof(text), "[Transition]\nTimeoutSec=%s\n", spans[_i].text);
        tree_file(&tree, ETC, text);
        load();
        ck_assert_msg(strv_length(warnings) == (spans[_i].seconds == UINT64_MAX), "'%s'", spans[_i].text);
        ck_assert_uint_eq(config.transition_timeout_usec,
                (spans[_i].seconds == UINT64_MAX ? 60 : spans[_i].seconds) * USEC_PER_SEC);
}
END_TEST

/* A warning says where and what, below the root that the daemon has. */
START_TEST(test_warnings) {
        tree_file(&tree, ETC, "[Trust]\nSignatureMin=2\n[Other]\nX=1\n[Service]\nIdleTimeoutSec=0\n");
        load();
        assert_defaults();
        ck_assert_uint_eq(strv_length(warnings), 3);
        ck_assert_str_eq(warnings[0],
                "/etc/hotpatch/hotpatchd.conf:2: unknown key 'SignatureMin' in section [Trust], ignoring it");
        ck_assert_ptr_nonnull(strstr(warnings[1], "'X' in section [Other]"));
        ck_assert_ptr_nonnull(strstr(warnings[2], "'IdleTimeoutSec' of [Service] must be"));
}
END_TEST

START_TEST(test_no_section) {
        tree_file(&tree, ETC, "SignaturesMin=2\n");
        load();
        assert_defaults();
        ck_assert_uint_eq(strv_length(warnings), 1);
}
END_TEST

/* Whoever mistypes a demand gets the strictest one, not none. */
static const char *const bad_trust[] = {
        "SignaturesMin=", "SignaturesMin=0", "SignaturesMin=9", "SignaturesMin=two", "SignaturesMin=-1",
        "SignaturesMin=2x",
};

START_TEST(test_bad_trust) {
        char text[128];

        snprintf(text, sizeof(text), "[Trust]\n%s\nRequireRevocationList=maybe\n", bad_trust[_i]);
        tree_file(&tree, ETC, text);
        load();
        ck_assert_uint_eq(config.trust.signatures_min, HOTPATCH_SIGNATURES_MAX);
        ck_assert(config.trust.require_crl);
        ck_assert_uint_eq(strv_length(warnings), 2);
        ck_assert_ptr_nonnull(strstr(warnings[0], "taking the strictest value"));
}
END_TEST

static void assert_forbid(const char *expected) {
        char text[1024] = "";

        for (char **p = config.forbid; p && *p; p++)
                snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? " " : "", *p);
        ck_assert_str_eq(text, expected);
}

/* Drop-ins add, lines add, nothing is counted twice; an empty one adds nothing. */
START_TEST(test_forbid) {
        tree_file(&tree, ETC, "[Policy]\nForbid=mm/  nf_tables\nForbid=net/ipv4/*\n");
        tree_file(&tree, ETC ".d/10-a.conf", "[Policy]\nForbid=vmlinux:tcp_* mm/\n");
        tree_file(&tree, ETC ".d/20-b.conf", "[Policy]\nForbid=\n");
        load();
        ck_assert_uint_eq(strv_length(warnings), 0);
        ck_assert(!config.forbid_unreadable);
        assert_forbid("mm/ nf_tables net/ipv4/* vmlinux:tcp_*");
}
END_TEST

static const char *const bad_forbid[] = {
        "mm/,fs/", "/mm/", "../mm/", "mm/../fs/", "\"mm/\"", "a:b:c", ":f", "vmlinux:", "mm/a.c:f", "[a", "[]",
        "[a:b]", "(null)", "nf_tables;", "fs//ext4/",
};

START_TEST(test_bad_forbid) {
        char text[128];

        snprintf(text, sizeof(text), "[Policy]\nForbid=fs/ %s\n", bad_forbid[_i]);
        tree_file(&tree, ETC, text);
        load();
        ck_assert_msg(config.forbid_unreadable, "%s", bad_forbid[_i]);
        ck_assert_uint_eq(strv_length(warnings), 1);
        ck_assert_ptr_nonnull(strstr(warnings[0], "'Forbid' of [Policy] must be patterns"));
        ck_assert_ptr_nonnull(strstr(warnings[0], "taking the strictest value"));
}
END_TEST

START_TEST(test_freezing) {
        load();
        ck_assert_uint_eq(config.freeze_after_usec, 5 * USEC_PER_SEC);
        ck_assert_ptr_null(config.freeze_exclude);
        tree_file(&tree, ETC, "[Transition]\nFreezeAfterSec=0\nFreezeExclude=a.service  b@*.service\n");
        tree_file(&tree, ETC ".d/10-a.conf", "[Transition]\nFreezeExclude=c-[0-9].scope a.service\n");
        load();
        ck_assert_uint_eq(strv_length(warnings), 0);
        ck_assert_uint_eq(config.freeze_after_usec, 0);
        ck_assert_uint_eq(strv_length(config.freeze_exclude), 3);
        ck_assert_str_eq(config.freeze_exclude[2], "c-[0-9].scope");
        ck_assert(!config.freeze_exclude_unreadable);
}
END_TEST

/* It was meant to keep some unit from standing still: then none does. */
START_TEST(test_bad_freeze_exclude) {
        tree_file(&tree, ETC, "[Transition]\nFreezeExclude=a.service, b.service\n");
        load();
        ck_assert(config.freeze_exclude_unreadable);
        ck_assert_uint_eq(strv_length(warnings), 1);
        ck_assert_ptr_nonnull(strstr(warnings[0], "taking the strictest value"));
}
END_TEST

/* One value can be given once: nobody knows which of two was meant. */
START_TEST(test_given_twice) {
        tree_file(&tree, ETC, "[Trust]\nSignaturesMin=1\nSignaturesMin=2\n[Transition]\nTimeoutSec=1\nTimeoutSec=2\n");
        load();
        ck_assert_uint_eq(config.trust.signatures_min, HOTPATCH_SIGNATURES_MAX);
        ck_assert_uint_eq(config.transition_timeout_usec, 60 * USEC_PER_SEC);
        ck_assert_uint_ge(strv_length(warnings), 2);
}
END_TEST

START_TEST(test_not_a_configuration) {
        tree_file(&tree, ETC, "[Trust\nSignaturesMin=1\n");
        load();
        ck_assert_uint_eq(config.trust.signatures_min, HOTPATCH_SIGNATURES_MAX);
        ck_assert(config.trust.require_crl);
        ck_assert(config.forbid_unreadable);
        ck_assert_uint_eq(strv_length(warnings), 1);
        ck_assert_ptr_nonnull(strstr(warnings[0], "hotpatchd.conf:1:"));
}
END_TEST

/* The file that is installed says what the defaults are, and changes nothing. */
START_TEST(test_shipped) {
        _cleanup_free_ void *text = NULL;
        size_t size;

        ck_assert_ok(file_read_at(AT_FDCWD, HOTPATCH_SOURCE_ROOT "/daemon/hotpatchd.conf", 65536, &text, &size));
        tree_bytes(&tree, USR, text, size);
        load();
        assert_defaults();
        ck_assert_uint_eq(strv_length(warnings), 0);
        /* … and so it does without the comment signs */
        for (char *p = text; (p = strstr(p, "\n#")); p++)
                if (p[2] != ' ' && p[2] != '\n' && p[2] != '#')
                        p[1] = ' ';
        tree_bytes(&tree, USR, text, size);
        load();
        assert_defaults();
        ck_assert_uint_eq(strv_length(warnings), 0);
}
END_TEST

static Suite *config_suite(void) {
        Suite *s = suite_create("config");
        TCase *c = tcase_create("config");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_test(c, test_nothing);
        tcase_add_test(c, test_all);
        tcase_add_test(c, test_layers);
        tcase_add_test(c, test_masked);
        tcase_add_loop_test(c, test_spans, 0, ELEMENTSOF(spans));
        tcase_add_test(c, test_warnings);
        tcase_add_test(c, test_no_section);
        tcase_add_loop_test(c, test_bad_trust, 0, ELEMENTSOF(bad_trust));
        tcase_add_test(c, test_forbid);
        tcase_add_loop_test(c, test_bad_forbid, 0, ELEMENTSOF(bad_forbid));
        tcase_add_test(c, test_given_twice);
        tcase_add_test(c, test_freezing);
        tcase_add_test(c, test_bad_freeze_exclude);
        tcase_add_test(c, test_not_a_configuration);
        tcase_add_test(c, test_shipped);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(config_suite)
