/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The read-only data of a kernel, with kallsyms somewhere in it. */

#include "builder/image/kallsyms.h"
#include "tests/fuzz/fuzz.h"
#include "util/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_free_ uint64_t *aligned = malloc(size + 1); /* as in the kernel */
        Kallsyms k;
        int r;

        if (!aligned)
                abort();
        memcpy(aligned, data, size);
        r = kallsyms_read((const uint8_t *) aligned, size, &k);
        if (r < 0)
                return 0;
        for (size_t i = 0; i < k.n; i++) {
                size_t n = strlen(k.pool + k.names[i]);

                if (n == 0 || n > HOTPATCH_SYMBOL_MAX || (i > 0 && k.addresses[i] < k.addresses[i - 1]))
                        abort();
        }
        kallsyms_done(&k);
        return 0;
}
