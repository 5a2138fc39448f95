/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * From packages to files: apt-get download checks what it fetches against the signed lists of the
 * archive, dpkg-deb unpacks it somewhere else than in /. Neither needs to be root, and no script of
 * a package is ever run.
 */

#include <glob.h>

#include "builder/run.h"
#include "builder/source/cache.h"
#include "builder/source/packages.h"
#include "builder/source/step.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/str.h"
#include "util/strv.h"

static void keep_installed(const char *line, void *userdata) {
        char **version = userdata;

        if (startswith(line, "ii ") && !*version)
                *version = strdup(line + 3);
}

/**
 * package_installed_version() - the version of a package that is installed on this machine
 * @ret: free with free()
 *
 * Return: 1 when it is installed, 0 when not (or this machine has no dpkg), or a negative errno.
 */
int package_installed_version(const char *name, char **ret) {
        _cleanup_free_ char *version = NULL;
        int r;

        r = run_program(&(Run) {
                .arguments = (char *const[]) { (char *) "dpkg-query", (char *) "--show",
                        (char *) "--showformat=${db:Status-Abbrev}${Version}\\n", (char *) name, NULL },
                .line = keep_installed,
                .userdata = &version,
        });
        if (r < 0)
                return r;
        if (!version)
                return 0;
        *ret = TAKE_PTR(version);
        return 1;
}

static void read_field(const char *line, void *userdata) {
        PackageList *l = userdata;

        if (package_list_line(l, line) < 0)
                package_list_done(l);
}

/**
 * package_file_read() - name and version of a package file
 * @deb: its path
 * @ret: a list of one; package_list_done() when done
 * @error: KernelSourceMismatch: that is no package
 *
 * Return: 0 or a negative errno.
 */
int package_file_read(const char *deb, PackageList *ret, sd_bus_error *error) {
        _cleanup_(package_list_done) PackageList l = {};
        int r;

        r = run_program(&(Run) {
                .arguments = (char *const[]) { (char *) "dpkg-deb", (char *) "--field", (char *) deb,
                        (char *) "Package", (char *) "Version", NULL },
                .line = read_field,
                .userdata = &l,
        });
        if (r < 0)
                return r;
        if (r > 0 || l.n != 1 || !l.items[0].version)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                        "'%s' is neither a folder nor a Debian package", deb);
        *ret = l;
        l = (PackageList) {};
        return 0;
}

static int add_argument(char ***arguments, const Package *p, bool quiet) {
        _cleanup_free_ char *s = NULL;

        if (str_printf(&s, "%s=%s", p->name, p->version) < 0)
                return -ENOMEM;
        if (!quiet)
                fprintf(stderr, "fetching %s %s (%.1f MiB) …\n", p->name, p->version,
                        (double) p->size / (1024 * 1024));
        return strv_extend(arguments, s);
}

static int download(const PackageList *l, const char *folder, bool quiet, sd_bus_error *error) {
        _cleanup_strv_free_ char **arguments = NULL;
        _cleanup_free_ char *what = NULL;
        int r;

        if (str_printf(&what, "Cannot download '%s' %s", l->items[0].name, l->items[0].version) < 0)
                return -ENOMEM;
        r = strv_extend(&arguments, "apt-get");
        if (r >= 0)
                r = strv_extend(&arguments, "download");
        if (r >= 0)
                r = strv_extend(&arguments, "--quiet=2");
        for (size_t i = 0; i < l->n && r >= 0; i++)
                r = add_argument(&arguments, &l->items[i], quiet);
        if (r < 0)
                return r;
        return step_run(&(Step) {
                .arguments = arguments,
                .folder = folder,
                .what = what,
                .error_name = HOTPATCH_ERROR("KernelDownloadFailed"),
        }, error);
}

/**
 * package_unpack() - unpack a package file, without running anything of it
 * @deb: path of the package
 * @folder: made when it is not there
 * @error: KernelDownloadFailed
 *
 * Its documents (usr/share: 1 MiB of changelog in each) are left out.
 *
 * Return: 0 or a negative errno.
 */
int package_unpack(const char *deb, const char *folder, sd_bus_error *error) {
        _cleanup_free_ char *what = NULL, *documents = path_join(folder, "usr/share");
        int r;

        if (!documents)
                return -ENOMEM;
        if (str_printf(&what, "Cannot unpack '%s'", deb) < 0)
                return -ENOMEM;
        r = step_run(&(Step) {
                .arguments = (char *const[]) { (char *) "dpkg-deb", (char *) "--extract", (char *) deb,
                        (char *) folder, NULL },
                .what = what,
                .error_name = HOTPATCH_ERROR("KernelDownloadFailed"),
        }, error);
        if (r >= 0)
                cache_remove(documents);
        return r;
}

/**
 * packages_fetch() - download packages and unpack them into one folder
 * @l: which
 * @folder: exists; afterwards it has their files and not the packages
 * @quiet: say nothing
 * @error: KernelDownloadFailed
 *
 * Return: 0 or a negative errno.
 */
int packages_fetch(const PackageList *l, const char *folder, bool quiet, sd_bus_error *error) {
        _cleanup_free_ char *pattern = path_join(folder, "*.deb");
        glob_t found = {};
        int r;

        if (!pattern)
                return -ENOMEM;
        r = download(l, folder, quiet, error);
        if (r < 0)
                return r;
        r = glob(pattern, GLOB_NOSORT, NULL, &found) == GLOB_NOSPACE ? -ENOMEM : 0;
        if (r >= 0 && found.gl_pathc != l->n)
                r = sd_bus_error_setf(error, HOTPATCH_ERROR("KernelDownloadFailed"),
                        "Downloading '%s' brought %zu packages, not %zu", l->items[0].name,
                        found.gl_pathc, l->n);
        for (size_t i = 0; i < found.gl_pathc && r >= 0; i++) {
                r = package_unpack(found.gl_pathv[i], folder, error);
                (void) unlink(found.gl_pathv[i]);
        }
        globfree(&found);
        return r;
}
