/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Does the image have, byte for byte, what was compiled here? And where does it have each thing that
 * the compiled code refers to?
 */

#include <systemd/sd-bus.h>

#include "bundle/digest.h"
#include "builder/image/image.h"
#include "builder/object/object.h"
#include "builder/findings.h"

/** struct MatchRange - bytes that the running kernel may have changed */
typedef struct MatchRange {
        uint32_t offset; /* from the function's first byte */
        uint32_t size;
} MatchRange;

/**
 * struct Match - one function found in the image
 * @symbol: in the object
 * @image: where it is
 * @size: in bytes, without the padding that follows
 * @masked: by offset, not overlapping: ftrace site, alternatives, static branches and calls, lock
 *   prefixes, return and retpoline sites, paravirt, fields that move with the kernel (KASLR) or module
 * @sha256: of the @size bytes with the masked ones zero
 */
typedef struct Match {
        uint32_t symbol;
        const ImageSymbol *image;
        uint64_t size;
        MatchRange *masked;
        size_t n_masked;
        uint8_t sha256[DIGEST_SIZE];
} Match;

typedef struct Matcher Matcher;

int matcher_new(const Object *before, const Image *image, Matcher **ret) _must_check_ _nonnull_(1, 2, 3);
Matcher *matcher_free(Matcher *m);
DEFINE_TRIVIAL_CLEANUP(Matcher *, matcher_free);
#define _cleanup_matcher_free_ _cleanup_(matcher_freep)

/**
 * matcher_prove() - find a function of the object in the image and prove that it is the same
 *
 * Return: 1 and the match (owned by the matcher), 0 when it does not match and a finding says why, or
 * a negative errno.
 */
int matcher_prove(Matcher *m, uint32_t function, const Match **ret, Findings *findings) _must_check_
                _nonnull_(1, 3, 4);
/**
 * matcher_locate() - where in the image is a function or data symbol of the object?
 *
 * By name if only one is of that name and the symbol is not local; else by what matched functions refer
 * to, and (functions) by matching every candidate.
 *
 * Return: 1 and the symbol, 0 when it cannot be told, -ENOENT when the image has none of that name, or
 * another negative errno.
 */
int matcher_locate(Matcher *m, uint32_t symbol, const ImageSymbol **ret) _must_check_ _nonnull_(1, 3);
