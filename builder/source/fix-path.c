/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which file a diff is about.
 *
 * git writes a/PATH and b/PATH, diff -r two folders and PATH, git with diff.noprefix and some archives
 * just PATH. The number of components to strip is not guessed from what exists somewhere on this
 * machine: both names must give the same path, and without git's prefixes that path must begin with
 * a folder that the kernel's source has. A name that could lead out of the tree never gets further
 * than this file.
 */

#include "builder/source/fix-path.h"

#include "dbus/errors.h"
#include "util/limits.h"

/* Top level of the kernel's source, 6.1 and 6.12. */
static const char *const top_level[] = {
        "COPYING", "CREDITS", "Documentation", "Kbuild", "Kconfig", "LICENSES", "MAINTAINERS", "Makefile",
        "README", "arch", "block", "certs", "crypto", "drivers", "fs", "include", "init", "io_uring", "ipc",
        "kernel", "lib", "mm", "net", "rust", "samples", "scripts", "security", "sound", "tools", "usr", "virt",
};

static bool is_top_level(const char *path) {
        size_t l = strcspn(path, "/");

        for (size_t i = 0; i < ELEMENTSOF(top_level); i++)
                if (strlen(top_level[i]) == l && strncmp(path, top_level[i], l) == 0)
                        return true;
        return false;
}

/* What is wrong with a path below the tree's root; NULL: nothing. */
static const char *path_problem(const char *path) {
        /* The characters of the kernel's own file names; make, the shell and patch take them as they are. */
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+,@=/";

        if (!*path)
                return "it is empty";
        if (*path == '/')
                return "it is absolute";
        if (strlen(path) > HOTPATCH_FIX_PATH_MAX)
                return "it is too long";
        if (path[strspn(path, allowed)])
                return "it has characters that no file of the kernel has in its name";
        for (const char *c = path;;) {
                size_t l = strcspn(c, "/");

                if (l == 0 || (l == 1 && *c == '.') || (l == 2 && startswith(c, "..")))
                        return "it has an empty, '.' or '..' component";
                if (*c == '-')
                        return "a component begins with '-'";
                if (!c[l])
                        return NULL;
                c += l + 1;
        }
}

static const char *strip(const char *name, unsigned n) {
        for (; n > 0; n--) {
                name = strchr(name, '/');
                if (!name)
                        return NULL;
                name++;
        }
        return name;
}

static bool is_null(const char *name) {
        return streq(name, "/dev/null");
}

/* git's default prefixes: one component each, no matter what follows. */
static bool has_git_prefix(const char *old, const char *new) {
        return (is_null(old) || startswith(old, "a/")) && (is_null(new) || startswith(new, "b/"));
}

static const char *common_path(const char *old, const char *new, unsigned n) {
        const char *a = is_null(old) ? NULL : strip(old, n), *b = is_null(new) ? NULL : strip(new, n);

        if ((!a && !is_null(old)) || (!b && !is_null(new)))
                return NULL;
        if (a && b && !streq(a, b))
                return NULL;
        return b ?: a;
}

static const char *choose(const char *old, const char *new) {
        const char *path;

        if (has_git_prefix(old, new))
                return common_path(old, new, 1);
        for (unsigned n = 0; n < 2; n++) {
                path = common_path(old, new, n);
                if (path && is_top_level(path))
                        return path;
        }
        return NULL;
}

/**
 * fix_path() - the path below the tree's root that two names of a diff mean
 * @where: for messages, "'FILE', line N"
 * @old, @new: as in the header lines, without time stamps; /dev/null for a file that is not there
 * @ret: free with free()
 * @error: FixInvalid
 *
 * Return: 0 or a negative errno.
 */
int fix_path(const char *where, const char *old, const char *new, char **ret, sd_bus_error *error) {
        const char *path, *problem;
        char *copy;

        for (unsigned i = 0; i < 2; i++) {
                const char *name = i == 0 ? old : new;

                problem = is_null(name) ? NULL : path_problem(name);
                if (problem)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("FixInvalid"),
                                "%s: the file name '%.*s' is refused: %s", where,
                                (int) HOTPATCH_FIX_PATH_MAX, name, problem);
        }
        if (is_null(old) && is_null(new))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("FixInvalid"),
                        "%s: both file names are /dev/null", where);
        path = choose(old, new);
        if (!path || path_problem(path))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("FixInvalid"),
                        "%s: '%s' and '%s' are not the names of one file of the kernel's source, with or "
                        "without one leading folder", where, old, new);
        copy = strdup(path);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}
