/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The manifest: what is accepted can be written, read again, and then is written as the same bytes. */

#include "bundle/manifest.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_manifest_free_ Manifest *m = NULL, *again = NULL;
        _cleanup_free_ char *first = NULL, *second = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        size_t n_first, n_second;

        if (manifest_parse(data, size, &m, &error) < 0) {
                if (!sd_bus_error_is_set(&error))
                        abort();
                sd_bus_error_free(&error);
                return 0;
        }
        if (manifest_format(m, &first, &n_first) < 0)
                abort();
        /* Indentation can make it longer than is allowed. */
        if (n_first > 256 * 1024)
                return 0;
        if (manifest_parse(first, n_first, &again, NULL) < 0 || manifest_format(again, &second, &n_second) < 0 ||
            !streq(first, second))
                abort();
        return 0;
}
