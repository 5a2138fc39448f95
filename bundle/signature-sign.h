/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Making detached CMS signatures. Apart from signature.h: the daemon verifies and never signs. */

#include <systemd/sd-bus.h>

#include "util/base.h"

/**
 * struct SigningKey - who signs, as PEM
 * @certificates: the signer's certificate first, then those between it and the root
 * @key: its private key; an encrypted one makes OpenSSL ask for the password on the terminal
 */
typedef struct SigningKey {
        const void *certificates;
        size_t certificates_size;
        const void *key;
        size_t key_size;
} SigningKey;

char *signing_certificate_beside(const char *key) _nonnull_(1);
int sign_bytes(const SigningKey *key, uint64_t now_usec, const void *data, size_t size, void **ret,
                size_t *ret_size, sd_bus_error *error) _must_check_ _nonnull_(1, 3, 5, 6);
