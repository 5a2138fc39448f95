/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The two things that are wanted of Kbuild: a module, and an author's files compiled as parts of one. */

#include "builder/module/kbuild-internal.h"
#include "util/file.h"
#include "util/str.h"
#include "util/strv.h"

/**
 * kbuild_run() - compile and link the module, without the post-link step
 * @b: what and where
 * @ret_module: path of the .ko in the work folder; free with free()
 * @error: ModuleBuildFailed; the compiler's lines went to standard error before
 *
 * Return: 0 or a negative errno.
 */
int kbuild_run(const Kbuild *b, char **ret_module, sd_bus_error *error) {
        static char *const modules[] = { (char *) "modules", NULL };
        _cleanup_free_ char *module = NULL;
        int r;

        r = kbuild_lay_out(b, error);
        if (r < 0)
                return r;
        r = kbuild_make(b, modules, error);
        if (r < 0)
                return r;
        if (str_printf(&module, "%s/%s.ko", b->work_dir, b->patch->module) < 0)
                return -ENOMEM;
        *ret_module = TAKE_PTR(module);
        return 0;
}

/**
 * kbuild_compile() - compile the author's single files (@b->with) and link nothing
 * @b: what and where; @patch is not looked at
 * @ret_objects: paths of the objects in the work folder, in the order of the files; free with strv_free()
 * @error: ModuleBuildFailed; the compiler's lines went to standard error before
 *
 * What they define and ask for can be known before the module's table is made.
 *
 * Return: 0 or a negative errno.
 */
int kbuild_compile(const Kbuild *b, char ***ret_objects, sd_bus_error *error) {
        _cleanup_strv_free_ char **objects = NULL, **paths = NULL;
        int r;

        r = kbuild_lay_out_with(b, &objects, error);
        if (r >= 0)
                r = kbuild_make(b, objects, error);
        for (char **o = objects; r >= 0 && *o; o++) {
                _cleanup_free_ char *path = path_join(b->work_dir, *o);

                r = path ? strv_extend(&paths, path) : -ENOMEM;
        }
        if (r >= 0)
                *ret_objects = TAKE_PTR(paths);
        return r;
}
