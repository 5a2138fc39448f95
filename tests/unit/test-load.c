/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "dbus/errors.h"
#include "livepatch/load.h"
#include "tests/unit/tree.h"

/* A kernel that gives one answer, and says something in its log first. */
typedef struct Script {
        Tree *tree;
        const char *log;
        int answer;
        unsigned calls;
} Script;

static int script_insert(void *userdata, const char *path) {
        Script *s = userdata;

        s->calls++;
        ck_assert_str_eq(path, "/run/hotpatch/load/hp_x.ko");
        if (s->log) {
                _cleanup_close_ int fd =
                                openat(s->tree->fd, "dev/kmsg", O_WRONLY | O_APPEND | O_CLOEXEC);

                ck_assert_int_ge(fd, 0);
                ck_assert_ok(file_write_all(fd, s->log, strlen(s->log)));
        }
        return s->answer;
}

static int script_remove(void *userdata, const char *name) {
        Script *s = userdata;

        s->calls++;
        ck_assert_str_eq(name, "hp_x");
        return s->answer;
}

static const ModuleOps script_ops = { .insert = script_insert, .remove = script_remove };

static void kernel_ready(const Tree *t) {
        tree_file(t, "dev/kmsg", "3,1,1,-;livepatch: symbol 'old' not found in symbol table\n");
        tree_directory(t, "sys/kernel/livepatch");
        tree_file(t, "proc/sys/kernel/ftrace_enabled", "1\n");
}

static const struct {
        int answer;
        const char *log;
        const char *file, *content; /* what else is true of this kernel */
        const char *name;
        const char *said; /* in the message */
} refusals[] = {
                {-EEXIST, NULL, NULL, NULL, "ModuleNameInUse", "'hp_x'"},
                {-EKEYREJECTED, NULL, NULL, NULL, "ModuleSignatureRequired",
                                "not signed with a key"},
                {-ENOKEY, NULL, NULL, NULL, "ModuleSignatureRequired", "not signed with a key"},
                {-EPERM, NULL, "sys/kernel/security/lockdown", "none [integrity] confidentiality\n",
                                "ModuleSignatureRequired", "locked down"},
                {-EPERM, NULL, NULL, NULL, "RefusedByKernel", "Operation not permitted"},
                {-EPERM, "3,2,2,-;livepatch: pre-patch callback failed for object 'vmlinux'\n",
                                "sys/kernel/security/lockdown",
                                "none [integrity] confidentiality\n", "RefusedByModule",
                                "\nlivepatch: pre-patch callback failed for object 'vmlinux'"},
                {-ENODEV, "3,2,2,-;hotpatch: hp_x: self-test 'f' refused the patch: error -19\n",
                                NULL, NULL, "RefusedByModule",
                                "\nhotpatch: hp_x: self-test 'f' refused"},
                {-EBUSY, NULL, "proc/sys/kernel/ftrace_enabled", "0\n", "FtraceDisabled",
                                "ftrace_enabled"},
                {-EBUSY,
                                "3,2,2,-;livepatch: failed to register ftrace handler for function "
                                "'f' (-16)\n",
                                "proc/sys/kernel/ftrace_enabled", "0\n", "FtraceDisabled",
                                "is off"},
                {-EBUSY, NULL, "sys/kernel/livepatch/kpatch_y/transition", "1\n",
                                "TransitionInProgress", "transition"},
                {-EBUSY,
                                "3,2,2,-;livepatch: failed to register ftrace handler for function "
                                "'f' (-16)\n",
                                NULL, NULL, "FunctionBusy", "function 'f'"},
                {-EBUSY, NULL, NULL, NULL, "RefusedByKernel", "busy"},
                {-EINVAL, "3,2,2,-;livepatch: symbol 'f' not found in symbol table\n", NULL, NULL,
                                "FunctionNotFound", "symbol 'f'"},
                {-EINVAL,
                                "3,2,2,-;livepatch: unresolvable ambiguity for symbol 'f' in "
                                "object '(null)'\n",
                                NULL, NULL, "FunctionAmbiguous", "symbol 'f'"},
                {-EINVAL, "3,2,2,-;livepatch: failed to find location for function 'f'\n", NULL,
                                NULL, "FunctionNotTraceable", "function 'f'"},
                {-EINVAL,
                                "3,2,2,-;livepatch: Livepatch patch (hp_x) is not compatible with "
                                "the already installed "
                                "livepatches.\n",
                                NULL, NULL, "Conflict", "not compatible"},
                {-EINVAL, "3,2,2,-;livepatch: module hp_x is not marked as a livepatch module\n",
                                NULL, NULL, "NotALivepatch", "module hp_x"},
                {-EINVAL, NULL, NULL, NULL, "RefusedByKernel", "Invalid argument"},
                {-ENOEXEC, "3,2,2,-;hp_x: version magic '6.1 SMP' should be '6.12 SMP'\n", NULL,
                                NULL, "RefusedByKernel", "\nhp_x: version magic"},
};

START_TEST(every_refusal_has_its_name) {
        Tree t;
        Script s = { .tree = &t, .log = refusals[_i].log, .answer = refusals[_i].answer };
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *name = NULL;

        ck_assert_ok(hotpatch_errors_register());
        ck_assert_int_ge(asprintf(&name, "%s%s", HOTPATCH_ERROR(""), refusals[_i].name), 0);
        t = tree_new_with(&script_ops, &s);
        kernel_ready(&t);
        if (refusals[_i].file) {
                tree_file(&t, refusals[_i].file, refusals[_i].content);
        }
        ck_assert_int_lt(module_load(t.kernel, "/run/hotpatch/load/hp_x.ko", &error), 0);
        ck_assert_str_eq(error.name, name);
        ck_assert_ptr_nonnull(hotpatch_error_find(error.name));
        ck_assert_msg(strstr(error.message, refusals[_i].said), "%s", error.message);
        ck_assert_msg(!strstr(error.message, "'old'"), "%s", error.message);
        ck_assert_uint_eq(s.calls, 1);
        tree_free(&t);
}
END_TEST

START_TEST(no_livepatch_support) {
        Tree t;
        Script s = { .tree = &t, .answer = -ENOEXEC };
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

        t = tree_new_with(&script_ops, &s);
        ck_assert_int_lt(module_load(t.kernel, "/run/hotpatch/load/hp_x.ko", &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("NoLivepatchSupport"));
        tree_free(&t);
}
END_TEST

START_TEST(success_and_bad_paths) {
        Tree t;
        Script s = { .tree = &t };
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        static const char *const bad[] = {"", ".ko", "/run/.ko", "/run/hp_x", "/run/hp x.ko",
                        "/run/...ko",
                        "/run/a_name_of_more_than_fifty_five_characters_is_no_module_name.ko"};

        t = tree_new_with(&script_ops, &s);
        ck_assert_ok(module_load(t.kernel, "/run/hotpatch/load/hp_x.ko", &error));
        ck_assert(!sd_bus_error_is_set(&error));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                ck_assert_int_eq(module_load(t.kernel, bad[i], &error), -EINVAL);
        ck_assert_uint_eq(s.calls, 1);
        tree_free(&t);
}
END_TEST

static int unload(int answer, const char *enabled, const char *transition, sd_bus_error *error) {
        Tree t;
        Script s = { .tree = &t, .answer = answer };
        int r;

        ck_assert_ok(hotpatch_errors_register());
        t = tree_new_with(&script_ops, &s);
        tree_livepatch(&t, "hp_x", enabled, transition, "1\n");
        r = module_unload(t.kernel, "hp_x", error);
        ck_assert_uint_eq(s.calls, 1);
        tree_free(&t);
        return r;
}

START_TEST(unloading) {
        _cleanup_(sd_bus_error_free) sd_bus_error busy = SD_BUS_ERROR_NULL,
                                                  held = SD_BUS_ERROR_NULL,
                                                  refused = SD_BUS_ERROR_NULL;

        ck_assert_ok(unload(0, NULL, NULL, &busy));
        ck_assert_ok(unload(-ENOENT, NULL, NULL, &busy));
        ck_assert(!sd_bus_error_is_set(&busy));
        ck_assert_int_eq(unload(-EAGAIN, "0\n", "1\n", &busy), -EBUSY);
        ck_assert_str_eq(busy.name, HOTPATCH_ERROR("Busy"));
        ck_assert_ptr_nonnull(strstr(busy.message, "unpatching"));
        ck_assert_int_eq(unload(-EAGAIN, NULL, NULL, &held), -EBUSY);
        ck_assert_ptr_nonnull(strstr(held.message, "held"));
        ck_assert_int_lt(unload(-EPERM, NULL, NULL, &refused), 0);
        ck_assert_str_eq(refused.name, HOTPATCH_ERROR("RefusedByKernel"));
}
END_TEST

/* The real libkmod, on files that the kernel would never take; works without root as well. */
START_TEST(libkmod_reports_errors) {
        char *scratch = scratch_new();
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;

        ck_assert_int_ge(asprintf(&path, "%s/hp_x.ko", scratch), 0);
        ck_assert_int_lt(module_ops_kmod.insert(NULL, path), 0);
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ck_assert_ok(file_write_all(fd, "no module", 9));
        ck_assert_int_lt(module_ops_kmod.insert(NULL, path), 0);
        ck_assert_int_lt(module_ops_kmod.remove(NULL, "hotpatch_no_such_module"), 0);
        scratch_free(scratch);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("load");
        TCase *t = tcase_create("load");

        tcase_add_loop_test(t, every_refusal_has_its_name, 0, ELEMENTSOF(refusals));
        tcase_add_test(t, no_livepatch_support);
        tcase_add_test(t, success_and_bad_paths);
        tcase_add_test(t, unloading);
        tcase_add_test(t, libkmod_reports_errors);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
