/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From a module's name to its file.
 *
 * modules.order, which Kbuild writes and every distribution packages, has the path of each module of the
 * kernel itself. What was installed beside it (updates/, DKMS) is not in it, rightly: that was not built
 * from this source. Distributions compress the files after Kbuild has written the list.
 */

#include <fcntl.h>

#include "builder/source/tree.h"
#include "util/file.h"
#include "util/str.h"

/* Four thousand lines of 60 bytes in a distribution's kernel. */
#define ORDER_MAX ((size_t) 4 * 1024 * 1024)

static bool same_name(const char *a, const char *b, size_t length) {
        for (size_t i = 0; i < length; i++)
                if (a[i] != b[i] && !(strchr("-_", a[i]) && strchr("-_", b[i])))
                        return false;
        return true;
}

/* Is "kernel/net/vmw_vsock/vsock.ko" the module "vsock", or "net/vmw_vsock/vsock"? */
static bool line_is_module(const char *line, const char *module) {
        const char *path = startswith(line, "kernel/") ?: line;
        const char *slash = strrchr(path, '/');
        size_t length;

        if (!strchr(module, '/'))
                path = slash ? slash + 1 : path;
        length = strcspn(path, ".");
        for (const char *end = path; (end = strstr(end, ".ko")); end++)
                length = (size_t) (end - path);
        return *module && strlen(module) == length && same_name(path, module, length);
}

static int find_file(const char *folder, const char *line, char **ret) {
        static const char *const suffixes[] = { "", ".xz", ".zst", ".gz" };

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                _cleanup_free_ char *path = NULL;

                if (str_printf(&path, "%s/%s%s", folder, line, suffixes[i]) < 0)
                        return -ENOMEM;
                if (access(path, R_OK) == 0) {
                        *ret = TAKE_PTR(path);
                        return 0;
                }
        }
        return -ENOENT;
}

/**
 * tree_module_path() - the file of a module
 * @module: its name, `-` and `_` being the same ("af_packet"), or its KBUILD_MODFILE ("net/packet/af_packet")
 * @ret: absolute path, of a compressed file perhaps; free with free()
 *
 * Return: 0, -ENOENT when the kernel has no such module, or another negative errno.
 */
int tree_module_path(const Tree *t, const char *module, char **ret) {
        _cleanup_free_ char *path = path_join(t->modules, "modules.order");
        _cleanup_free_ void *text = NULL;
        char *line, *rest;
        int r;

        if (!path)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, path, ORDER_MAX, &text, NULL);
        if (r < 0)
                return r;
        for (rest = text; (line = strsep(&rest, "\n"));)
                if (line_is_module(line, module))
                        return find_file(t->modules, line, ret);
        return -ENOENT;
}
