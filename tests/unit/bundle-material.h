/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Bundles, good and bad, made while the test runs: no key and no certificate is stored anywhere.
 * Everything here aborts the test when it fails.
 */

#include <systemd/sd-bus.h>

#include "bundle/archive.h"
#include "bundle/eku.h"
#include "bundle/pki.h"
#include "bundle/signature-sign.h"
#include "bundle/signature.h"
#include "dbus/errors.h"
#include "tests/unit/unit.h"

#define DAY (UINT64_C(86400) * USEC_PER_SEC)

/* All material lives around this moment: 2027-01-15T08:00:00Z. */
#define NOW (UINT64_C(1800000000) * USEC_PER_SEC)

/** ck_assert_refused() - the call failed with just this named error */
#define ck_assert_refused(call, refusal)                                                                \
        do {                                                                                             \
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;                     \
                int _r = (call);                                                                         \
                ck_assert_msg(_r < 0, "%s: accepted, expected %s", #call, refusal);                      \
                ck_assert_msg(error.name && streq(error.name, HOTPATCH_ERROR("") refusal),               \
                        "%s: %s (%s), expected %s", #call, strempty(error.name), strempty(error.message),\
                        refusal);                                                                        \
        } while (0)

/** struct Bytes - grows; free data */
typedef struct Bytes {
        uint8_t *data;
        size_t size;
} Bytes;

void bytes_append(Bytes *b, const void *data, size_t size);
void bytes_done(Bytes *b);
int bytes_fd(const Bytes *b);

/* Archives, byte by byte. */
void raw_header(Bytes *b, const char *name, uint64_t size);
void raw_member(Bytes *b, const char *name, const void *data, size_t size);
void raw_end(Bytes *b);
void raw_patch(Bytes *b, size_t header, size_t offset, const void *data, size_t size);

/** struct Pki - three levels, as `hotpatchctl key generate` makes them */
typedef struct Pki {
        Identity *root, *intermediate, *signer;
        char *root_pem, *chain_pem, *key_pem;
} Pki;

void pki_make(Pki *p, const char *key);
void pki_done(Pki *p);
Identity *identity_make(const char *key, bool ca, const char *usage, const Identity *issuer);

void sign_good(const Pki *p, const void *data, size_t size, Bytes *ret);
SignatureStore *store_of(const char *anchors, const char *crls);

/* Complete bundles. */
char *manifest_text(const char *name, const void *payload, size_t size);
void bundle_make(const Pki *p, const char *manifest, const char *name, const void *payload, size_t size, Bytes *ret);
