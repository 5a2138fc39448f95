/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Diffs: every path that is accepted stays in the tree, and what is handed to patch is hunks only. */

#include "builder/source/fix-parse.h"
#include "tests/fuzz/fuzz.h"
#include "util/strv.h"

static void check_path(const char *path) {
        if (*path == '/' || *path == '\0' || strstr(path, "//") || strchr(path, '\n'))
                abort();
        for (const char *c = path; c; c = strchr(c, '/') ? strchr(c, '/') + 1 : NULL)
                if (startswith(c, "../") || streq(c, "..") || startswith(c, "./") || *c == '-')
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        _cleanup_fix_free_ Fix *f = calloc(1, sizeof(*f));
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        if (!f || strv_extend(&f->paths, "fuzz.patch") < 0)
                abort();
        r = fix_parse(f, 0, (const char *) data, size, &error);
        sd_bus_error_free(&error);
        if (r < 0)
                return 0;
        for (size_t i = 0; i < f->n_files; i++)
                check_path(f->files[i].path);
        for (size_t i = 0; i < f->n_diffs; i++) {
                const FixDiff *d = f->diffs + i;

                if (d->file >= f->n_files || d->n_hunks == 0 || !startswith(d->hunks, "@@ -") ||
                                d->hunks[strlen(d->hunks) - 1] != '\n')
                        abort();
                for (const char *line = d->hunks; *line; line = strchr(line, '\n') + 1)
                        if (!strchr(" +-@\\\n", *line))
                                abort();
        }
        return 0;
}
