/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * --output=FILE: the file is replaced as a whole, so that whoever reads it sees the old content or the new one. A shell's
 * `>` cannot do that. Everybody may read it: who is to do so decides by the folder.
 */

#include <fcntl.h>

#include "ctl/output.h"
#include "util/file.h"

static int replace(const char *path, const char *text) {
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        _cleanup_free_ char *folder = slash ? strndup(path, (size_t) (slash - path) + 1) : strdup(".");
        _cleanup_close_ int dir_fd = -EBADF;

        if (!folder)
                return -ENOMEM;
        if (*name == '\0')
                return -EISDIR;
        dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return dir_fd < 0 ? -errno : file_publish_at(dir_fd, name, text, strlen(text), 0644);
}

/**
 * output_write() - to the file of --output=, or to standard output
 * @error: which file, and why not
 *
 * Return: 0 or a negative errno.
 */
int output_write(const Ctl *ctl, const char *text, sd_bus_error *error) {
        int r;

        if (!ctl->output)
                return fputs(text, stdout) == EOF || fflush(stdout) != 0 ? -EIO : 0;
        r = replace(ctl->output, text);
        if (r < 0)
                (void) sd_bus_error_set_errnof(error, -r, "'%s' cannot be written: %s", ctl->output, strerror(-r));
        return r;
}
