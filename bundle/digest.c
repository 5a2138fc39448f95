/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * SHA-256 through OpenSSL's EVP, which picks the processor's SHA instructions. A file of its own,
 * apart from signature.c, because who copies a payload needs digests and nothing else of OpenSSL.
 */

#include <openssl/evp.h>

#include "bundle/digest.h"

struct Digest {
        EVP_MD_CTX *context;
};

/** digest_free() - free; accepts NULL. Returns NULL. */
Digest *digest_free(Digest *d) {
        if (d)
                EVP_MD_CTX_free(d->context);
        free(d);
        return NULL;
}

/**
 * digest_new() - start a SHA-256
 *
 * Return: 0 or -ENOMEM.
 */
int digest_new(Digest **ret) {
        _cleanup_digest_free_ Digest *d = calloc(1, sizeof(*d));

        if (!d)
                return -ENOMEM;
        d->context = EVP_MD_CTX_new();
        if (!d->context || EVP_DigestInit_ex(d->context, EVP_sha256(), NULL) != 1)
                return -ENOMEM;
        *ret = TAKE_PTR(d);
        return 0;
}

/** digest_update() - take in more bytes; returns 0 or -EIO */
int digest_update(Digest *d, const void *data, size_t size) {
        return EVP_DigestUpdate(d->context, data, size) == 1 ? 0 : -EIO;
}

/** digest_finish() - the digest of all bytes so far; @d can only be freed afterwards */
int digest_finish(Digest *d, uint8_t ret[static DIGEST_SIZE]) {
        return EVP_DigestFinal_ex(d->context, ret, NULL) == 1 ? 0 : -EIO;
}

/** digest_bytes() - SHA-256 of bytes in memory; returns 0 or a negative errno */
int digest_bytes(const void *data, size_t size, uint8_t ret[static DIGEST_SIZE]) {
        return EVP_Digest(data, size, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}
