/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Finding kernel headers.
 *
 * Debian splits them: linux-headers-RELEASE has configuration and symbols, its Makefile is one line
 * `include /usr/src/linux-headers-…-common/Makefile`, and `scripts` is a relative symbolic link to
 * /usr/lib/linux-kbuild-…. Unpacked elsewhere (`dpkg-deb -x`, no installation) only that one
 * absolute path is wrong. Kbuild takes the source tree from where its makefile lies and the object
 * tree from the working directory, so naming the common Makefile beside the folder on make's
 * command line is all it takes; nothing is copied, mounted or edited.
 *
 * Other distributions have whole trees, which need none of this.
 */

#include "builder/module/headers.h"

#include <fcntl.h>
#include <sys/utsname.h>

#include "dbus/errors.h"
#include "util/file.h"
#include "util/str.h"

static int read_line(const char *folder, const char *name, char **ret) {
        _cleanup_free_ char *path = path_join(folder, name);

        return path ? file_read_line_at(AT_FDCWD, path, ret) : -ENOMEM;
}

/* Not from include/config/kernel.release: Debian 6.1 has the upstream version there. */
static int read_release(const char *folder, char **ret) {
        _cleanup_free_ char *line = NULL;
        char release[65]; /* __NEW_UTS_LEN and NUL, include/uapi/linux/utsname.h */
        char *copy;
        int r, end = 0;

        r = read_line(folder, "include/generated/utsrelease.h", &line);
        if (r < 0)
                return r;
        if (sscanf(line, "#define UTS_RELEASE \"%64[^\"/]\"%n", release, &end) != 1 || end == 0)
                return -EBADMSG;
        copy = strdup(release);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

/* The Makefile beside @folder that its own would include by an absolute path. */
static int find_makefile(const char *folder, char **ret) {
        _cleanup_free_ char *line = NULL, *path = NULL;
        char *include, *base;
        int r;

        r = read_line(folder, "Makefile", &line);
        if (r == -EFBIG) { /* a whole kernel's, not one line */
                *ret = NULL;
                return 0;
        }
        if (r < 0)
                return r;
        include = (char *) startswith(line, "include /");
        if (!include || !(base = strrchr(include, '/'))) {
                *ret = NULL;
                return 0;
        }
        *base = '\0';
        base = strrchr(include, '/');
        if (str_printf(&path, "%s/../%s/Makefile", folder, base ? base + 1 : include) < 0)
                return -ENOMEM;
        /* Not beside it: then make may find it where the line says. */
        *ret = access(path, R_OK) == 0 ? TAKE_PTR(path) : NULL;
        return 0;
}

/**
 * kernel_headers_open() - look at a folder of kernel headers
 * @folder: path
 * @ret: free with kernel_headers_free()
 * @error: KernelHeadersMissing
 *
 * Return: 0 or a negative errno.
 */
int kernel_headers_open(const char *folder, KernelHeaders **ret, sd_bus_error *error) {
        _cleanup_kernel_headers_free_ KernelHeaders *h = NULL;
        int r;

        h = calloc(1, sizeof(*h));
        if (!h)
                return -ENOMEM;
        h->folder = realpath(folder, NULL);
        if (!h->folder)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelHeadersMissing"),
                        "There are no kernel headers in '%s': %s", folder, strerror(errno));
        r = read_release(h->folder, &h->release);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelHeadersMissing"),
                        "'%s' is no folder of kernel headers: include/generated/utsrelease.h: %s",
                        folder, strerror(-r));
        r = find_makefile(h->folder, &h->makefile);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelHeadersMissing"),
                        "'%s' is no folder of kernel headers: Makefile: %s", folder, strerror(-r));
        *ret = TAKE_PTR(h);
        return 0;
}

/**
 * kernel_headers_find() - the installed headers of a kernel
 * @release: as uname -r says; NULL: the running kernel's
 * @ret: free with kernel_headers_free()
 * @error: KernelHeadersMissing, naming the package that has them on Debian
 *
 * Return: 0 or a negative errno.
 */
int kernel_headers_find(const char *release, KernelHeaders **ret, sd_bus_error *error) {
        static const char *const patterns[] = { "/usr/src/linux-headers-%s", "/lib/modules/%s/build" };
        struct utsname u;

        if (!release) {
                if (uname(&u) < 0)
                        return -errno;
                release = u.release;
        }
        if (!*release || strchr(release, '/'))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelHeadersMissing"),
                        "'%s' is not the release of a kernel", release);
        for (size_t i = 0; i < ELEMENTSOF(patterns); i++) {
                _cleanup_free_ char *path = NULL;
                const char *begin = strchr(patterns[i], '%');

                if (str_printf(&path, "%.*s%s%s", (int) (begin - patterns[i]), patterns[i], release,
                                    begin + 2) < 0)
                        return -ENOMEM;
                if (access(path, F_OK) == 0)
                        return kernel_headers_open(path, ret, error);
        }
        return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelHeadersMissing"),
                "There are no headers of kernel '%s' in /usr/src or /lib/modules; on Debian the package is "
                "'linux-headers-%s'", release, release);
}

/** kernel_headers_free() - free it; NULL is fine. Returns NULL. */
KernelHeaders *kernel_headers_free(KernelHeaders *h) {
        if (!h)
                return NULL;
        free(h->release);
        free(h->folder);
        free(h->makefile);
        free(h);
        return NULL;
}
