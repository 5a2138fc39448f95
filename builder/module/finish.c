/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The last steps of every patch module, whoever wrote or extracted its code. */

#include "builder/module/finish.h"

#include <fcntl.h>

#include "builder/module/postlink.h"
#include "builder/module/symvers.h"
#include "util/str.h"
#include "util/strv.h"

static int load_symvers(const KernelHeaders *h, Symvers **ret, sd_bus_error *error) {
        _cleanup_free_ char *path = NULL;

        if (str_printf(&path, "%s/Module.symvers", h->folder) < 0)
                return -ENOMEM;
        return symvers_load(path, ret, error);
}

/**
 * module_finish() - make the klp relocations of a module that Kbuild linked, in place, and check it
 * @path: the module
 * @p: what it was built from
 * @h: the kernel's headers, for Module.symvers
 * @ret_symbols: the unexported symbols, "OBJECT:SYMBOL,SYMPOS"; optional; free with strv_free()
 * @error: ModuleBuildFailed, ModuleInvalid
 *
 * Return: 0 or a negative errno.
 */
int module_finish(const char *path, const PatchFile *p, const KernelHeaders *h, char ***ret_symbols,
                sd_bus_error *error) {
        _cleanup_symvers_free_ Symvers *symvers = NULL;
        _cleanup_strv_free_ char **symbols = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        r = load_symvers(h, &symvers, error);
        if (r < 0)
                return r;
        fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = postlink(fd, p, symvers, &symbols, error);
        if (r >= 0)
                r = postlink_check(fd, p, symvers, error);
        if (r >= 0 && ret_symbols)
                *ret_symbols = TAKE_PTR(symbols);
        return r;
}
