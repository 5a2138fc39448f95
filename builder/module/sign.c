/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Signing a module for the kernel, under Secure Boot and the like. This is not the signature of a bundle: another key,
 * which the machine's kernel has from its firmware or from shim, see hotpatch-trust(5).
 *
 * The kernel's own program does it, out of its headers: what a kernel reads, its own tools write. It is the last thing that
 * happens to a module, since any later change makes the signature a broken one.
 */

#include "builder/module/sign.h"

#include "builder/run.h"
#include "dbus/errors.h"
#include "util/file.h"

/* Debian's 6.1 kernels have it built in, and no other of the SHA-2 family. */
#define DIGEST "sha256"

/**
 * module_sign() - append a signature
 * @path: the module, finished
 * @h: headers of its kernel
 * @key, @certificate: PEM files
 * @error: ModuleBuildFailed; what the program said went to standard error before
 *
 * Return: 0 or a negative errno.
 */
int module_sign(const char *path, const KernelHeaders *h, const char *key, const char *certificate,
                sd_bus_error *error) {
        _cleanup_free_ char *program = path_join(h->folder, "scripts/sign-file");
        const char *arguments[] = { program, DIGEST, key, certificate, path, NULL };
        int r;

        if (!program)
                return -ENOMEM;
        r = run_program(&(Run) { .arguments = (char *const *) arguments });
        if (r < 0 && r != -EINTR)
                return r;
        if (r != 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                        "The module could not be signed for kernel '%s' with the key '%s'", h->release, key);
        return 0;
}
