/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>

#include "config/config.h"
#include "config/values.h"
#include "tests/unit/tree.h"
#include "util/limits.h"
#include "util/strv.h"

static Tree tree;
static Config *config;
static char **warnings;

static void setup(void) {
        tree = tree_new();
}

static void teardown(void) {
        config = config_unref(config);
        warnings = strv_free(warnings);
        tree_free(&tree);
}

static void load(void) {
        config = config_unref(config);
        warnings = strv_free(warnings);
        ck_assert_ok(config_load(tree.root, &config, &warnings));
        ck_assert_ptr_nonnull(warnings);
}

#define USR "usr/lib/hotpatch/hotpatchd.conf"
#define ETC "etc/hotpatch/hotpatchd.conf"

static void assert_defaults(void) {
        ck_assert_uint_eq(config->trust.signatures_min, 1);
        ck_assert(!config->trust.require_crl);
        ck_assert_ptr_null(config->forbid);
        ck_assert(!config->forbid_unreadable);
        ck_assert_uint_eq(config->transition_timeout_usec, 60 * USEC_PER_SEC);
        ck_assert_uint_eq(config->idle_timeout_usec, 60 * USEC_PER_SEC);
        ck_assert(config->hotpatch);
        ck_assert_uint_eq(config->require, 0);
        ck_assert(!config->baseline.enabled);
        ck_assert_uint_eq(config->baseline.calendar.months, 1 << 0 | 1 << 3 | 1 << 6 | 1 << 9);
        ck_assert_int_eq(config->baseline.calendar.day.nth, 3);
        ck_assert_uint_eq(config->baseline.calendar.day.weekday, WEEKDAY_TUESDAY);
        ck_assert_str_eq(config->baseline.calendar.window.text, "22:00");
        ck_assert_uint_eq(config->baseline.calendar.deadline_usec, 14 * VALUE_USEC_PER_DAY);
        ck_assert_str_eq(config->baseline.backend, "apt");
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
        ck_assert_uint_eq(config->trust.signatures_min, 2);
        ck_assert(config->trust.require_crl);
        ck_assert_uint_eq(config->transition_timeout_usec, 300 * USEC_PER_SEC);
        ck_assert_uint_eq(config->idle_timeout_usec, 90 * USEC_PER_SEC);
}
END_TEST

START_TEST(test_layers) {
        tree_file(&tree, USR, "[Trust]\nSignaturesMin=2\n[Service]\nIdleTimeoutSec=5\n");
        load();
        ck_assert_uint_eq(config->trust.signatures_min, 2);
        tree_file(&tree, USR ".d/10-vendor.conf", "[Trust]\nSignaturesMin=3\n");
        load();
        ck_assert_uint_eq(config->trust.signatures_min, 3);
        /* the file in /etc takes the place of the one in /usr, whole, and not of the drop-ins */
        tree_file(&tree, ETC, "[Trust]\nSignaturesMin=4\n");
        load();
        ck_assert_uint_eq(config->trust.signatures_min, 3);
        ck_assert_uint_eq(config->idle_timeout_usec, 60 * USEC_PER_SEC);
        /* a drop-in of the same name hides the vendor's */
        tree_file(&tree, ETC ".d/10-vendor.conf", "[Service]\nIdleTimeoutSec=7\n");
        load();
        ck_assert_uint_eq(config->trust.signatures_min, 4);
        ck_assert_uint_eq(config->idle_timeout_usec, 7 * USEC_PER_SEC);
        tree_file(&tree, ETC ".d/20-site.conf", "[Trust]\nSignaturesMin=5\n");
        load();
        ck_assert_uint_eq(config->trust.signatures_min, 5);
        ck_assert_uint_eq(strv_length(warnings), 0);
}
END_TEST

/* A file that joins the others: what is said of them is not said of it, and one of its name makes room. */
START_TEST(test_check) {
        _cleanup_free_ char *draft = tree_path(&tree, "draft/50-site.conf");
        char expected[512];

        tree_file(&tree, ETC, "[Trust]\nSignaturesMin=nine\n");
        tree_file(&tree, ETC ".d/50-site.conf", "[Baseline]\nDay=first Tue\nWindow=Mon 22:00\nDeadlineSec=1d\n");
        tree_file(&tree, "draft/50-site.conf", "[Trust]\nSignaturesMin=2\n");
        ck_assert_ok(config_check(tree.root, draft, &warnings));
        ck_assert_uint_eq(strv_length(warnings), 0);
        warnings = strv_free(warnings);

        tree_file(&tree, "draft/50-site.conf", "[Trust]\nSignaturesMin=2\n\n[Policy]\nRign=a\n");
        ck_assert_ok(config_check(tree.root, draft, &warnings));
        ck_assert_uint_eq(strv_length(warnings), 1);
        snprintf(expected, sizeof(expected), "%s:5: unknown key 'Rign' in section [Policy], ignoring it", draft);
        ck_assert_str_eq(warnings[0], expected);
        warnings = strv_free(warnings);

        /* What makes a window late may stand in two files. */
        tree_file(&tree, ETC ".d/50-site.conf", "");
        tree_file(&tree, ETC ".d/60-more.conf", "[Baseline]\nDay=first Tue\nWindow=Mon 22:00\n");
        tree_file(&tree, "draft/50-site.conf", "[Baseline]\nDeadlineSec=1d\n");
        ck_assert_ok(config_check(tree.root, draft, &warnings));
        ck_assert_uint_eq(strv_length(warnings), 1);
        ck_assert_ptr_nonnull(strstr(warnings[0], "begins after its deadline"));
        warnings = strv_free(warnings);
        /* It was so before. */
        tree_file(&tree, ETC ".d/70-late.conf", "[Baseline]\nDeadlineSec=1d\n");
        ck_assert_ok(config_check(tree.root, draft, &warnings));
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
        { "1d", 86400 }, { "2d", UINT64_MAX }, { "1w", UINT64_MAX },
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
        ck_assert_uint_eq(config->transition_timeout_usec,
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
        ck_assert_uint_eq(config->trust.signatures_min, HOTPATCH_SIGNATURES_MAX);
        ck_assert(config->trust.require_crl);
        ck_assert_uint_eq(strv_length(warnings), 2);
        ck_assert_ptr_nonnull(strstr(warnings[0], "taking the strictest value"));
}
END_TEST

static void assert_forbid(const char *expected) {
        char text[1024] = "";

        for (char **p = config->forbid; p && *p; p++)
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
        ck_assert(!config->forbid_unreadable);
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
        ck_assert_msg(config->forbid_unreadable, "%s", bad_forbid[_i]);
        ck_assert_uint_eq(strv_length(warnings), 1);
        ck_assert_ptr_nonnull(strstr(warnings[0], "'Forbid' of [Policy] must be patterns"));
        ck_assert_ptr_nonnull(strstr(warnings[0], "taking the strictest value"));
}
END_TEST

START_TEST(test_freezing) {
        load();
        ck_assert_uint_eq(config->freeze_after_usec, 5 * USEC_PER_SEC);
        ck_assert_ptr_null(config->freeze_exclude);
        tree_file(&tree, ETC, "[Transition]\nFreezeAfterSec=0\nFreezeExclude=a.service  b@*.service\n");
        tree_file(&tree, ETC ".d/10-a.conf", "[Transition]\nFreezeExclude=c-[0-9].scope a.service\n");
        load();
        ck_assert_uint_eq(strv_length(warnings), 0);
        ck_assert_uint_eq(config->freeze_after_usec, 0);
        ck_assert_uint_eq(strv_length(config->freeze_exclude), 3);
        ck_assert_str_eq(config->freeze_exclude[2], "c-[0-9].scope");
        ck_assert(!config->freeze_exclude_unreadable);
}
END_TEST

/* It was meant to keep some unit from standing still: then none does. */
START_TEST(test_bad_freeze_exclude) {
        tree_file(&tree, ETC, "[Transition]\nFreezeExclude=a.service, b.service\n");
        load();
        ck_assert(config->freeze_exclude_unreadable);
        ck_assert_uint_eq(strv_length(warnings), 1);
        ck_assert_ptr_nonnull(strstr(warnings[0], "taking the strictest value"));
}
END_TEST

/* One value can be given once: nobody knows which of two was meant. */
START_TEST(test_given_twice) {
        tree_file(&tree, ETC, "[Trust]\nSignaturesMin=1\nSignaturesMin=2\n[Transition]\nTimeoutSec=1\nTimeoutSec=2\n");
        load();
        ck_assert_uint_eq(config->trust.signatures_min, HOTPATCH_SIGNATURES_MAX);
        ck_assert_uint_eq(config->transition_timeout_usec, 60 * USEC_PER_SEC);
        ck_assert_uint_ge(strv_length(warnings), 2);
}
END_TEST

START_TEST(test_not_a_configuration) {
        tree_file(&tree, ETC, "[Trust\nSignaturesMin=1\n");
        load();
        ck_assert_uint_eq(config->trust.signatures_min, HOTPATCH_SIGNATURES_MAX);
        ck_assert(config->trust.require_crl);
        ck_assert(config->forbid_unreadable);
        ck_assert_uint_eq(strv_length(warnings), 1);
        ck_assert_ptr_nonnull(strstr(warnings[0], "hotpatchd.conf:1:"));
}
END_TEST

/* The file that is installed says what the defaults are, every one of them, and changes nothing. */
START_TEST(test_shipped) {
        _cleanup_free_ void *text = NULL;
        size_t size;

        ck_assert_ok(file_read_at(AT_FDCWD, HOTPATCH_SOURCE_ROOT "/config/hotpatchd.conf", 65536, &text, &size));
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
        for (size_t i = 0; i < config_n_settings(); i++) {
                _cleanup_(config_setting_done) ConfigSetting s = { 0 };

                ck_assert_ok(config_setting(config, i, &s));
                ck_assert_msg(s.origin->where || !*s.fallback, "%s of [%s] is not in the file", s.name, s.section);
        }
}
END_TEST

/* --- where values come from --- */

static ConfigSetting setting(const char *name) {
        ConfigSetting s = { 0 };

        for (size_t i = 0; i < config_n_settings(); i++) {
                ck_assert_ok(config_setting(config, i, &s));
                if (streq(s.name, name))
                        return s;
                config_setting_done(&s);
        }
        ck_abort_msg("no setting '%s'", name);
}

static void assert_setting(const char *name, const char *value, const char *where, bool strictest) {
        _cleanup_(config_setting_done) ConfigSetting s = setting(name);
        char text[1024] = "";

        for (char **w = s.origin->where; w && *w; w++)
                snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", *text ? " " : "", *w);
        ck_assert_str_eq(s.value, value);
        ck_assert_str_eq(text, where);
        ck_assert_int_eq(s.origin->strictest, strictest);
}

static void assert_denial(const char *expected) {
        _cleanup_free_ char *why = NULL;

        ck_assert_ok(config_denial(config, &why));
        ck_assert_pstr_eq(why, expected);
}

/* Without a file each value is the default in the words of the table. */
START_TEST(test_defaults_are_shown) {
        load();
        for (size_t i = 0; i < config_n_settings(); i++) {
                _cleanup_(config_setting_done) ConfigSetting s = { 0 };

                ck_assert_ok(config_setting(config, i, &s));
                ck_assert_ptr_null(s.origin->where);
                ck_assert(!s.origin->strictest);
                /* the largest unit is shown, and some defaults are written with a smaller one */
                if (!streq(s.name, "MaxSec") && !streq(s.name, "TimeoutSec") && !streq(s.name, "DeferMaxSec") &&
                    !streq(s.name, "CheckIntervalSec") && !streq(s.name, "IdleTimeoutSec"))
                        ck_assert_str_eq(s.value, s.fallback);
        }
        assert_setting("MaxSec", "1d", "", false);
        assert_setting("TimeoutSec", "1min", "", false);
}
END_TEST

START_TEST(test_origins) {
        tree_file(&tree, USR, "[Policy]\nHotpatch=no\nForbid=mm/\n");
        tree_file(&tree, ETC ".d/10-a.conf", "# who\n\n[Policy]\nForbid=fs/\nRequire=tpm2\n[Baseline]\nBusy=\n");
        tree_file(&tree, ETC ".d/20-b.conf", "[Policy]\nHotpatch=yes\nRequire=secure-boot tpm2\nRing=early\n");
        load();
        ck_assert_uint_eq(strv_length(warnings), 0);
        /* the last one counts, or all that contributed */
        assert_setting("Hotpatch", "yes", "/etc/hotpatch/hotpatchd.conf.d/20-b.conf:2", false);
        assert_setting("Forbid", "mm/ fs/",
                "/usr/lib/hotpatch/hotpatchd.conf:3 /etc/hotpatch/hotpatchd.conf.d/10-a.conf:4", false);
        assert_setting("Require", "secure-boot tpm2",
                "/etc/hotpatch/hotpatchd.conf.d/10-a.conf:5 /etc/hotpatch/hotpatchd.conf.d/20-b.conf:3", false);
        assert_setting("Ring", "early", "/etc/hotpatch/hotpatchd.conf.d/20-b.conf:4", false);
        assert_setting("Busy", "", "/etc/hotpatch/hotpatchd.conf.d/10-a.conf:7", false);
        ck_assert(config->hotpatch);
        ck_assert_uint_eq(config->require, 1 << CHECK_SECURE_BOOT | 1 << CHECK_TPM2);
        ck_assert_str_eq(config->ring, "early");
}
END_TEST

/* The switch, and what is demanded: what cannot be read is no, and everything. */
START_TEST(test_bad_policy) {
        tree_file(&tree, ETC, "[Policy]\nHotpatch=perhaps\nRequire=tpm2 tmp\nPreviewArchitectures=aarch64 ../x\n");
        load();
        ck_assert_uint_eq(strv_length(warnings), 3);
        ck_assert(!config->hotpatch);
        ck_assert_uint_eq(config->require & (1 << CHECK_LOCKDOWN | 1 << CHECK_BASELINE | 1 << CHECK_TPM2),
                1 << CHECK_LOCKDOWN | 1 << CHECK_BASELINE | 1 << CHECK_TPM2);
        assert_setting("Hotpatch", "no", "/etc/hotpatch/hotpatchd.conf:2", true);
        assert_denial("'Hotpatch' cannot be read at /etc/hotpatch/hotpatchd.conf:2, which counts as 'no'");
        /* repaired by a later file */
        tree_file(&tree, ETC ".d/10-a.conf", "[Policy]\nHotpatch=yes\n");
        load();
        ck_assert(config->hotpatch);
        assert_denial(NULL);
        assert_setting("Hotpatch", "yes", "/etc/hotpatch/hotpatchd.conf.d/10-a.conf:2", false);
}
END_TEST

/* … also when others can be read. */
START_TEST(test_one_of_several_is_unreadable) {
        tree_file(&tree, USR, "[Service]\nIdleTimeoutSec=5\n");
        tree_file(&tree, ETC ".d/10-a.conf", "[Policy]\nHotpatch=yes\n");
        tree_file(&tree, ETC ".d/20-b.conf", "[Policy\n");
        load();
        ck_assert(!config->hotpatch);
        assert_setting("Hotpatch", "no", "/etc/hotpatch/hotpatchd.conf.d/20-b.conf:1", true);
        load();
        ck_assert(!config->hotpatch);
}
END_TEST

START_TEST(test_unreadable_file_denies) {
        tree_file(&tree, ETC, "[Policy\nHotpatch=yes\n");
        load();
        ck_assert(!config->hotpatch);
        ck_assert(!config->baseline.enabled);
        ck_assert_str_eq(config->baseline.calendar.window.text, "22:00");
}
END_TEST

/* --- the year --- */

static const struct {
        const char *key;
        const char *text;
        const char *shown; /* NULL: a bad value */
        const char *strictest; /* which is taken in its place; NULL: none */
} year[] = {
        { "Months", "1 4 7 10", "1 4 7 10" },
        { "Months", "October jan  APRIL", "1 4 10" },
        { "Months", "12 12", "12" },
        { "Months", "", NULL }, { "Months", "0", NULL }, { "Months", "13", NULL }, { "Months", "Janu", NULL },
        { "Months", "1,4", NULL },
        { "Day", "second Tue +7d", "second Tue +7d" },
        { "Day", "LAST friday", "last Fri" },
        { "Day", "first Sun", "first Sun" },
        { "Day", "28", "28" },
        { "Day", "1 +27d", "1 +27d" },
        { "Day", "fourth Wednesday  +0d", "fourth Wed" },
        { "Day", "", NULL }, { "Day", "0", NULL }, { "Day", "29", NULL }, { "Day", "fifth Tue", NULL },
        { "Day", "third", NULL }, { "Day", "Tue", NULL }, { "Day", "third Tues", NULL }, { "Day", "thi Tue", NULL },
        { "Day", "third Tue 7d", NULL }, { "Day", "third Tue +7", NULL }, { "Day", "third Tue +28d", NULL },
        { "Day", "third Tue +7d +1d", NULL }, { "Day", "third Tue +d", NULL }, { "Day", "15th", NULL },
        { "Window", "Sat,Sun 01:30", "Sat,Sun 01:30" }, { "Window", "*-*-* 22:00:00 Europe/Berlin", "*-*-* 22:00:00 Europe/Berlin" },
        { "Window", "", NULL }, { "Window", "22:00; reboot", NULL }, { "Window", "22", NULL },
        { "Window", "*-01-15 22:00", NULL }, { "Window", "22:00 Europe/Nowhere", NULL },
        { "WindowLengthSec", "90min", "90min" }, { "WindowLengthSec", "7d", "7d" },
        { "WindowLengthSec", "1min", NULL }, { "WindowLengthSec", "8d", NULL },
        { "DeadlineSec", "1d", "1d" }, { "DeadlineSec", "0", NULL }, { "DeadlineSec", "23h", NULL }, { "DeadlineSec", "2w", "14d" }, { "DeadlineSec", "91d", NULL },
        { "Deferrals", "0", "0" }, { "Deferrals", "101", NULL }, { "Deferrals", "-1", NULL },
        { "DeferMaxSec", "36h", "36h" }, { "DeferMaxSec", "32d", NULL },
        { "Busy", "battery", "battery" }, { "Busy", "", "" }, { "Busy", "user", NULL, "users inhibitors battery" },
        { "Backend", "dnf", "dnf" }, { "Backend", "../sh", NULL }, { "Backend", "", NULL }, { "Backend", "-x", NULL },
        { "RebootMethod", "kexec", "kexec" }, { "RebootMethod", "halt", NULL },
        { "Enable", "no", "no" }, { "Enable", "", NULL, "no" }, { "Enable", "nein", NULL, "no" },
};

START_TEST(test_year) {
        _cleanup_(config_setting_done) ConfigSetting s = { 0 };
        char text[128];

        snprintf(text, sizeof(text), "[Baseline]\n%s=%s\n", year[_i].key, year[_i].text);
        tree_file(&tree, ETC, text);
        load();
        ck_assert_msg(strv_length(warnings) == !year[_i].shown, "%s=%s: %s", year[_i].key, year[_i].text,
                strempty(warnings[0]));
        s = setting(year[_i].key);
        if (year[_i].shown)
                ck_assert_str_eq(s.value, year[_i].shown);
        else if (year[_i].strictest) {
                ck_assert_str_eq(s.value, year[_i].strictest);
                ck_assert(s.origin->strictest);
        } else
                ck_assert_ptr_null(s.origin->where);
}
END_TEST

/* Sundays only, and the baseline day is a Tuesday. */
START_TEST(test_late_window) {
        tree_file(&tree, ETC, "[Baseline]\nWindow=Sun 22:00\nDeadlineSec=3d\n");
        load();
        ck_assert_uint_eq(strv_length(warnings), 1);
        ck_assert_ptr_nonnull(strstr(warnings[0], "begins after its deadline"));
        tree_file(&tree, ETC, "[Baseline]\nWindow=Sun 22:00\nDeadlineSec=6d\n");
        load();
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
        tcase_add_test(c, test_check);
        tcase_add_test(c, test_masked);
        tcase_add_loop_test(c, test_spans, 0, ELEMENTSOF(spans));
        tcase_add_test(c, test_warnings);
        tcase_add_test(c, test_late_window);
        tcase_add_test(c, test_no_section);
        tcase_add_loop_test(c, test_bad_trust, 0, ELEMENTSOF(bad_trust));
        tcase_add_test(c, test_forbid);
        tcase_add_loop_test(c, test_bad_forbid, 0, ELEMENTSOF(bad_forbid));
        tcase_add_test(c, test_given_twice);
        tcase_add_test(c, test_freezing);
        tcase_add_test(c, test_bad_freeze_exclude);
        tcase_add_test(c, test_not_a_configuration);
        tcase_add_test(c, test_shipped);
        tcase_add_test(c, test_defaults_are_shown);
        tcase_add_test(c, test_origins);
        tcase_add_test(c, test_bad_policy);
        tcase_add_test(c, test_unreadable_file_denies);
        tcase_add_test(c, test_one_of_several_is_unreadable);
        tcase_add_loop_test(c, test_year, 0, ELEMENTSOF(year));
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(config_suite)
