/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Temporary folders: make(1) wants absolute paths without surprises, and nobody else a look inside. */

#include "builder/workdir.h"
#include "util/str.h"

#include <ftw.h>
#include <sys/stat.h>

static int unlink_entry(const char *path, _unused_ const struct stat *st, _unused_ int flag, _unused_ struct FTW *ftw) {
        return remove(path);
}

/** workdir_remove() - remove the folder with all it holds, and free its path; returns NULL */
char *workdir_remove(char *path) {
        if (path)
                (void) nftw(path, unlink_entry, 16, FTW_DEPTH | FTW_PHYS);
        free(path);
        return NULL;
}

/**
 * workdir_make() - make a folder in $TMPDIR or /tmp, readable for its owner only
 * @prefix: of its name
 * @ret: absolute, without symbolic links; for workdir_remove()
 *
 * Return: 0 or a negative errno.
 */
int workdir_make(const char *prefix, char **ret) {
        _cleanup_free_ char *path = NULL;
        char *real;

        if (str_printf(&path, "%s/%s.XXXXXX", getenv("TMPDIR") ?: "/tmp", prefix) < 0)
                return -ENOMEM;
        if (!mkdtemp(path))
                return -errno;
        real = realpath(path, NULL);
        if (!real)
                return -errno;
        *ret = real;
        return 0;
}
