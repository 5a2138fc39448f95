/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The signature that scripts/sign-file appends to a module (include/linux/module_signature.h):
 *
 *     MODULE | CMS SignedData, DER | struct module_signature, 12 bytes | "~Module signature appended~\n"
 *
 * Whether it is good is the kernel's to say, which alone has the keys that count. Here it is only taken
 * apart as far as the question "which key?" goes, so that a missing key has a name before the
 * kernel is touched. That is a walk of some twenty DER elements; a cryptographic library for it would
 * be much more code in front of the same bytes.
 *
 *     ContentInfo { signedData, [0] { version, digestAlgorithms, encapContentInfo,
 *             certificates [0] OPTIONAL, crls [1] OPTIONAL,
 *             signerInfos { { version, sid, … } … } } }                               RFC 5652
 *
 * A message that does not look so is `present` and not `readable`.
 */

#include "livepatch/modsig.h"
#include "util/hex.h"
#include "util/limits.h"
#include "util/str.h"

#define TAG_INTEGER 0x02
#define TAG_OID 0x06
#define TAG_SEQUENCE 0x30
#define TAG_SET 0x31
#define TAG_CONTEXT_0 0xa0           /* constructed */
#define TAG_CONTEXT_1 0xa1
#define TAG_CONTEXT_0_PRIMITIVE 0x80 /* [0] IMPLICIT OCTET STRING */

/* PKEY_ID_PKCS7, include/linux/module_signature.h */
#define ID_TYPE_OFFSET 2
#define ID_TYPE_PKCS7 2

/* 1.2.840.113549.1.7.2 */
static const uint8_t oid_signed_data[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02 };
/* 2.5.4.3 commonName, 2.5.4.10 organizationName */
static const uint8_t oid_common_name[] = { 0x55, 0x04, 0x03 };
static const uint8_t oid_organization[] = { 0x55, 0x04, 0x0a };

/* Bytes that are left. */
typedef struct Der {
        const uint8_t *data;
        size_t size;
} Der;

/* Take the next element off @d. False: there is none, or it does not fit. */
static bool der_take(Der *d, uint8_t *ret_tag, Der *ret_content) {
        size_t header = 2, length;

        if (d->size < header)
                return false;
        length = d->data[1];
        if (length & 0x80) {
                size_t n = length & 0x7f;

                /* 0x80 alone is BER's indefinite length; a signature has no use for more than 4 bytes. */
                if (n == 0 || n > 4 || d->size < header + n)
                        return false;
                length = 0;
                for (size_t i = 0; i < n; i++)
                        length = length << 8 | d->data[header + i];
                header += n;
        }
        if (length > d->size - header)
                return false;
        *ret_tag = d->data[0];
        *ret_content = (Der) { d->data + header, length };
        *d = (Der) { d->data + header + length, d->size - header - length };
        return true;
}

/* Take the next element if it has that tag. */
static bool der_expect(Der *d, uint8_t tag, Der *ret_content) {
        Der rest = *d, content;
        uint8_t found;

        if (!der_take(&rest, &found, &content) || found != tag)
                return false;
        *d = rest;
        *ret_content = content;
        return true;
}

static bool der_is(Der d, const uint8_t *bytes, size_t n) {
        return d.size == n && memcmp(d.data, bytes, n) == 0;
}

/* --- the name --- */

static char *printable(Der d) {
        char *s = strndup((const char *) d.data, d.size < 128 ? d.size : 128);

        for (char *p = s; p && *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
        return s;
}

/* RDNSequence: { { { type, value } … } … }. Return: the value of that attribute, or nothing. */
static bool name_find(Der name, const uint8_t *oid, size_t n_oid, Der *ret) {
        Der rdn, attribute, type;
        uint8_t tag;

        while (der_expect(&name, TAG_SET, &rdn))
                while (der_expect(&rdn, TAG_SEQUENCE, &attribute))
                        if (der_expect(&attribute, TAG_OID, &type) && der_is(type, oid, n_oid) &&
                            der_take(&attribute, &tag, ret))
                                return true;
        return false;
}

static int name_text(Der name, char **ret) {
        Der value;

        if (!name_find(name, oid_common_name, sizeof(oid_common_name), &value) &&
            !name_find(name, oid_organization, sizeof(oid_organization), &value))
                return 0;
        *ret = printable(value);
        return *ret ? 0 : -ENOMEM;
}

/* --- the signer --- */

/* The bytes of both, one behind the other. */
static int hex_join(Der a, Der b, char **ret) {
        _cleanup_free_ char *first = hex_encode(a.data, a.size), *second = hex_encode(b.data, b.size);

        if (!first || !second)
                return -ENOMEM;
        return str_printf(ret, "%s%s", first, second);
}

/* Return: 1, 0 when it is no signer, -ENOMEM. */
static int signer_read(Der signer, ModuleSignature *s) {
        Der version, sid, issuer, serial;
        int r;

        if (!der_expect(&signer, TAG_INTEGER, &version))
                return 0;
        if (der_expect(&signer, TAG_CONTEXT_0_PRIMITIVE, &sid)) {
                if (sid.size == 0)
                        return 0;
                s->key_id = hex_encode(sid.data, sid.size);
                return s->key_id ? 1 : -ENOMEM;
        }
        if (!der_expect(&signer, TAG_SEQUENCE, &sid) || !der_expect(&sid, TAG_SEQUENCE, &issuer) ||
            !der_expect(&sid, TAG_INTEGER, &serial))
                return 0;
        s->serial = hex_encode(serial.data, serial.size);
        if (!s->serial)
                return -ENOMEM;
        r = hex_join(serial, issuer, &s->issuer_serial);
        if (r >= 0)
                r = name_text(issuer, &s->signer);
        return r < 0 ? r : 1;
}

/* Return: 1, 0 when it is no such message, -ENOMEM. */
static int message_read(Der message, ModuleSignature *s) {
        Der content_info, oid, explicit, signed_data, ignored, signers, signer;

        if (!der_expect(&message, TAG_SEQUENCE, &content_info) ||
            !der_expect(&content_info, TAG_OID, &oid) ||
            !der_is(oid, oid_signed_data, sizeof(oid_signed_data)) ||
            !der_expect(&content_info, TAG_CONTEXT_0, &explicit) ||
            !der_expect(&explicit, TAG_SEQUENCE, &signed_data) ||
            !der_expect(&signed_data, TAG_INTEGER, &ignored) ||
            !der_expect(&signed_data, TAG_SET, &ignored) ||
            !der_expect(&signed_data, TAG_SEQUENCE, &ignored))
                return 0;
        s->open = der_expect(&signed_data, TAG_CONTEXT_0, &ignored);
        (void) der_expect(&signed_data, TAG_CONTEXT_1, &ignored);
        if (!der_expect(&signed_data, TAG_SET, &signers) || !der_expect(&signers, TAG_SEQUENCE, &signer))
                return 0;
        s->open = s->open || signers.size > 0;
        return signer_read(signer, s);
}

/**
 * module_signature_parse() - take an appended signature apart
 * @tail: the 12 bytes of struct module_signature
 * @message: the @size bytes before it
 * @ret: to be emptied with module_signature_done(); @present is set
 *
 * Return: 0 or -ENOMEM.
 */
int module_signature_parse(const uint8_t *tail, const uint8_t *message, size_t size, ModuleSignature *ret) {
        _cleanup_(module_signature_done) ModuleSignature s = { .present = true };
        int r = 0;

        if (tail[ID_TYPE_OFFSET] == ID_TYPE_PKCS7 && size <= HOTPATCH_SIGNATURE_MAX)
                r = message_read((Der) { message, size }, &s);
        if (r < 0)
                return r;
        if (r == 0) {
                module_signature_done(&s);
                s.present = true;
        }
        s.readable = r > 0;
        *ret = s;
        s = (ModuleSignature) {};
        return 0;
}

/** module_signature_done() - free what it owns */
void module_signature_done(ModuleSignature *s) {
        free(s->signer);
        free(s->key_id);
        free(s->issuer_serial);
        free(s->serial);
        *s = (ModuleSignature) {};
}
