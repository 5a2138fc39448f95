/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* patch.json, and the C file made from what was accepted: it must stay C, line by line. */

#include "builder/module/table.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_patch_file_free_ PatchFile *p = NULL;
        _cleanup_free_ char *source = NULL;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = patch_file_parse(data, size, &p, &error);
        sd_bus_error_free(&error);
        if (r < 0)
                return 0;
        if (table_source(p, &source) < 0)
                abort();
        /* Whatever the title was, the file ends with one closed literal. */
        if (!strstr(source, "\");\n") || strcmp(source + strlen(source) - 4, "\");\n") != 0)
                abort();
        return 0;
}
