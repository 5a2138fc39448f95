/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The table that a relocatable x86 kernel carries behind its ELF file
 * (arch/x86/boot/compressed/misc.c, handle_relocations()): lists of 32-bit numbers, each list with a 0
 * before it: fields of 64 bits, until 6.14 those of 32 bits that are counted down (references to
 * per-cpu variables), and fields of 32 bits. The kernel reads it from its end; here it must be used up
 * exactly. Each number is an address of the kernel, of which the upper half is all ones.
 */

#include "builder/image/bytes.h"
#include "builder/image/relocs.h"

#define LISTS_MIN 2U
#define LISTS_MAX 3U

static int compare(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

/**
 * kernel_relocs_read() - addresses of all fields that move
 * @data: what follows the ELF file
 * @ret: sorted; to be freed
 *
 * Return: 0, -EBADMSG when it is no such table, or -ENOMEM.
 */
int kernel_relocs_read(const uint8_t *data, size_t size, uint64_t **ret, size_t *ret_n) {
        _cleanup_free_ uint64_t *addresses = NULL;
        size_t n = 0, lists = 0;

        if (size < 4 * LISTS_MIN || size % 4 != 0 || bytes_le32(data) != 0)
                return -EBADMSG;
        addresses = calloc(size / 4, sizeof(*addresses));
        if (!addresses)
                return -ENOMEM;
        for (size_t at = 0; at < size; at += 4) {
                int32_t field = (int32_t) bytes_le32(data + at);

                if (field > 0 || (field == 0 && ++lists > LISTS_MAX))
                        return -EBADMSG;
                if (field < 0)
                        addresses[n++] = (uint64_t) (int64_t) field;
        }
        if (lists < LISTS_MIN)
                return -EBADMSG;
        qsort(addresses, n, sizeof(*addresses), compare);
        *ret = TAKE_PTR(addresses);
        *ret_n = n;
        return 0;
}
