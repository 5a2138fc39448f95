/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Signatures are made by openssl(1) as scripts/sign-file makes them, and read by us; /proc/keys is a
 * captured one.
 */

#include <ctype.h>

#include "livepatch/keyring.h"
#include "livepatch/modsig.h"
#include "tests/unit/tree.h"

static const uint8_t tail[12] = { [2] = 2 };

static char *scratch;

_printf_(1, 2) static void run(const char *format, ...) {
        _cleanup_free_ char *command = NULL, *shell = NULL;
        va_list ap;

        va_start(ap, format);
        ck_assert_int_ge(vasprintf(&command, format, ap), 0);
        va_end(ap);
        ck_assert_int_ge(asprintf(&shell, "cd '%s' && { %s; } >log 2>&1", scratch, command), 0);
        ck_assert_msg(system(shell) == 0, "failed: %s", command);
}

static void setup(void) {
        scratch = scratch_new();
        run("openssl req -x509 -newkey rsa:2048 -nodes -keyout a.key -out a.pem -days 9 "
            "-subj '/O=The Site/CN=Our: module key' -set_serial 0x00c0ffee");
        run("echo module >module");
}

static void teardown(void) {
        scratch_free(scratch);
}

static void *message(const char *options, size_t *ret_size) {
        _cleanup_free_ char *path = NULL;
        void *data;

        run("openssl cms -sign -binary -noattr -in module -md sha256 -outform DER -out sig -signer a.pem "
            "-inkey a.key %s", options);
        ck_assert_int_ge(asprintf(&path, "%s/sig", scratch), 0);
        ck_assert_ok(file_read_at(AT_FDCWD, path, 65536, &data, ret_size));
        return data;
}

static char *certificate(const char *what) {
        _cleanup_free_ char *path = NULL;
        void *text;
        char *to;

        run("openssl x509 -in a.pem -noout %s | tail -n 1 | tr -d ': \\n' | tr A-F a-f >field", what);
        ck_assert_int_ge(asprintf(&path, "%s/field", scratch), 0);
        ck_assert_ok(file_read_at(AT_FDCWD, path, 65536, &text, NULL));
        to = text;
        to[strcspn(to, "\n")] = 0;
        return text;
}

START_TEST(named_by_issuer_and_serial) {
        _cleanup_(module_signature_done) ModuleSignature s = {};
        _cleanup_free_ void *m = NULL;
        size_t size;

        m = message("-nocerts", &size);
        ck_assert_ok(module_signature_parse(tail, m, size, &s));
        ck_assert(s.present && s.readable && !s.open);
        ck_assert_str_eq(s.signer, "Our: module key");
        ck_assert_str_eq(s.serial, "00c0ffee"); /* as in the certificate: positive */
        ck_assert_ptr_null(s.key_id);
        /* serial number, then the name without its own header: SET { SEQUENCE { O … */
        ck_assert_int_eq(strncmp(s.issuer_serial, "00c0ffee31", 10), 0);
        ck_assert_ptr_nonnull(strstr(s.issuer_serial, "060355040a"));
}
END_TEST

START_TEST(named_by_key_id) {
        _cleanup_(module_signature_done) ModuleSignature s = {};
        _cleanup_free_ char *id = certificate("-ext subjectKeyIdentifier");
        _cleanup_free_ void *m = NULL;
        size_t size;

        m = message("-nocerts -keyid", &size);
        ck_assert_ok(module_signature_parse(tail, m, size, &s));
        ck_assert(s.readable && !s.open);
        ck_assert_str_eq(s.key_id, id);
        ck_assert_ptr_null(s.issuer_serial);
        ck_assert_ptr_null(s.signer);
}
END_TEST

START_TEST(certificates_leave_it_open) {
        _cleanup_(module_signature_done) ModuleSignature s = {};
        _cleanup_free_ void *m = NULL;
        size_t size;

        m = message("", &size);
        ck_assert_ok(module_signature_parse(tail, m, size, &s));
        ck_assert(s.readable && s.open);
        ck_assert_str_eq(s.signer, "Our: module key");
}
END_TEST

START_TEST(anything_else_is_not_readable) {
        static const uint8_t other_type[12] = { [2] = 1 };
        ModuleSignature s = {};
        _cleanup_free_ void *m = NULL;
        size_t size;

        m = message("-nocerts", &size);
        ck_assert_ok(module_signature_parse(other_type, m, size, &s));
        ck_assert(s.present && !s.readable && !s.serial);
        module_signature_done(&s);
        ck_assert_ok(module_signature_parse(tail, (const uint8_t *) "SIGNATURE", 9, &s));
        ck_assert(s.present && !s.readable);
        module_signature_done(&s);
        /* cut anywhere, in memory of that size */
        for (size_t n = 0; n < size; n++) {
                _cleanup_free_ uint8_t *part = malloc(n ?: 1);

                memcpy(part, m, n);
                ck_assert_ok(module_signature_parse(tail, part, n, &s));
                ck_assert_msg(!s.readable && !s.issuer_serial && !s.signer, "%zu of %zu bytes", n, size);
                module_signature_done(&s);
        }
        /* one wrong byte anywhere: no harm */
        for (size_t n = 0; n < size; n++) {
                ((uint8_t *) m)[n] ^= 0x85;
                ck_assert_ok(module_signature_parse(tail, m, size, &s));
                for (const char *p = strempty(s.signer); *p; p++)
                        ck_assert(isprint((unsigned char) *p));
                module_signature_done(&s);
                ((uint8_t *) m)[n] ^= 0x85;
        }
}
END_TEST

/* --- /proc/keys --- */

#define RING(name, count) "1f0e6a3c I------     1 perm 1f0b0000     0     0 keyring   " name ": " count "\n"
#define KEY(uid, name) "2c1bb0d4 I------     1 perm 1f030000 " uid "     0 asymmetri " name " []\n"
#define EMPTY RING(".builtin_trusted_keys", "empty") RING(".platform", "empty")
#define SOME RING(".builtin_trusted_keys", "1") KEY("    0", "Build time autogenerated kernel key: aabb: X509.rsa 6c2df0f0")

static const struct {
        const char *name;
        const char *keys; /* NULL: no such file */
        const char *key_id, *signer, *serial;
        bool open;
        int expected;
} rings[] = {
        { "no list", NULL, "aabb", NULL, NULL, false, -ENODATA },
        { "no ring to be seen", "", "aabb", NULL, NULL, false, -ENODATA },
        { "rings are empty, by id", EMPTY, "aabb", NULL, NULL, false, 0 },
        { "rings are empty, by serial", EMPTY, NULL, "Our key", "c0ff", false, 0 },
        { "id is there", SOME, "aabb", NULL, NULL, false, 1 },
        { "end of an id", SOME, "bb", NULL, NULL, false, 0 },
        { "other id", SOME, "aabc", NULL, NULL, false, 0 },
        { "other id, with certificates", SOME, "aabc", NULL, NULL, true, -ENODATA },
        { "issuer's name", SOME, NULL, "Build time autogenerated kernel key", "c0ff", false, 1 },
        { "serial in place of an id", SOME, NULL, "Somebody", "aabb", false, 1 },
        { "issuer of another name", SOME, NULL, "Build time", "c0ff", false, -ENODATA },
        { "name with a colon", EMPTY KEY("    0", "Our: module key: ccdd: X509.rsa 01020304"), NULL,
          "Our: module key", "c0ff", false, 1 },
        { "a user's own", EMPTY KEY(" 1000", "Our key: aabb: X509.rsa 6c2df0f0"), "aabb", NULL, NULL, false, 0 },
        { "half a line", EMPTY "2c1bb0d4 I---\nzz\n\n", "aabb", NULL, NULL, false, 0 },
        { "a key without a name", EMPTY KEY("    0", ": X509.rsa"), "aabb", NULL, NULL, false, 0 },
};

START_TEST(keys_of_the_kernel) {
        _cleanup_(tree_free) Tree t = tree_new();
        ModuleSignature s = {
                .present = true, .readable = true, .open = rings[_i].open,
                .key_id = (char *) rings[_i].key_id, .signer = (char *) rings[_i].signer,
                .serial = (char *) rings[_i].serial,
                .issuer_serial = (char *) (rings[_i].key_id ? NULL : "c0ff31"),
        };
        const char *ring = "untouched";
        int r;

        if (rings[_i].keys)
                tree_file(&t, "proc/keys", rings[_i].keys);
        r = kernel_has_signer(t.kernel, &s, &ring);
        ck_assert_msg(r == rings[_i].expected, "%s: %d", rings[_i].name, r);
        ck_assert_ptr_null(ring);
}
END_TEST

/* Whose keys they are only the running kernel tells. */
START_TEST(a_captured_tree_names_no_keys) {
        _cleanup_(tree_free) Tree t = tree_new();
        char *names = (char *) "untouched";

        tree_file(&t, "proc/keys", SOME);
        ck_assert_ok(kernel_trusted_keys(t.kernel, &names));
        ck_assert_ptr_null(names);
}
END_TEST

static Suite *modsig_suite(void) {
        Suite *s = suite_create("modsig");
        TCase *c = tcase_create("message");

        tcase_add_unchecked_fixture(c, setup, teardown);
        tcase_add_test(c, named_by_issuer_and_serial);
        tcase_add_test(c, named_by_key_id);
        tcase_add_test(c, certificates_leave_it_open);
        tcase_add_test(c, anything_else_is_not_readable);
        suite_add_tcase(s, c);
        c = tcase_create("keys");
        tcase_add_loop_test(c, keys_of_the_kernel, 0, ELEMENTSOF(rings));
        tcase_add_test(c, a_captured_tree_names_no_keys);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(modsig_suite)
