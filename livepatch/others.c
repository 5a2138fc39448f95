/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who else patches this kernel.
 *
 * Two kinds matter. Those that use the kernel's livepatch (kpatch, Canonical Livepatch, SysCare) meet
 * us in the kernel's own rules: it shows their patches, and refuses a function that is taken. That one
 * of their services runs is worth a word, since its next patch may replace all others. Ksplice and
 * KernelCare write jumps into the code by their own means: no list of the kernel shows which
 * functions they have, so beside their code nobody can say what another patch would do.
 *
 * A service is seen by its entry in /run/systemd/units, which systemd keeps while a unit is active
 * (systemd-journald reads the same ones); that needs no bus. Names of modules are those of the
 * vendors' current products.
 */

#include <fcntl.h>

#include "livepatch/identity.h"
#include "livepatch/others.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"

/* A machine with more is no machine any more. */
#define OTHERS_MAX 64U

static const struct Product {
        const char *name;
        const char *units[3];
        const char *module; /* the beginning of its modules' names; NULL: they have no name in common */
        bool hidden;
} products[] = {
        { "kpatch", { "kpatch.service" }, "kpatch", false },
        { "Canonical Livepatch", { "snap.canonical-livepatch.canonical-livepatchd.service",
                                   "canonical-livepatch.service" }, "lkp_", false },
        { "SysCare", { "syscared.service", "syscare.service" }, NULL, false },
        { "Ksplice", { "uptrack.service", "ksplice.service" }, "ksplice_", true },
        { "KernelCare", { "kcare.service" }, "kcare", true },
};

typedef struct Found {
        OtherPatcher *others;
        size_t n;
} Found;

/** other_patchers_free() - free what kernel_other_patchers() gave */
void other_patchers_free(OtherPatcher *others, size_t n) {
        for (size_t i = 0; i < n; i++)
                free(others[i].sign);
        free(others);
}

static int found_add(Found *f, const struct Product *p, bool hidden, const char *before, const char *what,
                const char *after) {
        OtherPatcher *grown;
        char *sign;

        if (f->n >= OTHERS_MAX)
                return 0;
        grown = reallocarray(f->others, f->n + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        f->others = grown;
        if (str_printf(&sign, "%s%s%s", before, what, after) < 0)
                return -ENOMEM;
        f->others[f->n++] = (OtherPatcher) { .name = p->name, .sign = sign, .hidden = hidden };
        return 0;
}

static int find_units(const Kernel *k, Found *f) {
        for (size_t i = 0; i < ELEMENTSOF(products); i++)
                for (const char *const *unit = products[i].units; *unit; unit++) {
                        _cleanup_free_ char *path = NULL;
                        int r;

                        if (str_printf(&path, "run/systemd/units/invocation:%s", *unit) < 0)
                                return -ENOMEM;
                        if (faccessat(kernel_root_fd(k), path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                                continue;
                        r = found_add(f, &products[i], false, "", *unit, " is active");
                        if (r < 0)
                                return r;
                }
        return 0;
}

static int see_module(const Kernel *k, const char *module, Found *f) {
        for (size_t i = 0; i < ELEMENTSOF(products); i++) {
                if (!products[i].module || !startswith(module, products[i].module))
                        continue;
                /* Built-in code has a folder too; it is no product. */
                if (kernel_module_loaded(k, module) <= 0)
                        continue;
                return found_add(f, &products[i], products[i].hidden, "module '", module, "' is loaded");
        }
        return 0;
}

static int find_modules(const Kernel *k, Found *f) {
        _cleanup_closedir_ DIR *d = NULL;
        const char *name;
        int r = directory_open_at(kernel_root_fd(k), "sys/module", 0, &d);

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        while ((r = directory_next_folder(d, &name)) > 0) {
                r = see_module(k, name, f);
                if (r < 0)
                        return r;
        }
        return r;
}

/**
 * kernel_other_patchers() - who else is at work
 * @ret: free with other_patchers_free(); NULL when nobody was seen
 *
 * Return: 0 or a negative errno.
 */
int kernel_other_patchers(const Kernel *k, OtherPatcher **ret, size_t *ret_n) {
        Found f = {};
        int r = find_units(k, &f);

        if (r >= 0)
                r = find_modules(k, &f);
        if (r < 0) {
                other_patchers_free(f.others, f.n);
                return r;
        }
        *ret = f.others;
        *ret_n = f.n;
        return 0;
}
