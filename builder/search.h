/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Looking something up in an array that is sorted by a 64-bit number. */

#include "util/base.h"

/**
 * search_from() - index of the first element whose number is at least @key; @n: there is none
 * @items: sorted
 * @size: of an element, in bytes
 * @offset: of the uint64_t in it
 */
static inline size_t search_from(const void *items, size_t n, size_t size, size_t offset, uint64_t key) {
        size_t low = 0, high = n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (*(const uint64_t *) (const void *) ((const uint8_t *) items + middle * size + offset) < key)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}
