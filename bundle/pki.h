/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A small public-key infrastructure of one's own: root, intermediate, signer, revocation lists. */

#include <systemd/sd-bus.h>

#include "util/base.h"

/** struct Identity - a key pair and its certificate */
typedef struct Identity Identity;

/**
 * struct IdentityTemplate - what a new certificate shall say
 * @name: common name
 * @key: "P-256", "P-384", or "RSA-BITS"
 * @digest: that the issuer signs with; NULL: the one that belongs to its key
 * @ca: a certificate authority, else a signer of bundles
 * @usage: OID of the extended key usage; NULL: none
 */
typedef struct IdentityTemplate {
        const char *name;
        const char *key;
        const char *digest;
        bool ca;
        const char *usage;
        uint64_t not_before_usec;
        uint64_t not_after_usec;
} IdentityTemplate;

int identity_new(const IdentityTemplate *t, const Identity *issuer, Identity **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 3);
Identity *identity_free(Identity *i);
DEFINE_TRIVIAL_CLEANUP(Identity *, identity_free);
#define _cleanup_identity_free_ _cleanup_(identity_freep)

int identity_key_pem(const Identity *i, char **ret) _must_check_ _nonnull_(1, 2);
int identity_certificate_pem(const Identity *i, char **ret) _must_check_ _nonnull_(1, 2);
int identity_crl_pem(const Identity *issuer, const Identity *revoked, uint64_t now_usec,
                uint64_t until_usec, char **ret) _must_check_ _nonnull_(1, 5);

int pki_generate(int dir_fd, const char *name, const char *key, uint64_t now_usec, sd_bus_error *error)
        _must_check_ _nonnull_(2, 3);
