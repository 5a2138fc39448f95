/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Little-endian numbers at any place of a file. Who calls has checked that they are there. */

#include <endian.h>

#include "util/base.h"

static inline uint16_t bytes_le16(const uint8_t *p) {
        uint16_t v;

        memcpy(&v, p, sizeof(v));
        return le16toh(v);
}

static inline uint32_t bytes_le32(const uint8_t *p) {
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return le32toh(v);
}

static inline uint64_t bytes_le64(const uint8_t *p) {
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return le64toh(v);
}

static inline uint64_t bytes_align(uint64_t n, uint64_t alignment) {
        return (n + alignment - 1) / alignment * alignment;
}
