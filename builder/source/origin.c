/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where from.
 *
 * A release can exist in several versions (an upload that kept the ABI's name), so the cache's folders
 * bear both. Without further word it is the version that is installed on this machine, for that is likely
 * what is to be patched; else one that the cache already has, which needs no network; else the archive's
 * newest. Each version has its own build-id, and the bundle says for which it is.
 *
 * For source that the user gives, headers and image are those installed here, as every distribution has
 * them in the same places; where they are not, the packages of that release, fetched before or now.
 */

#include "builder/source/origin.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "builder/module/headers.h"
#include "builder/source/cache.h"
#include "builder/source/given.h"
#include "builder/source/packages.h"
#include "builder/source/ready.h"
#include "bundle/digest.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/hex.h"
#include "util/str.h"

/* Of a digest, in a folder's name. */
#define NAME_DIGITS 12

static int installed_version(const char *release, char **ret) {
        static const char *const suffixes[] = { "", "-unsigned" };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(suffixes) && r == 0; i++) {
                _cleanup_free_ char *name = NULL;

                if (str_printf(&name, "linux-image-%s%s", release, suffixes[i]) < 0)
                        return -ENOMEM;
                r = package_installed_version(name, ret);
        }
        return r;
}

static int find_packages(const TreeOptions *o, const char *cache, Origin *ret, sd_bus_error *error) {
        int r;

        r = installed_version(o->release, &ret->version);
        if (r < 0)
                return r;
        if (r == 0) {
                _cleanup_(kernel_packages_done) KernelPackages packages = {};

                r = cache_newest(cache, o->release, &ret->key);
                if (r != 0)
                        return r < 0 ? r : 0;
                r = kernel_packages_find(o->release, NULL, KERNEL_IMAGE, &packages, error);
                if (r < 0)
                        return r;
                ret->version = strdup(packages.image.items[0].version);
                if (!ret->version)
                        return -ENOMEM;
        }
        if (str_printf(&ret->key, "%s_%s", o->release, ret->version) < 0)
                return -ENOMEM;
        return 0;
}

/* Debian's place, then that of distributions which have everything in one folder. */
static int find_installed_image(const char *release, Origin *ret) {
        static const char *const kernels[] = { "/boot/vmlinuz-%s", "/lib/modules/%s/vmlinuz" };

        for (size_t i = 0; i < ELEMENTSOF(kernels); i++) {
                _cleanup_free_ char *kernel = NULL, *modules = NULL, *order = NULL;
                const char *mark = strchr(kernels[i], '%');

                if (str_printf(&kernel, "%.*s%s%s", (int) (mark - kernels[i]), kernels[i], release, mark + 2) < 0)
                        return -ENOMEM;
                if (str_printf(&modules, "/lib/modules/%s", release) < 0)
                        return -ENOMEM;
                order = path_join(modules, "modules.order");
                if (!order)
                        return -ENOMEM;
                /* Some make the image readable for root only. */
                if (access(kernel, R_OK) < 0 || access(order, R_OK) < 0)
                        continue;
                ret->kernel = TAKE_PTR(kernel);
                ret->modules = TAKE_PTR(modules);
                return 0;
        }
        return 0;
}

static int find_installed_headers(const char *release, Origin *ret) {
        _cleanup_kernel_headers_free_ KernelHeaders *h = NULL;
        _cleanup_free_ char *config = NULL, *symvers = NULL;
        int r;

        r = kernel_headers_find(release, &h, NULL);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return 0;
        config = path_join(h->folder, ".config");
        symvers = path_join(h->folder, "Module.symvers");
        if (!config || !symvers)
                return -ENOMEM;
        if (!streq(h->release, release) || access(config, R_OK) < 0 || access(symvers, R_OK) < 0)
                return 0;
        ret->headers = TAKE_PTR(h->folder);
        ret->makefile = TAKE_PTR(h->makefile);
        return 0;
}

static int digest_file(Digest *d, const char *folder, const char *name) {
        _cleanup_free_ char *path = name ? path_join(folder, name) : strdup(folder);
        char text[128];
        struct stat st;
        int r;

        if (!path)
                return -ENOMEM;
        if (stat(path, &st) < 0)
                return -errno;
        (void) snprintf(text, sizeof(text), "%jd %jd.%09ld", (intmax_t) st.st_size, (intmax_t) st.st_mtim.tv_sec,
                st.st_mtim.tv_nsec);
        r = digest_update(d, path, strlen(path) + 1);
        return r < 0 ? r : digest_update(d, text, strlen(text) + 1);
}

/* Of everything that is used and can change. */
static int make_stamp(Origin *ret, sd_bus_error *error) {
        _cleanup_digest_free_ Digest *d = NULL;
        uint8_t digest[DIGEST_SIZE];
        int r;

        r = digest_new(&d);
        if (r >= 0)
                r = ret->given_folder ? given_digest(ret->given, d, error) : digest_file(d, ret->given, NULL);
        if (r >= 0 && ret->headers)
                r = digest_file(d, ret->headers, ".config");
        if (r >= 0 && ret->headers)
                r = digest_file(d, ret->headers, "Module.symvers");
        if (r >= 0 && ret->kernel)
                r = digest_file(d, ret->kernel, NULL);
        if (r >= 0)
                r = digest_finish(d, digest);
        if (r < 0)
                return r;
        ret->stamp = hex_encode(digest, sizeof(digest));
        return ret->stamp ? 0 : -ENOMEM;
}

/* One folder for each given path: when its content changes, the copy is made again in the same place. */
static int make_key(const char *release, Origin *ret) {
        _cleanup_free_ char *hex = NULL;
        uint8_t digest[DIGEST_SIZE];
        int r;

        r = digest_bytes(ret->given, strlen(ret->given), digest);
        if (r < 0)
                return r;
        hex = hex_encode(digest, sizeof(digest));
        if (!hex)
                return -ENOMEM;
        if (str_printf(&ret->key, "%s_given-%.*s", release, NAME_DIGITS, hex) < 0)
                return -ENOMEM;
        return 0;
}

/* Linux 6.1.176 is the source of 6.1.0-50-cloud-amd64, distributions do as they like after that. */
static int check_series(const char *release, const Origin *o, const char *version, sd_bus_error *error) {
        unsigned a[2] = {}, b[2] = {};

        if (sscanf(release, "%u.%u", &a[0], &a[1]) == 2 && sscanf(version, "%u.%u", &b[0], &b[1]) == 2 &&
                        a[0] == b[0] && a[1] == b[1])
                return 0;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                "'%s' is the source of Linux %s, not of kernel '%s'", o->given, version, release);
}

static int read_folder(const char *release, Origin *ret, sd_bus_error *error) {
        _cleanup_free_ char *version = NULL;
        int r;

        r = given_version(ret->given, &version, error);
        if (r < 0)
                return r;
        r = check_series(release, ret, version, error);
        if (r < 0)
                return r;
        if (str_printf(&ret->source_version, "linux %s", version) < 0)
                return -ENOMEM;
        return 0;
}

static int read_package(const char *release, Origin *ret, sd_bus_error *error) {
        _cleanup_(package_list_done) PackageList l = {};
        const Package *p;
        int r;

        r = package_file_read(ret->given, &l, error);
        if (r < 0)
                return r;
        p = &l.items[0];
        if (!startswith(p->name, "linux-source-"))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                        "'%s' is the package '%s'; the source of a Debian kernel is in 'linux-source-…'",
                        ret->given, p->name);
        r = check_series(release, ret, p->version, error);
        if (r < 0)
                return r;
        if (str_printf(&ret->source_version, "linux %s", p->version) < 0)
                return -ENOMEM;
        ret->version = strdup(p->version);
        return ret->version ? 0 : -ENOMEM;
}

/* A source package is of one version, and so are the installed image and headers. */
static int check_installed_version(const char *release, const Origin *o, sd_bus_error *error) {
        _cleanup_free_ char *version = NULL;
        int r;

        if (!o->version || !o->kernel)
                return 0;
        r = installed_version(release, &version);
        if (r <= 0)
                return r;
        if (streq(version, o->version))
                return 0;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                "'%s' has version '%s'; the kernel '%s' that is installed here has '%s'", o->given, o->version,
                release, version);
}

/* What this machine does not have installed, an earlier build may have fetched. */
static int find_cached(const TreeOptions *o, const char *cache, Origin *ret) {
        _cleanup_free_ char *key = NULL, *entry = NULL;
        _cleanup_tree_free_ Tree *t = NULL;
        int r;

        if (ret->headers && ret->kernel)
                return 0;
        if (!ret->version)
                r = cache_newest(cache, o->release, &key);
        else
                r = str_printf(&key, "%s_%s", o->release, ret->version) < 0 ? -ENOMEM : 1;
        if (r <= 0)
                return r;
        entry = path_join(cache, key);
        if (!entry)
                return -ENOMEM;
        r = ready_read(entry, o->release, NULL, &t);
        if (r <= 0)
                return r;
        if (!ret->headers) {
                ret->headers = TAKE_PTR(t->headers);
                ret->makefile = TAKE_PTR(t->makefile);
        }
        if (!ret->kernel) {
                ret->kernel = TAKE_PTR(t->kernel);
                ret->modules = TAKE_PTR(t->modules);
        }
        return 0;
}

static int find_given(const TreeOptions *o, const char *cache, Origin *ret, sd_bus_error *error) {
        struct stat st;
        int r;

        ret->given = realpath(o->source, NULL);
        if (!ret->given || stat(ret->given, &st) < 0)
                return sd_bus_error_setf(error, SD_BUS_ERROR_FILE_NOT_FOUND,
                        "Cannot open the source '%s': %s", o->source, strerror(errno));
        if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) /* opening a FIFO would wait for its writer */
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                        "'%s' is neither a folder nor a Debian package", ret->given);
        ret->given_folder = S_ISDIR(st.st_mode);
        r = ret->given_folder ? read_folder(o->release, ret, error) : read_package(o->release, ret, error);
        if (r >= 0)
                r = find_installed_headers(o->release, ret);
        if (r >= 0)
                r = find_installed_image(o->release, ret);
        if (r >= 0)
                r = check_installed_version(o->release, ret, error);
        if (r >= 0)
                r = find_cached(o, cache, ret);
        if (r >= 0)
                r = make_key(o->release, ret);
        if (r >= 0)
                r = make_stamp(ret, error);
        return r;
}

/**
 * origin_find() - where the parts of a kernel come from
 * @o: what the user said
 * @cache: the cache folder
 * @ret: origin_done() when done
 * @error: KernelPackageMissing, KernelSourceMismatch
 *
 * Return: 0 or a negative errno.
 */
int origin_find(const TreeOptions *o, const char *cache, Origin *ret, sd_bus_error *error) {
        _cleanup_(origin_done) Origin origin = {};
        int r;

        r = o->source ? find_given(o, cache, &origin, error) : find_packages(o, cache, &origin, error);
        if (r < 0)
                return r;
        *ret = origin;
        origin = (Origin) {};
        return 0;
}

/** origin_done() - free what is in it */
void origin_done(Origin *o) {
        free(o->key);
        free(o->stamp);
        free(o->version);
        free(o->given);
        free(o->source_version);
        free(o->headers);
        free(o->makefile);
        free(o->kernel);
        free(o->modules);
        *o = (Origin) {};
}
