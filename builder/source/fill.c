/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is in a folder of the cache:
 *
 *      headers/   of the kernel's packages, as they would lie in /
 *      image/     likewise
 *      tree/      prepared source
 *      objects/   of unchanged source, kept by who compiles
 *      ready      see ready.c
 *
 * The order is that of cost: headers first (12 MiB), which say the compiler, and only when that is here
 * the image and the source (160 MiB). Where headers or image are installed on this machine and the
 * source is given, they are used where they lie.
 */

#include "builder/source/fill.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>

#include "builder/module/headers.h"
#include "builder/source/cache.h"
#include "builder/source/compiler.h"
#include "builder/source/given.h"
#include "builder/source/packages.h"
#include "builder/source/prepare.h"
#include "builder/source/ready.h"
#include "builder/source/step.h"
#include "bundle/digest.h"
#include "dbus/errors.h"
#include "livepatch/vmlinuz.h"
#include "util/file.h"
#include "util/hex.h"
#include "util/str.h"

#define CONFIG_MAX ((size_t) 4 * 1024 * 1024)

/* At the highest point, with the packed source beside the unpacked one: 2.4 GiB for 6.12's largest flavour. */
#define SPACE_NEEDED (UINT64_C(3) << 30)

/* Everything that the steps need. */
typedef struct Fill {
        const TreeOptions *options;
        const Origin *origin;
        const char *entry;
        const KernelPackages *packages;
        Tree *tree;
} Fill;

static void say(const Fill *f, const char *what, const char *of) {
        if (!f->options->quiet)
                fprintf(stderr, "%s %s …\n", what, of);
}

static int make_folder(const char *path, sd_bus_error *error) {
        if (!path)
                return -ENOMEM;
        if (mkdir(path, 0755) < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "Cannot make the folder '%s': %s", path, strerror(errno));
        return 0;
}

static int fetch_part(const Fill *f, const char *name, const PackageList *l, sd_bus_error *error) {
        _cleanup_free_ char *folder = path_join(f->entry, name);
        int r;

        r = make_folder(folder, error);
        return r < 0 ? r : packages_fetch(l, folder, f->options->quiet, error);
}

static int open_headers(const Fill *f, sd_bus_error *error) {
        _cleanup_kernel_headers_free_ KernelHeaders *h = NULL;
        _cleanup_free_ char *folder = NULL;
        int r;

        if (str_printf(&folder, "%s/headers/usr/src/linux-headers-%s", f->entry, f->tree->release) < 0)
                return -ENOMEM;
        r = kernel_headers_open(folder, &h, error);
        if (r < 0)
                return r;
        f->tree->headers = TAKE_PTR(h->folder);
        f->tree->makefile = TAKE_PTR(h->makefile);
        return 0;
}

static int copy_string(const char *from, char **to) {
        if (!from)
                return 0;
        *to = strdup(from);
        return *to ? 0 : -ENOMEM;
}

static int check_architecture(const char *release, const char *config, sd_bus_error *error) {
        _cleanup_free_ char *value = NULL;
        int r;

        r = config_value(config, "CONFIG_X86_64", &value);
        if (r >= 0 && streq(value, "y"))
                return 0;
        if (r < 0 && r != -ENOENT)
                return r;
        return sd_bus_error_setf(error, SD_BUS_ERROR_NOT_SUPPORTED,
                "The kernel '%s' is not for x86-64, the only architecture that patches can be built for", release);
}

static int fill_headers(const Fill *f, sd_bus_error *error) {
        _cleanup_free_ char *config = NULL;
        Tree *t = f->tree;
        int r;

        if (f->origin->headers) {
                r = copy_string(f->origin->headers, &t->headers);
                if (r >= 0)
                        r = copy_string(f->origin->makefile, &t->makefile);
        } else {
                r = fetch_part(f, "headers", &f->packages->headers, error);
                if (r >= 0)
                        r = open_headers(f, error);
        }
        if (r >= 0)
                r = prepare_check_headers(t->release, t->headers, error);
        if (r < 0)
                return r;
        config = path_join(t->headers, ".config");
        if (!config)
                return -ENOMEM;
        r = compiler_check(config, &t->compiler, &t->compiler_version, error);
        return r < 0 ? r : check_architecture(t->release, config, error);
}

/* Where one of the patterns, below the folder, finds exactly one file. */
static int find_file(const Fill *f, const char *const *patterns, size_t n, char **ret, sd_bus_error *error) {
        for (size_t i = 0; i < n; i++) {
                _cleanup_free_ char *full = NULL;
                glob_t found = {};
                int r;

                full = path_join(f->entry, patterns[i]);
                if (!full)
                        return -ENOMEM;
                r = glob(full, 0, NULL, &found);
                if (r == 0 && found.gl_pathc == 1) {
                        *ret = strdup(found.gl_pathv[0]);
                        r = *ret ? 1 : -ENOMEM;
                } else
                        r = r == GLOB_NOSPACE ? -ENOMEM : 0;
                globfree(&found);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                "The packages of kernel '%s' have no '%s'", f->tree->release, patterns[0]);
}

/* Unpacking an xz kernel takes longer than everything else that is read from it. What is none is left
 * for image_open_kernel() to complain about. */
static int unpack_kernel(const Fill *f, sd_bus_error *error) {
        _cleanup_free_ char *unpacked = path_join(f->entry, "vmlinux");
        int r;

        if (!unpacked)
                return -ENOMEM;
        r = vmlinuz_unpack(f->tree->kernel, unpacked);
        if (r == -EBADMSG || r == -EFBIG)
                return 0;
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "Cannot unpack '%s' to '%s': %s", f->tree->kernel, unpacked, strerror(-r));
        free(f->tree->kernel);
        f->tree->kernel = TAKE_PTR(unpacked);
        return 0;
}

static int fill_image(const Fill *f, sd_bus_error *error) {
        /* The folder has nothing but this one kernel. Debian 13 has the modules in /usr. */
        static const char *const kernels[] = { "image/boot/vmlinuz-*" };
        static const char *const modules[] = { "image/lib/modules/*", "image/usr/lib/modules/*" };
        Tree *t = f->tree;
        int r;

        if (f->origin->kernel) {
                r = copy_string(f->origin->kernel, &t->kernel);
                return r < 0 ? r : copy_string(f->origin->modules, &t->modules);
        }
        r = fetch_part(f, "image", &f->packages->image, error);
        if (r >= 0)
                r = find_file(f, kernels, ELEMENTSOF(kernels), &t->kernel, error);
        if (r >= 0)
                r = unpack_kernel(f, error);
        if (r >= 0)
                r = find_file(f, modules, ELEMENTSOF(modules), &t->modules, error);
        if (r < 0)
                return r;
        if (!streq(strrchr(t->modules, '/') + 1, t->release))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                        "The package '%s' has the modules of another kernel, '%s'",
                        f->packages->image.items[0].name, strrchr(t->modules, '/') + 1);
        return 0;
}

static int unpack_source(const Fill *f, sd_bus_error *error) {
        static const char *const archives[] = { "source/usr/src/linux-source-*.tar.*" };
        _cleanup_free_ char *archive = NULL, *what = NULL;
        int r;

        r = find_file(f, archives, ELEMENTSOF(archives), &archive, error);
        if (r < 0)
                return r;
        if (str_printf(&what, "Cannot unpack '%s'", archive) < 0)
                return -ENOMEM;
        return step_run(&(Step) {
                .arguments = (char *const[]) { (char *) "tar", (char *) "--extract", (char *) "--file", archive,
                        (char *) "--directory", f->tree->folder, (char *) "--strip-components=1",
                        (char *) "--no-same-owner", NULL },
                .what = what,
                .error_name = HOTPATCH_ERROR("BuildCacheUnusable"),
        }, error);
}

/* Into `source`, and from there into `tree`; the packed one is not kept. */
static int fetch_source(const Fill *f, sd_bus_error *error) {
        _cleanup_free_ char *packed = path_join(f->entry, "source");
        int r;

        if (!packed)
                return -ENOMEM;
        if (f->origin->given)
                r = package_unpack(f->origin->given, packed, error);
        else
                r = fetch_part(f, "source", &f->packages->source, error);
        if (r < 0)
                return r;
        say(f, "unpacking", f->tree->source_version);
        r = unpack_source(f, error);
        cache_remove(packed);
        return r;
}

static int fill_source(const Fill *f, sd_bus_error *error) {
        Tree *t = f->tree;
        int r;

        t->folder = path_join(f->entry, "tree");
        t->objects = path_join(f->entry, "objects");
        r = make_folder(t->folder, error);
        if (r >= 0)
                r = make_folder(t->objects, error);
        if (r < 0)
                return r;
        if (f->origin->given)
                r = copy_string(f->origin->source_version, &t->source_version);
        else
                r = str_printf(&t->source_version, "linux %s", f->packages->source.items[0].version);
        if (r < 0)
                return r;
        if (!f->origin->given_folder)
                return fetch_source(f, error);
        say(f, "copying", f->origin->given);
        return given_copy(f->origin->given, t->folder, error);
}

static int prepare(const Fill *f, sd_bus_error *error) {
        say(f, "preparing", f->tree->source_version);
        return prepare_tree(&(Preparation) {
                .release = f->tree->release,
                .folder = f->tree->folder,
                .headers = f->tree->headers,
                .compiler = f->tree->compiler,
                .verbose = f->options->verbose,
        }, error);
}

/* The kernel's own; the prepared one also says which tools are here. */
static int digest_config(Tree *t) {
        _cleanup_free_ char *path = path_join(t->headers, ".config");
        _cleanup_free_ void *text = NULL;
        uint8_t digest[DIGEST_SIZE];
        size_t size = 0;
        int r;

        if (!path)
                return -ENOMEM;
        r = file_read_at(AT_FDCWD, path, CONFIG_MAX, &text, &size);
        if (r >= 0)
                r = digest_bytes(text, size, digest);
        if (r < 0)
                return r;
        t->config_sha256 = hex_encode(digest, sizeof(digest));
        return t->config_sha256 ? 0 : -ENOMEM;
}

static int fill(const Fill *f, sd_bus_error *error) {
        int (*const steps[])(const Fill *, sd_bus_error *) = { fill_headers, fill_image, fill_source, prepare };
        int r;

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                r = steps[i](f, error);
                if (r < 0)
                        return r;
        }
        r = digest_config(f->tree);
        if (r < 0)
                return r;
        return ready_write(f->entry, f->tree, f->origin->stamp, error);
}

/**
 * entry_fill() - fill a folder of the cache, or leave none
 * @o: what the user said
 * @origin: where from
 * @entry: the folder; removed first when it is there
 * @error: see tree_open()
 *
 * The caller holds the exclusive lock.
 *
 * Return: 0 or a negative errno.
 */
int entry_fill(const TreeOptions *o, const Origin *origin, const char *entry, sd_bus_error *error) {
        _cleanup_(kernel_packages_done) KernelPackages packages = {};
        _cleanup_tree_free_ Tree *t = calloc(1, sizeof(*t));
        Fill f = { .options = o, .origin = origin, .entry = entry, .packages = &packages, .tree = t };
        KernelPart parts;
        int r;

        if (!t)
                return -ENOMEM;
        t->lock = -EBADF;
        t->release = strdup(o->release);
        if (!t->release)
                return -ENOMEM;
        parts = origin->given ? (origin->kernel ? 0 : KERNEL_IMAGE) | (origin->headers ? 0 : KERNEL_HEADERS) :
                                KERNEL_IMAGE | KERNEL_HEADERS | KERNEL_SOURCE;
        r = kernel_packages_find(o->release, origin->version, parts, &packages, error);
        if (r >= 0)
                r = cache_make(entry, SPACE_NEEDED, error);
        if (r < 0)
                return r;
        r = fill(&f, error);
        if (r < 0)
                cache_remove(entry);
        return r;
}
