/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Whom this machine believes: root certificates (*.pem) and revocation lists (*.crl, PEM) in
 * /usr/lib/hotpatch/trust.d and /etc/hotpatch/trust.d. A file in /etc hides one of the same name
 * in /usr/lib; a symbolic link to /dev/null hides it without a successor.
 */

#include <systemd/sd-bus.h>

#include "util/base.h"

typedef struct Trust Trust;

/**
 * struct TrustPolicy - what a site demands beyond a valid chain
 * @signatures_min: distinct signers (by public key) that must have signed; at least 1
 * @require_crl: refuse when the CRL of an issuer is missing or outdated. When false, a CRL that is
 *   there is still obeyed.
 */
typedef struct TrustPolicy {
        unsigned signatures_min;
        bool require_crl;
} TrustPolicy;

int trust_load(int root_fd, const TrustPolicy *policy, Trust **ret, sd_bus_error *error)
        _must_check_ _nonnull_(2, 3);
int trust_load_files(char *const *files, const TrustPolicy *policy, Trust **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 3);
size_t trust_anchors(const Trust *t) _nonnull_(1);
Trust *trust_free(Trust *t);
DEFINE_TRIVIAL_CLEANUP(Trust *, trust_free);
#define _cleanup_trust_free_ _cleanup_(trust_freep)
