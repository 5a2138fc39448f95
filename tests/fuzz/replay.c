/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Runs a fuzz target once over each file named, or each file of a folder named: what was found once
 * stays found, with any compiler. A folder without a file is an error, for it tests nothing.
 */

#include <fcntl.h>
#include <ftw.h>

#include "tests/fuzz/fuzz.h"
#include "util/file.h"
#include "util/limits.h"

/* nftw(3) hands no pointer of ours along. */
static unsigned n_files;

static int replay(const char *path, _unused_ const struct stat *st, int flag,
                _unused_ struct FTW *ftw) {
        _cleanup_free_ void *data = NULL;
        size_t size;
        int r;

        if (flag != FTW_F)
                return 0;
        r = file_read_at(AT_FDCWD, path, HOTPATCH_BUNDLE_MAX, &data, &size);
        if (r < 0) {
                (void) fprintf(stderr, "%s: %s\n", path, strerror(-r));
                return 1;
        }
        n_files++;
        return LLVMFuzzerTestOneInput(data, size);
}

int main(int argc, char **argv) {
        for (int i = 1; i < argc; i++) {
                unsigned before = n_files;

                if (nftw(argv[i], replay, 16, FTW_PHYS) != 0)
                        return EXIT_FAILURE;
                if (n_files == before) {
                        (void) fprintf(stderr, "%s: nothing to replay\n", argv[i]);
                        return EXIT_FAILURE;
                }
        }
        printf("%u inputs\n", n_files);
        return n_files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
