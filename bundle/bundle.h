/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A bundle as it is read: first untrusted (Bundle), then, after its signatures were found good, Signed, and when
 * what they cover was parsed, Verified. Only bundle_check_signatures() makes a Signed, only a Signed becomes a
 * Verified, and only a Verified has a manifest. bundle_verify() is both steps.
 *
 * Order of reading, everywhere: size limits, archive headers, CMS over the exact manifest bytes,
 * JSON, member digests.
 */

#include <systemd/sd-bus.h>

#include "bundle/manifest.h"
#include "bundle/trust.h"
#include "util/base.h"

typedef struct Bundle Bundle;
typedef struct Signed Signed;
typedef struct Verified Verified;

/** struct Signer - who signed; for showing, not for deciding */
typedef struct Signer {
        char *subject;              /* RFC 2253 */
        char *issuer;               /* RFC 2253 */
        char *spki_sha256;          /* of the public key, lower-case hexadecimal */
        uint64_t not_after_usec;
        uint64_t signing_time_usec; /* the signer's claim; 0: none */
} Signer;

int bundle_open(int fd, Bundle **ret, sd_bus_error *error) _must_check_ _nonnull_(2);
Bundle *bundle_free(Bundle *b);
DEFINE_TRIVIAL_CLEANUP(Bundle *, bundle_free);
#define _cleanup_bundle_free_ _cleanup_(bundle_freep)

size_t bundle_unverified_members(const Bundle *b, const char **ret_names, size_t n_names) _nonnull_(1);
int bundle_unverified_read(const Bundle *b, const char *name, size_t max, void **ret, size_t *ret_size,
                sd_bus_error *error) _must_check_ _nonnull_(1, 2, 4, 5);
int bundle_unverified_copy(const Bundle *b, const char *name, int fd_out, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2);

uint64_t bundle_present(uint64_t clock_usec);
int bundle_rehearse(const Bundle *b, const Trust *trust, uint64_t now_usec, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2);
int bundle_check_signatures(Bundle **b, const Trust *trust, uint64_t now_usec, Signed **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 4);
int bundle_verify(Bundle **b, const Trust *trust, uint64_t now_usec, Verified **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 4);

Signed *signed_free(Signed *s);
DEFINE_TRIVIAL_CLEANUP(Signed *, signed_free);
#define _cleanup_signed_free_ _cleanup_(signed_freep)
int signed_parse(Signed **s, Verified **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);

Verified *verified_free(Verified *v);
DEFINE_TRIVIAL_CLEANUP(Verified *, verified_free);
#define _cleanup_verified_free_ _cleanup_(verified_freep)

const Manifest *verified_manifest(const Verified *v);
const char *verified_digest(const Verified *v);
const char *verified_manifest_text(const Verified *v, size_t *ret_size);
const Signer *verified_signers(const Verified *v, size_t *ret_n);
int verified_check_members(const Verified *v, sd_bus_error *error) _must_check_;
int verified_copy_member(const Verified *v, const char *name, int fd_out, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2);
