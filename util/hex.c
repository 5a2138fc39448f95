/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "util/hex.h"

/** hex_encode() - @size bytes as 2 * @size lower-case digits; NULL if memory is out */
char *hex_encode(const void *data, size_t size) {
        static const char digits[16] = "0123456789abcdef";
        const uint8_t *p = data;
        char *s = malloc(2 * size + 1);

        if (!s)
                return NULL;
        for (size_t i = 0; i < size; i++) {
                s[2 * i] = digits[p[i] >> 4];
                s[2 * i + 1] = digits[p[i] & 15];
        }
        s[2 * size] = 0;
        return s;
}

static int digit_value(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return -EINVAL;
}

/**
 * hex_decode() - read exactly @size bytes
 * @hex: exactly 2 * @size lower-case digits; anything else is refused
 * @buf: filled only on success
 *
 * Return: 0 or -EINVAL.
 */
int hex_decode(const char *hex, void *buf, size_t size) {
        uint8_t *p = buf;

        if (strlen(hex) != 2 * size)
                return -EINVAL;
        for (size_t i = 0; i < 2 * size; i++)
                if (digit_value(hex[i]) < 0)
                        return -EINVAL;
        for (size_t i = 0; i < size; i++)
                p[i] = (uint8_t) (digit_value(hex[2 * i]) << 4 | digit_value(hex[2 * i + 1]));
        return 0;
}
