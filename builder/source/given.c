/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A kernel tree of the user's.
 *
 * People keep it under version control, build in it and edit it; nothing of ours may be written there, and
 * nothing that a build of theirs left there may get into ours. So a copy is made, of the source only:
 * no objects, no configuration, nothing generated; Kbuild makes that again in the copy. On file
 * systems that can, the copy shares its blocks with the original.
 *
 * Whether the copy is still the folder's is told by names, sizes and times of its files, as make(1) and
 * git(1) do; reading a gigabyte each time would be the alternative.
 */

#include "builder/source/given.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <fts.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "dbus/errors.h"
#include "util/file.h"
#include "util/str.h"

/* The top Makefile is 75 KiB. */
#define MAKEFILE_MAX ((size_t) 1024 * 1024)
#define FILE_MAX (UINT64_C(1) << 30)

/* Files that a build leaves: .gitignore, the `clean` and `mrproper` rules of the top Makefile. */
static const char *const left_names[] = {
        "*.o", "*.o.*", "*.ko", "*.ko.*", "*.a", "*.cmd", "*.d", "*.mod", "*.mod.c", "*.order", "*.symvers",
        "*.symtypes", "*.dtb", "*.dwo", "*.gcno", ".tmp_*", ".config", ".config.old", "bzImage", "System.map",
        "TAGS", "tags", "GTAGS", "compile_commands.json",
};
/* The same with folders, from the tree's root. */
static const char *const left_paths[] = {
        ".git", "include/config", "include/generated", "arch/*/include/generated", "debian/build", "vmlinux",
        "vmlinux.unstripped", "arch/*/boot/vmlinux.bin", "arch/*/boot/compressed/vmlinux",
        "arch/*/boot/compressed/vmlinux.bin*",
};

static int by_name(const FTSENT **a, const FTSENT **b) {
        return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool is_left(const char *path, const FTSENT *e) {
        for (size_t i = 0; i < ELEMENTSOF(left_paths); i++)
                if (fnmatch(left_paths[i], path, FNM_PATHNAME) == 0)
                        return true;
        for (size_t i = 0; i < ELEMENTSOF(left_names) && e->fts_info != FTS_D; i++)
                if (fnmatch(left_names[i], e->fts_name, 0) == 0)
                        return true;
        return false;
}

static void fts_closep(FTS **f) {
        if (*f)
                (void) fts_close(*f);
}

/* What is done with each file and folder; @path from the tree's root. */
typedef int (*visit_t)(const char *path, const FTSENT *e, void *userdata);

/* Every file, folder and symbolic link of the source in the order of their names. */
static int walk(const char *folder, visit_t visit, void *userdata) {
        _cleanup_(fts_closep) FTS *f = NULL;
        size_t root = strlen(folder);
        FTSENT *e;

        f = fts_open((char *const[]) { (char *) folder, NULL }, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
        if (!f)
                return -errno;
        while ((e = fts_read(f))) {
                const char *path = e->fts_path + root;
                int r;

                path += *path == '/';
                if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
                        return -e->fts_errno;
                if (e->fts_info == FTS_DP || e->fts_level == 0)
                        continue;
                if (is_left(path, e)) {
                        (void) fts_set(f, e, FTS_SKIP);
                        continue;
                }
                if (e->fts_info != FTS_D && e->fts_info != FTS_F && e->fts_info != FTS_SL && e->fts_info != FTS_SLNONE)
                        continue; /* sockets and the like are no source */
                r = visit(path, e, userdata);
                if (r < 0)
                        return r;
        }
        return -errno;
}

static int digest_one(const char *path, const FTSENT *e, void *userdata) {
        const struct stat *st = e->fts_statp;
        char text[128];
        int r;

        /* A folder's size and time change when a build writes into it. */
        if (e->fts_info == FTS_D)
                return digest_update(userdata, path, strlen(path) + 1);
        (void) snprintf(text, sizeof(text), "%o %jd %jd.%09ld", st->st_mode, (intmax_t) st->st_size,
                (intmax_t) st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
        r = digest_update(userdata, path, strlen(path) + 1);
        return r < 0 ? r : digest_update(userdata, text, strlen(text) + 1);
}

/**
 * given_digest() - names, sizes and times of a folder's source, for telling whether it has changed
 * @folder: absolute
 * @d: where they are added
 * @error: KernelSourceMismatch
 *
 * Return: 0 or a negative errno.
 */
int given_digest(const char *folder, Digest *d, sd_bus_error *error) {
        int r = walk(folder, digest_one, d);

        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                        "Cannot read the source in '%s': %s", folder, strerror(-r));
        return 0;
}

static int copy_link(const char *from, const char *to) {
        char target[PATH_MAX];
        ssize_t n = readlink(from, target, sizeof(target) - 1);

        if (n < 0)
                return -errno;
        target[n] = '\0';
        return symlink(target, to) < 0 ? -errno : 0;
}

/* Times are kept: generated files that a source package ships must not look older than what they are
 * made of. */
static int copy_regular(const FTSENT *e, const char *to) {
        const struct timespec times[] = { e->fts_statp->st_atim, e->fts_statp->st_mtim };
        _cleanup_close_ int in = open(e->fts_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY), out = -EBADF;
        int r = 0;

        if (in < 0)
                return -errno;
        out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (out < 0)
                return -errno;
        if (ioctl(out, FICLONE, in) < 0)
                r = file_copy(in, out, FILE_MAX, NULL);
        if (r >= 0 && fchmod(out, (e->fts_statp->st_mode & 0777) | 0200) < 0)
                r = -errno;
        if (r >= 0 && futimens(out, times) < 0)
                r = -errno;
        return r;
}

static int copy_one(const char *path, const FTSENT *e, void *userdata) {
        _cleanup_free_ char *to = path_join(userdata, path);

        if (!to)
                return -ENOMEM;
        switch (e->fts_info) {
        case FTS_D:
                return mkdir(to, 0755) < 0 ? -errno : 0;
        case FTS_F:
                return copy_regular(e, to);
        default:
                return copy_link(e->fts_path, to);
        }
}

/**
 * given_copy() - copy the source of a folder
 * @folder: absolute
 * @to: an empty folder
 * @error: BuildCacheUnusable
 *
 * Return: 0 or a negative errno.
 */
int given_copy(const char *folder, const char *to, sd_bus_error *error) {
        int r = walk(folder, copy_one, (void *) to);

        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "Cannot copy '%s' to '%s': %s", folder, to, strerror(-r));
        return 0;
}

static bool has(const char *folder, const char *name) {
        _cleanup_free_ char *path = path_join(folder, name);

        return path && access(path, F_OK) == 0;
}

/**
 * given_version() - the version that a kernel tree has of itself
 * @ret: "6.1.176"; free with free()
 * @error: KernelSourceMismatch: that is no kernel tree
 *
 * Return: 0 or a negative errno.
 */
int given_version(const char *folder, char **ret, sd_bus_error *error) {
        static const char *const names[] = { "VERSION = ", "PATCHLEVEL = ", "SUBLEVEL = " };
        _cleanup_free_ char *path = path_join(folder, "Makefile");
        _cleanup_free_ void *text = NULL;
        unsigned numbers[ELEMENTSOF(names)];
        size_t n = 0;
        char *line, *rest;
        int r;

        if (!path)
                return -ENOMEM;
        /* Headers and output folders have a Makefile too. */
        r = has(folder, "Kconfig") && has(folder, "init/main.c") && has(folder, "scripts/Makefile.build") ?
                file_read_at(AT_FDCWD, path, MAKEFILE_MAX, &text, NULL) : -ENOENT;
        for (rest = text; r >= 0 && n < ELEMENTSOF(names) && (line = strsep(&rest, "\n"));) {
                const char *value = startswith(line, names[n]);

                if (value)
                        numbers[n++] = (unsigned) strtoul(value, NULL, 10);
        }
        if (n < ELEMENTSOF(names))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelSourceMismatch"),
                        "'%s' is not the source of a kernel", folder);
        return str_printf(ret, "%u.%u.%u", numbers[0], numbers[1], numbers[2]);
}
