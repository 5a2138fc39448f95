/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From the signer's certificate to an anchor of ours.
 *
 *   chain        up to an anchor of ours, never the system's authorities; security level 2
 *   purpose      leaf: no CA, keyUsage digitalSignature, extended key usage HOTPATCH_EKU_OID; a CA
 *                certificate that carries extended key usages must carry ours too
 *   revocation   every list we have is obeyed, in date or not; whether one must be there and in
 *                date is policy
 *
 * The purpose is checked here and not by OpenSSL's purposes, none of which means what ours does.
 */

#include <openssl/err.h>

#include "bundle/eku.h"
#include "bundle/openssl-error.h"
#include "bundle/signature-internal.h"
#include "dbus/errors.h"

/* Authorities between signer and root; nobody has more, and path building is not for free. */
#define CHAIN_DEPTH_MAX 8

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

static int walk(X509_STORE_CTX *ctx, const SignatureStore *s, const SignatureInput *in, X509 *leaf,
                STACK_OF(X509) *extra, uint64_t now_usec, bool require_crl, X509_STORE_CTX_verify_fn verify,
                sd_bus_error *error) {
        X509_VERIFY_PARAM *param;

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
        if (verify)
                X509_STORE_CTX_set_verify(ctx, verify);
        if (X509_verify_cert(ctx) != 1) {
                int code = X509_STORE_CTX_get_error(ctx);

                return openssl_fail(error, chain_error_name(code),
                        "The certificate of the signer of '%s' is refused: %s", in->member,
                        X509_verify_cert_error_string(code));
        }
        return 0;
}

/**
 * signature_check_chain() - may the holder of this certificate sign bundles here and now?
 * @leaf: the signer's certificate
 * @extra: certificates the signature brought along, to build the chain with; none is trusted
 * @now_usec: time at which certificates must be valid, microseconds since 1970
 * @require_crl: see struct TrustPolicy
 * @error: SignerNotTrusted, SignerExpired, SignerNotYetValid, SignerRevoked, SignerWrongPurpose,
 *   SignerWeakKey, RevocationUnknown
 *
 * Return: 0 or a negative errno.
 */
int signature_check_chain(const SignatureStore *s, const SignatureInput *in, X509 *leaf,
                STACK_OF(X509) *extra, uint64_t now_usec, bool require_crl, sd_bus_error *error) {
        _cleanup_(X509_STORE_CTX_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
        STACK_OF(X509) *chain;
        int r = walk(ctx, s, in, leaf, extra, now_usec, require_crl, NULL, error);

        if (r < 0)
                return r;
        chain = X509_STORE_CTX_get0_chain(ctx);
        r = check_revoked(s, in, chain, error);
        if (r < 0)
                return r;
        return check_purpose(in, chain, error);
}

/* In the place of the check of signatures and dates, the last thing but names and policies. */
static int nothing_is_verified(_unused_ X509_STORE_CTX *ctx) {
        return 1;
}

/**
 * signature_rehearse_chain() - all of signature_check_chain() but whether the certificates sign each other and are in date
 *
 * The signatures of revocation lists are checked all the same: they are this machine's own files.
 *
 * Return: 0, which says nothing, or a negative errno.
 */
int signature_rehearse_chain(const SignatureStore *s, const SignatureInput *in, X509 *leaf,
                STACK_OF(X509) *extra, uint64_t now_usec, bool require_crl, sd_bus_error *error) {
        _cleanup_(X509_STORE_CTX_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
        int r = walk(ctx, s, in, leaf, extra, now_usec, require_crl, nothing_is_verified, error);

        return r < 0 ? r : check_purpose(in, X509_STORE_CTX_get0_chain(ctx), error);
}
