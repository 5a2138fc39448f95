/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Detached CMS signatures: who may sign, and was this signed. The only file that verifies. */

#include <systemd/sd-bus.h>

#include "bundle/bundle.h"
#include "util/base.h"

typedef struct SignatureStore SignatureStore;

int signature_store_new(SignatureStore **ret) _must_check_ _nonnull_(1);
SignatureStore *signature_store_free(SignatureStore *s);
DEFINE_TRIVIAL_CLEANUP(SignatureStore *, signature_store_free);
#define _cleanup_signature_store_free_ _cleanup_(signature_store_freep)

int signature_store_add_anchors(SignatureStore *s, const char *name, const void *pem, size_t size,
                sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3);
int signature_store_add_crls(SignatureStore *s, const char *name, const void *pem, size_t size,
                sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3);
size_t signature_store_anchors(const SignatureStore *s) _nonnull_(1);

/**
 * struct SignatureInput - one signature member and the bytes it shall cover
 * @member: name of the signature member, for messages
 */
typedef struct SignatureInput {
        const char *member;
        const void *signature;
        size_t signature_size;
        const void *data;
        size_t data_size;
} SignatureInput;

int signature_verify(const SignatureStore *s, const SignatureInput *in, uint64_t now_usec,
                bool require_crl, Signer *ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2, 5);
int signature_rehearse(const SignatureStore *s, const SignatureInput *in, uint64_t now_usec,
                bool require_crl, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
void signer_done(Signer *s) _nonnull_(1);
