/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who signed, in words: what people and journals are shown of a certificate that was found good.
 * Names with an embedded NUL are refused, because they show less than they say.
 */

#include <time.h>

#include "bundle/digest.h"
#include "bundle/openssl-error.h"
#include "bundle/signature-internal.h"
#include "dbus/errors.h"
#include "util/hex.h"

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

/**
 * signer_fill() - who signed, for showing
 * @si: its SignerInfo, for the claimed time
 * @leaf: its certificate, which was found good
 * @ret: filled only on success; free with signer_done()
 * @error: SignerNotTrusted for a malformed name
 *
 * Return: 0 or a negative errno.
 */
int signer_fill(
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
