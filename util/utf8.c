/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a bundle says about itself was written by somebody else. Who shows it, on a terminal or on a desktop, takes it
 * apart here first: what is no text is not let through, and neither are characters that act instead of being seen.
 */

#include "util/utf8.h"

/**
 * utf8_decode() - the character that a string begins with (RFC 3629)
 * @s: the string
 * @ret: its code point
 *
 * Return: its length in bytes; 0 at the end of the string and where it is not well-formed.
 */
size_t utf8_decode(const char *s, uint32_t *ret) {
        static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
        const unsigned char *u = (const unsigned char *) s;
        size_t n = u[0] < 0x80       ? u[0] != 0
                   : u[0] >> 5 == 6  ? 2
                   : u[0] >> 4 == 14 ? 3
                   : u[0] >> 3 == 30 ? 4
                                     : 0;
        uint32_t c;

        if (n <= 1) {
                *ret = u[0];
                return n;
        }
        c = u[0] & (0x7FU >> n);
        for (size_t i = 1; i < n; i++) {
                if (u[i] >> 6 != 2)
                        return 0;
                c = c << 6 | (u[i] & 0x3FU);
        }
        if (c < lowest[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
                return 0;
        *ret = c;
        return n;
}

/** utf8_acts() - is it a character that acts instead of being seen: a control, a direction mark, an invisible joiner? */
bool utf8_acts(uint32_t c) {
        static const uint32_t ranges[][2] = {
                { 0x00, 0x1F },     /* C0, with ESC */
                { 0x7F, 0x9F },     /* DEL and C1, with the one-byte CSI */
                { 0x61C, 0x61C },   /* Arabic letter mark */
                { 0x200B, 0x200F }, /* zero width, left-to-right and right-to-left mark */
                { 0x2028, 0x202E }, /* line and paragraph separator, embeddings, overrides */
                { 0x2060, 0x206F }, /* word joiner, isolates, deprecated format characters */
                { 0xFEFF, 0xFEFF }, /* byte order mark */
                { 0xFFF9, 0xFFFB }, /* interlinear annotation */
                { 0xE0000, 0xE007F } /* tags */
        };

        for (size_t i = 0; i < ELEMENTSOF(ranges); i++)
                if (c >= ranges[i][0] && c <= ranges[i][1])
                        return true;
        return false;
}
