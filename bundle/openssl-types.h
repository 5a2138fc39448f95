/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Owners of OpenSSL's objects, for `_cleanup_()`; for the files that call OpenSSL, nowhere else. */

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "util/base.h"

DEFINE_TRIVIAL_CLEANUP(ASN1_INTEGER *, ASN1_INTEGER_free);
DEFINE_TRIVIAL_CLEANUP(ASN1_OBJECT *, ASN1_OBJECT_free);
DEFINE_TRIVIAL_CLEANUP(ASN1_TIME *, ASN1_TIME_free);
DEFINE_TRIVIAL_CLEANUP(BIGNUM *, BN_free);
DEFINE_TRIVIAL_CLEANUP(BIO *, BIO_free_all);
DEFINE_TRIVIAL_CLEANUP(CMS_ContentInfo *, CMS_ContentInfo_free);
DEFINE_TRIVIAL_CLEANUP(EVP_PKEY *, EVP_PKEY_free);
DEFINE_TRIVIAL_CLEANUP(EXTENDED_KEY_USAGE *, EXTENDED_KEY_USAGE_free);
DEFINE_TRIVIAL_CLEANUP(RSA_PSS_PARAMS *, RSA_PSS_PARAMS_free);
DEFINE_TRIVIAL_CLEANUP(X509 *, X509_free);
DEFINE_TRIVIAL_CLEANUP(X509_ALGOR *, X509_ALGOR_free);
DEFINE_TRIVIAL_CLEANUP(X509_CRL *, X509_CRL_free);
DEFINE_TRIVIAL_CLEANUP(X509_EXTENSION *, X509_EXTENSION_free);
DEFINE_TRIVIAL_CLEANUP(X509_REVOKED *, X509_REVOKED_free);
DEFINE_TRIVIAL_CLEANUP(X509_STORE_CTX *, X509_STORE_CTX_free);

static inline void x509_list_free(STACK_OF(X509) *list) {
        sk_X509_pop_free(list, X509_free);
}
DEFINE_TRIVIAL_CLEANUP(STACK_OF(X509) *, x509_list_free);

static inline void crl_list_free(STACK_OF(X509_CRL) *list) {
        sk_X509_CRL_pop_free(list, X509_CRL_free);
}
DEFINE_TRIVIAL_CLEANUP(STACK_OF(X509_CRL) *, crl_list_free);

static inline void openssl_string_free(unsigned char *s) {
        OPENSSL_free(s);
}
DEFINE_TRIVIAL_CLEANUP(unsigned char *, openssl_string_free);
