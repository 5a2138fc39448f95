/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every way in which a signature can be wrong, each made here with OpenSSL's own signing functions,
 * which refuse none of it. That openssl(1) accepts many of these is the reason for signature.c.
 */

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "tests/unit/bundle-material.h"

static const char text[] = "{\"id\":\"x\"}\n";
static Pki pki;

static int verify_at(const SignatureStore *s, const Bytes *signature, uint64_t now, bool require_crl, sd_bus_error *error) {
        const SignatureInput in = { "manifest.json.p7s", signature->data, signature->size, text, strlen(text) };
        _cleanup_(sd_bus_error_free) sd_bus_error rehearsed = SD_BUS_ERROR_NULL, found = SD_BUS_ERROR_NULL;
        Signer signer, before;
        int r, k;

        memset(&signer, 0xaa, sizeof(signer));
        before = signer;
        k = signature_rehearse(s, &in, now, require_crl, &rehearsed);
        ck_assert_uint_eq(ERR_peek_error(), 0);
        r = signature_verify(s, &in, now, require_crl, &signer, &found);
        /* A rehearsal refuses nothing that is good. */
        ck_assert_msg(k >= 0 || r < 0, "%s", rehearsed.message);
        if (sd_bus_error_is_set(&found))
                r = sd_bus_error_copy(error, &found);
        if (r < 0)
                ck_assert_mem_eq(&signer, &before, sizeof(before));
        else
                signer_done(&signer);
        /* Nothing of OpenSSL's errors is left for whoever comes next. */
        ck_assert_uint_eq(ERR_peek_error(), 0);
        return r;
}

static int verify_with(const char *root_pem, const Bytes *signature, sd_bus_error *error) {
        SignatureStore *s = store_of(root_pem, NULL);
        int r = verify_at(s, signature, NOW, false, error);

        signature_store_free(s);
        return r;
}

static int verify(const Bytes *signature, sd_bus_error *error) {
        return verify_with(pki.root_pem, signature, error);
}

static BIO *bio_of(const char *pem) {
        return BIO_new_mem_buf(pem, -1);
}

static X509 *certificate_of(const Identity *i) {
        _cleanup_free_ char *pem = NULL;
        BIO *in;
        X509 *x;

        ck_assert_ok(identity_certificate_pem(i, &pem));
        in = bio_of(pem);
        x = PEM_read_bio_X509(in, NULL, NULL, NULL);
        BIO_free(in);
        return x;
}

static EVP_PKEY *key_of(const Identity *i) {
        _cleanup_free_ char *pem = NULL;
        BIO *in;
        EVP_PKEY *k;

        ck_assert_ok(identity_key_pem(i, &pem));
        in = bio_of(pem);
        k = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
        BIO_free(in);
        return k;
}

/** struct Forgery - what is to be different from a good signature */
typedef struct Forgery {
        const char *digest;
        unsigned flags;       /* for the signer */
        unsigned clear;       /* flags not to be set */
        unsigned signers;     /* besides the first; UINT_MAX: none at all */
        const char *mgf1;     /* sign with PSS, and this */
        const char *content_type;
        bool crl;
        bool stream;          /* BER */
} Forgery;

static void add_signer(CMS_ContentInfo *cms, const Identity *i, const Forgery *f, unsigned flags) {
        X509 *x = certificate_of(i);
        EVP_PKEY *k = key_of(i);
        CMS_SignerInfo *si = CMS_add1_signer(cms, x, k, EVP_get_digestbyname(f->digest ?: "SHA256"),
                flags | f->flags | (f->mgf1 ? CMS_KEY_PARAM : 0));

        ck_assert_ptr_nonnull(si);
        if (f->mgf1) {
                EVP_PKEY_CTX *ctx = CMS_SignerInfo_get0_pkey_ctx(si);

                ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING), 1);
                ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_get_digestbyname(f->mgf1)), 1);
        }
        X509_free(x);
        EVP_PKEY_free(k);
}

static void add_crl(CMS_ContentInfo *cms, const Pki *p) {
        _cleanup_free_ char *pem = NULL;
        X509_CRL *crl;
        BIO *in;

        ck_assert_ok(identity_crl_pem(p->intermediate, NULL, NOW - DAY, NOW + DAY, &pem));
        in = bio_of(pem);
        crl = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL);
        ck_assert_int_eq(CMS_add1_crl(cms, crl), 1);
        X509_CRL_free(crl);
        BIO_free(in);
}

static void write_cms(CMS_ContentInfo *cms, BIO *data, unsigned flags, bool stream, Bytes *ret) {
        BIO *out = BIO_new(BIO_s_mem());
        char *p;
        long n;

        if (stream)
                ck_assert_int_eq(i2d_CMS_bio_stream(out, cms, data, (int) (flags | CMS_STREAM)), 1);
        else {
                /* It also says no where it made what was asked for: no signer, for example. */
                (void) CMS_final(cms, data, NULL, flags);
                ck_assert_int_eq(i2d_CMS_bio(out, cms), 1);
        }
        n = BIO_get_mem_data(out, &p);
        *ret = (Bytes) { 0 };
        bytes_append(ret, p, (size_t) n);
        BIO_free(out);
}

static Bytes forge_with(const Pki *p, const Forgery *f) {
        unsigned flags = (CMS_BINARY | CMS_DETACHED | CMS_PARTIAL | CMS_NOSMIMECAP) & ~f->clear;
        CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags | (f->stream ? CMS_STREAM : 0));
        X509 *intermediate = certificate_of(p->intermediate);
        BIO *data = BIO_new_mem_buf(text, (int) strlen(text));
        Bytes signature;

        if (f->signers != UINT32_MAX)
                for (unsigned i = 0; i <= f->signers; i++)
                        add_signer(cms, p->signer, f, flags | (i > 0 ? CMS_NOCERTS : 0));
        ck_assert_int_eq(CMS_add1_cert(cms, intermediate), 1);
        if (f->crl)
                add_crl(cms, p);
        if (f->content_type) {
                ASN1_OBJECT *o = OBJ_txt2obj(f->content_type, 1);

                ck_assert_int_eq(CMS_set1_eContentType(cms, o), 1);
                ASN1_OBJECT_free(o);
        }
        write_cms(cms, data, flags, f->stream, &signature);
        X509_free(intermediate);
        CMS_ContentInfo_free(cms);
        BIO_free(data);
        ERR_clear_error();
        return signature;
}

static Bytes forge(const Forgery *f) {
        return forge_with(&pki, f);
}

#define ck_assert_forgery(refusal, ...)                                          \
        do {                                                                     \
                Bytes _b = forge(&(Forgery) { __VA_ARGS__ });                    \
                ck_assert_refused(verify(&_b, &error), refusal);                 \
                bytes_done(&_b);                                                 \
        } while (0)

static void setup(void) {
        pki_make(&pki, "P-256");
}

static void teardown(void) {
        pki_done(&pki);
}

/* ---- good ones ---- */

static void check_good_key(const char *key, const char *mgf1) {
        Bytes b;
        Pki p;

        pki_make(&p, key);
        if (mgf1)
                b = forge_with(&p, &(Forgery) { .digest = mgf1, .mgf1 = mgf1 });
        else
                sign_good(&p, text, strlen(text), &b);
        ck_assert_ok(verify_with(p.root_pem, &b, NULL));
        bytes_done(&b);
        pki_done(&p);
}

START_TEST(good_keys_are_accepted) {
        check_good_key("P-256", NULL);
        check_good_key("P-384", NULL);
        check_good_key("RSA-3072", NULL);
        check_good_key("RSA-3072", "SHA512");
}
END_TEST

START_TEST(a_plain_forgery_is_good) {
        Bytes b = forge(&(Forgery) { 0 });
        SignatureStore *s = store_of(pki.root_pem, NULL);
        Signer signer;

        ck_assert_ok(signature_verify(s, &(SignatureInput) { "m", b.data, b.size, text, strlen(text) }, NOW, false, &signer, NULL));
        ck_assert(startswith(signer.subject, "CN=TEST ONLY "));
        ck_assert_uint_eq(strlen(signer.spki_sha256), 64);
        ck_assert_uint_eq(signer.not_after_usec, NOW + 100 * DAY);
        ck_assert_uint_gt(signer.signing_time_usec, 0);
        signer_done(&signer);
        signature_store_free(s);
        bytes_done(&b);
}
END_TEST

/* ---- form ---- */

START_TEST(other_forms_are_refused) {
        ck_assert_forgery("SignatureMalformed", .flags = CMS_NOATTR);
        ck_assert_forgery("SignatureMalformed", .flags = CMS_NOCERTS);
        ck_assert_forgery("SignatureMalformed", .crl = true);
        ck_assert_forgery("SignatureMalformed", .content_type = "1.2.840.113549.1.9.16.1.4");
        ck_assert_forgery("SignatureNotDetached", .clear = CMS_DETACHED);
        ck_assert_forgery("SignatureNoSigner", .signers = UINT32_MAX);
        ck_assert_forgery("SignatureNoSigner", .signers = 1);
        ck_assert_forgery("SignatureNotDer", .stream = true);
}
END_TEST

/* What a rehearsal lets pass and a verdict does not: that is why it is none. */
START_TEST(a_rehearsal_is_no_verdict) {
        SignatureStore *s = store_of(pki.root_pem, NULL);
        Bytes b = forge(&(Forgery) { 0 });
        SignatureInput in = { "m", b.data, b.size, text, strlen(text) };
        Signer signer;

        b.data[b.size - 1] ^= 1; /* of the signature itself */
        ck_assert_ok(signature_rehearse(s, &in, NOW, false, NULL));
        ck_assert_refused(signature_verify(s, &in, NOW, false, &signer, &error), "SignatureInvalid");
        b.data[b.size - 1] ^= 1;
        ck_assert_ok(signature_rehearse(s, &in, NOW + 10000 * DAY, false, NULL));
        ck_assert_refused(signature_verify(s, &in, NOW + 10000 * DAY, false, &signer, &error), "SignerExpired");
        /* Other bytes, a stranger's root: that much it sees. */
        in.data = "x";
        in.data_size = 1;
        ck_assert_refused(signature_rehearse(s, &in, NOW, false, &error), "SignatureInvalid");
        bytes_done(&b);
        signature_store_free(s);
}
END_TEST

START_TEST(bytes_around_it_are_refused) {
        Bytes b = forge(&(Forgery) { 0 });

        bytes_append(&b, "\0", 1);
        ck_assert_refused(verify(&b, &error), "SignatureMalformed");
        b.size -= 2;
        ck_assert_refused(verify(&b, &error), "SignatureMalformed");
        for (size_t n = 0; n < b.size; n++)
                ck_assert_refused(verify(&(Bytes) { b.data, n }, &error), "SignatureMalformed");
        bytes_done(&b);
}
END_TEST

START_TEST(longer_lengths_are_not_der) {
        Bytes b = forge(&(Forgery) { 0 }), longer = { 0 };

        /* 30 82 hh ll → 30 83 00 hh ll */
        ck_assert_uint_eq(b.data[1], 0x82);
        bytes_append(&longer, "\x30\x83\x00", 3);
        bytes_append(&longer, b.data + 2, b.size - 2);
        ck_assert_refused(verify(&longer, &error), "SignatureNotDer");
        bytes_done(&longer);
        /* The version INTEGER 1 inside, with a length of two bytes: 02 01 01 → 02 81 01 01 */
        for (size_t i = 0; i + 3 < b.size; i++)
                if (memcmp(b.data + i, "\x02\x01\x01\x31", 4) == 0) {
                        unsigned outer = (unsigned) (b.data[2] << 8 | b.data[3]) + 1;
                        unsigned inner = (unsigned) (b.data[i - 2] << 8 | b.data[i - 1]) + 1;
                        unsigned explicit = (unsigned) (b.data[i - 6] << 8 | b.data[i - 5]) + 1;

                        bytes_append(&longer, b.data, i);
                        bytes_append(&longer, "\x02\x81\x01\x01", 4);
                        bytes_append(&longer, b.data + i + 3, b.size - i - 3);
                        memcpy(longer.data + 2, (uint8_t[]) { outer >> 8, outer & 255 }, 2);
                        memcpy(longer.data + i - 2, (uint8_t[]) { inner >> 8, inner & 255 }, 2);
                        memcpy(longer.data + i - 6, (uint8_t[]) { explicit >> 8, explicit & 255 }, 2);
                        break;
                }
        ck_assert_uint_eq(longer.size, b.size + 1);
        ck_assert_refused(verify(&longer, &error), "SignatureNotDer");
        bytes_done(&longer);
        bytes_done(&b);
}
END_TEST

/* OpenSSL's parsers of these types have had memory errors; they are not reached. */
START_TEST(other_cms_types_are_refused) {
        BIO *data = BIO_new_mem_buf(text, (int) strlen(text));
        CMS_ContentInfo *types[] = {
                CMS_data_create(data, 0),
                CMS_digest_create(data, EVP_sha256(), 0),
                CMS_EncryptedData_encrypt(data, EVP_aes_128_cbc(), (const unsigned char *) "0123456789abcdef", 16, 0),
        };

        for (size_t i = 0; i < ELEMENTSOF(types); i++) {
                BIO *out = BIO_new(BIO_s_mem());
                Bytes b = { 0 };
                char *p;

                ck_assert_ptr_nonnull(types[i]);
                i2d_CMS_bio(out, types[i]);
                bytes_append(&b, p, (size_t) BIO_get_mem_data(out, &p));
                ck_assert_refused(verify(&b, &error), "SignatureMalformed");
                bytes_done(&b);
                BIO_free(out);
                CMS_ContentInfo_free(types[i]);
        }
        BIO_free(data);
}
END_TEST

START_TEST(pem_is_refused) {
        static const char pem[] = "-----BEGIN CMS-----\n";

        ck_assert_refused(verify(&(Bytes) { (uint8_t *) pem, strlen(pem) }, &error), "SignatureMalformed");
}
END_TEST

/* ---- algorithms ---- */

START_TEST(weak_digests_are_refused) {
        Bytes b;
        Pki rsa;

        ck_assert_forgery("SignatureWeakDigest", .digest = "SHA1");
        ck_assert_forgery("SignatureWeakDigest", .digest = "SHA224");
        pki_make(&rsa, "RSA-3072");
        b = forge_with(&rsa, &(Forgery) { .digest = "MD5" });
        ck_assert_refused(verify_with(rsa.root_pem, &b, &error), "SignatureWeakDigest");
        bytes_done(&b);
        b = forge_with(&rsa, &(Forgery) { .digest = "SHA256", .mgf1 = "SHA1" });
        ck_assert_refused(verify_with(rsa.root_pem, &b, &error), "SignatureWeakDigest");
        bytes_done(&b);
        pki_done(&rsa);
}
END_TEST

static void check_signer_key(const char *key, const char *refusal) {
        Pki p = pki;
        Bytes b;

        p.signer = identity_make(key, false, HOTPATCH_EKU_OID, pki.intermediate);
        b = forge_with(&p, &(Forgery) { 0 });
        ck_assert_msg(refusal, "no refusal expected");
        {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

                ck_assert_int_lt(verify(&b, &error), 0);
                ck_assert_str_eq(error.name, refusal);
        }
        identity_free(p.signer);
        bytes_done(&b);
}

START_TEST(weak_keys_are_refused) {
        check_signer_key("RSA-1024", HOTPATCH_ERROR("SignerWeakKey"));
        check_signer_key("RSA-2048", HOTPATCH_ERROR("SignerWeakKey"));
        check_signer_key("P-521", HOTPATCH_ERROR("SignerWeakKey"));
        check_signer_key("P-224", HOTPATCH_ERROR("SignerWeakKey"));
        check_signer_key("secp256k1", HOTPATCH_ERROR("SignerWeakKey"));
}
END_TEST

/* ---- content ---- */

START_TEST(every_changed_bit_of_the_content_is_refused) {
        Bytes b = forge(&(Forgery) { 0 });
        SignatureStore *s = store_of(pki.root_pem, NULL);
        char changed[sizeof(text)];

        for (size_t i = 0; i < 8 * strlen(text); i++) {
                Signer signer;

                memcpy(changed, text, sizeof(text));
                changed[i / 8] ^= (char) (1 << i % 8);
                ck_assert_refused(signature_verify(s, &(SignatureInput) { "m", b.data, b.size, changed, strlen(text) },
                                          NOW, false, &signer, &error), "SignatureInvalid");
        }
        signature_store_free(s);
        bytes_done(&b);
}
END_TEST

/* CMS_BINARY: no line ending is translated. */
START_TEST(other_line_endings_are_refused) {
        Bytes b = forge(&(Forgery) { 0 });
        SignatureStore *s = store_of(pki.root_pem, NULL);
        Signer signer;

        ck_assert_refused(signature_verify(s, &(SignatureInput) { "m", b.data, b.size, "{\"id\":\"x\"}\r\n", 12 },
                                  NOW, false, &signer, &error), "SignatureInvalid");
        signature_store_free(s);
        bytes_done(&b);
}
END_TEST

/* A changed signature is refused, whatever is changed; no bit of it is without meaning. */
START_TEST(every_changed_byte_of_the_signature_is_refused) {
        Bytes b = forge(&(Forgery) { 0 });
        SignatureStore *s = store_of(pki.root_pem, NULL);

        for (size_t i = 0; i < b.size; i++) {
                b.data[i] ^= 1;
                ck_assert_msg(verify_at(s, &b, NOW, false, NULL) < 0, "byte %zu", i);
                b.data[i] ^= 1;
        }
        ck_assert_ok(verify_at(s, &b, NOW, false, NULL));
        signature_store_free(s);
        bytes_done(&b);
}
END_TEST

/* ---- chain and time ---- */

START_TEST(other_roots_are_not_trusted) {
        Bytes b = forge(&(Forgery) { 0 });
        Pki other;

        pki_make(&other, "P-256");
        ck_assert_refused(verify_with(other.root_pem, &b, &error), "SignerNotTrusted");
        ck_assert_refused(verify_with(NULL, &b, &error), "SignerNotTrusted");
        pki_done(&other);
        bytes_done(&b);
}
END_TEST

START_TEST(time_counts) {
        Bytes b = forge(&(Forgery) { 0 });
        SignatureStore *s = store_of(pki.root_pem, NULL);

        ck_assert_ok(verify_at(s, &b, NOW + 100 * DAY - USEC_PER_SEC, false, NULL));
        ck_assert_refused(verify_at(s, &b, NOW + 101 * DAY, false, &error), "SignerExpired");
        ck_assert_ok(verify_at(s, &b, NOW - 100 * DAY, false, NULL));
        ck_assert_refused(verify_at(s, &b, NOW - 101 * DAY, false, &error), "SignerNotYetValid");
        signature_store_free(s);
        bytes_done(&b);
}
END_TEST

/* ---- purpose ---- */

static void check_purpose(bool ca, const char *leaf_usage, const char *ca_usage, const char *refusal) {
        Pki p = { .root = pki.root };
        Bytes b;

        p.intermediate = identity_make("P-256", true, ca_usage, p.root);
        p.signer = identity_make("P-256", ca, leaf_usage, p.intermediate);
        b = forge_with(&p, &(Forgery) { 0 });
        if (refusal) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

                ck_assert_int_lt(verify(&b, &error), 0);
                ck_assert_str_eq(error.name, refusal);
        } else
                ck_assert_ok(verify(&b, NULL));
        identity_free(p.intermediate);
        identity_free(p.signer);
        bytes_done(&b);
}

START_TEST(other_purposes_are_refused) {
        const char *wrong = HOTPATCH_ERROR("SignerWrongPurpose");

        check_purpose(false, HOTPATCH_EKU_OID, NULL, NULL);
        check_purpose(false, HOTPATCH_EKU_OID ",codeSigning", HOTPATCH_EKU_OID ",codeSigning", NULL);
        check_purpose(false, "codeSigning", NULL, wrong);
        check_purpose(false, "anyExtendedKeyUsage", NULL, wrong);
        check_purpose(false, NULL, NULL, wrong);
        check_purpose(false, HOTPATCH_EKU_OID, "codeSigning", wrong);
        check_purpose(true, HOTPATCH_EKU_OID, HOTPATCH_EKU_OID, wrong);
}
END_TEST

START_TEST(a_signer_is_no_authority) {
        Pki p = { .root = pki.root, .intermediate = pki.signer };
        Bytes b;

        p.signer = identity_make("P-256", false, HOTPATCH_EKU_OID, pki.signer);
        b = forge_with(&p, &(Forgery) { 0 });
        ck_assert_int_lt(verify(&b, NULL), 0);
        identity_free(p.signer);
        bytes_done(&b);
}
END_TEST

START_TEST(weakly_signed_certificates_are_refused) {
        Pki p = pki;
        Bytes b;

        ck_assert_ok(identity_new(
                &(IdentityTemplate) { .name = "TEST ONLY", .key = "P-256", .digest = "SHA1", .usage = HOTPATCH_EKU_OID,
                        .not_before_usec = NOW - DAY, .not_after_usec = NOW + DAY },
                pki.intermediate, &p.signer, NULL));
        b = forge_with(&p, &(Forgery) { 0 });
        ck_assert_refused(verify(&b, &error), "SignerWeakKey");
        identity_free(p.signer);
        bytes_done(&b);
}
END_TEST

/* ---- revocation ---- */

static int verify_with_crls(const char *crls, uint64_t now, bool require, sd_bus_error *error) {
        Bytes b = forge(&(Forgery) { 0 });
        SignatureStore *s = store_of(pki.root_pem, crls);
        int r = verify_at(s, &b, now, require, error);

        signature_store_free(s);
        bytes_done(&b);
        return r;
}

static char *crl(const Identity *issuer, const Identity *revoked, int64_t from_days, int64_t to_days) {
        char *pem;

        ck_assert_ok(identity_crl_pem(issuer, revoked, NOW + (uint64_t) (from_days * (int64_t) DAY),
                NOW + (uint64_t) (to_days * (int64_t) DAY), &pem));
        return pem;
}

START_TEST(revoked_signers_are_refused) {
        _cleanup_free_ char *leaf = crl(pki.intermediate, pki.signer, -1, 1);
        _cleanup_free_ char *authority = crl(pki.root, pki.intermediate, -1, 1);
        _cleanup_free_ char *outdated = crl(pki.intermediate, pki.signer, -9, -8);
        _cleanup_free_ char *tomorrow = crl(pki.intermediate, pki.signer, 1, 2);

        ck_assert_refused(verify_with_crls(leaf, NOW, false, &error), "SignerRevoked");
        ck_assert_refused(verify_with_crls(authority, NOW, false, &error), "SignerRevoked");
        ck_assert_refused(verify_with_crls(outdated, NOW, false, &error), "SignerRevoked");
        ck_assert_refused(verify_with_crls(tomorrow, NOW, false, &error), "SignerRevoked");
        ck_assert_refused(verify_with_crls(leaf, NOW - 5 * DAY, false, &error), "SignerRevoked");
}
END_TEST

/* An old list beside the new one does not hide it, at whatever time is asked for. */
START_TEST(all_lists_are_obeyed) {
        _cleanup_free_ char *empty = crl(pki.intermediate, NULL, -9, 9), *full = crl(pki.intermediate, pki.signer, 1, 2);
        _cleanup_free_ char *both = NULL;

        ck_assert_int_gt(asprintf(&both, "%s%s", empty, full), 0);
        ck_assert_refused(verify_with_crls(both, NOW, false, &error), "SignerRevoked");
        ck_assert_refused(verify_with_crls(both, NOW + DAY + DAY / 2, false, &error), "SignerRevoked");
        ck_assert_ok(verify_with_crls(empty, NOW, false, NULL));
}
END_TEST

START_TEST(a_strangers_list_counts_nothing) {
        _cleanup_free_ char *list = NULL;
        Identity *stranger = identity_make("P-256", true, NULL, NULL);

        list = crl(stranger, pki.signer, -1, 1);
        ck_assert_ok(verify_with_crls(list, NOW, false, NULL));
        identity_free(stranger);
}
END_TEST

START_TEST(missing_lists_are_for_the_policy) {
        _cleanup_free_ char *root = crl(pki.root, NULL, -1, 1), *leaf = crl(pki.intermediate, NULL, -1, 1);
        _cleanup_free_ char *old = crl(pki.intermediate, NULL, -9, -8), *both = NULL, *outdated = NULL;

        ck_assert_int_gt(asprintf(&both, "%s%s", root, leaf), 0);
        ck_assert_int_gt(asprintf(&outdated, "%s%s", root, old), 0);
        ck_assert_ok(verify_with_crls(both, NOW, true, NULL));
        ck_assert_ok(verify_with_crls(NULL, NOW, false, NULL));
        ck_assert_refused(verify_with_crls(NULL, NOW, true, &error), "RevocationUnknown");
        ck_assert_refused(verify_with_crls(leaf, NOW, true, &error), "RevocationUnknown");
        ck_assert_refused(verify_with_crls(root, NOW, true, &error), "RevocationUnknown");
        ck_assert_ok(verify_with_crls(outdated, NOW, false, NULL));
        ck_assert_refused(verify_with_crls(outdated, NOW, true, &error), "RevocationUnknown");
}
END_TEST

/* ---- names ---- */

START_TEST(embedded_nul_in_a_name_is_refused) {
        EVP_PKEY *key = key_of(pki.signer), *issuer_key = key_of(pki.intermediate);
        X509 *x = certificate_of(pki.signer), *intermediate = certificate_of(pki.intermediate);
        CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_BINARY | CMS_DETACHED | CMS_PARTIAL);
        BIO *data = BIO_new_mem_buf(text, (int) strlen(text));
        X509_NAME *name = X509_NAME_new();
        Bytes b;

        X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING, (const unsigned char *) "vendor\0evil", 11, -1, 0);
        X509_set_subject_name(x, name);
        ck_assert_int_gt(X509_sign(x, issuer_key, EVP_sha256()), 0);
        ck_assert_ptr_nonnull(CMS_add1_signer(cms, x, key, EVP_sha256(), CMS_BINARY | CMS_DETACHED | CMS_PARTIAL));
        CMS_add1_cert(cms, intermediate);
        write_cms(cms, data, CMS_BINARY | CMS_DETACHED, false, &b);
        ck_assert_refused(verify(&b, &error), "SignerNotTrusted");
        bytes_done(&b);
        X509_NAME_free(name);
        CMS_ContentInfo_free(cms);
        BIO_free(data);
        X509_free(x);
        X509_free(intermediate);
        EVP_PKEY_free(key);
        EVP_PKEY_free(issuer_key);
}
END_TEST

/* ---- store ---- */

START_TEST(files_that_do_not_parse_are_refused) {
        static const char nonsense[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        _cleanup_free_ char *half = strndup(pki.root_pem, strlen(pki.root_pem) / 2), *mixed = NULL;
        SignatureStore *s = store_of(NULL, NULL);

        ck_assert_int_gt(asprintf(&mixed, "%s%s", pki.root_pem, nonsense), 0);
        ck_assert_refused(signature_store_add_anchors(s, "f", "", 0, &error), "TrustStoreInvalid");
        ck_assert_refused(signature_store_add_anchors(s, "f", nonsense, strlen(nonsense), &error), "TrustStoreInvalid");
        ck_assert_refused(signature_store_add_anchors(s, "f", half, strlen(half), &error), "TrustStoreInvalid");
        ck_assert_refused(signature_store_add_anchors(s, "f", mixed, strlen(mixed), &error), "TrustStoreInvalid");
        ck_assert_refused(signature_store_add_crls(s, "f", pki.root_pem, strlen(pki.root_pem), &error), "TrustStoreInvalid");
        signature_store_free(s);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("signature");
        TCase *t = tcase_create("signature");

        hotpatch_errors_register();
        tcase_set_timeout(t, 120);
        tcase_add_unchecked_fixture(t, setup, teardown);
        tcase_add_test(t, good_keys_are_accepted);
        tcase_add_test(t, a_plain_forgery_is_good);
        tcase_add_test(t, other_forms_are_refused);
        tcase_add_test(t, a_rehearsal_is_no_verdict);
        tcase_add_test(t, bytes_around_it_are_refused);
        tcase_add_test(t, longer_lengths_are_not_der);
        tcase_add_test(t, other_cms_types_are_refused);
        tcase_add_test(t, pem_is_refused);
        tcase_add_test(t, weak_digests_are_refused);
        tcase_add_test(t, weak_keys_are_refused);
        tcase_add_test(t, every_changed_bit_of_the_content_is_refused);
        tcase_add_test(t, other_line_endings_are_refused);
        tcase_add_test(t, every_changed_byte_of_the_signature_is_refused);
        tcase_add_test(t, other_roots_are_not_trusted);
        tcase_add_test(t, time_counts);
        tcase_add_test(t, other_purposes_are_refused);
        tcase_add_test(t, a_signer_is_no_authority);
        tcase_add_test(t, weakly_signed_certificates_are_refused);
        tcase_add_test(t, revoked_signers_are_refused);
        tcase_add_test(t, all_lists_are_obeyed);
        tcase_add_test(t, a_strangers_list_counts_nothing);
        tcase_add_test(t, missing_lists_are_for_the_policy);
        tcase_add_test(t, embedded_nul_in_a_name_is_refused);
        tcase_add_test(t, files_that_do_not_parse_are_refused);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
