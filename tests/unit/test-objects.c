/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a configuration builds, who includes what, and what a file is by its name: on a small tree. */

#include "builder/source/objects-include.h"
#include "builder/source/objects-kind.h"
#include "dbus/errors.h"
#include "tests/unit/source-tree.h"
#include "util/strv.h"

static ObjectList *list;

static void setup(void) {
        _cleanup_free_ char *work = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;

        ck_assert_ok(hotpatch_errors_register());
        tree_setup();
        put("work/.keep", "");
        work = path_of("work");
        ck_assert_ok(object_list_open(&tree, tree.folder, work, &list, &error));
}

static void teardown(void) {
        list = object_list_free(list);
        tree_teardown();
}

/* All of them, in order. */
static const struct {
        const char *path, *module, *target;
} expected[] = {
        { "far/f.o", "big_one", "mod/../far/f.o" },
        { "kern/deep/d.o", "vmlinux", "kern/deep/d.o" },
        { "kern/one.o", "vmlinux", "kern/one.o" },
        { "kern/part.o", "vmlinux", "kern/part.o" },
        { "kern/some-module.o", "some_module", "kern/some-module.o" },
        { "kern/three.o", "vmlinux", "kern/three.o" },
        { "kern/two.o", "vmlinux", "kern/two.o" },
        { "lib/l.o", "vmlinux", "lib/l.o" },
        { "mod/a.o", "big_one", "mod/a.o" },
        { "mod/b.o", "big_one", "mod/b.o" },
        { "mod/b.o", "other", "mod/b.o" },
        { "mod/small.o", "small", "mod/small.o" },
};

static void check_list(const ObjectList *l) {
        for (size_t i = 0; i < l->n_objects && i < ELEMENTSOF(expected); i++) {
                ck_assert_str_eq(l->objects[i].path, expected[i].path);
                ck_assert_str_eq(l->objects[i].module, expected[i].module);
                ck_assert_str_eq(l->objects[i].target, expected[i].target);
        }
        ck_assert_uint_eq(l->n_objects, ELEMENTSOF(expected));
}

START_TEST(test_list) {
        size_t n;

        check_list(list);
        ck_assert(strv_contains(list->programs, "kern/gen"));
        ck_assert_str_eq(object_list_find(list, "mod/b.o", &n)->module, "big_one");
        ck_assert_uint_eq(n, 2);
        ck_assert_ptr_null(object_list_find(list, "kern/never.o", &n));
        ck_assert_ptr_null(object_list_find(list, "mod/builtin.o", &n)); /* in a folder of modules */
        ck_assert_ptr_null(object_list_find(list, "kern/sub/unreached.o", &n)); /* subdir-y */
}
END_TEST

/* The second time from the cache; with another configuration, anew. */
START_TEST(test_kept) {
        _cleanup_object_list_free_ ObjectList *again = NULL, *other = NULL;
        _cleanup_free_ char *work = path_of("work");
        sd_bus_error error = SD_BUS_ERROR_NULL;

        put("tree/Kbuild", "obj-y += kern/\n");
        ck_assert_ok(object_list_open(&tree, tree.folder, work, &again, &error));
        check_list(again);
        tree.config_sha256 = (char *) "01";
        ck_assert_ok(object_list_open(&tree, tree.folder, work, &other, &error));
        ck_assert_uint_lt(other->n_objects, again->n_objects);
}
END_TEST

START_TEST(test_broken_makefile) {
        _cleanup_free_ char *work = path_of("work");
        sd_bus_error error = SD_BUS_ERROR_NULL;
        ObjectList *l = NULL;

        put("tree/lib/Makefile", "$(error no)\n");
        tree.config_sha256 = (char *) "02";
        ck_assert_int_lt(object_list_open(&tree, tree.folder, work, &l, &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("ModuleBuildFailed"));
        sd_bus_error_free(&error);
}
END_TEST

static const struct {
        const char *path, *users[4];
} includes[] = {
        { "include/common.h", { "far/f.c", "kern/one.c", "kern/three.c" } }, /* whatever the conditions */
        { "include/quiet.h", { "kern/one.c", "kern/two.c" } },
        { "kern/body.c", { "kern/two.c" } },
        { "far/touched.h", { "kern/two.c" } }, /* by way of sub/way.h */
        { "kern/own/own.h", { "kern/deep/d.c" } }, /* by -I of a makefile */
        { "kern/one.c", { NULL } },
        { "include/none.h", { NULL } },
};

START_TEST(test_includes) {
        _cleanup_include_graph_free_ IncludeGraph *g = NULL;

        ck_assert_ok(include_graph_new(tree.folder, list, &g));
        for (size_t i = 0; i < ELEMENTSOF(includes); i++) {
                _cleanup_strv_free_ char **users = NULL;
                size_t n = 0;

                ck_assert_ok(include_graph_users(g, includes[i].path, &users));
                for (; includes[i].users[n]; n++) {
                        ck_assert_uint_lt(n, strv_length(users));
                        ck_assert_str_eq(users[n], includes[i].users[n]);
                }
                ck_assert_uint_eq(strv_length(users), n);
        }
}
END_TEST

static const struct {
        const char *path;
        FileKind kind;
} kinds[] = {
        { "fs/namespace.c", FILE_SOURCE },
        { "include/net/sock.h", FILE_INCLUDED },
        { "lib/raid6/int.uc", FILE_INCLUDED },
        { "arch/x86/entry/entry_64.S", FILE_ASSEMBLY },
        { "arch/x86/kernel/vmlinux.lds.S", FILE_ASSEMBLY },
        { "include/asm-generic/vmlinux.lds.h", FILE_BUILD },
        { "Makefile", FILE_BUILD },
        { "fs/Makefile", FILE_BUILD },
        { "arch/Kconfig", FILE_BUILD },
        { "drivers/Kconfig.debug", FILE_BUILD },
        { "arch/x86/Makefile.um", FILE_BUILD },
        { "arch/x86/entry/syscalls/syscall_64.tbl", FILE_BUILD },
        { "scripts/mod/modpost.c", FILE_BUILD },
        { "arch/x86/entry/vdso/vclock_gettime.c", FILE_BUILD },
        { "arch/x86/boot/compressed/misc.c", FILE_BUILD },
        { "tools/objtool/check.c", FILE_BUILD },
        { "tools/testing/selftests/net/a.c", FILE_IGNORED },
        { "tools/perf/Makefile.config", FILE_IGNORED },
        { "Documentation/Makefile", FILE_IGNORED },
        { "MAINTAINERS", FILE_IGNORED },
        { ".mailmap", FILE_IGNORED },
        { "net/README.txt", FILE_IGNORED },
        { "arch/arm64/kernel/signal.c", FILE_ELSEWHERE },
        { "arch/arm64/Kconfig", FILE_ELSEWHERE },
        { "arch/s390/include/asm/page.h", FILE_ELSEWHERE },
        { "samples/bpf/x.c", FILE_ELSEWHERE },
};

START_TEST(test_kinds) {
        ck_assert_msg(file_kind(kinds[_i].path) == kinds[_i].kind, "%s", kinds[_i].path);
}
END_TEST

START_TEST(test_normalize) {
        static const struct {
                const char *path, *normal;
        } paths[] = {
                { "a/b/../c", "a/c" }, { "./a//b/.", "a/b" }, { "a/../b", "b" }, { "a/..", "" },
                { "a/b/../../../c", NULL }, { "../a", NULL }, { "/a", NULL }, { "a/..b", "a/..b" },
                { "arch/x86/kvm/../../../virt/kvm/x.o", "virt/kvm/x.o" },
        };

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                _cleanup_free_ char *normal = NULL;
                int r = path_normalize(paths[i].path, &normal);

                ck_assert_int_eq(r, paths[i].normal ? 0 : -EINVAL);
                if (r == 0)
                        ck_assert_str_eq(normal, paths[i].normal);
        }
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("objects");
        TCase *t = tcase_create("objects");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_test(t, test_list);
        tcase_add_test(t, test_kept);
        tcase_add_test(t, test_broken_makefile);
        tcase_add_test(t, test_includes);
        tcase_add_loop_test(t, test_kinds, 0, ELEMENTSOF(kinds));
        tcase_add_test(t, test_normalize);
        tcase_set_timeout(t, 60);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
