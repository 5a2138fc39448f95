/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Module files, packed and not. */

#include "tests/fuzz/fuzz-image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        return fuzz_image(data, size, image_open_module);
}
