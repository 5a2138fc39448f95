/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of signature verification share; nobody else includes this. */

#include "bundle/openssl-types.h"
#include "bundle/signature.h"

struct SignatureStore {
        X509_STORE *store;
        STACK_OF(X509_CRL) *crls;
        size_t n_anchors;
};

int signature_check_chain(const SignatureStore *s, const SignatureInput *in, X509 *leaf,
                STACK_OF(X509) *extra, uint64_t now_usec, bool require_crl, sd_bus_error *error)
        _must_check_;
int signature_rehearse_chain(const SignatureStore *s, const SignatureInput *in, X509 *leaf,
                STACK_OF(X509) *extra, uint64_t now_usec, bool require_crl, sd_bus_error *error)
        _must_check_;
int signer_fill(const SignatureInput *in, CMS_SignerInfo *si, X509 *leaf, Signer *ret, sd_bus_error *error)
        _must_check_;
