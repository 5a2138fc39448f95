/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The files that a user gives, read once: what is digested is what is parsed and what is applied
 * later, whatever becomes of the files meanwhile.
 */

#include "builder/source/fix.h"

#include <fcntl.h>

#include "builder/source/fix-parse.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

/* A patch that went through a DOS mailer: every line ends in CR LF. The kernel has no such file. */
static size_t drop_carriage_returns(char *text, size_t size) {
        size_t n = 0;

        for (char *p = text; (p = memchr(p, '\n', size - (size_t) (p - text))); p++)
                if (p == text || p[-1] != '\r')
                        return size;
        for (size_t i = 0; i < size; i++)
                if (text[i] != '\r' || i + 1 == size || text[i + 1] != '\n')
                        text[n++] = text[i];
        return n;
}

/* Not file_read_at(): a symbolic link or the shell's pipe is as good as a file here. */
static int read_all(const char *path, Digest *digest, char **ret, size_t *ret_size) {
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        _cleanup_free_ char *text = malloc(HOTPATCH_FIX_MAX + 1);
        size_t size = 0;
        ssize_t n;
        int r;

        if (fd < 0)
                return -errno;
        if (!text)
                return -ENOMEM;
        while ((n = read(fd, text + size, HOTPATCH_FIX_MAX + 1 - size)) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                size += (size_t) n;
                if (size > HOTPATCH_FIX_MAX)
                        return -EFBIG;
        }
        r = digest_update(digest, text, size);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(text);
        *ret_size = size;
        return 0;
}

static int read_one(Fix *f, size_t i, Digest *digest, sd_bus_error *error) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r;

        r = read_all(f->paths[i], digest, &text, &size);
        if (r == -EFBIG)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("FixInvalid"),
                        "'%s' is larger than %zu MiB", f->paths[i], HOTPATCH_FIX_MAX / 1024 / 1024);
        if (r < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_FILE_NOT_FOUND,
                        "Cannot read '%s': %s", f->paths[i], strerror(-r));
        return fix_parse(f, i, text, drop_carriage_returns(text, size), error);
}

static int compare_strings(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

/**
 * fix_read() - read diffs
 * @paths: files, in the order in which they are to be applied; NULL-terminated
 * @ret: free with fix_free()
 * @error: FixInvalid, naming file and line; FileNotFound
 *
 * Return: 0 or a negative errno.
 */
int fix_read(char *const *paths, Fix **ret, sd_bus_error *error) {
        _cleanup_digest_free_ Digest *digest = NULL;
        _cleanup_fix_free_ Fix *f = NULL;
        size_t n = strv_length(paths);
        int r;

        if (n == 0 || n > HOTPATCH_FIXES_MAX)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("FixInvalid"),
                        "A fix is 1 to %u files, not %zu", HOTPATCH_FIXES_MAX, n);
        f = calloc(1, sizeof(*f));
        if (!f)
                return -ENOMEM;
        r = strv_copy(paths, &f->paths);
        if (r < 0)
                return r;
        r = digest_new(&digest);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                r = read_one(f, i, digest, error);
                if (r < 0)
                        return r;
        }
        if (f->cves)
                qsort(f->cves, strv_length(f->cves), sizeof(*f->cves), compare_strings);
        r = digest_finish(digest, f->sha256);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(f);
        return 0;
}

/** fix_free() - free it; NULL is fine. Returns NULL. */
Fix *fix_free(Fix *f) {
        if (!f)
                return NULL;
        strv_free(f->paths);
        strv_free(f->cves);
        free(f->subject);
        for (size_t i = 0; i < f->n_files; i++)
                free(f->files[i].path);
        free(f->files);
        for (size_t i = 0; i < f->n_diffs; i++)
                free(f->diffs[i].hunks);
        free(f->diffs);
        free(f);
        return NULL;
}

const FixFile *fix_find(const Fix *f, const char *path) {
        for (size_t i = 0; i < f->n_files; i++)
                if (streq(f->files[i].path, path))
                        return f->files + i;
        return NULL;
}
