/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What make is given and what becomes of what it says: with a makefile of ours in the headers'
 * place. */

#include "builder/module/kbuild.h"
#include "builder/module/sign.h"
#include "dbus/errors.h"
#include "tests/unit/scratch-files.h"

static const char patch_json[] =
        "{\"id\":\"x\",\"title\":\"t\",\"severity\":\"low\",\"stream\":\"s\",\"sequence\":1,%s"
        "\"functions\":[{\"object\":\"vmlinux\",\"function\":\"f\",\"replacement\":\"r\"}]}";

static const char *const runtime[] = {
        "hotpatch.h", "reload.c", "runtime.c", "runtime.h", "selftest.c", "shadow.h",
        "tripwire-begin.c", "tripwire-end.c", "tripwire.c",
};

static char *get(const char *name) {
        _cleanup_free_ char *path = path_of(name);
        void *text;

        ck_assert_ok(file_read_at(AT_FDCWD, path, 1 << 20, &text, NULL));
        return text;
}

static void setup(void) {
        ck_assert_ok(hotpatch_errors_register());
        root = scratch_new();
        put("work/.keep", "");
        put("fix/b.c", "int b;\n");
        put("fix/a.c", "int a;\n");
        put("fix/own.h", "extern int a;\n");
        put("fix/notes.txt", "not for the build\n");
        for (size_t i = 0; i < ELEMENTSOF(runtime); i++) {
                _cleanup_free_ char *name = NULL;

                ck_assert_int_ge(asprintf(&name, "runtime/%s", runtime[i]), 0);
                put(name, "/* runtime */\n");
        }
}

static void teardown(void) {
        scratch_free(root);
}

/* Runs make on @makefile with the extra keys of patch.json in @keys; what was said is left in "said". */
static int run(const char *makefile, const char *keys, sd_bus_error *error) {
        _cleanup_free_ char *folder = path_of("headers"), *fix = path_of("fix"), *work = path_of("work"),
                *rt = path_of("runtime"), *said = path_of("said"), *json = NULL, *module = NULL;
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        KernelHeaders h = { .release = (char *) "6.0.0", .folder = folder };
        _cleanup_close_ int out = -EBADF, saved = -EBADF;
        int r;

        put("headers/Makefile", makefile);
        ck_assert_int_ge(asprintf(&json, patch_json, keys), 0);
        ck_assert_ok(patch_file_parse(json, strlen(json), &p, NULL));
        out = open(said, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        ck_assert_int_ge(out, 0);
        (void) fflush(stderr);
        saved = dup(STDERR_FILENO);
        ck_assert_int_ge(dup2(out, STDERR_FILENO), 0);
        r = kbuild_run(&(Kbuild) { .headers = &h, .patch = p, .patch_dir = fix, .runtime_dir = rt,
                .work_dir = work }, &module, error);
        (void) fflush(stderr);
        ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
        if (r >= 0)
                ck_assert_int_eq(access(module, R_OK), 0);
        return r;
}

static void has(const char *text, const char *wanted) {
        ck_assert_msg(strstr(text, wanted) != NULL, "no '%s' in:\n%s", wanted, text);
}

START_TEST(everything_is_laid_out_in_link_order) {
        _cleanup_free_ char *kbuild = NULL, *header = NULL, *table = NULL, *notes = path_of("work/patch/notes.txt");

        ck_assert_ok(run("modules:\n\ttouch $(M)/hp_x.ko\n", "", NULL));
        kbuild = get("work/Kbuild");
        has(kbuild, "obj-m := hp_x.o\n");
        has(kbuild, "hp_x-y := hotpatch/tripwire-begin.o hotpatch/runtime.o hotpatch/selftest.o "
                    "hotpatch/tripwire.o hotpatch/table.o\n"
                    "hp_x-y += patch/a.o\nhp_x-y += patch/b.o\nhp_x-y += hotpatch/tripwire-end.o\n");
        header = get("work/patch/own.h");
        ck_assert_str_eq(header, "extern int a;\n");
        table = get("work/hotpatch/table.c");
        has(table, ".new_func = r,");
        ck_assert_int_lt(access(notes, F_OK), 0);
}
END_TEST

START_TEST(named_sources_are_taken_in_their_order) {
        _cleanup_free_ char *kbuild = NULL, *other = path_of("work/patch/a.c");

        ck_assert_ok(run("modules:\n\ttouch $(M)/hp_x.ko\n",
                "\"sources\":[\"b.c\"],\"symbols\":[{\"name\":\"s\",\"object\":\"ext4\"}],", NULL));
        kbuild = get("work/Kbuild");
        has(kbuild, "hp_x-y += hotpatch/reload.o\nhp_x-y += patch/b.o\nhp_x-y += hotpatch/tripwire-end.o\n");
        ck_assert_ptr_null(strstr(kbuild, "patch/a.o"));
        ck_assert_int_lt(access(other, F_OK), 0);
}
END_TEST

/* Runs make on @makefile without a folder of sources. */
static int run_objects(const char *makefile, const char *const *objects, char *const *with, sd_bus_error *error) {
        _cleanup_free_ char *folder = path_of("headers"), *work = path_of("work"), *rt = path_of("runtime"),
                *json = NULL, *module = NULL;
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        KernelHeaders h = { .release = (char *) "6.0.0", .folder = folder };

        put("headers/Makefile", makefile);
        ck_assert_int_ge(asprintf(&json, patch_json, ""), 0);
        ck_assert_ok(patch_file_parse(json, strlen(json), &p, NULL));
        return kbuild_run(&(Kbuild) { .headers = &h, .patch = p, .objects = objects, .with = with, .runtime_dir = rt,
                .work_dir = work }, &module, error);
}

START_TEST(ready_objects_go_through_objtool) {
        _cleanup_free_ char *kbuild = NULL, *raw = NULL, *one = path_of("fix/a.c"), *two = path_of("fix/b.c");

        ck_assert_ok(run_objects("modules:\n\ttouch $(M)/hp_x.ko\n", (const char *[]) { one, two, NULL },
                (char *[]) { one, NULL }, NULL));
        kbuild = get("work/Kbuild");
        has(kbuild, "hp_x-y += patch/a.o\nhp_x-y += units/0.o\nhp_x-y += units/1.o\n");
        has(kbuild, "      cmd_hotpatch_unit = cat $< > $@ $(cmd_objtool)\n");
        has(kbuild, "$(obj)/units/1.o: $(obj)/units/1.raw FORCE\n\t$(call if_changed,hotpatch_unit)\n");
        has(kbuild, "hp_x-y += hotpatch/tripwire-end.o\n");
        raw = get("work/units/1.raw");
        ck_assert_str_eq(raw, "int b;\n");
}
END_TEST

START_TEST(what_objtool_says_about_objects_is_an_error) {
        static const char makefile[] = "modules:\n\ttouch $(M)/hp_x.ko\n"
                "\t@echo 'units/0.o: warning: objtool: f() falls through to next function g()' >&2\n";
        sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *one = path_of("fix/a.c");

        ck_assert_int_lt(run_objects(makefile, (const char *[]) { one, NULL }, NULL, &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("ModuleBuildFailed"));
        has(error.message, "objtool does not understand the module 'hp_x'");
        sd_bus_error_free(&error);
}
END_TEST

START_TEST(extra_files_are_checked) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *notes = path_of("fix/notes.txt"), *twice = path_of("fix/a.c");

        ck_assert_int_lt(run_objects("modules:\n", NULL, (char *[]) { notes, NULL }, &error), 0);
        has(error.message, "notes.txt' is neither a C file nor a header");
        sd_bus_error_free(&error);
        scratch_free(path_of("work"));
        put("work/.keep", "");
        ck_assert_int_lt(run_objects("modules:\n", NULL, (char *[]) { twice, twice, NULL }, &error), 0);
        has(error.message, "There are two files 'a.c'");
        sd_bus_error_free(&error);
}
END_TEST

START_TEST(extra_files_are_checked_before_anything_is_done) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *source = path_of("fix/a.c"), *header = path_of("fix/own.h"), *none = path_of("fix/none.c");

        ck_assert_ok(kbuild_check_with(NULL, &error));
        ck_assert_ok(kbuild_check_with((char *[]) { header, source, NULL }, &error));
        ck_assert_int_lt(kbuild_check_with((char *[]) { header, NULL }, &error), 0);
        has(error.message, "There is no C file");
        sd_bus_error_free(&error);
        ck_assert_int_lt(kbuild_check_with((char *[]) { source, none, NULL }, &error), 0);
        ck_assert_str_eq(error.name, SD_BUS_ERROR_FILE_NOT_FOUND);
        has(error.message, "none.c'");
        sd_bus_error_free(&error);
}
END_TEST

START_TEST(the_callers_environment_stays_outside) {
        _cleanup_free_ char *seen = NULL;

        setenv("KCFLAGS", "-O0", 1);
        setenv("MAKEFLAGS", "-k", 1);
        setenv("ARCH", "arm64", 1);
        ck_assert_ok(run("modules:\n\ttouch $(M)/hp_x.ko\n\techo '$(KCFLAGS)|$(ARCH)|$(LC_ALL)|$(KBUILD_MODPOST_WARN)' "
                ">$(M)/../seen\n", "", NULL));
        unsetenv("KCFLAGS");
        unsetenv("MAKEFLAGS");
        unsetenv("ARCH");
        seen = get("seen");
        has(seen, "-ffile-prefix-map=");
        has(seen, "||C|1\n");
        ck_assert_ptr_null(strstr(seen, "-O0"));
}
END_TEST

START_TEST(messages_name_the_authors_files) {
        _cleanup_free_ char *said = NULL, *wanted = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;

        ck_assert_int_lt(run("modules:\n"
                "\t@echo '$(M)/patch/a.c:1:2: error: wrong, see $(M)/patch/own.h' >&2\n"
                "\t@echo '$(M)/hotpatch/table.c:3:4: error: undeclared' >&2\n"
                "\t@echo 'WARNING: modpost: \"s\" [$(M)/hp_x.ko] undefined!' >&2\n"
                "\t@false\n", "", &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("ModuleBuildFailed"));
        ck_assert_str_eq(error.message, "The module 'hp_x' could not be built for kernel '6.0.0'");
        sd_bus_error_free(&error);
        said = get("said");
        ck_assert_int_ge(asprintf(&wanted, "%s/fix/a.c:1:2: error: wrong, see %s/fix/own.h\n"
                "<hotpatch>/table.c:3:4: error: undeclared\n", root, root), 0);
        ck_assert_str_eq(said, wanted);
}
END_TEST

START_TEST(what_is_missing_is_named) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ char *rt = path_of("runtime"), *gone = path_of("elsewhere");

        ck_assert_int_lt(run("modules:\n", "\"sources\":[\"z.c\"],", &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("ModuleBuildFailed"));
        has(error.message, "fix/z.c': No such file or directory");
        sd_bus_error_free(&error);
        scratch_free(path_of("work"));
        put("work/.keep", "");
        ck_assert_int_eq(rename(rt, gone), 0);
        ck_assert_int_lt(run("modules:\n", "", &error), 0);
        has(error.message, "The redirection runtime is not in '");
        sd_bus_error_free(&error);
}
END_TEST

START_TEST(the_kernels_own_program_signs) {
        _cleanup_free_ char *folder = path_of("headers"), *program = path_of("headers/scripts/sign-file"),
                *module = path_of("m.ko"), *content = NULL;
        KernelHeaders h = { .release = (char *) "6.0.0", .folder = folder };
        sd_bus_error error = SD_BUS_ERROR_NULL;

        put("m.ko", "module\n");
        put("headers/scripts/sign-file", "#!/bin/sh\n[ $# = 4 ] && [ \"$2\" != bad.key ] && echo \"$1 $2 $3\" >>\"$4\"\n");
        ck_assert_int_eq(chmod(program, 0755), 0);
        ck_assert_ok(module_sign(module, &h, "modules.key", "modules.pem", &error));
        content = get("m.ko");
        ck_assert_str_eq(content, "module\nsha256 modules.key modules.pem\n");
        ck_assert_int_lt(module_sign(module, &h, "bad.key", "bad.pem", &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("ModuleBuildFailed"));
        has(error.message, "could not be signed for kernel '6.0.0' with the key 'bad.key'");
        sd_bus_error_free(&error);
        ck_assert_int_eq(unlink(program), 0);
        ck_assert_int_lt(module_sign(module, &h, "modules.key", "modules.pem", &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("ModuleBuildFailed"));
        sd_bus_error_free(&error);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("kbuild");
        TCase *t = tcase_create("kbuild");

        tcase_add_checked_fixture(t, setup, teardown);
        tcase_set_timeout(t, 60);
        tcase_add_test(t, everything_is_laid_out_in_link_order);
        tcase_add_test(t, named_sources_are_taken_in_their_order);
        tcase_add_test(t, ready_objects_go_through_objtool);
        tcase_add_test(t, what_objtool_says_about_objects_is_an_error);
        tcase_add_test(t, extra_files_are_checked);
        tcase_add_test(t, extra_files_are_checked_before_anything_is_done);
        tcase_add_test(t, the_callers_environment_stays_outside);
        tcase_add_test(t, messages_name_the_authors_files);
        tcase_add_test(t, what_is_missing_is_named);
        tcase_add_test(t, the_kernels_own_program_signs);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
