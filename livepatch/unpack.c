/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Unpacking: gzip, xz, zstd and the old LZ4 format, which are what Kbuild packs kernels with
 * (scripts/Makefile.lib) and modules (CONFIG_MODULE_COMPRESS_*). The four libraries are those that
 * libsystemd and libkmod bring along anyway.
 *
 * The input is a kernel or a module that root has installed, never a bundle or what a stranger sent.
 * It is a library of its own for hotpatchctl, the builder, and the daemon's look at module files on
 * disk, which happens in a child.
 */

#include <endian.h>
#include <limits.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "livepatch/unpack.h"

/* What lz4 -l makes: magic, then blocks of at most this much, each with its packed size before it. */
#define LZ4_LEGACY_BLOCK ((size_t) 8 * 1024 * 1024)

/** struct Packing - @unpack: returns 0, -ENOBUFS when @room is too small, or -EBADMSG */
typedef struct Packing {
        uint8_t magic[6];
        size_t magic_size;
        int (*unpack)(const uint8_t *in, size_t size, uint8_t *out, size_t room, size_t *ret_size);
} Packing;

static int unpack_gzip(const uint8_t *in, size_t size, uint8_t *out, size_t room, size_t *ret_size) {
        z_stream z = { .next_in = (uint8_t *) in, .avail_in = (unsigned) size, .next_out = out, .avail_out = (unsigned) room };
        int r;

        if (size > UINT_MAX || room > UINT_MAX || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
                return -EBADMSG;
        r = inflate(&z, Z_FINISH);
        *ret_size = z.total_out;
        (void) inflateEnd(&z);
        return r == Z_STREAM_END ? 0 : r == Z_BUF_ERROR && z.avail_out == 0 ? -ENOBUFS : -EBADMSG;
}

static int unpack_xz(const uint8_t *in, size_t size, uint8_t *out, size_t room, size_t *ret_size) {
        uint64_t memory = UINT64_C(512) * 1024 * 1024;
        size_t in_at = 0, out_at = 0;
        lzma_ret r = lzma_stream_buffer_decode(&memory, 0, NULL, in, &in_at, size, out, &out_at, room);

        *ret_size = out_at;
        return r == LZMA_OK ? 0 : r == LZMA_BUF_ERROR ? -ENOBUFS : -EBADMSG;
}

/* The streaming call: bytes may follow the frame, as the kernel's size after its payload does. */
static int unpack_zstd(const uint8_t *in, size_t size, uint8_t *out, size_t room, size_t *ret_size) {
        ZSTD_inBuffer from = { in, size, 0 };
        ZSTD_outBuffer to = { out, room, 0 };
        ZSTD_DCtx *d = ZSTD_createDCtx();
        size_t r = 1;

        if (!d)
                return -ENOMEM;
        /* Kernels are packed with -22 --ultra: windows of 128 MiB */
        (void) ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, 27);
        while (r != 0 && !ZSTD_isError(r) && from.pos < from.size && to.pos < to.size)
                r = ZSTD_decompressStream(d, &to, &from);
        (void) ZSTD_freeDCtx(d);
        *ret_size = to.pos;
        return r == 0 ? 0 : !ZSTD_isError(r) && to.pos == to.size ? -ENOBUFS : -EBADMSG;
}

static int unpack_lz4(const uint8_t *in, size_t size, uint8_t *out, size_t room, size_t *ret_size) {
        size_t at = 4, done = 0;

        while (at + 4 < size) {
                uint32_t block;
                size_t space = room - done < LZ4_LEGACY_BLOCK ? room - done : LZ4_LEGACY_BLOCK;
                int n;

                memcpy(&block, in + at, sizeof(block));
                block = le32toh(block);
                at += sizeof(block);
                if (block == 0 || block > size - at)
                        return -EBADMSG;
                n = LZ4_decompress_safe((const char *) in + at, (char *) out + done, (int) block, (int) space);
                if (n < 0)
                        return space < LZ4_LEGACY_BLOCK ? -ENOBUFS : -EBADMSG;
                at += block;
                done += (size_t) n;
                /* Only the last block is not full; the kernel's size stands behind it. */
                if ((size_t) n < LZ4_LEGACY_BLOCK)
                        break;
        }
        *ret_size = done;
        return done > 0 ? 0 : -EBADMSG;
}

static const Packing packings[] = {
        { { 0x1f, 0x8b, 0x08 }, 3, unpack_gzip },
        { { 0xfd, '7', 'z', 'X', 'Z', 0x00 }, 6, unpack_xz },
        { { 0x28, 0xb5, 0x2f, 0xfd }, 4, unpack_zstd },
        { { 0x02, 0x21, 0x4c, 0x18 }, 4, unpack_lz4 },
};

static const Packing *packing_find(const void *data, size_t size) {
        for (size_t i = 0; i < ELEMENTSOF(packings); i++)
                if (size > packings[i].magic_size && memcmp(data, packings[i].magic, packings[i].magic_size) == 0)
                        return &packings[i];
        return NULL;
}

/** unpack_is_packed() - does it begin as one of the known formats? */
bool unpack_is_packed(const void *data, size_t size) {
        return packing_find(data, size) != NULL;
}

/**
 * unpack() - unpack, whatever known format it is
 * @max: most bytes to accept
 * @ret: to be freed
 *
 * Return: 0, -EBADMSG for an unknown format or damaged input, -EFBIG for more than @max bytes, or
 * -ENOMEM.
 */
int unpack(const void *data, size_t size, size_t max, void **ret, size_t *ret_size) {
        const Packing *packing = packing_find(data, size);
        size_t room = size < max / 8 ? size * 8 : max;

        if (!packing)
                return -EBADMSG;
        for (;;) {
                _cleanup_free_ void *out = malloc(room);
                int r = out ? packing->unpack(data, size, out, room, ret_size) : -ENOMEM;

                if (r >= 0) {
                        *ret = TAKE_PTR(out);
                        return 0;
                }
                if (r != -ENOBUFS)
                        return r;
                if (room == max)
                        return -EFBIG;
                room = room < max / 4 ? room * 4 : max;
        }
}
