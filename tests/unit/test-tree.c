/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Trees, opened by the real apt, dpkg-deb, tar and make out of an archive of one tiny kernel
 * (make-kernel-archive). Only the size is untrue.
 */

#include <fcntl.h>
#include <sys/wait.h>

#include "builder/source/compiler.h"
#include "builder/source/packages.h"
#include "builder/source/step.h"
#include "builder/source/tree.h"
#include "dbus/errors.h"
#include "tests/unit/unit.h"
#include "util/file.h"
#include "util/strv.h"

#define RELEASE "6.99.0-1-test-amd64"
#define ENTRY "cache/" RELEASE "_6.99.5-1"
#define COMPILER "cc"

static char *root;
static char *old_path;

static char *path_of(const char *name) {
        char *path;

        ck_assert_int_ge(asprintf(&path, "%s/%s", root, name), 0);
        return path;
}

static bool exists(const char *name) {
        _cleanup_free_ char *path = path_of(name);

        return access(path, F_OK) == 0;
}

/* Run a shell command in the scratch folder. */
static void shell(const char *command) {
        _cleanup_free_ char *text = NULL;

        ck_assert_int_ge(asprintf(&text, "cd '%s' && %s", root, command), 0);
        ck_assert_msg(system(text) == 0, "failed: %s", command);
}

/* The archive is made once; each test has a fresh copy of it, in the same place, for paths are in it. */
static void setup_once(void) {
        _cleanup_free_ char *path = NULL;

        ck_assert_ok(hotpatch_errors_register());
        root = scratch_new();
        shell("mkdir archive && " HOTPATCH_SOURCE_ROOT "/tests/unit/make-kernel-archive . " COMPILER
              " && mv apt bin repo source archive");
        old_path = strdup(getenv("PATH"));
        ck_assert_int_ge(asprintf(&path, "%s/bin:%s", root, old_path), 0);
        setenv("PATH", path, 1);
}

static void teardown_once(void) {
        setenv("PATH", old_path, 1);
        free(old_path);
        scratch_free(root);
}

static void setup(void) {
        shell("find . -mindepth 1 -maxdepth 1 ! -name archive -exec chmod -R u+w {} + -exec rm -rf {} + && "
              "cp -a archive/. .");
}

static int open_tree(const char *release, const char *source, Tree **ret, sd_bus_error *error) {
        _cleanup_free_ char *cache = path_of("cache"), *path = source ? path_of(source) : NULL;

        return tree_open(&(TreeOptions) { .release = release, .source = path, .cache = cache, .quiet = true }, ret,
                error);
}

static void opens(const char *source, Tree **ret) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = open_tree(RELEASE, source, ret, &error);

        ck_assert_msg(r == 0, "%s: %s", strempty(error.name), strempty(error.message));
}

static void opens_and_closes(const char *source) {
        _cleanup_tree_free_ Tree *t = NULL;

        opens(source, &t);
}

static void refused(const char *release, const char *source, const char *name, const char *part) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        Tree *t = NULL;
        int r = open_tree(release, source, &t, &error);

        ck_assert_int_lt(r, 0);
        ck_assert_ptr_null(t);
        ck_assert_ptr_nonnull(error.name);
        ck_assert_str_eq(error.name, name);
        ck_assert_msg(strstr(error.message, part) != NULL, "no '%s' in: %s", part, error.message);
        ck_assert(hotpatch_error_find(error.name) != NULL);
        sd_bus_error_free(&error);
}

/* How often a tree was prepared. */
static unsigned prepared(void) {
        _cleanup_free_ char *path = path_of("prepared");
        _cleanup_free_ void *text = NULL;
        unsigned n = 0;

        if (file_read_at(AT_FDCWD, path, 4096, &text, NULL) < 0)
                return 0;
        for (const char *s = text; *s; s++)
                n += *s == '\n';
        return n;
}

START_TEST(a_kernel_is_opened_from_its_packages) {
        _cleanup_free_ char *entry = path_of(ENTRY), *config = NULL, *kbuild = NULL;
        _cleanup_tree_free_ Tree *t = NULL;

        opens(NULL, &t);
        ck_assert(startswith(t->folder, entry) != NULL);
        ck_assert_str_eq(t->release, RELEASE);
        ck_assert_str_eq(t->source_version, "linux 6.99.5-1");
        ck_assert_str_eq(t->compiler, COMPILER);
        ck_assert(startswith(t->compiler_version, COMPILER " ") != NULL);
        ck_assert_uint_eq(strlen(t->config_sha256), 64);
        ck_assert_int_eq(access(t->kernel, R_OK), 0);
        ck_assert_int_eq(access(t->objects, W_OK), 0);
        ck_assert_ptr_nonnull(t->makefile);
        ck_assert_int_eq(access(t->makefile, R_OK), 0);
        ck_assert_int_ge(t->lock, 0);
        ck_assert_int_ge(asprintf(&config, "%s/.config", t->folder), 0);
        ck_assert_int_eq(access(config, R_OK), 0);
        ck_assert_int_ge(asprintf(&kbuild, "%s/../../lib/linux-kbuild-6.99/scripts", t->headers), 0);
        ck_assert_int_eq(access(kbuild, R_OK), 0);
        /* Neither what is packed nor what is only to be read is kept. */
        ck_assert(!exists(ENTRY "/source"));
        ck_assert(!exists(ENTRY "/headers/usr/share"));
        shell("test -z \"$(find cache -name '*.deb')\"");
        ck_assert_uint_eq(prepared(), 1);
}
END_TEST

START_TEST(a_remembered_kernel_needs_neither_apt_nor_make) {
        _cleanup_tree_free_ Tree *a = NULL, *b = NULL;

        opens(NULL, &a);
        shell("for p in apt-get apt-cache make tar dpkg-deb; do printf '#!/bin/sh\\nexit 1\\n' > bin/$p; "
              "chmod +x bin/$p; done");
        opens(NULL, &b); /* while the first is still used */
        ck_assert_str_eq(a->folder, b->folder);
        ck_assert_str_eq(a->headers, b->headers);
        ck_assert_str_eq(a->makefile, b->makefile);
        ck_assert_str_eq(a->config_sha256, b->config_sha256);
        ck_assert_uint_eq(prepared(), 1);
}
END_TEST

static void module_is(const Tree *t, const char *module, const char *file) {
        _cleanup_free_ char *path = NULL;
        int r = tree_module_path(t, module, &path);

        if (!file) {
                ck_assert_int_eq(r, -ENOENT);
                return;
        }
        ck_assert_msg(r == 0, "%s: %s", module, strerror(-r));
        ck_assert_msg(strstr(path, file) != NULL, "%s: %s", module, path);
        ck_assert_int_eq(access(path, R_OK), 0);
}

START_TEST(modules_are_found_by_name) {
        _cleanup_tree_free_ Tree *t = NULL;

        opens(NULL, &t);
        module_is(t, "foo_bar", "/kernel/net/foo/foo-bar.ko.xz");
        module_is(t, "foo-bar", "/kernel/net/foo/foo-bar.ko.xz");
        module_is(t, "net/foo/foo-bar", "/kernel/net/foo/foo-bar.ko.xz");
        module_is(t, "bar", "/kernel/fs/bar.ko");
        module_is(t, "fs/foo-bar", NULL);
        module_is(t, "gone", NULL);
        module_is(t, "foo", NULL);
        module_is(t, "", NULL);
        module_is(t, "../fs/bar", NULL);
}
END_TEST

START_TEST(a_half_made_folder_is_made_again) {
        shell("mkdir -p " ENTRY "/tree && echo rest > " ENTRY "/tree/rest");
        opens_and_closes(NULL);
        ck_assert(!exists(ENTRY "/tree/rest"));
        ck_assert_uint_eq(prepared(), 1);
        /* As if the machine had stopped before the end, and as an older program left it. */
        shell("rm " ENTRY "/ready && echo rest > " ENTRY "/tree/rest");
        opens_and_closes(NULL);
        ck_assert(!exists(ENTRY "/tree/rest"));
        shell("sed -i s/^version=.*/version=0/ " ENTRY "/ready");
        opens_and_closes(NULL);
        shell("rm -r " ENTRY "/image");
        opens_and_closes(NULL);
        shell("sed -i /^kernel=/d " ENTRY "/ready");
        opens_and_closes(NULL);
        ck_assert_uint_eq(prepared(), 5);
}
END_TEST

START_TEST(two_at_once_make_it_once) {
        pid_t pids[3];

        for (size_t i = 0; i < ELEMENTSOF(pids); i++) {
                pids[i] = fork();
                ck_assert_int_ge(pids[i], 0);
                if (pids[i] == 0) {
                        Tree *t = NULL;
                        int r = open_tree(RELEASE, NULL, &t, NULL);

                        _exit(r == 0 && access(t->folder, F_OK) == 0 ? 0 : 1);
                }
        }
        for (size_t i = 0; i < ELEMENTSOF(pids); i++) {
                int status;

                ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
                ck_assert_int_eq(status, 0);
        }
        ck_assert_uint_eq(prepared(), 1);
}
END_TEST

START_TEST(packages_that_apt_does_not_have_are_named) {
        refused("6.98.0-1-amd64", NULL, HOTPATCH_ERROR("KernelPackageMissing"),
                "apt does not know a package 'linux-image-6.98.0-1-amd64'");
        shell("sed -i 's/^Version: 6.99.5-1/Version: 6.99.6-1/' repo/Packages && bin/apt-get -qq update");
        refused(RELEASE, "repo/linux-source-6.99_6.99.5-1_all.deb", HOTPATCH_ERROR("KernelPackageMissing"),
                "apt does not know 'linux-image-" RELEASE "' in version '6.99.5-1', only in 6.99.6-1");
        shell("sed -i '/^Package: linux-source/,/^$/s/^Version: 6.99.6-1/Version: 6.99.8-1/' repo/Packages && "
              "bin/apt-get -qq update");
        refused(RELEASE, NULL, HOTPATCH_ERROR("KernelPackageMissing"),
                "apt does not know 'linux-source-6.99' in version '6.99.6-1', only in 6.99.8-1, 6.99.7-1, 6.99.4-1");
        ck_assert(!exists(ENTRY));
}
END_TEST

START_TEST(what_is_no_release_is_refused) {
        static const char *const bad[] = { "", "../x", "6.1 x", "-o", "a/b", "6.1\n", "6.1;x" };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                refused(bad[i], NULL, SD_BUS_ERROR_INVALID_ARGS, "is not the release of a kernel");
}
END_TEST

START_TEST(downloads_that_fail_leave_nothing) {
        shell("mv repo/linux-image-* .");
        refused(RELEASE, NULL, HOTPATCH_ERROR("KernelDownloadFailed"), "Cannot download 'linux-image-" RELEASE "' 6.99.5-1");
        ck_assert(!exists(ENTRY));
        shell("truncate -s -100 linux-image-* && mv linux-image-* repo/");
        refused(RELEASE, NULL, HOTPATCH_ERROR("KernelDownloadFailed"), "Cannot download 'linux-image-" RELEASE "' 6.99.5-1");
        ck_assert(!exists(ENTRY));
}
END_TEST

/* Another value in the packaged configuration, and the package and index with it. */
static void repack_headers(const char *edit) {
        _cleanup_free_ char *command = NULL;

        ck_assert_int_ge(asprintf(&command,
                "deb=$(echo repo/linux-headers-" RELEASE "_*) && dpkg-deb -R $deb x && "
                "cd x/usr/src/linux-headers-" RELEASE " && { %s; } && cd ../../../.. && "
                "dpkg-deb --build -Znone x $deb >/dev/null && "
                "size=$(stat -c %%s $deb) sum=$(sha256sum < $deb | cut -d ' ' -f 1) && "
                "sed -i \"/^Package: linux-headers-" RELEASE "/,/^$/{s/^Size: .*/Size: $size/;s/^SHA256: .*/SHA256: $sum/}\" "
                "repo/Packages && bin/apt-get -qq update", edit), 0);
        shell(command);
}

START_TEST(another_compiler_is_refused_before_the_source_is_fetched) {
        shell("rm repo/linux-source-*_6.99.5-1_all.deb");
        repack_headers("sed -i 's/\\(VERSION_TEXT=\"" COMPILER " \\).*/\\11.2.3\"/' .config");
        refused(RELEASE, NULL, HOTPATCH_ERROR("CompilerMismatch"),
                "The kernel was built with '" COMPILER " 1.2.3'; the '" COMPILER "' here is '" COMPILER " ");
        ck_assert(!exists(ENTRY));
}
END_TEST

START_TEST(a_missing_compiler_is_named) {
        repack_headers("sed -i 's/VERSION_TEXT=\"" COMPILER " /VERSION_TEXT=\"no-such-gcc-9 /' .config");
        refused(RELEASE, NULL, HOTPATCH_ERROR("CompilerMismatch"), "there is no 'no-such-gcc-9' here");
        shell("rm -r x");
        repack_headers("sed -i 's,VERSION_TEXT=\"no-such-gcc-9 ,VERSION_TEXT=\"../x ,' .config");
        refused(RELEASE, NULL, HOTPATCH_ERROR("CompilerMismatch"), "does not begin with the name of a compiler");
        shell("rm -r x");
        repack_headers("rm .config");
        refused(RELEASE, NULL, HOTPATCH_ERROR("CompilerMismatch"), "does not say which compiler");
}
END_TEST

START_TEST(an_upgraded_compiler_is_noticed) {
        opens_and_closes(NULL);
        shell("printf '#!/bin/sh\\necho " COMPILER " 99.1\\n' > bin/" COMPILER " && chmod +x bin/" COMPILER);
        refused(RELEASE, NULL, HOTPATCH_ERROR("CompilerMismatch"), "here is '" COMPILER " 99.1'");
}
END_TEST

START_TEST(other_architectures_are_refused) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        Tree *t = NULL;

        repack_headers("sed -i 's/CONFIG_X86_64/CONFIG_ARM64/' .config");
        ck_assert_int_lt(open_tree(RELEASE, NULL, &t, &error), 0);
        ck_assert_str_eq(error.name, SD_BUS_ERROR_NOT_SUPPORTED);
        ck_assert(strstr(error.message, "is not for x86-64") != NULL);
        sd_bus_error_free(&error);
        ck_assert(!exists(ENTRY));
}
END_TEST

START_TEST(headers_of_another_release_are_refused) {
        repack_headers("echo '#define UTS_RELEASE \"6.99.0-2-test-amd64\"' > include/generated/utsrelease.h");
        refused(RELEASE, NULL, HOTPATCH_ERROR("KernelSourceMismatch"), "6.99.0-2-test-amd64");
}
END_TEST

START_TEST(source_that_becomes_another_kernel_is_refused) {
        shell("echo '#define TASK_struct_size 72' > source/offsets.h");
        refused(RELEASE, "source", HOTPATCH_ERROR("KernelSourceMismatch"),
                "'include/generated/asm-offsets.h' has '#define TASK_struct_size 72' where the kernel's has "
                "'#define TASK_struct_size 64'");
        shell("echo '#define TASK_struct_size 64' > source/offsets.h && "
              "sed -i 's/CONFIG_RUSTC_VERSION=109500/CONFIG_X=y/' source/Makefile");
        refused(RELEASE, "source", HOTPATCH_ERROR("KernelSourceMismatch"),
                "'.config' has 'CONFIG_X=y' where the kernel's has ''");
        shell("sed -i 's/6\\.99\\.0/x/; s/PATCHLEVEL = 99/PATCHLEVEL = 98/' source/Makefile");
        refused(RELEASE, "source", HOTPATCH_ERROR("KernelSourceMismatch"), "is the source of Linux 6.98.5, not of kernel");
}
END_TEST

START_TEST(a_preparation_that_fails_says_why) {
        shell("sed -i 's/^modules_prepare:/modules_prepare:; @echo one; flexx-not-here/' source/Makefile");
        refused(RELEASE, "source", HOTPATCH_ERROR("KernelPrepareFailed"), "flexx-not-here: ");
        shell("test -z \"$(ls -d cache/*/ 2>&1 | grep -v 'No such')\"");
}
END_TEST

START_TEST(given_folders_are_copied_and_not_written) {
        _cleanup_tree_free_ Tree *t = NULL;

        shell("mkdir -p source/.git source/include/config source/include/generated && "
              "echo 'CONFIG_OLD=y' > source/.config && echo old > source/include/generated/asm-offsets.h && "
              "touch source/init/main.o source/init/.main.o.cmd source/.git/HEAD && ln -s init/main.c source/link && "
              "chmod -R a-w source && find source -printf '%p %m %T@ %s\\n' | sort > before");
        opens("source", &t);
        shell("find source -printf '%p %m %T@ %s\\n' | sort > after && cmp before after");
        shell("cd cache/" RELEASE "_given-*/tree && test ! -e .git && test ! -e init/main.o && "
              "test -e init/main.c && test -L link && ! grep -q OLD .config && "
              "cmp include/generated/asm-offsets.h offsets.h && "
              "test $(stat -c %Y init/main.c) = $(stat -c %Y ../../../source/init/main.c)");
        ck_assert_str_eq(t->source_version, "linux 6.99.5");
}
END_TEST

START_TEST(given_folders_are_copied_again_when_their_source_changes) {
        opens_and_closes("source");
        opens_and_closes("source");
        ck_assert_uint_eq(prepared(), 1);
        shell("touch source/init/main.o source/.config && mkdir -p source/.git && touch source/.git/index");
        opens_and_closes("source");
        ck_assert_uint_eq(prepared(), 1);
        shell("echo 'int x;' > source/init/main.c");
        opens_and_closes("source");
        ck_assert_uint_eq(prepared(), 2);
        shell("touch source/init/new.c");
        opens_and_closes("source");
        ck_assert_uint_eq(prepared(), 3);
        shell("grep -q 'int x' cache/" RELEASE "_given-*/tree/init/main.c && test $(ls -d cache/*/ | wc -l) = 1");
}
END_TEST

START_TEST(given_packages_take_their_version_of_the_kernel) {
        _cleanup_tree_free_ Tree *t = NULL;

        /* The archive need not have the source any more. */
        shell("mv repo/linux-source-6.99_6.99.5-1_all.deb . && sed -i '/^Package: linux-source/,/^$/d' repo/Packages && "
              "bin/apt-get -qq update");
        refused(RELEASE, NULL, HOTPATCH_ERROR("KernelPackageMissing"), "apt does not know a package 'linux-source-6.99'");
        opens("linux-source-6.99_6.99.5-1_all.deb", &t);
        ck_assert_str_eq(t->source_version, "linux 6.99.5-1");
        ck_assert(exists("linux-source-6.99_6.99.5-1_all.deb"));
        refused(RELEASE, "repo/linux-source-6.99_6.99.4-1_all.deb", HOTPATCH_ERROR("KernelPackageMissing"),
                "in version '6.99.4-1', only in 6.99.5-1");
        refused(RELEASE, "repo/linux-image-" RELEASE "_6.99.5-1_all.deb", HOTPATCH_ERROR("KernelSourceMismatch"),
                "is the package 'linux-image-" RELEASE "'");
}
END_TEST

START_TEST(given_source_uses_what_an_earlier_build_fetched) {
        _cleanup_tree_free_ Tree *t = NULL;
        _cleanup_free_ char *entry = path_of(ENTRY);

        opens_and_closes(NULL);
        shell("printf '#!/bin/sh\\nexit 1\\n' | tee bin/apt-cache > bin/apt-get");
        opens("source", &t);
        ck_assert(startswith(t->headers, entry) != NULL);
        ck_assert(startswith(t->kernel, entry) != NULL);
        ck_assert(startswith(t->folder, entry) == NULL);
        /* Without word about the source it is still the packages' that is opened. */
        tree_free(t);
        t = NULL;
        opens(NULL, &t);
        ck_assert(startswith(t->folder, entry) != NULL);
}
END_TEST

START_TEST(what_is_no_source_is_refused) {
        shell("echo x > file && mkdir folder && mkfifo fifo");
        refused(RELEASE, "missing", SD_BUS_ERROR_FILE_NOT_FOUND, "Cannot open the source");
        refused(RELEASE, "file", HOTPATCH_ERROR("KernelSourceMismatch"), "neither a folder nor a Debian package");
        refused(RELEASE, "fifo", HOTPATCH_ERROR("KernelSourceMismatch"), "neither a folder nor a Debian package");
        refused(RELEASE, "folder", HOTPATCH_ERROR("KernelSourceMismatch"), "is not the source of a kernel");
}
END_TEST

START_TEST(caches_that_cannot_be_used_are_refused) {
        _cleanup_free_ char *blank = path_of("with blank"), *under_file = path_of("file/x");
        sd_bus_error error = SD_BUS_ERROR_NULL;
        TreeOptions o = { .release = RELEASE, .cache = blank, .quiet = true };
        Tree *t = NULL;

        shell("echo x > file");
        ck_assert_int_lt(tree_open(&o, &t, &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("BuildCacheUnusable"));
        sd_bus_error_free(&error);
        o.cache = under_file;
        ck_assert_int_lt(tree_open(&o, &t, &error), 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("BuildCacheUnusable"));
        sd_bus_error_free(&error);
}
END_TEST

static void step_says(const char *script, const char *text) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = step_run(&(Step) {
                .arguments = (char *const[]) { (char *) "sh", (char *) "-c", (char *) script, NULL },
                .what = "Cannot",
                .error_name = HOTPATCH_ERROR("KernelPrepareFailed"),
        }, &error);
        if (!text) {
                ck_assert_int_eq(r, 0);
                return;
        }
        ck_assert_int_lt(r, 0);
        ck_assert_str_eq(error.name, HOTPATCH_ERROR("KernelPrepareFailed"));
        ck_assert_str_eq(error.message, text);
        sd_bus_error_free(&error);
}

START_TEST(failing_programs_say_the_line_that_matters) {
        step_says("echo error: not fatal", NULL);
        step_says("exit 3", "Cannot: it does not say why");
        step_says("echo one; echo two; exit 3", "Cannot: two");
        step_says("echo x.c:1:2: error: bad; echo make: Error 1; exit 2", "Cannot: x.c:1:2: error: bad");
        step_says("echo W: Permission denied >&2; echo E: no network >&2; echo E: later >&2; exit 100", "Cannot: no network");
        step_says("echo 'tar: x: Cannot write: No space left on device'; echo tar: Exiting; exit 2",
                "Cannot: tar: x: Cannot write: No space left on device");
        step_says("kill -9 $$", "Cannot: a signal ended 'sh'");
}
END_TEST

START_TEST(source_packages_are_named_by_the_series) {
        static const struct {
                const char *version, *name;
        } cases[] = {
                { "6.1.176-1", "linux-source-6.1" },
                { "6.12.117-1~deb12u1", "linux-source-6.12" },
                { "6.10.11-1~bpo12+1", "linux-source-6.10" },
                { "7.0~rc3-1~exp1", "linux-source-7.0" },
                { "x", NULL },
                { "", NULL },
                { "6", NULL },
                { "-6.1", NULL },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *name = NULL;
                int r = package_source_name(cases[i].version, &name);

                if (cases[i].name)
                        ck_assert_str_eq(name, cases[i].name);
                else
                        ck_assert_int_eq(r, -EINVAL);
        }
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("tree");
        TCase *t = tcase_create("tree"), *parts = tcase_create("parts");

        tcase_set_timeout(t, 60);
        tcase_add_unchecked_fixture(t, setup_once, teardown_once);
        tcase_add_checked_fixture(t, setup, NULL);
        tcase_add_test(t, a_kernel_is_opened_from_its_packages);
        tcase_add_test(t, a_remembered_kernel_needs_neither_apt_nor_make);
        tcase_add_test(t, modules_are_found_by_name);
        tcase_add_test(t, a_half_made_folder_is_made_again);
        tcase_add_test(t, two_at_once_make_it_once);
        tcase_add_test(t, packages_that_apt_does_not_have_are_named);
        tcase_add_test(t, what_is_no_release_is_refused);
        tcase_add_test(t, downloads_that_fail_leave_nothing);
        tcase_add_test(t, another_compiler_is_refused_before_the_source_is_fetched);
        tcase_add_test(t, a_missing_compiler_is_named);
        tcase_add_test(t, an_upgraded_compiler_is_noticed);
        tcase_add_test(t, other_architectures_are_refused);
        tcase_add_test(t, headers_of_another_release_are_refused);
        tcase_add_test(t, source_that_becomes_another_kernel_is_refused);
        tcase_add_test(t, a_preparation_that_fails_says_why);
        tcase_add_test(t, given_folders_are_copied_and_not_written);
        tcase_add_test(t, given_folders_are_copied_again_when_their_source_changes);
        tcase_add_test(t, given_packages_take_their_version_of_the_kernel);
        tcase_add_test(t, given_source_uses_what_an_earlier_build_fetched);
        tcase_add_test(t, what_is_no_source_is_refused);
        tcase_add_test(t, caches_that_cannot_be_used_are_refused);
        suite_add_tcase(s, t);
        tcase_add_test(parts, failing_programs_say_the_line_that_matters);
        tcase_add_test(parts, source_packages_are_named_by_the_series);
        suite_add_tcase(s, parts);
        return s;
}

UNIT_MAIN(suite)
