/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whom signatures are believed: root certificates and revocation lists, from PEM files.
 *
 * Beside OpenSSL's own store the lists are kept apart: OpenSSL consults one list for each
 * certificate, signature-chain.c asks them all.
 */

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "bundle/openssl-error.h"
#include "bundle/signature-internal.h"
#include "dbus/errors.h"

/** signature_store_free() - free; accepts NULL. Returns NULL. */
SignatureStore *signature_store_free(SignatureStore *s) {
        if (s) {
                X509_STORE_free(s->store);
                crl_list_free(s->crls);
        }
        free(s);
        return NULL;
}

/**
 * signature_store_new() - a store that trusts nobody yet
 *
 * Return: 0 or -ENOMEM.
 */
int signature_store_new(SignatureStore **ret) {
        _cleanup_signature_store_free_ SignatureStore *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->store = X509_STORE_new();
        s->crls = sk_X509_CRL_new_null();
        if (!s->store || !s->crls)
                return -ENOMEM;
        *ret = TAKE_PTR(s);
        return 0;
}

/** signature_store_anchors() - number of root certificates in the store */
size_t signature_store_anchors(const SignatureStore *s) {
        return s->n_anchors;
}

/* An encrypted PEM block must not make a daemon ask its terminal for a password. */
static int no_password(_unused_ char *buf, _unused_ int size, _unused_ int rwflag, _unused_ void *u) {
        return -1;
}

/* PEM readers say "no start line" at the end of the file; that is an error only when nothing came. */
static bool pem_ended(void) {
        unsigned long code = ERR_peek_last_error();

        return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static int pem_begin(const void *pem, size_t size, BIO **ret) {
        if (size > INT_MAX)
                return -EFBIG;
        ERR_clear_error();
        *ret = BIO_new_mem_buf(pem, (int) size);
        return *ret ? 0 : -ENOMEM;
}

static int pem_finish(const char *name, const char *what, size_t n, sd_bus_error *error) {
        if (n == 0 || !pem_ended())
                return openssl_fail(error, HOTPATCH_ERROR("TrustStoreInvalid"),
                        "'%s' does not hold %s in PEM form", name, what);
        ERR_clear_error();
        return 0;
}

/**
 * signature_store_add_anchors() - trust the root certificates of a PEM file
 * @name: of the file, for messages
 * @error: TrustStoreInvalid
 *
 * Return: 0 or a negative errno.
 */
int signature_store_add_anchors(
                SignatureStore *s, const char *name, const void *pem, size_t size, sd_bus_error *error) {
        _cleanup_(BIO_free_allp) BIO *in = NULL;
        size_t n = 0;
        int r = pem_begin(pem, size, &in);

        if (r < 0)
                return r;
        for (;; n++) {
                _cleanup_(X509_freep) X509 *x = PEM_read_bio_X509(in, NULL, no_password, NULL);

                if (!x)
                        break;
                if (X509_STORE_add_cert(s->store, x) != 1)
                        return openssl_fail(error, HOTPATCH_ERROR("TrustStoreInvalid"),
                                "A certificate of '%s' cannot be used", name);
                s->n_anchors++;
        }
        return pem_finish(name, "certificates", n, error);
}

/**
 * signature_store_add_crls() - obey the revocation lists of a PEM file
 * @name: of the file, for messages
 * @error: TrustStoreInvalid
 *
 * Return: 0 or a negative errno.
 */
int signature_store_add_crls(
                SignatureStore *s, const char *name, const void *pem, size_t size, sd_bus_error *error) {
        _cleanup_(BIO_free_allp) BIO *in = NULL;
        size_t n = 0;
        int r = pem_begin(pem, size, &in);

        if (r < 0)
                return r;
        for (;; n++) {
                _cleanup_(X509_CRL_freep) X509_CRL *crl = PEM_read_bio_X509_CRL(in, NULL, no_password, NULL);

                if (!crl)
                        break;
                if (X509_STORE_add_crl(s->store, crl) != 1)
                        return openssl_fail(error, HOTPATCH_ERROR("TrustStoreInvalid"),
                                "A revocation list of '%s' cannot be used", name);
                if (sk_X509_CRL_push(s->crls, crl) <= 0)
                        return -ENOMEM;
                TAKE_PTR(crl);
        }
        return pem_finish(name, "revocation lists", n, error);
}
