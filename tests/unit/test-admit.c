/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whole bundles with modules that the compiler makes here, admitted from all kinds of descriptors. */

#include <fcntl.h>
#include <sys/mman.h>

#include "bundle/digest.h"
#include "daemon/admit.h"
#include "tests/unit/bundle-material.h"
#include "tests/unit/tree.h"
#include "util/hex.h"
#include "util/limits.h"

#define RELEASE "6.1.0-50-cloud-amd64"
#define BUILD_ID "0123456789abcdef0123"

/* A livepatch of `f` in vmlinux, as a kernel module built by somebody else's tools looks. */
static const char source[] =
        "struct module { long state; void *list[2]; char name[56]; char rest[100]; };\n"
        "struct klp_func { const char *old_name; void *new_func; unsigned long old_sympos; void *p[7]; };\n"
        "struct klp_object { const char *name; struct klp_func *funcs; void *callbacks[4]; void *p[7]; };\n"
        "struct klp_patch { struct module *mod; struct klp_object *objs; void *states; _Bool replace; void *p[7]; };\n"
        "struct module __this_module __attribute__((section(\".gnu.linkonce.this_module\")))\n"
        "        = { .name = NAME };\n"
        "#define INFO(n, s) static const char n[] __attribute__((section(\".modinfo\"), used, aligned(1))) = s\n"
        "INFO(a, \"name=\" NAME); INFO(b, \"vermagic=\" RELEASE \" SMP mod_unload \");\n"
        "INFO(c, LIVEPATCH); INFO(d, \"license=GPL\");\n"
        "extern int printk(const char *, ...);\n"
        "int init_module(void) { return printk(\"x\"); }\n"
        "static int new_one(void) { return 1; }\n"
        "static struct klp_func funcs[] = { { .old_name = FUNCTION, .new_func = new_one }, { 0 } };\n"
        "static struct klp_object objs[] = { { .funcs = funcs }, { 0 } };\n"
        "static struct klp_patch patch = { .mod = &__this_module, .objs = objs, .replace = REPLACE };\n"
        "void *keep(void) { return &patch; }\n";

#define NORMAL "-DNAME='\"hp_test\"' -DRELEASE='\"" RELEASE "\"' -DLIVEPATCH='\"livepatch=Y\"' " \
        "-DFUNCTION='\"f\"' -DREPLACE=0"

static Tree tree;
static Pki pki;
static int load_fd, copy_fd;
static TrustPolicy policy = { .signatures_min = 1 };
static KernelIdentity kernel;

static void setup(void) {
        ck_assert_ok(hotpatch_errors_register());
        tree = tree_new();
        pki_make(&pki, "P-256");
        tree_file(&tree, "etc/hotpatch/trust.d/root.pem", pki.root_pem);
        tree_directory(&tree, "load");
        load_fd = openat(tree.fd, "load", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        copy_fd = memfd_create("copy", MFD_CLOEXEC);
        kernel = (KernelIdentity) {
                .arch = (char *) "x86_64", .release = (char *) RELEASE, .build_id = (char *) BUILD_ID,
        };
}

static void teardown(void) {
        close(load_fd);
        close(copy_fd);
        pki_done(&pki);
        tree_free(&tree);
}

/* Compiles the module; later -D options replace earlier ones. */
static void module_make(const char *options, Bytes *ret) {
        _cleanup_free_ char *c = tree_path(&tree, "m.c"), *ko = tree_path(&tree, "m.ko"), *command = NULL;
        _cleanup_free_ void *data = NULL;

        tree_file(&tree, "m.c", source);
        ck_assert_int_ge(asprintf(&command, "cc -w -c -O2 -fno-pic -mcmodel=kernel " NORMAL " %s -o '%s' '%s'",
                options, ko, c), 0);
        ck_assert_int_eq(system(command), 0);
        ck_assert_ok(file_read_at(tree.fd, "m.ko", 1024 * 1024, &data, &ret->size));
        ret->data = TAKE_PTR(data);
}

static int bundle_of(const char *functions, const Bytes *module) {
        _cleanup_free_ char *hex = NULL, *manifest = NULL;
        uint8_t digest[DIGEST_SIZE];
        Bytes bundle;
        int fd;

        ck_assert_ok(digest_bytes(module->data, module->size, digest));
        hex = hex_encode(digest, sizeof(digest));
        ck_assert_int_gt(asprintf(&manifest,
                "{\"type\":\"org.hotpatch.bundle\",\"format\":1,\"id\":\"hp-test\",\"title\":\"Test\","
                "\"severity\":\"low\",\"kind\":\"hotpatch\",\"stream\":\"test\",\"sequence\":1,"
                "\"created\":\"2027-01-15T08:00:00Z\",\"requires\":[\"hp-other\"],"
                "\"fixes\":[{\"id\":\"CVE-2026-0001\"}],\"targets\":[{\"arch\":\"x86_64\","
                "\"release\":\"" RELEASE "\",\"build_id\":\"" BUILD_ID "\",\"member\":\"m.ko\","
                "\"module\":\"hp_test\",\"objects\":[{\"name\":\"vmlinux\",\"functions\":[%s]}]}],"
                "\"members\":[{\"name\":\"m.ko\",\"size\":%zu,\"sha256\":\"%s\",\"role\":\"patch-module\"}]}\n",
                functions, module->size, hex), 0);
        bundle_make(&pki, manifest, "m.ko", module->data, module->size, &bundle);
        fd = bytes_fd(&bundle);
        bytes_done(&bundle);
        return fd;
}

static int good_bundle(void) {
        Bytes module = { 0 };
        int fd;

        module_make("", &module);
        fd = bundle_of("\"f\"", &module);
        bytes_done(&module);
        return fd;
}

/* In three steps, as preparations do. */
static int admit_in_steps(const AdmitRequest *q, sd_bus_error *e) {
        _cleanup_verified_free_ Verified *v = NULL;
        _cleanup_signed_free_ Signed *s = NULL;
        int r = admit_begin(q, e);

        if (r >= 0)
                r = admit_check_signatures(q->copy_fd, q->root, q->policy, q->now_usec, &s, e);
        return r < 0 ? r : admit_look(q, &s, -EBADF, &v, e);
}

/* Both ways, and there is one verdict. */
static int admit_for(int source_fd, const char *expected, sd_bus_error *e) {
        _cleanup_(sd_bus_error_free) sd_bus_error other = SD_BUS_ERROR_NULL;
        _cleanup_close_ int other_fd = memfd_create("other", MFD_CLOEXEC);
        AdmitRequest q = {
                .source_fd = source_fd, .copy_fd = other_fd, .root = tree.root, .policy = &policy,
                .now_usec = NOW, .kernel = &kernel, .load_dir_fd = load_fd, .expected_id = expected,
        };
        int k = admit_copy(&q, -EBADF, &other), r;

        if (load_fd >= 0)
                (void) unlinkat(load_fd, "hp_test.ko", 0);
        q.copy_fd = copy_fd;
        r = admit_in_steps(&q, e);
        ck_assert_int_eq(r, k);
        ck_assert(!e || streq(strempty(e->name), strempty(other.name)));
        return r;
}

static int admit(int source_fd, sd_bus_error *e) {
        return admit_for(source_fd, NULL, e);
}

static bool module_is_there(void) {
        return faccessat(load_fd, "hp_test.ko", F_OK, 0) == 0;
}

START_TEST(test_good) {
        _cleanup_(admitted_record_done) AdmittedRecord record = { 0 };
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_verified_free_ Verified *v = NULL;
        _cleanup_free_ void *loaded = NULL, *copied = NULL;
        _cleanup_close_ int fd = good_bundle();
        Bytes module = { 0 };
        struct stat st, copy;
        size_t size;

        ck_assert_int_eq(lseek(fd, 7, SEEK_SET), 7);
        /* what a crash left there is no obstacle, a link is not followed */
        ck_assert_int_eq(symlinkat("../m.c", load_fd, "hp_test.ko"), 0);
        ck_assert_msg(admit(fd, &e) >= 0, "%s", e.message);
        ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 7);

        module_make("", &module);
        ck_assert_int_eq(fstatat(load_fd, "hp_test.ko", &st, AT_SYMLINK_NOFOLLOW), 0);
        ck_assert(S_ISREG(st.st_mode));
        ck_assert_uint_eq(st.st_mode & 07777, 0600);
        ck_assert_ok(file_read_at(load_fd, "hp_test.ko", 1024 * 1024, &loaded, &size));
        ck_assert_uint_eq(size, module.size);
        ck_assert_mem_eq(loaded, module.data, size);
        bytes_done(&module);

        ck_assert_int_eq(fstat(fd, &st), 0);
        ck_assert_int_eq(fstat(copy_fd, &copy), 0);
        ck_assert_int_eq(st.st_size, copy.st_size);
        ck_assert_ok(admit_open(copy_fd, tree.root, &policy, NOW, &v, NULL));
        ck_assert_str_eq(verified_manifest(v)->id, "hp-test");

        ck_assert_ok(admit_record(v, &kernel, 17, &record));
        ck_assert_str_eq(record.id, "hp-test");
        ck_assert_str_eq(record.module, "hp_test");
        ck_assert_str_eq(record.digest, verified_digest(v));
        ck_assert_str_eq(record.fixes[0], "CVE-2026-0001");
        ck_assert_str_eq(record.requires[0], "hp-other");
        ck_assert_uint_eq(record.admitted_usec, 17);
        kernel.release = (char *) "other";
        ck_assert_int_eq(admit_record(v, &kernel, 17, &record), -ENOENT);
}
END_TEST

/* A bundle for another kernel may be staged; its module is nothing to us. */
START_TEST(test_other_kernel) {
        _cleanup_close_ int fd = good_bundle();

        kernel.build_id = (char *) "ffff";
        ck_assert_ok(admit(fd, NULL));
        ck_assert(!module_is_there());
}
END_TEST

START_TEST(test_inspected_and_not_kept) {
        _cleanup_close_ int fd = good_bundle();

        close(load_fd);
        load_fd = -EBADF;
        ck_assert_ok(admit(fd, NULL));
}
END_TEST

START_TEST(test_bad_descriptors) {
        _cleanup_close_ int dir = open(tree.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), large = memfd_create("l", 0);
        _cleanup_close_ int path = -EBADF, write_only = -EBADF;
        int pipes[2];

        tree_file(&tree, "file", "x");
        path = openat(tree.fd, "file", O_PATH | O_CLOEXEC);
        write_only = openat(tree.fd, "file", O_WRONLY | O_CLOEXEC);
        ck_assert_int_eq(pipe(pipes), 0);
        ck_assert_int_eq(ftruncate(large, (off_t) HOTPATCH_BUNDLE_MAX + 1), 0);
        ck_assert_refused(admit(dir, &error), "BundleUnreadable");
        ck_assert_refused(admit(path, &error), "BundleUnreadable");
        ck_assert_refused(admit(write_only, &error), "BundleUnreadable");
        ck_assert_refused(admit(pipes[0], &error), "BundleUnreadable");
        ck_assert_refused(admit(-EBADF, &error), "BundleUnreadable");
        ck_assert_refused(admit(large, &error), "BundleTooLarge");
        close(pipes[0]);
        close(pipes[1]);
}
END_TEST

static void flip(int fd, off_t at) {
        char c;

        ck_assert_int_eq(pread(fd, &c, 1, at), 1);
        c ^= 1;
        ck_assert_int_eq(pwrite(fd, &c, 1, at), 1);
}

/* The module is the last member: a padded block and the two that end the archive come after it. */
START_TEST(test_one_bit) {
        _cleanup_close_ int fd = good_bundle();
        struct stat st;

        ck_assert_int_eq(fstat(fd, &st), 0);
        flip(fd, st.st_size - 3000);
        ck_assert_refused(admit(fd, &error), "PayloadMismatch");
        ck_assert(!module_is_there());
        flip(fd, st.st_size - 3000);
        flip(fd, 512 + 60);
        ck_assert_int_eq(ftruncate(copy_fd, 0), 0);
        ck_assert_int_eq(lseek(copy_fd, 0, SEEK_SET), 0);
        ck_assert_refused(admit(fd, &error), "SignatureInvalid");
}
END_TEST

START_TEST(test_trust) {
        _cleanup_close_ int fd = good_bundle();

        policy.signatures_min = 2;
        ck_assert_refused(admit(fd, &error), "SignaturesTooFew");
        policy.signatures_min = 1;
}
END_TEST

START_TEST(test_no_anchor) {
        _cleanup_close_ int fd = good_bundle();

        ck_assert_int_eq(unlinkat(tree.fd, "etc/hotpatch/trust.d/root.pem", 0), 0);
        ck_assert_refused(admit(fd, &error), "NoTrustAnchors");
}
END_TEST

START_TEST(test_expected) {
        _cleanup_close_ int fd = good_bundle();

        ck_assert_refused(admit_for(fd, "hp-else", &error), "NoSuchBundle");
        ck_assert(!module_is_there());
}
END_TEST

static const struct {
        const char *options;   /* of the compiler */
        const char *functions; /* of the manifest */
        const char *refusal;   /* NULL: good */
        const char *said;
} modules[] = {
        { "", "\"f\"", NULL, NULL },
        { "", "\"f,1\"", NULL, NULL },
        { "-DLIVEPATCH='\"other=Y\"'", "\"f\"", "NotALivepatch", "" },
        { "-DNAME='\"hp_other\"'", "\"f\"", "ModuleManifestMismatch", "'hp_other'" },
        { "-DRELEASE='\"6.1.0-51\"'", "\"f\"", "ModuleManifestMismatch", "'6.1.0-51'" },
        { "-DREPLACE=1", "\"f\"", "ModuleManifestMismatch", "'replace'" },
        { "-DFUNCTION='\"g\"'", "\"f\"", "ModuleManifestMismatch", "'f' of 'vmlinux'" },
        { "", "\"f\",\"g\"", "ModuleManifestMismatch", "'g' of 'vmlinux'" },
        { "", "\"f,2\"", "ModuleManifestMismatch", "'f,2' of 'vmlinux'" },
};

START_TEST(test_modules) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_close_ int fd = -EBADF;
        Bytes module = { 0 };
        char name[128];
        int r;

        module_make(modules[_i].options, &module);
        fd = bundle_of(modules[_i].functions, &module);
        bytes_done(&module);
        r = admit(fd, &e);
        if (!modules[_i].refusal) {
                ck_assert_msg(r >= 0, "%s", e.message);
                return;
        }
        ck_assert_int_lt(r, 0);
        snprintf(name, sizeof(name), HOTPATCH_ERROR("") "%s", modules[_i].refusal);
        ck_assert_str_eq(e.name, name);
        ck_assert_msg(strstr(e.message, modules[_i].said), "%s", e.message);
        ck_assert(!module_is_there());
}
END_TEST

static Suite *admit_suite(void) {
        Suite *s = suite_create("admit");
        TCase *c = tcase_create("admit");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_test(c, test_good);
        tcase_add_test(c, test_other_kernel);
        tcase_add_test(c, test_inspected_and_not_kept);
        tcase_add_test(c, test_bad_descriptors);
        tcase_add_test(c, test_one_bit);
        tcase_add_test(c, test_trust);
        tcase_add_test(c, test_no_anchor);
        tcase_add_test(c, test_expected);
        tcase_add_loop_test(c, test_modules, 0, ELEMENTSOF(modules));
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(admit_suite)
