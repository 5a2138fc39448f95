/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `hotpatchctl policy check PATH…`: would hotpatchd take these files as they are written? Each is read as one drop-in of this
 * machine's hotpatchd.conf(5), in the place of one that has its name there, by the code that the daemon reads its
 * own with. Nothing of it takes effect, the daemon is not asked, and nobody needs a privilege: a text that nobody
 * vouches for is better read here than by a service that runs as root. So files can be looked at before they are
 * rolled out, also on a machine that has no hotpatchd running.
 *
 * What it does not tell is whether another file overrides a setting; `hotpatchctl policy` tells of those in effect.
 */

#include <errno.h>
#include <sys/stat.h>

#include "config/config.h"
#include "ctl/fields.h"
#include "ctl/json.h"
#include "util/strv.h"

/* libeconf takes a folder for an empty file. */
static int look_at(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        return access(path, R_OK) < 0 ? -errno : 0;
}

static int check_one(const char *path, char ***warnings) {
        _cleanup_strv_free_ char **found = NULL;
        int r = look_at(path);

        if (r >= 0)
                r = config_check("/", path, &found);
        for (char **w = found; r >= 0 && w && *w; w++)
                r = strv_extend(warnings, *w);
        return r;
}

static int print_json(const Ctl *ctl, char **warnings) {
        _cleanup_value_ Value *v = value_object();

        if (value_set_bool(v, "valid", strv_length(warnings) == 0) < 0 || value_set_strv(v, "warnings", warnings) < 0)
                return -ENOMEM;
        return value_print(ctl, v);
}

static int print_text(const Ctl *ctl, char **warnings) {
        size_t n = strv_length(warnings);
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++)
                r = field_print(ctl, i == 0 ? "Warning" : "", warnings[i], STYLE_YELLOW);
        if (r < 0 || n > 0 || ctl->quiet)
                return r;
        return puts("Nothing in it would be ignored.") == EOF ? -EIO : 0;
}

/** policy_check() - @argv: files, @argc of them. Return: an exit code. */
int policy_check(Ctl *ctl, int argc, char *argv[]) {
        _cleanup_strv_free_ char **warnings = NULL;
        int r;

        for (int i = 0; i < argc; i++) {
                r = check_one(argv[i], &warnings);
                if (r < 0)
                        return ctl_fail(ctl, argv[i], NULL, r);
        }
        r = ctl->json ? print_json(ctl, warnings) : print_text(ctl, warnings);
        if (r < 0)
                return ctl_fail(ctl, NULL, NULL, r);
        return strv_length(warnings) > 0 ? HOTPATCH_EXIT_NO : HOTPATCH_EXIT_OK;
}
