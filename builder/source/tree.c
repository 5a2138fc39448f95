/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Opening the tree of a kernel: from the cache, or fetched, prepared, checked and remembered there.
 *
 * The order is that of cost: headers first (12 MiB), which say the compiler, and only when that is here
 * the source and the image (160 MiB). What was found out stands in the folder's file `ready`, one
 * KEY=VALUE a line with paths relative to the folder, so that opening a tree again needs neither apt nor
 * network. Only the compiler is asked again each time: it is the one part that an upgrade changes.
 */

#include "builder/source/tree.h"

#include <ctype.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>

#include "builder/module/headers.h"
#include "builder/run.h"
#include "builder/source/cache.h"
#include "builder/source/compiler.h"
#include "builder/source/packages.h"
#include "builder/source/prepare.h"
#include "bundle/digest.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/hex.h"

/* A change of what is in the folder or in the file; other folders are made again. */
#define READY_VERSION "1"
#define READY_MAX ((size_t) 64 * 1024)
#define CONFIG_MAX ((size_t) 4 * 1024 * 1024)

/** struct ReadyKey - one line of the file `ready` */
typedef struct ReadyKey {
        const char *name;
        size_t offset; /* in struct Tree */
        bool path;
        bool optional;
} ReadyKey;

static const ReadyKey ready_keys[] = {
        { "release", offsetof(Tree, release) },
        { "folder", offsetof(Tree, folder), .path = true },
        { "headers", offsetof(Tree, headers), .path = true },
        { "makefile", offsetof(Tree, makefile), .path = true, .optional = true },
        { "kernel", offsetof(Tree, kernel), .path = true },
        { "modules", offsetof(Tree, modules), .path = true },
        { "compiler", offsetof(Tree, compiler) },
        { "compiler_version", offsetof(Tree, compiler_version) },
        { "source_version", offsetof(Tree, source_version) },
        { "config_sha256", offsetof(Tree, config_sha256) },
        { "objects", offsetof(Tree, objects), .path = true },
};

static char **key_field(Tree *t, const ReadyKey *k) {
        return (char **) (void *) ((char *) t + k->offset);
}

static int read_key(Tree *t, const char *entry, const char *line) {
        for (size_t i = 0; i < ELEMENTSOF(ready_keys); i++) {
                const ReadyKey *k = &ready_keys[i];
                const char *value = startswith(line, k->name);
                char *copy;

                if (!value || *value++ != '=')
                        continue;
                copy = k->path && *value != '/' ? path_join(entry, value) : strdup(value);
                if (!copy)
                        return -ENOMEM;
                free(*key_field(t, k));
                *key_field(t, k) = copy;
        }
        return 0;
}

/* Returns 1, 0 when the folder is not (or no longer, or not yet) whole, or a negative errno. */
static int ready_read(const char *entry, Tree **ret) {
        _cleanup_free_ char *path = path_join(entry, "ready");
        _cleanup_tree_free_ Tree *t = calloc(1, sizeof(*t));
        _cleanup_free_ void *text = NULL;
        char *line, *rest;
        int r;

        if (!path || !t)
                return -ENOMEM;
        t->lock = -EBADF;
        r = file_read_at(AT_FDCWD, path, READY_MAX, &text, NULL);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        rest = text;
        line = strsep(&rest, "\n");
        if (!streq(line, "version=" READY_VERSION))
                return 0;
        while ((line = strsep(&rest, "\n"))) {
                r = read_key(t, entry, line);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < ELEMENTSOF(ready_keys); i++) {
                const char *value = *key_field(t, &ready_keys[i]);

                if (!value && !ready_keys[i].optional)
                        return 0;
                if (value && ready_keys[i].path && access(value, F_OK) < 0)
                        return 0;
        }
        *ret = TAKE_PTR(t);
        return 1;
}

static int ready_print(FILE *f, const char *entry, Tree *t) {
        size_t length = strlen(entry);

        fprintf(f, "version=%s\n", READY_VERSION);
        for (size_t i = 0; i < ELEMENTSOF(ready_keys); i++) {
                const char *value = *key_field(t, &ready_keys[i]);

                if (!value)
                        continue;
                if (strchr(value, '\n'))
                        return -EINVAL;
                if (ready_keys[i].path && strncmp(value, entry, length) == 0 && value[length] == '/')
                        value += length + 1;
                fprintf(f, "%s=%s\n", ready_keys[i].name, value);
        }
        return ferror(f) ? -ENOMEM : 0;
}

static int ready_write(const char *entry, Tree *t, sd_bus_error *error) {
        _cleanup_close_ int dir = open(entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *f;
        int r;

        if (dir < 0)
                return -errno;
        f = open_memstream(&text, &size);
        if (!f)
                return -ENOMEM;
        r = ready_print(f, entry, t);
        if (fclose(f) != 0 && r >= 0)
                r = -ENOMEM;
        if (r < 0)
                return r;
        /* All of the tree is to be on the disk before the file says so. */
        if (syncfs(dir) < 0)
                r = -errno;
        if (r >= 0)
                r = file_replace_at(dir, "ready", text, size, 0644);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "Cannot write '%s/ready': %s", entry, strerror(-r));
        return 0;
}

/** tree_free() - free it and give its lock back; NULL is fine. Returns NULL. */
Tree *tree_free(Tree *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(ready_keys); i++)
                free(*key_field(t, &ready_keys[i]));
        safe_close(t->lock);
        free(t);
        return NULL;
}

static void say(const TreeOptions *o, const char *what, const char *of) {
        if (!o->quiet)
                fprintf(stderr, "%s %s …\n", what, of);
}

/* The one path that the pattern fits, below @entry. */
static int find_path(const char *entry, const char *pattern, char **ret, sd_bus_error *error) {
        _cleanup_free_ char *full = path_join(entry, pattern);
        glob_t found = {};
        int r;

        if (!full)
                return -ENOMEM;
        r = glob(full, 0, NULL, &found);
        if (r == GLOB_NOSPACE)
                r = -ENOMEM;
        else if (r != 0 || found.gl_pathc != 1)
                r = sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                        "The packages have no '%s'", pattern);
        else
                r = (*ret = strdup(found.gl_pathv[0])) ? 0 : -ENOMEM;
        globfree(&found);
        return r;
}

static int unpack_source(const char *entry, const char *folder, sd_bus_error *error) {
        _cleanup_free_ char *archive = NULL;
        int r;

        r = find_path(entry, "source/usr/src/linux-source-*.tar.*", &archive, error);
        if (r < 0)
                return r;
        if (mkdir(folder, 0755) < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "Cannot make '%s': %s", folder, strerror(errno));
        r = run_program(&(Run) {
                .arguments = (char *const[]) { (char *) "tar", (char *) "--extract", (char *) "--file", archive,
                        (char *) "--directory", (char *) folder, (char *) "--strip-components=1",
                        (char *) "--no-same-owner", NULL },
        });
        if (r < 0)
                return r;
        if (r > 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelPrepareFailed"),
                        "Cannot unpack '%s'", archive);
        return 0;
}

static int digest_config(Tree *t) {
        _cleanup_free_ char *path = path_join(t->folder, ".config");
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

static int fetch_part(const TreeOptions *o, const char *entry, const char *name, const PackageList *l,
                sd_bus_error *error) {
        _cleanup_free_ char *folder = path_join(entry, name);

        if (!folder)
                return -ENOMEM;
        if (mkdir(folder, 0755) < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "Cannot make '%s': %s", folder, strerror(errno));
        return packages_fetch(l, folder, o->quiet, error);
}

static int make_headers(const TreeOptions *o, const char *entry, const PackageList *packages, Tree *t,
                sd_bus_error *error) {
        _cleanup_kernel_headers_free_ KernelHeaders *h = NULL;
        _cleanup_free_ char *folder = NULL, *config = NULL;
        int r;

        r = fetch_part(o, entry, "headers", packages, error);
        if (r < 0)
                return r;
        if (asprintf(&folder, "%s/headers/usr/src/linux-headers-%s", entry, t->release) < 0) {
                folder = NULL;
                return -ENOMEM;
        }
        r = kernel_headers_open(folder, &h, error);
        if (r >= 0)
                r = prepare_check_headers(t->release, folder, error);
        if (r < 0)
                return r;
        config = path_join(folder, ".config");
        if (!config)
                return -ENOMEM;
        t->headers = TAKE_PTR(h->folder);
        t->makefile = TAKE_PTR(h->makefile);
        return compiler_check(config, &t->compiler, &t->compiler_version, error);
}

static int make_image(const TreeOptions *o, const char *entry, const PackageList *packages, Tree *t,
                sd_bus_error *error) {
        _cleanup_free_ char *kernel = NULL, *modules = NULL;
        int r;

        r = fetch_part(o, entry, "image", packages, error);
        if (r < 0)
                return r;
        if (asprintf(&kernel, "image/boot/vmlinuz-%s", t->release) < 0) {
                kernel = NULL;
                return -ENOMEM;
        }
        r = find_path(entry, kernel, &t->kernel, error);
        if (r < 0)
                return r;
        for (size_t i = 0; i < 2; i++) { /* Debian 13 has it in /usr */
                free(modules);
                if (asprintf(&modules, "%s/image/%slib/modules/%s", entry, i == 0 ? "" : "usr/", t->release) < 0) {
                        modules = NULL;
                        return -ENOMEM;
                }
                if (access(modules, F_OK) == 0) {
                        t->modules = TAKE_PTR(modules);
                        return 0;
                }
        }
        return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                "The package '%s' has no modules of kernel '%s'", packages->items[0].name, t->release);
}

static int make_source(const TreeOptions *o, const char *entry, const PackageList *packages, Tree *t,
                sd_bus_error *error) {
        _cleanup_free_ char *packed = path_join(entry, "source");
        int r;

        t->folder = path_join(entry, "tree");
        t->objects = path_join(entry, "objects");
        if (!packed || !t->folder || !t->objects)
                return -ENOMEM;
        if (asprintf(&t->source_version, "linux %s", packages->items[0].version) < 0) {
                t->source_version = NULL;
                return -ENOMEM;
        }
        r = fetch_part(o, entry, "source", packages, error);
        if (r < 0)
                return r;
        say(o, "unpacking", t->source_version);
        r = unpack_source(entry, t->folder, error);
        if (r < 0)
                return r;
        cache_remove(packed);
        if (mkdir(t->objects, 0755) < 0)
                return -errno;
        say(o, "preparing", t->source_version);
        return prepare_tree(&(Preparation) {
                .release = t->release,
                .folder = t->folder,
                .headers = t->headers,
                .compiler = t->compiler,
                .verbose = o->verbose,
        }, error);
}

static int make_from_packages(const TreeOptions *o, const char *entry, const KernelPackages *packages,
                sd_bus_error *error) {
        _cleanup_tree_free_ Tree *t = calloc(1, sizeof(*t));
        int r;

        if (!t)
                return -ENOMEM;
        t->lock = -EBADF;
        t->release = strdup(o->release);
        if (!t->release)
                return -ENOMEM;
        r = make_headers(o, entry, &packages->headers, t, error);
        if (r >= 0)
                r = make_image(o, entry, &packages->image, t, error);
        if (r >= 0)
                r = make_source(o, entry, &packages->source, t, error);
        if (r >= 0)
                r = digest_config(t);
        if (r < 0)
                return r;
        return ready_write(entry, t, error);
}

static int make_entry(const TreeOptions *o, const char *entry, const char *version, sd_bus_error *error) {
        _cleanup_(kernel_packages_done) KernelPackages packages = {};
        int r;

        r = kernel_packages_find(o->release, version, &packages, error);
        if (r < 0)
                return r;
        r = cache_make(entry, error);
        if (r < 0)
                return r;
        r = make_from_packages(o, entry, &packages, error);
        if (r < 0)
                cache_remove(entry);
        return r;
}

/* Which version of the release: the one that is installed here; else what the cache has; else the newest. */
static int find_key(const TreeOptions *o, const char *cache, char **ret_key, char **ret_version,
                sd_bus_error *error) {
        _cleanup_(kernel_packages_done) KernelPackages packages = {};
        _cleanup_free_ char *name = NULL, *version = NULL;
        int r;

        if (asprintf(&name, "linux-image-%s", o->release) < 0) {
                name = NULL;
                return -ENOMEM;
        }
        r = package_installed_version(name, &version);
        if (r < 0)
                return r;
        if (r == 0) {
                r = cache_newest(cache, o->release, ret_key);
                if (r != 0) {
                        *ret_version = NULL;
                        return r;
                }
                r = kernel_packages_find(o->release, NULL, &packages, error);
                if (r < 0)
                        return r;
                version = strdup(packages.image.items[0].version);
                if (!version)
                        return -ENOMEM;
        }
        if (asprintf(ret_key, "%s_%s", o->release, version) < 0) {
                *ret_key = NULL;
                return -ENOMEM;
        }
        *ret_version = TAKE_PTR(version);
        return 0;
}

/* As uname -r; it becomes part of paths and of package names. */
static bool release_is_valid(const char *s) {
        if (!isalnum((unsigned char) *s) || strlen(s) > 64) /* __NEW_UTS_LEN */
                return false;
        for (; *s; s++)
                if (!isalnum((unsigned char) *s) && !strchr("._+-~", *s))
                        return false;
        return true;
}

/* The compiler may have been upgraded since the tree was prepared. */
static int check_compiler(const Tree *t, sd_bus_error *error) {
        _cleanup_free_ char *config = path_join(t->folder, ".config"), *compiler = NULL, *version = NULL;

        if (!config)
                return -ENOMEM;
        return compiler_check(config, &compiler, &version, error);
}

/* Use it if it is there, else make it; somebody else may make or remove it between two locks. */
static int open_entry(const TreeOptions *o, const char *cache, const char *key, const char *version, Tree **ret,
                sd_bus_error *error) {
        _cleanup_free_ char *entry = path_join(cache, key);

        if (!entry)
                return -ENOMEM;
        for (;;) {
                _cleanup_close_ int lock = -EBADF;
                int r;

                r = cache_lock(cache, key, /* exclusive= */ false, o->quiet, &lock, error);
                if (r < 0)
                        return r;
                r = ready_read(entry, ret);
                if (r < 0)
                        return r;
                if (r > 0) {
                        (*ret)->lock = TAKE_FD(lock);
                        return 0;
                }
                lock = safe_close(lock);
                r = cache_lock(cache, key, /* exclusive= */ true, o->quiet, &lock, error);
                if (r < 0)
                        return r;
                r = ready_read(entry, ret);
                if (r > 0)
                        *ret = tree_free(*ret);
                else if (r == 0)
                        r = make_entry(o, entry, version, error);
                if (r < 0)
                        return r;
        }
}

/**
 * tree_open() - the prepared source tree of a kernel
 * @o: which
 * @ret: held by a shared lock until tree_free()
 * @error: KernelPackageMissing, KernelDownloadFailed, KernelHeadersMissing, KernelSourceMismatch,
 *   KernelPrepareFailed, CompilerMismatch, BuildCacheUnusable
 *
 * Says on standard error what takes its time, unless @o->quiet.
 *
 * Return: 0 or a negative errno.
 */
int tree_open(const TreeOptions *o, Tree **ret, sd_bus_error *error) {
        _cleanup_free_ char *cache = NULL, *key = NULL, *version = NULL;
        _cleanup_tree_free_ Tree *t = NULL;
        int r;

        if (!release_is_valid(o->release))
                return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                        "'%s' is not the release of a kernel", o->release);
        r = cache_open(o->cache, &cache, error);
        if (r >= 0)
                r = find_key(o, cache, &key, &version, error);
        if (r >= 0)
                r = open_entry(o, cache, key, version, &t, error);
        if (r >= 0)
                r = check_compiler(t, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}
