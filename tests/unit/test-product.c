/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "ctl/metrics.h"
#include "ctl/product.h"
#include "tests/unit/unit.h"

static void check_id(const char *text, const char *expected) {
        _cleanup_free_ char *id = NULL;

        ck_assert_ok(os_release_id(text, &id));
        ck_assert_str_eq(id, expected);
}

START_TEST(the_id_is_read_as_a_shell_would) {
        check_id("", "linux");
        check_id("ID=debian\n", "debian");
        check_id("PRETTY_NAME=\"x\"\nVERSION_ID=1\nID=\"opensuse-leap\"", "opensuse-leap");
        check_id("ID=one\nID='two'\n", "two");
        check_id("XID=no\n", "linux");
        check_id("ID=Upper\n", "linux");
        check_id("ID=a b\n", "linux");
        check_id("ID=\n", "linux");
        check_id("ID=\"\n", "linux");
}
END_TEST

static void check_purl(const char *os, KernelFacts k, const char *expected) {
        _cleanup_free_ char *purl = NULL;

        ck_assert_ok(product_purl(os, &k, &purl));
        ck_assert_str_eq(purl, expected);
}

START_TEST(the_package_only_with_its_version) {
        KernelFacts debian = { "6.12.117+deb12-amd64", "x86_64", "#1 SMP Debian 6.12.117-1~bpo12+1 (2026-11-01)", "ab" };
        KernelFacts own = { "6.12.117+deb12-amd64", "x86_64", "#1 SMP PREEMPT Sat Nov 21", "ab" };
        KernelFacts other = { "6.1", "riscv64", "#1 SMP Debian 6.1-1 (x)", "" };

        check_purl("debian", debian, "pkg:deb/debian/linux-image-6.12.117%2Bdeb12-amd64@6.12.117-1~bpo12%2B1?arch=amd64");
        check_purl("debian", own, "pkg:generic/linux@6.12.117%2Bdeb12-amd64?arch=x86_64&build_id=ab");
        check_purl("fedora", debian, "pkg:generic/linux@6.12.117%2Bdeb12-amd64?arch=x86_64&build_id=ab");
        check_purl("debian", other, "pkg:generic/linux@6.1?arch=riscv64");
        check_purl("debian", (KernelFacts) { "6", "x86_64", "#1 Debian ", "" }, "pkg:generic/linux@6?arch=x86_64");
        check_purl("debian", (KernelFacts) { "6", "x86_64", "#1 Debian &?x", "" }, "pkg:generic/linux@6?arch=x86_64");
}
END_TEST

START_TEST(labels_are_escaped) {
        Snapshot s = { .manager = { .version = (char *) "a\"b\\c\nd", .release = (char *) "", .arch = (char *) "",
                .build_id = (char *) "", .disabled = (char *) "", .denied = (char *) "", .ineligible = (char *) "",
                .baseline_state = (char *) "of a newer daemon" } };
        _cleanup_free_ char *text = NULL;

        ck_assert_ok(metrics_text(&(MetricsInput) { &s, NULL }, &text));
        ck_assert_ptr_nonnull(strstr(text, "hotpatch_build_info{version=\"a\\\"b\\\\c\\nd\"} 1\n"));
        ck_assert_ptr_nonnull(strstr(text, "hotpatch_baseline_state{state=\"other\"} 1\n"));
        ck_assert_ptr_nonnull(strstr(text, "hotpatch_baseline_state{state=\"idle\"} 0\n"));
        ck_assert_str_eq(text + strlen(text) - strlen("# EOF\n"), "# EOF\n");
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("product");
        TCase *t = tcase_create("product");

        tcase_add_test(t, the_id_is_read_as_a_shell_would);
        tcase_add_test(t, the_package_only_with_its_version);
        tcase_add_test(t, labels_are_escaped);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
