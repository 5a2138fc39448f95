/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A small public-key infrastructure, for sites that patch their own kernels and for tests.
 *
 * Three levels: the root, whose key belongs into a safe after today; the intermediate, which
 * replaces the signer when that is lost; the signer. OpenSSL is used here as in signature.c,
 * because issuing certificates shares nothing with verifying signatures, and the daemon must not
 * contain it.
 *
 * Nothing is ever overwritten: a lost private key cannot be had back.
 */

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "bundle/eku.h"
#include "bundle/openssl-error.h"
#include "bundle/openssl-types.h"
#include "bundle/pki.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/str.h"

#define USEC_PER_DAY (UINT64_C(24) * 60 * 60 * USEC_PER_SEC)

/* Clocks differ: what is made now shall be valid on a machine that is behind. */
#define BACKDATE_USEC (UINT64_C(60) * 60 * USEC_PER_SEC)

#define ROOT_DAYS 7305U
#define INTERMEDIATE_DAYS 3652U
#define SIGNER_DAYS 730U
#define CRL_DAYS 365U

struct Identity {
        EVP_PKEY *key;
        X509 *certificate;
};

/** identity_free() - free; accepts NULL. Returns NULL. */
Identity *identity_free(Identity *i) {
        if (i) {
                EVP_PKEY_free(i->key);
                X509_free(i->certificate);
        }
        free(i);
        return NULL;
}

static EVP_PKEY *key_generate(const char *spec) {
        const char *bits = startswith(spec, "RSA-");

        if (bits)
                return EVP_RSA_gen((unsigned) strtoul(bits, NULL, 10));
        return EVP_EC_gen(spec);
}

static const EVP_MD *digest_for(const EVP_PKEY *key, const char *name) {
        if (name)
                return EVP_get_digestbyname(name);
        return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) > 256 ? EVP_sha384()
                                                                                       : EVP_sha256();
}

static int set_serial(X509 *x) {
        _cleanup_(BN_freep) BIGNUM *serial = BN_new();

        /* RFC 5280 section 4.1.2.2: positive, at most 20 bytes; random, so that no state is kept. */
        return serial && BN_rand(serial, 159, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)) ? 0 : -EIO;
}

static int set_time(ASN1_TIME *at, uint64_t usec) {
        return ASN1_TIME_adj(at, (time_t) (usec / USEC_PER_SEC), 0, 0) ? 0 : -EIO;
}

static int add_extension(X509 *x, X509V3_CTX *ctx, int nid, const char *value) {
        _cleanup_(X509_EXTENSION_freep) X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, ctx, nid, value);

        return e && X509_add_ext(x, e, -1) == 1 ? 0 : -EIO;
}

static int add_extensions(X509 *x, X509 *issuer, const IdentityTemplate *t) {
        X509V3_CTX ctx;
        int r;

        X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
        r = add_extension(x, &ctx, NID_basic_constraints, t->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
        if (r >= 0)
                r = add_extension(x, &ctx, NID_key_usage,
                        t->ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
        if (r >= 0 && t->usage)
                r = add_extension(x, &ctx, NID_ext_key_usage, t->usage);
        if (r >= 0)
                r = add_extension(x, &ctx, NID_subject_key_identifier, "hash");
        if (r >= 0 && issuer != x)
                r = add_extension(x, &ctx, NID_authority_key_identifier, "keyid:always");
        return r;
}

static int certificate_fill(Identity *i, const IdentityTemplate *t, const Identity *issuer) {
        X509 *x = i->certificate;
        X509_NAME *subject = X509_get_subject_name(x);
        int r;

        if (X509_set_version(x, X509_VERSION_3) != 1 || X509_set_pubkey(x, i->key) != 1 ||
            X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                    (const unsigned char *) t->name, -1, -1, 0) != 1 ||
            X509_set_issuer_name(x, X509_get_subject_name(issuer->certificate)) != 1)
                return -EIO;
        r = set_serial(x);
        if (r >= 0)
                r = set_time(X509_getm_notBefore(x), t->not_before_usec);
        if (r >= 0)
                r = set_time(X509_getm_notAfter(x), t->not_after_usec);
        if (r >= 0)
                r = add_extensions(x, issuer->certificate, t);
        if (r < 0)
                return r;
        return X509_sign(x, issuer->key, digest_for(issuer->key, t->digest)) > 0 ? 0 : -EIO;
}

/**
 * identity_new() - make a key pair and have it certified
 * @issuer: who certifies; NULL: the new one itself, a root
 * @ret: free with identity_free()
 * @error: InvalidArgs, when OpenSSL refuses the template
 *
 * Return: 0 or a negative errno.
 */
int identity_new(const IdentityTemplate *t, const Identity *issuer, Identity **ret, sd_bus_error *error) {
        _cleanup_identity_free_ Identity *i = calloc(1, sizeof(*i));

        if (!i)
                return -ENOMEM;
        ERR_clear_error();
        i->key = key_generate(t->key);
        i->certificate = X509_new();
        if (!i->key || !i->certificate || certificate_fill(i, t, issuer ?: i) < 0)
                return openssl_fail(error, SD_BUS_ERROR_INVALID_ARGS,
                        "No certificate for '%s' with a key of type '%s' could be made", t->name, t->key);
        *ret = TAKE_PTR(i);
        return 0;
}

static int bio_take(BIO *out, char **ret) {
        char *text;
        long n = BIO_get_mem_data(out, &text);

        *ret = strndup(text, (size_t) n);
        return *ret ? 0 : -ENOMEM;
}

/** identity_key_pem() - the private key, not encrypted, as PEM; returns 0 or a negative errno */
int identity_key_pem(const Identity *i, char **ret) {
        _cleanup_(BIO_free_allp) BIO *out = BIO_new(BIO_s_secmem());

        if (!out || PEM_write_bio_PrivateKey(out, i->key, NULL, NULL, 0, NULL, NULL) != 1)
                return -ENOMEM;
        return bio_take(out, ret);
}

/** identity_certificate_pem() - the certificate as PEM; returns 0 or a negative errno */
int identity_certificate_pem(const Identity *i, char **ret) {
        _cleanup_(BIO_free_allp) BIO *out = BIO_new(BIO_s_mem());

        if (!out || PEM_write_bio_X509(out, i->certificate) != 1)
                return -ENOMEM;
        return bio_take(out, ret);
}

static int crl_revoke(X509_CRL *crl, const X509 *x, const ASN1_TIME *now) {
        _cleanup_(X509_REVOKED_freep) X509_REVOKED *entry = X509_REVOKED_new();

        if (!entry || X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *) X509_get0_serialNumber(x)) != 1 ||
            X509_REVOKED_set_revocationDate(entry, (ASN1_TIME *) now) != 1 ||
            X509_CRL_add0_revoked(crl, entry) != 1)
                return -EIO;
        TAKE_PTR(entry);
        return 0;
}

static int crl_fill(X509_CRL *crl, const Identity *issuer, const Identity *revoked,
                const ASN1_TIME *now, const ASN1_TIME *until) {
        _cleanup_(X509_EXTENSION_freep) X509_EXTENSION *key_id = NULL;
        _cleanup_(ASN1_INTEGER_freep) ASN1_INTEGER *number = ASN1_INTEGER_new();
        struct tm tm;
        X509V3_CTX ctx;

        /* A list number that grows (RFC 5280 section 5.2.3), without keeping state: the time. */
        if (!number || ASN1_TIME_to_tm(now, &tm) != 1 ||
            ASN1_INTEGER_set_int64(number, (int64_t) timegm(&tm)) != 1 ||
            X509_CRL_set_version(crl, X509_CRL_VERSION_2) != 1 ||
            X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->certificate)) != 1 ||
            X509_CRL_set1_lastUpdate(crl, now) != 1 || X509_CRL_set1_nextUpdate(crl, until) != 1)
                return -EIO;
        if (revoked && crl_revoke(crl, revoked->certificate, now) < 0)
                return -EIO;
        X509V3_set_ctx(&ctx, issuer->certificate, NULL, NULL, crl, 0);
        key_id = X509V3_EXT_conf_nid(NULL, &ctx, NID_authority_key_identifier, "keyid:always");
        if (!key_id || X509_CRL_add_ext(crl, key_id, -1) != 1 ||
            X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) != 1)
                return -EIO;
        return X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, issuer->key, digest_for(issuer->key, NULL)) > 0
                ? 0 : -EIO;
}

/**
 * identity_crl_pem() - a revocation list of an issuer, as PEM
 * @revoked: whose certificate is revoked; NULL: nobody's
 * @until_usec: when a newer list shall be there
 *
 * Return: 0 or a negative errno.
 */
int identity_crl_pem(const Identity *issuer, const Identity *revoked, uint64_t now_usec,
                uint64_t until_usec, char **ret) {
        _cleanup_(X509_CRL_freep) X509_CRL *crl = X509_CRL_new();
        _cleanup_(BIO_free_allp) BIO *out = BIO_new(BIO_s_mem());
        _cleanup_(ASN1_TIME_freep) ASN1_TIME *now = ASN1_TIME_new(), *until = ASN1_TIME_new();
        int r;

        if (!crl || !out || !now || !until)
                return -ENOMEM;
        r = set_time(now, now_usec);
        if (r >= 0)
                r = set_time(until, until_usec);
        if (r >= 0)
                r = crl_fill(crl, issuer, revoked, now, until);
        if (r < 0)
                return r;
        if (PEM_write_bio_X509_CRL(out, crl) != 1)
                return -ENOMEM;
        return bio_take(out, ret);
}

/** struct Output - one file of pki_generate() */
typedef struct Output {
        const char *name;
        mode_t mode;
        char *content;
} Output;

static int output_write(int dir_fd, const Output *o, sd_bus_error *error) {
        _cleanup_close_ int fd =
                openat(dir_fd, o->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, o->mode);
        int r = fd < 0 ? -errno : file_write_all(fd, o->content, strlen(o->content));

        if (r >= 0 && fsync(fd) < 0)
                r = -errno;
        if (r < 0)
                sd_bus_error_setf(error, SD_BUS_ERROR_FAILED, "'%s' cannot be written: %s", o->name, strerror(-r));
        return r;
}

static int outputs_write(int dir_fd, const Output *o, size_t n, sd_bus_error *error) {
        int r = 0;

        /* All or nothing: look before the first is written. */
        for (size_t i = 0; i < n; i++)
                if (faccessat(dir_fd, o[i].name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
                        sd_bus_error_setf(error, HOTPATCH_ERROR("FileExists"),
                                "'%s' is there already and is not overwritten", o[i].name);
                        return -EEXIST;
                }
        for (size_t i = 0; r >= 0 && i < n; i++) {
                r = output_write(dir_fd, &o[i], error);
                for (size_t j = 0; r < 0 && r != -EEXIST && j <= i; j++)
                        (void) unlinkat(dir_fd, o[j].name, 0);
        }
        return r;
}

enum { ROOT, INTERMEDIATE, SIGNER, _LEVELS };

static int identities_new(
                const char *name, const char *key, uint64_t now_usec, Identity *ret[static _LEVELS], sd_bus_error *error) {
        static const struct {
                const char *suffix;
                bool ca;
                const char *usage;
                unsigned days;
        } levels[_LEVELS] = {
                [ROOT] = { "root", true, NULL, ROOT_DAYS },
                [INTERMEDIATE] = { "intermediate", true, HOTPATCH_EKU_OID, INTERMEDIATE_DAYS },
                [SIGNER] = { "signer", false, HOTPATCH_EKU_OID, SIGNER_DAYS },
        };

        for (size_t i = 0; i < _LEVELS; i++) {
                _cleanup_free_ char *full = NULL;
                int r;

                if (str_printf(&full, "%s %s", name, levels[i].suffix) < 0)
                        return -ENOMEM;
                r = identity_new(
                        &(IdentityTemplate) {
                                .name = full, .key = key, .ca = levels[i].ca, .usage = levels[i].usage,
                                .not_before_usec = now_usec - BACKDATE_USEC,
                                .not_after_usec = now_usec + levels[i].days * USEC_PER_DAY,
                        },
                        i == ROOT ? NULL : ret[i - 1], &ret[i], error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int join(char *a, char *b, char **ret) {
        _cleanup_free_ char *first = a, *second = b;

        return str_printf(ret, "%s%s", first, second);
}

static int outputs_fill(Identity *const id[static _LEVELS], uint64_t now_usec, Output *o) {
        const uint64_t until = now_usec + CRL_DAYS * USEC_PER_DAY;
        char *leaf = NULL, *chain = NULL, *root_crl = NULL, *intermediate_crl = NULL;
        int r = identity_key_pem(id[ROOT], &o[0].content);

        if (r >= 0)
                r = identity_certificate_pem(id[ROOT], &o[1].content);
        if (r >= 0)
                r = identity_key_pem(id[INTERMEDIATE], &o[2].content);
        if (r >= 0)
                r = identity_certificate_pem(id[INTERMEDIATE], &o[3].content);
        if (r >= 0)
                r = identity_key_pem(id[SIGNER], &o[4].content);
        if (r >= 0)
                r = identity_certificate_pem(id[SIGNER], &leaf);
        if (r >= 0)
                r = identity_certificate_pem(id[INTERMEDIATE], &chain);
        if (r >= 0)
                r = join(TAKE_PTR(leaf), TAKE_PTR(chain), &o[5].content);
        if (r >= 0)
                r = identity_crl_pem(id[ROOT], NULL, now_usec - BACKDATE_USEC, until, &root_crl);
        if (r >= 0)
                r = identity_crl_pem(id[INTERMEDIATE], NULL, now_usec - BACKDATE_USEC, until, &intermediate_crl);
        if (r >= 0)
                r = join(TAKE_PTR(root_crl), TAKE_PTR(intermediate_crl), &o[6].content);
        free(leaf);
        free(chain);
        free(root_crl);
        free(intermediate_crl);
        return r;
}

/**
 * pki_generate() - make root, intermediate and signer, and write them into a directory
 * @dir_fd: open directory; none of the files may be there yet
 * @name: what the common names begin with
 * @key: as in struct IdentityTemplate
 * @error: FileExists, InvalidArgs, Failed
 *
 * Writes root.key, root.pem, intermediate.key, intermediate.pem, signer.key, signer.pem (with the
 * intermediate behind it, as signing wants it) and revocation.crl (of both authorities). Private
 * keys have mode 0600.
 *
 * Return: 0 or a negative errno; then nothing of it is left behind.
 */
int pki_generate(int dir_fd, const char *name, const char *key, uint64_t now_usec, sd_bus_error *error) {
        Identity *identities[_LEVELS] = { 0 };
        Output outputs[] = {
                { "root.key", 0600, NULL },         { "root.pem", 0644, NULL },
                { "intermediate.key", 0600, NULL }, { "intermediate.pem", 0644, NULL },
                { "signer.key", 0600, NULL },       { "signer.pem", 0644, NULL },
                { "revocation.crl", 0644, NULL },
        };
        int r = identities_new(name, key, now_usec, identities, error);

        if (r >= 0)
                r = outputs_fill(identities, now_usec, outputs);
        if (r >= 0)
                r = outputs_write(dir_fd, outputs, ELEMENTSOF(outputs), error);
        for (size_t i = 0; i < _LEVELS; i++)
                identity_free(identities[i]);
        for (size_t i = 0; i < ELEMENTSOF(outputs); i++) {
                if (outputs[i].content)
                        explicit_bzero(outputs[i].content, strlen(outputs[i].content));
                free(outputs[i].content);
        }
        return r;
}
