/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Making detached CMS signatures, such as signature.c accepts: DER, one signer, signed attributes,
 * the digest that belongs to the key (SHA-384 for P-384, else SHA-256), certificates up to but
 * without the root. `openssl cms -sign -binary -outform DER` makes the same.
 */

#include <limits.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "bundle/openssl-error.h"
#include "bundle/openssl-types.h"
#include "bundle/signature-sign.h"
#include "dbus/errors.h"
#include "util/str.h"

#define fail(error, ...) openssl_fail((error), SD_BUS_ERROR_INVALID_ARGS, __VA_ARGS__)

static int read_certificates(const SigningKey *k, STACK_OF(X509) **ret, sd_bus_error *error) {
        _cleanup_(BIO_free_allp) BIO *in = BIO_new_mem_buf(k->certificates, (int) k->certificates_size);
        _cleanup_(x509_list_freep) STACK_OF(X509) *list = sk_X509_new_null();

        if (!in || !list)
                return -ENOMEM;
        for (;;) {
                X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);

                if (!x)
                        break;
                if (sk_X509_push(list, x) <= 0) {
                        X509_free(x);
                        return -ENOMEM;
                }
        }
        if (sk_X509_num(list) == 0)
                return fail(error, "The signer's file holds no certificate in PEM form");
        ERR_clear_error();
        *ret = TAKE_PTR(list);
        return 0;
}

static int read_key(const SigningKey *k, EVP_PKEY **ret, sd_bus_error *error) {
        _cleanup_(BIO_free_allp) BIO *in = BIO_new_mem_buf(k->key, (int) k->key_size);

        if (!in)
                return -ENOMEM;
        *ret = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
        return *ret ? 0 : fail(error, "The signer's private key cannot be read");
}

static const EVP_MD *digest_for(const EVP_PKEY *key) {
        return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) > 256 ? EVP_sha384()
                                                                                       : EVP_sha256();
}

/* OpenSSL would take the clock's time; ours can be SOURCE_DATE_EPOCH. */
static int add_signing_time(CMS_SignerInfo *si, uint64_t now_usec) {
        _cleanup_(ASN1_TIME_freep) ASN1_TIME *t = ASN1_TIME_adj(NULL, (time_t) (now_usec / USEC_PER_SEC), 0, 0);

        return t && CMS_signed_add1_attr_by_NID(si, NID_pkcs9_signingTime, t->type, t, -1) == 1 ? 0 : -ENOMEM;
}

static int sign(STACK_OF(X509) *certificates, EVP_PKEY *key, uint64_t now_usec, BIO *data,
                CMS_ContentInfo **ret, sd_bus_error *error) {
        const unsigned flags = CMS_BINARY | CMS_DETACHED | CMS_PARTIAL | CMS_NOSMIMECAP;
        _cleanup_(CMS_ContentInfo_freep) CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
        X509 *leaf = sk_X509_value(certificates, 0);
        CMS_SignerInfo *si;

        if (!cms)
                return -ENOMEM;
        si = CMS_add1_signer(cms, leaf, key, digest_for(key), flags);
        if (!si)
                return fail(error, "The private key does not belong to the first certificate");
        for (int i = 1; i < sk_X509_num(certificates); i++) {
                X509 *x = sk_X509_value(certificates, i);

                if (!(X509_get_extension_flags(x) & EXFLAG_SS) && CMS_add1_cert(cms, x) != 1)
                        return fail(error, "The signer's certificates cannot be used");
        }
        if (add_signing_time(si, now_usec) < 0)
                return -ENOMEM;
        if (CMS_final(cms, data, NULL, flags) != 1)
                return fail(error, "Signing failed");
        *ret = TAKE_PTR(cms);
        return 0;
}

/**
 * sign_bytes() - make a detached signature
 * @now_usec: what the signature shall claim as its time
 * @ret: the CMS in DER form; to be freed
 * @error: InvalidArgs, when key and certificate do not serve
 *
 * Return: 0 or a negative errno.
 */
int sign_bytes(const SigningKey *key, uint64_t now_usec, const void *data, size_t size, void **ret,
                size_t *ret_size, sd_bus_error *error) {
        _cleanup_(x509_list_freep) STACK_OF(X509) *certificates = NULL;
        _cleanup_(CMS_ContentInfo_freep) CMS_ContentInfo *cms = NULL;
        _cleanup_(EVP_PKEY_freep) EVP_PKEY *pkey = NULL;
        _cleanup_(BIO_free_allp) BIO *in = NULL;
        unsigned char *der, *p;
        int r, n;

        if (size > INT_MAX || key->certificates_size > INT_MAX || key->key_size > INT_MAX)
                return -EFBIG;
        ERR_clear_error();
        r = read_certificates(key, &certificates, error);
        if (r >= 0)
                r = read_key(key, &pkey, error);
        if (r < 0)
                return r;
        in = BIO_new_mem_buf(data, (int) size);
        if (!in)
                return -ENOMEM;
        r = sign(certificates, pkey, now_usec, in, &cms, error);
        if (r < 0)
                return r;
        n = i2d_CMS_ContentInfo(cms, NULL);
        der = n < 0 ? NULL : malloc((size_t) n);
        if (!der)
                return -ENOMEM;
        p = der;
        *ret_size = (size_t) i2d_CMS_ContentInfo(cms, &p);
        *ret = der;
        return 0;
}

/**
 * signing_certificate_beside() - where the certificate of a key is, if nobody says it
 * @key: path of the private key
 *
 * `hotpatchctl key generate` writes signer.pem beside signer.key.
 *
 * Return: a path to free with free(), or NULL without memory.
 */
char *signing_certificate_beside(const char *key) {
        size_t n = strlen(key), stem = n > 4 && streq(key + n - 4, ".key") ? n - 4 : n;
        char *path;

        return str_printf(&path, "%.*s.pem", (int) stem, key) < 0 ? NULL : path;
}
