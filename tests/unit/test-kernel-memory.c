/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "daemon/kernel-memory.h"
#include "tests/unit/unit.h"

/* Of a guest with 6.12, shortened to what counts and what must not be taken for it. */
#define MEMINFO                         \
        "MemTotal:        1000000 kB\n" \
        "MemFree:          500000 kB\n" \
        "MemAvailable:     700000 kB\n" \
        "Buffers:            7000 kB\n" \
        "Cached:           150000 kB\n" \
        "SwapCached:            0 kB\n" \
        "Active:           100000 kB\n" \
        "Inactive:         120000 kB\n" \
        "Active(anon):      60000 kB\n" \
        "Inactive(file):    90000 kB\n" \
        "Unevictable:        3000 kB\n" \
        "Mlocked:            3000 kB\n" \
        "Zswap:              1000 kB\n" \
        "Zswapped:           4000 kB\n" \
        "KReclaimable:      20000 kB\n" \
        "Slab:              70000 kB\n" \
        "SReclaimable:      20000 kB\n" \
        "SUnreclaim:        50000 kB\n" \
        "KernelStack:        2000 kB\n" \
        "PageTables:         1500 kB\n" \
        "SecPageTables:       500 kB\n" \
        "VmallocUsed:       30000 kB\n" \
        "HugePages_Total:       1\n"    \
        "Hugetlb:            2048 kB\n"

START_TEST(what_is_left_is_the_kernels) {
        KernelMemory m;

        ck_assert_ok(kernel_memory_parse(MEMINFO, "", &m));
        ck_assert_uint_eq(m.total, 1000000);
        ck_assert_uint_eq(m.kept, 1000000 - 500000 - 100000 - 120000 - 3000 - 1000 - 20000 - 2000 - 1500 - 500 - 2048);
}
END_TEST

/* Zram has no field; zswap on the same allocator is in both. */
START_TEST(compressed_swap_belongs_to_processes) {
        uint64_t page_kib = (uint64_t) sysconf(_SC_PAGESIZE) / 1024;
        KernelMemory without, m;

        ck_assert_ok(kernel_memory_parse(MEMINFO, "nr_zspages 1\nnr_zspages_more 7\n", &without));
        ck_assert_ok(kernel_memory_parse(MEMINFO, "nr_free_pages 125000\nnr_zspages 2500\nnr_free_cma 0\n", &m));
        ck_assert_uint_eq(without.kept - m.kept, 2500 * page_kib - 1000);
        ck_assert_ok(kernel_memory_parse(MEMINFO, "nr_zspages 18446744073709551615\n", &m));
        ck_assert_uint_eq(m.kept, 0);
        ck_assert_int_eq(kernel_memory_parse(MEMINFO, "nr_zspages many\n", &m), -EBADMSG);
}
END_TEST

static const struct {
        const char *text;
        int error;
        uint64_t kept;
} texts[] = {
        { "MemTotal: 100 kB\nMemFree: 60 kB\n", 0, 40 },
        { "MemFree: 60 kB\nMemTotal: 100 kB", 0, 40 },
        { "MemTotal: 100 kB\nMemFree: 60 kB\nActive: 50 kB\n", 0, 0 },
        { "MemTotal: 100 kB\nMemFree: 60 kB\nZswap: 18446744073709551615 kB\n", 0, 0 },
        { "MemTotal: 100 kB\nMemFree: 60 kB\nXActive: 7 kB\n", 0, 40 },
        { "", -EBADMSG, 0 },
        { "MemTotal: 100 kB\n", -EBADMSG, 0 },
        { "MemFree: 60 kB\n", -EBADMSG, 0 },
        { "MemTotal: 0 kB\nMemFree: 0 kB\n", -EBADMSG, 0 },
        { "MemTotal: many\nMemFree: 60 kB\n", -EBADMSG, 0 },
        { "MemTotal: 100 kB\nMemFree: 60 kB\nActive:\n", -EBADMSG, 0 },
        { "MemTotal: 100 kB\nMemFree: 99999999999999999999 kB\n", -EBADMSG, 0 },
};

START_TEST(texts_of_all_kinds) {
        KernelMemory m = { .kept = 12345 };
        int r = kernel_memory_parse(texts[_i].text, "", &m);

        ck_assert_int_eq(r, texts[_i].error);
        ck_assert_uint_eq(m.kept, r < 0 ? 12345 : texts[_i].kept);
}
END_TEST

START_TEST(this_machine_has_some) {
        _cleanup_kernel_free_ Kernel *k = NULL;
        KernelMemory m;

        ck_assert_ok(kernel_new("/", NULL, NULL, &k));
        ck_assert_ok(kernel_memory_read(k, &m));
        ck_assert_uint_gt(m.kept, 0);
        ck_assert_uint_lt(m.kept, m.total);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("kernel-memory");
        TCase *tc = tcase_create("kernel-memory");

        tcase_add_test(tc, what_is_left_is_the_kernels);
        tcase_add_test(tc, compressed_swap_belongs_to_processes);
        tcase_add_loop_test(tc, texts_of_all_kinds, 0, ELEMENTSOF(texts));
        tcase_add_test(tc, this_machine_has_some);
        suite_add_tcase(s, tc);
        return s;
}

UNIT_MAIN(suite)
