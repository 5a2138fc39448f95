/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Detached CMS signatures (RFC 5652).
 *
 * OpenSSL's CMS_verify() alone is far too permissive for this purpose: it takes MD5 and SHA-1, short
 * RSA keys, BER, bytes after the end, several signers, any content type. So it is asked only one
 * question, whether this signer's key signed these bytes; everything else is decided here:
 *
 *   form         exactly one DER signedData, told by its first bytes before OpenSSL parses it;
 *                re-encoding gives the same bytes; content is `data` and detached; one signer, with
 *                signed attributes; no embedded revocation lists (OpenSSL would prefer a stale one
 *                in there to a fresh one of ours)
 *   algorithms   SHA-256/384/512; RSA >= 3072 bits (PKCS #1 v1.5 or PSS), ECDSA on P-256 or P-384
 *   chain        up to an anchor of ours, never the system's authorities; security level 2
 *   purpose      leaf: no CA, keyUsage digitalSignature, extended key usage HOTPATCH_EKU_OID; a CA
 *                certificate that carries extended key usages must carry ours too
 *   revocation   every list we have is obeyed, in date or not; whether one must be there and in
 *                date is policy
 *   names        no embedded NUL
 *
 * The signing time in the signature is the signer's claim. It is shown and decides nothing.
 */

#include <limits.h>
#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "bundle/digest.h"
#include "bundle/eku.h"
#include "bundle/openssl-error.h"
#include "bundle/signature.h"
#include "dbus/errors.h"
#include "util/hex.h"
#include "util/limits.h"

DEFINE_TRIVIAL_CLEANUP(ASN1_OBJECT *, ASN1_OBJECT_free);
DEFINE_TRIVIAL_CLEANUP(BIO *, BIO_free_all);
DEFINE_TRIVIAL_CLEANUP(CMS_ContentInfo *, CMS_ContentInfo_free);
DEFINE_TRIVIAL_CLEANUP(EXTENDED_KEY_USAGE *, EXTENDED_KEY_USAGE_free);
DEFINE_TRIVIAL_CLEANUP(RSA_PSS_PARAMS *, RSA_PSS_PARAMS_free);
DEFINE_TRIVIAL_CLEANUP(X509 *, X509_free);
DEFINE_TRIVIAL_CLEANUP(X509_ALGOR *, X509_ALGOR_free);
DEFINE_TRIVIAL_CLEANUP(X509_CRL *, X509_CRL_free);
DEFINE_TRIVIAL_CLEANUP(X509_STORE_CTX *, X509_STORE_CTX_free);

static void x509_list_free(STACK_OF(X509) *list) {
        sk_X509_pop_free(list, X509_free);
}
DEFINE_TRIVIAL_CLEANUP(STACK_OF(X509) *, x509_list_free);

static void crl_list_free(STACK_OF(X509_CRL) *list) {
        sk_X509_CRL_pop_free(list, X509_CRL_free);
}
DEFINE_TRIVIAL_CLEANUP(STACK_OF(X509_CRL) *, crl_list_free);

static void openssl_string_free(unsigned char *s) {
        OPENSSL_free(s);
}
DEFINE_TRIVIAL_CLEANUP(unsigned char *, openssl_string_free);

/* Authorities between signer and root; nobody has more, and path building is not for free. */
#define CHAIN_DEPTH_MAX 8

/* Leaves of RSA must reach the 128-bit level of NIST SP 800-57 part 1; P-256 does. */
#define RSA_BITS_MIN 3072

struct SignatureStore {
        X509_STORE *store;
        STACK_OF(X509_CRL) *crls;
        size_t n_anchors;
};

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

        if (size > INT_MAX)
                return -EFBIG;
        ERR_clear_error();
        in = BIO_new_mem_buf(pem, (int) size);
        if (!in)
                return -ENOMEM;
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

        if (size > INT_MAX)
                return -EFBIG;
        ERR_clear_error();
        in = BIO_new_mem_buf(pem, (int) size);
        if (!in)
                return -ENOMEM;
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

/* ---- form ---- */

/*
 * The outermost bytes of every acceptable signature: SEQUENCE with a definite length that ends with
 * the member, then the OID of signedData. OpenSSL's parsers of the other CMS types never see a byte
 * of a bundle.
 */
static int check_front(const SignatureInput *in, sd_bus_error *error) {
        /* id-signedData, RFC 5652 section 5.1: 1.2.840.113549.1.7.2 */
        static const uint8_t signed_data[] = {
                0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02
        };
        const uint8_t *p = in->signature;
        size_t n = in->signature_size, header = 2, length;

        if (n < 2 || p[0] != 0x30)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignatureMalformed"),
                        "'%s' is not a CMS signature in DER form", in->member);
        if (p[1] == 0x80)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignatureNotDer"),
                        "'%s' has an indefinite length, which DER forbids", in->member);
        length = p[1];
        if (p[1] > 0x80) {
                header += p[1] & 0x7f;
                if (header > 2 + sizeof(uint32_t) || header > n)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("SignatureMalformed"),
                                "'%s' has an impossible length", in->member);
                length = 0;
                for (size_t i = 2; i < header; i++)
                        length = length << 8 | p[i];
                if (p[2] == 0 || length < 0x80)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("SignatureNotDer"),
                                "The length of '%s' is not in its shortest form, as DER demands", in->member);
        }
        if (length != n - header)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignatureMalformed"),
                        "'%s' is %s than it says", in->member, length < n - header ? "longer" : "shorter");
        if (length < sizeof(signed_data) || memcmp(p + header, signed_data, sizeof(signed_data)) != 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignatureMalformed"),
                        "'%s' is not of the CMS type signedData", in->member);
        return 0;
}

static int parse_der(const SignatureInput *in, CMS_ContentInfo **ret, sd_bus_error *error) {
        _cleanup_(CMS_ContentInfo_freep) CMS_ContentInfo *cms = NULL;
        _cleanup_(openssl_string_freep) unsigned char *again = NULL;
        const unsigned char *p = in->signature;
        int n;

        cms = d2i_CMS_ContentInfo(NULL, &p, (long) in->signature_size);
        if (!cms || p != (const unsigned char *) in->signature + in->signature_size)
                return openssl_fail(error, HOTPATCH_ERROR("SignatureMalformed"),
                        "'%s' is not exactly one CMS structure", in->member);
        n = i2d_CMS_ContentInfo(cms, &again);
        if (n < 0 || (size_t) n != in->signature_size || memcmp(again, in->signature, (size_t) n) != 0)
                return openssl_fail(error, HOTPATCH_ERROR("SignatureNotDer"),
                        "'%s' is not in DER form", in->member);
        *ret = TAKE_PTR(cms);
        return 0;
}

static int check_structure(const SignatureInput *in, CMS_ContentInfo *cms, sd_bus_error *error) {
        _cleanup_(crl_list_freep) STACK_OF(X509_CRL) *crls = NULL;
        STACK_OF(CMS_SignerInfo) *signers;
        const ASN1_OBJECT *type;

        if (OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignatureMalformed"),
                        "'%s' is not of the CMS type signedData", in->member);
        type = CMS_get0_eContentType(cms);
        if (!type || OBJ_obj2nid(type) != NID_pkcs7_data)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignatureMalformed"),
                        "The content type of '%s' is not 'data'", in->member);
        if (!CMS_is_detached(cms))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignatureNotDetached"),
                        "'%s' carries its own content instead of signing the manifest", in->member);
        signers = CMS_get0_SignerInfos(cms);
        if (!signers || sk_CMS_SignerInfo_num(signers) != 1)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignatureNoSigner"),
                        "'%s' has %d signers instead of one", in->member,
                        signers ? sk_CMS_SignerInfo_num(signers) : 0);
        crls = CMS_get1_crls(cms);
        if (crls && sk_X509_CRL_num(crls) > 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignatureMalformed"),
                        "'%s' brings its own revocation list", in->member);
        return 0;
}

/*
 * Steps through the members of a constructed element that is known to be DER: @p to the content of
 * the one at @p, @ret_next to the one behind it.
 */
static const uint8_t *der_content(const uint8_t *p, const uint8_t **ret_next) {
        size_t n = p[1] & 0x80 ? p[1] & 0x7f : 0, length = n > 0 ? 0 : p[1];

        for (size_t i = 0; i < n; i++)
                length = length << 8 | p[2 + i];
        *ret_next = p + 2 + n + length;
        return p + 2 + n;
}

/*
 * The version numbers follow from the content (RFC 5652 sections 5.1 and 5.3), and OpenSSL ignores
 * them and does not tell them. Unless somebody looks, they are two bytes that anybody can change in
 * a signed bundle. Certificates may be there, then the signer is the last member of SignedData.
 */
static int check_versions(const SignatureInput *in, CMS_ContentInfo *cms, sd_bus_error *error) {
        CMS_SignerInfo *si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
        const uint8_t *end = (const uint8_t *) in->signature + in->signature_size, *next, *p, *last;
        ASN1_OCTET_STRING *key_id = NULL;
        uint8_t expected[] = { 0x02, 0x01, 1 };

        if (CMS_SignerInfo_get0_signer_id(si, &key_id, NULL, NULL) == 1 && key_id)
                expected[2] = 3;
        /* ContentInfo, past the OID of 11 bytes, [0], SignedData */
        p = der_content(der_content(der_content(in->signature, &next) + 11, &next), &next);
        for (last = next = p; next < end; )
                (void) der_content(last = next, &next);
        /* SET OF SignerInfo, SignerInfo */
        last = der_content(der_content(last, &next), &next);
        if (memcmp(p, expected, sizeof(expected)) != 0 || memcmp(last, expected, sizeof(expected)) != 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignatureMalformed"),
                        "'%s' has a version number that does not fit its content", in->member);
        return 0;
}

/* messageDigest is checked by OpenSSL; that the content type agrees (RFC 5652 section 5.3) is not. */
static int check_attributes(const SignatureInput *in, CMS_SignerInfo *si, sd_bus_error *error) {
        const ASN1_OBJECT *type;

        if (CMS_signed_get_attr_count(si) <= 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignatureMalformed"),
                        "'%s' has no signed attributes", in->member);
        type = CMS_signed_get0_data_by_OBJ(
                si, OBJ_nid2obj(NID_pkcs9_contentType), -3, V_ASN1_OBJECT);
        if (!type || OBJ_obj2nid(type) != NID_pkcs7_data)
                return openssl_fail(error, HOTPATCH_ERROR("SignatureMalformed"),
                        "The signed content type of '%s' is not 'data'", in->member);
        return 0;
}

/* ---- algorithms ---- */

static bool digest_is_strong(int nid) {
        return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

/* RFC 4055: both hashes default to SHA-1 when absent, which the digest comparison then refuses. */
static bool pss_matches(const X509_ALGOR *algorithm, int digest) {
        _cleanup_(RSA_PSS_PARAMS_freep) RSA_PSS_PARAMS *pss = NULL;
        _cleanup_(X509_ALGOR_freep) X509_ALGOR *mask = NULL;
        const void *value;
        int type;

        X509_ALGOR_get0(NULL, &type, &value, algorithm);
        if (type != V_ASN1_SEQUENCE)
                return false;
        pss = ASN1_item_unpack(value, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
        if (!pss || !pss->hashAlgorithm || !pss->maskGenAlgorithm)
                return false;
        if (OBJ_obj2nid(pss->hashAlgorithm->algorithm) != digest ||
            OBJ_obj2nid(pss->maskGenAlgorithm->algorithm) != NID_mgf1)
                return false;
        X509_ALGOR_get0(NULL, &type, &value, pss->maskGenAlgorithm);
        if (type != V_ASN1_SEQUENCE)
                return false;
        mask = ASN1_item_unpack(value, ASN1_ITEM_rptr(X509_ALGOR));
        return mask && OBJ_obj2nid(mask->algorithm) == digest;
}

/* rsaEncryption names no digest of its own: CMS then takes the signer's (RFC 3370 section 3.2). */
static bool algorithm_matches(const X509_ALGOR *algorithm, int digest) {
        int nid = OBJ_obj2nid(algorithm->algorithm), md, key;

        if (nid == NID_rsaEncryption)
                return true;
        if (nid == NID_rsassaPss)
                return pss_matches(algorithm, digest);
        return OBJ_find_sigid_algs(nid, &md, &key) == 1 && md == digest &&
                (key == NID_rsaEncryption || key == NID_X9_62_id_ecPublicKey);
}

static int check_algorithms(const SignatureInput *in, CMS_SignerInfo *si, sd_bus_error *error) {
        X509_ALGOR *digest, *signature;
        int nid;

        CMS_SignerInfo_get0_algs(si, NULL, NULL, &digest, &signature);
        nid = OBJ_obj2nid(digest->algorithm);
        if (!digest_is_strong(nid))
                return openssl_fail(error, HOTPATCH_ERROR("SignatureWeakDigest"),
                        "'%s' uses the digest '%s'", in->member, OBJ_nid2sn(nid));
        if (!algorithm_matches(signature, nid))
                return openssl_fail(error, HOTPATCH_ERROR("SignatureWeakDigest"),
                        "'%s' uses the signature algorithm '%s' with the digest '%s'", in->member,
                        OBJ_nid2sn(OBJ_obj2nid(signature->algorithm)), OBJ_nid2sn(nid));
        return 0;
}

static int check_key(const SignatureInput *in, X509 *leaf, sd_bus_error *error) {
        EVP_PKEY *key = X509_get0_pubkey(leaf);
        char curve[64] = "";
        int type;

        if (!key)
                return openssl_fail(error, HOTPATCH_ERROR("SignerWeakKey"),
                        "The public key of the signer of '%s' cannot be read", in->member);
        type = EVP_PKEY_get_base_id(key);
        if (type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS) {
                if (EVP_PKEY_get_bits(key) >= RSA_BITS_MIN)
                        return 0;
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignerWeakKey"),
                        "The signer of '%s' has an RSA key of %d bits", in->member, EVP_PKEY_get_bits(key));
        }
        if (type != EVP_PKEY_EC)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignerWeakKey"),
                        "The signer of '%s' has a key of type '%s'", in->member, OBJ_nid2sn(type));
        if (EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) == 1 &&
            (streq(curve, SN_X9_62_prime256v1) || streq(curve, SN_secp384r1)))
                return 0;
        return openssl_fail(error, HOTPATCH_ERROR("SignerWeakKey"),
                "The signer of '%s' has a key on the curve '%s'", in->member, curve);
}

/* ---- chain, purpose, revocation ---- */

static const char *chain_error_name(int code) {
        switch (code) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
                return HOTPATCH_ERROR("SignerExpired");
        case X509_V_ERR_CERT_NOT_YET_VALID:
                return HOTPATCH_ERROR("SignerNotYetValid");
        case X509_V_ERR_CERT_REVOKED:
                return HOTPATCH_ERROR("SignerRevoked");
        case X509_V_ERR_INVALID_CA:
        case X509_V_ERR_INVALID_PURPOSE:
        case X509_V_ERR_PATH_LENGTH_EXCEEDED:
        case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
                return HOTPATCH_ERROR("SignerWrongPurpose");
        case X509_V_ERR_EE_KEY_TOO_SMALL:
        case X509_V_ERR_CA_KEY_TOO_SMALL:
        case X509_V_ERR_CA_MD_TOO_WEAK:
                return HOTPATCH_ERROR("SignerWeakKey");
        case X509_V_ERR_UNABLE_TO_GET_CRL:
        case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
        case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
        case X509_V_ERR_CRL_SIGNATURE_FAILURE:
        case X509_V_ERR_CRL_NOT_YET_VALID:
        case X509_V_ERR_CRL_HAS_EXPIRED:
        case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
        case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
        case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
        case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
        case X509_V_ERR_DIFFERENT_CRL_SCOPE:
        case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
                return HOTPATCH_ERROR("RevocationUnknown");
        default:
                return HOTPATCH_ERROR("SignerNotTrusted");
        }
}

/*
 * A list of tomorrow is obeyed, always: a bundle that was admitted in the past is verified at that
 * time against the lists of today. A missing or outdated one is for the policy to judge.
 */
static int on_chain_error(int ok, X509_STORE_CTX *ctx) {
        const bool *require_crl = X509_STORE_CTX_get_app_data(ctx);

        switch (X509_STORE_CTX_get_error(ctx)) {
        case X509_V_ERR_CRL_NOT_YET_VALID:
                return 1;
        case X509_V_ERR_UNABLE_TO_GET_CRL:
        case X509_V_ERR_CRL_HAS_EXPIRED:
                return ok || !*require_crl;
        default:
                return ok;
        }
}

static bool has_our_usage(const EXTENDED_KEY_USAGE *usages, const ASN1_OBJECT *ours) {
        for (int i = 0; i < sk_ASN1_OBJECT_num(usages); i++)
                if (OBJ_cmp(sk_ASN1_OBJECT_value(usages, i), ours) == 0)
                        return true;
        return false;
}

static int check_purpose(const SignatureInput *in, STACK_OF(X509) *chain, sd_bus_error *error) {
        _cleanup_(ASN1_OBJECT_freep) ASN1_OBJECT *ours = OBJ_txt2obj(HOTPATCH_EKU_OID, 1);

        if (!ours)
                return -ENOMEM;
        for (int i = 0; i < sk_X509_num(chain); i++) {
                X509 *x = sk_X509_value(chain, i);
                int present;
                _cleanup_(EXTENDED_KEY_USAGE_freep) EXTENDED_KEY_USAGE *usages =
                        X509_get_ext_d2i(x, NID_ext_key_usage, &present, NULL);
                bool leaf = i == 0;

                /* -1: not there; -2: there twice; >= 0 without a value: not decodable */
                if (!usages && (leaf || present != -1))
                        return openssl_fail(error, HOTPATCH_ERROR("SignerWrongPurpose"),
                                "A certificate of the signer of '%s' says nothing usable about its purpose",
                                in->member);
                if (usages && !has_our_usage(usages, ours))
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("SignerWrongPurpose"),
                                "A certificate of the signer of '%s' is not meant for hotpatch bundles",
                                in->member);
                if (leaf && (X509_check_ca(x) != 0 || !(X509_get_extension_flags(x) & EXFLAG_KUSAGE) ||
                             !(X509_get_key_usage(x) & KU_DIGITAL_SIGNATURE)))
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("SignerWrongPurpose"),
                                "The certificate of the signer of '%s' is not one for signatures", in->member);
                if (!leaf && X509_check_ca(x) != 1)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("SignerWrongPurpose"),
                                "A certificate above the signer of '%s' is not one of an authority",
                                in->member);
        }
        return 0;
}

/*
 * OpenSSL consults one list for each certificate, the one it finds best for the time in question.
 * With two lists of one issuer in the directory that can be the older one. So all are asked.
 */
static int check_revoked(
                const SignatureStore *s, const SignatureInput *in, STACK_OF(X509) *chain, sd_bus_error *error) {
        for (int i = 0; i < sk_X509_CRL_num(s->crls); i++) {
                X509_CRL *crl = sk_X509_CRL_value(s->crls, i);

                for (int j = 0; j < sk_X509_num(chain); j++) {
                        X509 *x = sk_X509_value(chain, j);
                        X509 *issuer = sk_X509_value(chain, j + 1) ?: x;
                        X509_REVOKED *entry;

                        if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_issuer_name(x)) == 0 &&
                            X509_CRL_get0_by_cert(crl, &entry, x) == 1 &&
                            X509_CRL_verify(crl, X509_get0_pubkey(issuer)) == 1)
                                return sd_bus_error_setf(error, HOTPATCH_ERROR("SignerRevoked"),
                                        "A certificate of the signer of '%s' was revoked", in->member);
                }
        }
        ERR_clear_error();
        return 0;
}

static int check_chain(const SignatureStore *s, const SignatureInput *in, X509 *leaf,
                STACK_OF(X509) *extra, uint64_t now_usec, bool require_crl, sd_bus_error *error) {
        _cleanup_(X509_STORE_CTX_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
        X509_VERIFY_PARAM *param;
        STACK_OF(X509) *chain;
        int r;

        if (!ctx || X509_STORE_CTX_init(ctx, s->store, leaf, extra) != 1)
                return -ENOMEM;
        param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, (time_t) (now_usec / USEC_PER_SEC));
        X509_VERIFY_PARAM_set_auth_level(param, 2);
        X509_VERIFY_PARAM_set_depth(param, CHAIN_DEPTH_MAX);
        /* The lists may be absent, see on_chain_error(). */
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL |
                X509_V_FLAG_EXTENDED_CRL_SUPPORT);
        X509_STORE_CTX_set_verify_cb(ctx, on_chain_error);
        X509_STORE_CTX_set_app_data(ctx, &require_crl);
        if (X509_verify_cert(ctx) != 1) {
                int code = X509_STORE_CTX_get_error(ctx);

                return openssl_fail(error, chain_error_name(code),
                        "The certificate of the signer of '%s' is refused: %s", in->member,
                        X509_verify_cert_error_string(code));
        }
        chain = X509_STORE_CTX_get0_chain(ctx);
        r = check_revoked(s, in, chain, error);
        if (r < 0)
                return r;
        return check_purpose(in, chain, error);
}

/* ---- who signed ---- */

static int name_format(const SignatureInput *in, const X509_NAME *name, char **ret, sd_bus_error *error) {
        _cleanup_(BIO_free_allp) BIO *out = BIO_new(BIO_s_mem());
        char *text;
        long n;

        if (!out)
                return -ENOMEM;
        for (int i = 0; i < X509_NAME_entry_count(name); i++) {
                _cleanup_(openssl_string_freep) unsigned char *utf8 = NULL;
                int l = ASN1_STRING_to_UTF8(
                        &utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));

                if (l < 0 || memchr(utf8, 0, (size_t) l))
                        return openssl_fail(error, HOTPATCH_ERROR("SignerNotTrusted"),
                                "A name in the certificate of the signer of '%s' is malformed", in->member);
        }
        if (X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253) < 0)
                return -ENOMEM;
        n = BIO_get_mem_data(out, &text);
        *ret = strndup(text, (size_t) n);
        return *ret ? 0 : -ENOMEM;
}

static uint64_t time_usec(const ASN1_TIME *t) {
        struct tm tm = { 0 };
        time_t seconds;

        if (ASN1_TIME_to_tm(t, &tm) != 1)
                return 0;
        seconds = timegm(&tm);
        return seconds > 0 ? (uint64_t) seconds * USEC_PER_SEC : 0;
}

/* The type is looked at before the value: the attribute may hold anything. */
static uint64_t signing_time(CMS_SignerInfo *si) {
        int at = CMS_signed_get_attr_by_NID(si, NID_pkcs9_signingTime, -1);
        const X509_ATTRIBUTE *attribute = at < 0 ? NULL : CMS_signed_get_attr(si, at);
        const ASN1_TYPE *value = attribute ? X509_ATTRIBUTE_get0_type((X509_ATTRIBUTE *) attribute, 0) : NULL;

        if (!value)
                return 0;
        if (value->type == V_ASN1_UTCTIME)
                return time_usec(value->value.utctime);
        if (value->type == V_ASN1_GENERALIZEDTIME)
                return time_usec(value->value.generalizedtime);
        return 0;
}

/** signer_done() - free what a Signer holds */
void signer_done(Signer *s) {
        free(s->subject);
        free(s->issuer);
        free(s->spki_sha256);
        *s = (Signer) { 0 };
}

static int signer_fill(
                const SignatureInput *in, CMS_SignerInfo *si, X509 *leaf, Signer *ret, sd_bus_error *error) {
        _cleanup_(signer_done) Signer s = { 0 };
        _cleanup_(openssl_string_freep) unsigned char *spki = NULL;
        uint8_t digest[DIGEST_SIZE];
        int r, n;

        r = name_format(in, X509_get_subject_name(leaf), &s.subject, error);
        if (r >= 0)
                r = name_format(in, X509_get_issuer_name(leaf), &s.issuer, error);
        if (r < 0)
                return r;
        n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &spki);
        if (n < 0 || digest_bytes(spki, (size_t) n, digest) < 0)
                return -ENOMEM;
        s.spki_sha256 = hex_encode(digest, sizeof(digest));
        if (!s.spki_sha256)
                return -ENOMEM;
        s.not_after_usec = time_usec(X509_get0_notAfter(leaf));
        s.signing_time_usec = signing_time(si);
        *ret = s;
        s = (Signer) { 0 };
        return 0;
}

static int find_leaf(
                const SignatureInput *in, CMS_ContentInfo *cms, CMS_SignerInfo *si, X509 **ret, sd_bus_error *error) {
        if (CMS_set1_signers_certs(cms, NULL, 0) < 0)
                return openssl_fail(error, HOTPATCH_ERROR("SignatureMalformed"),
                        "The certificates in '%s' cannot be read", in->member);
        CMS_SignerInfo_get0_algs(si, NULL, ret, NULL, NULL);
        if (!*ret)
                return openssl_fail(error, HOTPATCH_ERROR("SignatureMalformed"),
                        "'%s' does not hold the certificate of its signer", in->member);
        return 0;
}

/* CMS_NO_SIGNER_CERT_VERIFY: the chain is check_chain()'s, which is stricter than smimesign. */
static int check_content(const SignatureInput *in, CMS_ContentInfo *cms, sd_bus_error *error) {
        _cleanup_(BIO_free_allp) BIO *data = BIO_new_mem_buf(in->data, (int) in->data_size);

        if (!data)
                return -ENOMEM;
        if (CMS_verify(cms, NULL, NULL, data, NULL,
                    CMS_BINARY | CMS_DETACHED | CMS_NO_SIGNER_CERT_VERIFY) != 1)
                return openssl_fail(error, HOTPATCH_ERROR("SignatureInvalid"),
                        "'%s' does not fit the manifest", in->member);
        return 0;
}

/**
 * signature_verify() - was this signed by somebody the store trusts?
 * @now_usec: time at which certificates must be valid, microseconds since 1970
 * @require_crl: see struct TrustPolicy
 * @ret: filled only on success; free with signer_done()
 * @error: SignatureMalformed, SignatureNotDer, SignatureNotDetached, SignatureNoSigner,
 *   SignatureWeakDigest, SignatureInvalid, SignerNotTrusted, SignerExpired, SignerNotYetValid,
 *   SignerRevoked, SignerWrongPurpose, SignerWeakKey, RevocationUnknown
 *
 * Return: 0 or a negative errno.
 */
int signature_verify(const SignatureStore *s, const SignatureInput *in, uint64_t now_usec,
                bool require_crl, Signer *ret, sd_bus_error *error) {
        _cleanup_(CMS_ContentInfo_freep) CMS_ContentInfo *cms = NULL;
        _cleanup_(x509_list_freep) STACK_OF(X509) *certificates = NULL;
        CMS_SignerInfo *si;
        X509 *leaf = NULL;
        int r;

        /* OpenSSL's lengths are int; our limits are far below, but they are elsewhere. */
        if (in->signature_size > HOTPATCH_SIGNATURE_MAX || in->data_size > INT_MAX)
                return -EFBIG;
        ERR_clear_error();
        r = check_front(in, error);
        if (r >= 0)
                r = parse_der(in, &cms, error);
        if (r >= 0)
                r = check_structure(in, cms, error);
        if (r >= 0)
                r = check_versions(in, cms, error);
        if (r < 0)
                return r;
        si = sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0);
        r = check_attributes(in, si, error);
        if (r >= 0)
                r = check_algorithms(in, si, error);
        if (r >= 0)
                r = find_leaf(in, cms, si, &leaf, error);
        if (r >= 0)
                r = check_key(in, leaf, error);
        if (r >= 0)
                r = check_content(in, cms, error);
        if (r < 0)
                return r;
        certificates = CMS_get1_certs(cms);
        r = check_chain(s, in, leaf, certificates, now_usec, require_crl, error);
        if (r < 0)
                return r;
        return signer_fill(in, si, leaf, ret, error);
}
