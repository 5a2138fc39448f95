/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "ctl/cves.h"
#include "tests/unit/unit.h"
#include "util/strv.h"

#define MANAGER { .release = (char *) "6.1.0-50", .disabled = (char *) "", .denied = (char *) "", .ineligible = (char *) "", \
        .supported = true }
#define FIXES(...) .fixes = (char *[]) { __VA_ARGS__, NULL }
#define WITH_MODULE(module_name, patch_id, patch_state, ...)                                      \
        { .id = (char *) (patch_id), .state = (char *) (patch_state), .module = (char *) (module_name), __VA_ARGS__ }
#define PATCH(...) WITH_MODULE("hp", __VA_ARGS__)
#define A ((char *) "CVE-2026-1")
#define B ((char *) "CVE-2026-20")
#define C ((char *) "CVE-2026-3")

static Value *description(const char *text) {
        Value *v;

        ck_assert_ok(value_parse(text, &v));
        return v;
}

static CveList make(ManagerInfo manager, PatchInfo *patches, size_t n, const Value *const *descriptions) {
        static const Value *const nothing[16];
        Snapshot s = { .manager = manager, .patches = patches, .n_patches = n };
        CveList l;

        ck_assert_ok(cve_list_make(&s, descriptions ?: nothing, &l));
        return l;
}

static void expect(const CveList *l, size_t i, const char *id, CveState state, const char *reason) {
        ck_assert_uint_lt(i, l->n);
        ck_assert_str_eq(l->items[i].id, id);
        ck_assert_int_eq(l->items[i].state, state);
        if (reason)
                ck_assert_msg(strstr(strempty(l->items[i].reason), reason), "'%s': %s", reason, l->items[i].reason);
        else
                ck_assert_ptr_null(l->items[i].reason);
}

START_TEST(every_state_of_a_patch_has_a_verdict) {
        const struct {
                PatchInfo patch;
                CveState state;
                const char *reason;
        } rows[] = {
                { PATCH("p", "active", .tripped = 0), CVE_FIXED, NULL },
                { PATCH("p", "active", .wanted = true, .tripped = 3, .quarantined = true), CVE_FIXED, NULL },
                { PATCH("p", "transition"), CVE_UNDER_WAY, "being applied" },
                { PATCH("p", "removing"), CVE_UNDER_WAY, "being removed" },
                { PATCH("p", "pinned"), CVE_OPEN, "until the restart" },
                { PATCH("p", "failed"), CVE_OPEN, "could not" },
                { PATCH("p", "inactive", .wanted = true), CVE_OPEN, "without effect" },
                { PATCH("p", "staged"), CVE_STAGED, "not applied yet" },
                { WITH_MODULE("", "p", "staged"), CVE_OPEN, "not made for the kernel" },
                { PATCH("p", "staged", .quarantined = true), CVE_OPEN, "quarantined" },
                { PATCH("p", "staged", .rolled_back = true), CVE_OPEN, "trial" },
                { PATCH("p", "staged", .strikes = (char *[]) { (char *) "It went down", NULL }), CVE_OPEN, "went down" },
                { PATCH("p", "staged", .wanted = true), CVE_OPEN, "wanted" },
                { PATCH("p", "staged", .wanted = true, .restore_result = (char *) "forbidden"), CVE_OPEN, "forbids" },
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                PatchInfo patch = rows[i].patch;
                char *fixes[] = { A, NULL };
                CveList l;

                patch.fixes = fixes;
                l = make((ManagerInfo) MANAGER, &patch, 1, NULL);
                ck_assert_uint_eq(l.n, 1);
                expect(&l, 0, A, rows[i].state, rows[i].reason);
                cve_list_done(&l);
        }
}
END_TEST

START_TEST(a_closed_gate_leaves_open_what_is_staged) {
        PatchInfo patches[] = { PATCH("p", "staged", FIXES(A)), PATCH("q", "active", FIXES(B)) };
        ManagerInfo managers[] = { MANAGER, MANAGER, MANAGER, MANAGER };

        managers[0].supported = false;
        managers[1].disabled = (char *) "/etc/hotpatch/disable";
        managers[2].denied = (char *) "Hotpatch=no";
        managers[3].ineligible = (char *) "no TPM";
        for (size_t i = 0; i < ELEMENTSOF(managers); i++) {
                CveList l = make(managers[i], patches, 2, NULL);

                expect(&l, 0, B, CVE_FIXED, NULL); /* what is in force is in force */
                expect(&l, 1, A, CVE_OPEN, "");
                cve_list_done(&l);
        }
}
END_TEST

START_TEST(the_best_of_several_bundles_counts) {
        PatchInfo patches[] = {
                PATCH("old", "staged", FIXES(A, B), .quarantined = true), PATCH("new", "staged", FIXES(A, B)),
                PATCH("newer", "staged", FIXES(B)), PATCH("now", "active", FIXES(A)),
                PATCH("kpatch", "active", FIXES(C), .foreign = true),
        };
        CveList l = make((ManagerInfo) MANAGER, patches, ELEMENTSOF(patches), NULL);

        ck_assert_uint_eq(l.n, 2); /* other people's say nothing that is signed */
        expect(&l, 0, A, CVE_FIXED, NULL);
        ck_assert_str_eq(l.items[0].patches[0], "now");
        ck_assert_uint_eq(strv_length(l.items[0].patches), 1);
        expect(&l, 1, B, CVE_STAGED, "not applied yet");
        ck_assert_uint_eq(strv_length(l.items[1].patches), 2);
        ck_assert_uint_eq(cve_list_count(&l, CVE_STAGED), 1);
        ck_assert_uint_eq(cve_list_count(&l, CVE_OPEN), 0);
        cve_list_done(&l);
}
END_TEST

START_TEST(a_baseline_needs_a_restart_until_its_kernel_runs) {
        PatchInfo patches[] = {
                WITH_MODULE("", "base", "staged", FIXES(A, B)), PATCH("hp", "staged", FIXES(A)),
        };
        _cleanup_value_ Value *base = description("{\"kind\": \"baseline\", \"kernel_release\": \"6.1.0-51\", \"fixes\": "
                "[{\"id\": \"CVE-2026-20\", \"severity\": \"critical\", \"summary\": \"Deep\", \"references\": [\"x\", \"y\"]}]}");
        _cleanup_value_ Value *hotpatch = description("{\"kind\": \"hotpatch\", \"kernel_release\": null, \"fixes\": []}");
        const Value *const descriptions[] = { base, hotpatch };
        ManagerInfo manager = MANAGER;
        CveList l = make(manager, patches, 2, descriptions);

        expect(&l, 0, A, CVE_STAGED, "not applied yet");
        expect(&l, 1, B, CVE_RESTART, "restart");
        ck_assert_str_eq(l.items[1].severity, "critical");
        ck_assert_str_eq(l.items[1].summary, "Deep");
        ck_assert_uint_eq(strv_length(l.items[1].references), 2);
        ck_assert_ptr_null(l.items[0].severity);
        cve_list_done(&l);
        manager.release = (char *) "6.1.0-51";
        l = make(manager, patches, 2, descriptions);
        expect(&l, 0, A, CVE_FIXED, NULL);
        expect(&l, 1, B, CVE_FIXED, NULL);
        cve_list_done(&l);
}
END_TEST

START_TEST(only_those_that_are_asked_for) {
        PatchInfo patches[] = { PATCH("p", "active", FIXES(A, B)) };
        CveList l = make((ManagerInfo) MANAGER, patches, 1, NULL);

        ck_assert_ok(cve_list_select(&l, (char *[]) { C, (char *) "cve-2026-1", A, NULL }));
        ck_assert_uint_eq(l.n, 2);
        expect(&l, 0, C, CVE_UNKNOWN, NULL);
        expect(&l, 1, A, CVE_FIXED, NULL);
        ck_assert_uint_eq(cve_list_count(&l, CVE_UNKNOWN), 1);
        cve_list_done(&l);
}
END_TEST

START_TEST(nothing_is_a_list_too) {
        CveList l = make((ManagerInfo) MANAGER, NULL, 0, NULL);

        ck_assert_uint_eq(l.n, 0);
        cve_list_done(&l);
        for (CveState s = 0; s < _CVE_STATE_MAX; s++)
                ck_assert_ptr_nonnull(cve_state_to_string(s));
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("ctl-cves");
        TCase *t = tcase_create("cves");

        tcase_add_test(t, every_state_of_a_patch_has_a_verdict);
        tcase_add_test(t, a_closed_gate_leaves_open_what_is_staged);
        tcase_add_test(t, the_best_of_several_bundles_counts);
        tcase_add_test(t, a_baseline_needs_a_restart_until_its_kernel_runs);
        tcase_add_test(t, only_those_that_are_asked_for);
        tcase_add_test(t, nothing_is_a_list_too);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
