/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* SHA-256 of bytes as they come. */

#include "util/base.h"

#define DIGEST_SIZE 32U

typedef struct Digest Digest;

int digest_new(Digest **ret) _must_check_ _nonnull_(1);
Digest *digest_free(Digest *d);
DEFINE_TRIVIAL_CLEANUP(Digest *, digest_free);
#define _cleanup_digest_free_ _cleanup_(digest_freep)

int digest_update(Digest *d, const void *data, size_t size) _must_check_ _nonnull_(1);
int digest_finish(Digest *d, uint8_t ret[static DIGEST_SIZE]) _must_check_ _nonnull_(1);

int digest_bytes(const void *data, size_t size, uint8_t ret[static DIGEST_SIZE]) _must_check_;
