/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The list of fields that move with a kernel. */

#include "builder/image/relocs.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ uint64_t *addresses = NULL;
        size_t n;

        if (kernel_relocs_read(data, size, &addresses, &n) < 0)
                return 0;
        if (n > size / 4)
                abort();
        for (size_t i = 0; i < n; i++)
                if (addresses[i] < UINT64_C(0xffffffff80000000) || (i > 0 && addresses[i] < addresses[i - 1]))
                        abort();
        return 0;
}
