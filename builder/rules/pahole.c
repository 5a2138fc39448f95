/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * pahole(1) reads the compiler's debug information and writes BTF, as it does for the kernel itself; so
 * what is compared has gone through the same hands. It takes 20 ms for an object of 1 MiB.
 */

#include "builder/rules/pahole.h"

#include "builder/run.h"
#include "dbus/errors.h"
#include "util/str.h"

/* The first line that pahole says, for the message. */
static void keep_first(const char *line, void *userdata) {
        char **text = userdata;

        if (!*text && *line)
                *text = strdup(line);
}

/**
 * pahole_read() - the types of a compiled object
 * @object: with debug information
 * @work_dir: where a file may be
 * @ret: free with types_free()
 * @error: what went wrong
 *
 * Return: 0 or a negative errno.
 */
int pahole_read(const char *object, const char *work_dir, Types **ret, sd_bus_error *error) {
        _cleanup_free_ char *path = NULL, *option = NULL, *said = NULL;
        int r;

        if (str_printf(&path, "%s/types.btf", work_dir) < 0)
                return -ENOMEM;
        if (str_printf(&option, "--btf_encode_detached=%s", path) < 0)
                return -ENOMEM;
        r = run_program(&(Run) {
                .arguments = (char *[]) { (char *) "pahole", option, (char *) "--btf_gen_floats",
                        (char *) "--lang_exclude=rust", (char *) "--skip_encoding_btf_vars",
                        (char *) object, NULL },
                .line = keep_first,
                .userdata = &said,
        });
        if (r < 0)
                return r;
        if (r > 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                                "pahole cannot read the types of '%s': %s", object, said ?: "it does not say why");
        r = types_read_file(path, ret);
        (void) unlink(path);
        if (r == -ENOENT || r == -EBADMSG)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("ModuleBuildFailed"),
                                "pahole found no types in '%s': %s", object, said ?: "it does not say why");
        return r;
}
