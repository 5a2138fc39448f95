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
 *   chain        purpose and revocation: signature-chain.c
 *   names        no embedded NUL: signature-signer.c
 *
 * The signing time in the signature is the signer's claim. It is shown and decides nothing.
 */

#include <limits.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include "bundle/openssl-error.h"
#include "bundle/signature-internal.h"
#include "dbus/errors.h"
#include "util/limits.h"

/* Leaves of RSA must reach the 128-bit level of NIST SP 800-57 part 1; P-256 does. */
#define RSA_BITS_MIN 3072

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

/* ---- the verdict ---- */

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

/* CMS_NO_SIGNER_CERT_VERIFY: the chain is signature_check_chain()'s, which is stricter than smimesign. */
static int check_content(const SignatureInput *in, CMS_ContentInfo *cms, unsigned flags, sd_bus_error *error) {
        _cleanup_(BIO_free_allp) BIO *data = BIO_new_mem_buf(in->data, (int) in->data_size);

        if (!data)
                return -ENOMEM;
        if (CMS_verify(cms, NULL, NULL, data, NULL,
                    CMS_BINARY | CMS_DETACHED | CMS_NO_SIGNER_CERT_VERIFY | flags) != 1)
                return openssl_fail(error, HOTPATCH_ERROR("SignatureInvalid"),
                        "'%s' does not fit the manifest", in->member);
        return 0;
}

/* A signature, its signer and his certificate, which belong to it, and the certificates that came along. */
typedef struct Parts {
        CMS_ContentInfo *cms;
        CMS_SignerInfo *si;
        X509 *leaf;
        STACK_OF(X509) *certificates;
} Parts;

static void parts_done(Parts *p) {
        x509_list_freep(&p->certificates);
        CMS_ContentInfo_freep(&p->cms);
}

/* From bytes to a signer and his certificate, of which nothing is true yet. */
static int read_form(const SignatureInput *in, Parts *ret, sd_bus_error *error) {
        _cleanup_(CMS_ContentInfo_freep) CMS_ContentInfo *cms = NULL;
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
        if (r < 0)
                return r;
        *ret = (Parts) { .cms = TAKE_PTR(cms), .si = si, .leaf = leaf };
        return 0;
}

/* @flags: what CMS_verify() is to leave out */
static int read_signed(const SignatureInput *in, unsigned flags, Parts *ret, sd_bus_error *error) {
        _cleanup_(parts_done) Parts p = {};
        int r = read_form(in, &p, error);

        if (r >= 0)
                r = check_content(in, p.cms, flags, error);
        if (r < 0)
                return r;
        p.certificates = CMS_get1_certs(p.cms);
        *ret = p;
        p = (Parts) {};
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
        _cleanup_(parts_done) Parts p = {};
        int r = read_signed(in, 0, &p, error);

        if (r >= 0)
                r = signature_check_chain(s, in, p.leaf, p.certificates, now_usec, require_crl, error);
        return r < 0 ? r : signer_fill(in, p.si, p.leaf, ret, error);
}

/**
 * signature_rehearse() - parse all that signature_verify() parses, and leave out what only costs time
 * @error: as signature_verify(), as far as it shows without
 *
 * Not done: the arithmetic with the keys of the signer and his certificates, and their dates. There is no Signer.
 *
 * Return: 0, which says nothing, or a negative errno.
 */
int signature_rehearse(const SignatureStore *s, const SignatureInput *in, uint64_t now_usec,
                bool require_crl, sd_bus_error *error) {
        _cleanup_(parts_done) Parts p = {};
        int r = read_signed(in, CMS_NO_ATTR_VERIFY, &p, error);

        return r < 0 ? r : signature_rehearse_chain(s, in, p.leaf, p.certificates, now_usec, require_crl, error);
}
