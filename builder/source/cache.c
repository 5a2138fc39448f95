/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What was fetched and prepared is remembered in
 *
 *      $XDG_CACHE_HOME/hotpatch-build/RELEASE_VERSION/         (or below ~/.cache)
 *      $XDG_CACHE_HOME/hotpatch-build/RELEASE_VERSION.lock
 *
 * A kernel's build files name the folder that they were made in, so a folder cannot be made elsewhere
 * and moved here when it is finished. Instead its file `ready` comes last, by rename: a folder without
 * it is what a crash left, and is removed and made again. Who makes or removes it holds the lock file
 * exclusively, who uses it shared. Nothing outside of the cache is ever written.
 */

#include "builder/source/cache.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "dbus/errors.h"
#include "util/file.h"
#include "util/str.h"

static int make_folders(const char *path, mode_t mode) {
        _cleanup_free_ char *copy = strdup(path);

        if (!copy)
                return -ENOMEM;
        for (char *slash = copy; slash;) {
                slash = strchr(slash + 1, '/');
                if (slash)
                        *slash = '\0';
                if (mkdir(copy, mode) < 0 && errno != EEXIST)
                        return -errno;
                if (slash)
                        *slash = '/';
        }
        return 0;
}

static int default_cache(char **ret) {
        const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
        char *path;

        /* "If an implementation encounters a relative path, it should ignore it": XDG Base Directory */
        if (xdg && *xdg == '/')
                path = path_join(xdg, "hotpatch-build");
        else if (home && *home == '/')
                path = path_join(home, ".cache/hotpatch-build");
        else
                return -ENOTDIR;
        if (!path)
                return -ENOMEM;
        *ret = path;
        return 0;
}

/**
 * cache_open() - the cache folder, made when it is not there
 * @given: by the user; NULL: the default one
 * @ret: absolute path without symbolic links; free with free()
 * @error: BuildCacheUnusable
 *
 * Return: 0 or a negative errno.
 */
int cache_open(const char *given, char **ret, sd_bus_error *error) {
        _cleanup_free_ char *path = NULL;
        char *real;
        int r;

        if (given)
                r = (path = strdup(given)) ? 0 : -ENOMEM;
        else
                r = default_cache(&path);
        if (r == -ENOTDIR)
                return sd_bus_error_set(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "Neither XDG_CACHE_HOME nor HOME names a folder for the cache");
        if (r >= 0)
                r = make_folders(path, 0755);
        if (r < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "Cannot make the folder '%s': %s", strempty(path), strerror(-r));
        real = realpath(path, NULL);
        if (!real)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "Cannot open the folder '%s': %s", path, strerror(errno));
        /* make(1) cannot have a blank or a colon in the path of what it makes. */
        if (strpbrk(real, " \t\n:#$'\"\\")) {
                r = sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "The path '%s' has a character in it that make cannot work with", real);
                free(real);
                return r;
        }
        *ret = real;
        return 0;
}

/**
 * cache_lock() - hold the lock of one folder, waiting for it where needed
 * @key: name of the folder
 * @exclusive: to make or remove it; else to use it
 * @quiet: do not say that somebody else must be waited for
 * @ret_fd: closing it gives the lock back
 *
 * Return: 0 or a negative errno.
 */
int cache_lock(const char *cache, const char *key, bool exclusive, bool quiet, int *ret_fd,
                sd_bus_error *error) {
        int operation = exclusive ? LOCK_EX : LOCK_SH;
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;

        if (str_printf(&path, "%s/%s.lock", cache, key) < 0)
                return -ENOMEM;
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "Cannot open the lock file '%s': %s", path, strerror(errno));
        if (flock(fd, operation | LOCK_NB) < 0) {
                if (errno == EWOULDBLOCK && !quiet)
                        fprintf(stderr, "waiting for another hotpatch-build that works on %s …\n", key);
                if (flock(fd, operation) < 0) /* a signal ends the wait */
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                                "Cannot lock '%s': %s", path, strerror(errno));
        }
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/**
 * cache_newest() - the folder of a release that was finished last
 * @release: as uname -r
 * @ret_key: name of the folder; free with free()
 *
 * Return: 1 when there is one, 0 when not, or a negative errno.
 */
int cache_newest(const char *cache, const char *release, char **ret_key) {
        DIR *d = opendir(cache);
        _cleanup_free_ char *found = NULL;
        size_t length = strlen(release);
        struct timespec newest = {};
        struct dirent *e;
        int r = 0;

        if (!d)
                return -errno;
        while (r == 0 && (e = readdir(d))) {
                char ready[PATH_MAX];
                struct stat st;

                /* "_given-…" is no version */
                if (strncmp(e->d_name, release, length) != 0 || e->d_name[length] != '_' ||
                                !isdigit((unsigned char) e->d_name[length + 1]))
                        continue;
                (void) snprintf(ready, sizeof(ready), "%s/ready", e->d_name);
                if (fstatat(dirfd(d), ready, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (found && (st.st_mtim.tv_sec < newest.tv_sec ||
                                     (st.st_mtim.tv_sec == newest.tv_sec &&
                                             st.st_mtim.tv_nsec < newest.tv_nsec)))
                        continue;
                newest = st.st_mtim;
                free(found);
                found = strdup(e->d_name);
                r = found ? 0 : -ENOMEM;
        }
        closedir(d);
        if (r < 0)
                return r;
        *ret_key = TAKE_PTR(found);
        return *ret_key ? 1 : 0;
}

static int remove_one(const char *path, _unused_ const struct stat *st, _unused_ int flag,
                _unused_ struct FTW *ftw) {
        (void) remove(path);
        return 0;
}

/** cache_remove() - remove a folder with all that is in it; the file `ready` first, so that a crash does
 *  not leave half of it behind as a whole one */
void cache_remove(const char *folder) {
        _cleanup_free_ char *ready = path_join(folder, "ready");

        if (!ready)
                return;
        (void) unlink(ready);
        (void) nftw(folder, remove_one, 64, FTW_DEPTH | FTW_PHYS);
}

/**
 * cache_make() - make an empty folder, removing what a crash has left there
 * @folder: its path
 * @space: bytes that will be needed in it
 * @error: BuildCacheUnusable
 *
 * Return: 0 or a negative errno.
 */
int cache_make(const char *folder, uint64_t space, sd_bus_error *error) {
        struct statvfs fs;

        cache_remove(folder);
        if (mkdir(folder, 0755) < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                        "Cannot make the folder '%s': %s", folder, strerror(errno));
        if (statvfs(folder, &fs) < 0 || (uint64_t) fs.f_bavail * fs.f_frsize >= space)
                return 0;
        (void) rmdir(folder);
        return sd_bus_error_setf(error, HOTPATCH_ERROR("BuildCacheUnusable"),
                "The file system of '%s' has %.1f GiB free; %.1f GiB are needed", folder,
                (double) fs.f_bavail * (double) fs.f_frsize / (1 << 30), (double) space / (1 << 30));
}
