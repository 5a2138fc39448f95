/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What every file of the state directory goes through: read with a table, replaced as a whole,
 * given a name, deleted for good.
 *
 * Two ways to write, both old-or-new: small files through file_replace_at(), bundles through an
 * unnamed file (O_TMPFILE) that is flushed, linked as `.#NAME` and renamed. What a crash can leave is
 * an unnamed file, which the file system frees, or a `.#` file, which store_open() removes.
 *
 * Symbolic links are not followed. Names are checked by who makes them.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "bundle/manifest.h"
#include "daemon/store-internal.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"

/* --- what values may be --- */

/** store_valid_hex() - a build-id: lower-case hexadecimal, at most 64 bytes of it */
bool store_valid_hex(const char *s) {
        size_t n = strspn(s, "0123456789abcdef");

        return n > 0 && s[n] == 0 && n % 2 == 0 && n <= 128;
}

/** store_valid_digest() - SHA-256 in lower-case hexadecimal */
bool store_valid_digest(const char *s) {
        return strlen(s) == 64 && store_valid_hex(s);
}

/** store_valid_usec() - a number of microseconds, in the one spelling of state files */
bool store_valid_usec(const char *s) {
        size_t n = strspn(s, "0123456789");

        /* 20 digits are UINT64_MAX */
        return n > 0 && n <= 20 && s[n] == 0 && (*s != '0' || n == 1);
}

/* --- directories --- */

/**
 * store_open_directory() - open a directory of the state, making it when it is missing
 *
 * Return: 0, -EPERM when it is another user's, or another negative errno.
 */
int store_open_directory(int parent_fd, const char *name, int *ret_fd) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (mkdirat(parent_fd, name, 0700) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        /* Whoever owns it could replace what is in it. */
        if (st.st_uid != geteuid())
                return -EPERM;
        if ((st.st_mode & 077) != 0 && fchmod(fd, 0700) < 0)
                return -errno;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

static int walk_entries(DIR *dir, int dir_fd, StoreVisit visit, void *userdata) {
        for (;;) {
                struct dirent *de;
                int r;

                errno = 0;
                de = readdir(dir);
                if (!de)
                        return -errno;
                if (streq(de->d_name, ".") || streq(de->d_name, ".."))
                        continue;
                r = visit(dir_fd, de->d_name, userdata);
                if (r < 0)
                        return r;
        }
}

/** store_walk() - visit every name of a directory, in no order. Return: 0 or a negative errno. */
int store_walk(int dir_fd, StoreVisit visit, void *userdata) {
        _cleanup_closedir_ DIR *dir = NULL;
        int r = directory_open_at(dir_fd, ".", 0, &dir);

        return r < 0 ? r : walk_entries(dir, dir_fd, visit, userdata);
}

/** store_id_of() - "ID" of "ID" @suffix; NULL when it is not that or memory is out */
char *store_id_of(const char *name, const char *suffix) {
        size_t n = strlen(name), k = strlen(suffix);
        _cleanup_free_ char *id = NULL;

        if (n <= k || !streq(name + n - k, suffix))
                return NULL;
        id = strndup(name, n - k);
        if (!id || !manifest_id_is_valid(id))
                return NULL;
        return TAKE_PTR(id);
}

/* --- files --- */

/** store_read() - read a state file. Return: 0, -ENOENT, -EBADMSG for damage, or another errno. */
int store_read(int dir_fd, const char *name, const Field *fields, size_t n_fields, void *object) {
        _cleanup_free_ void *data = NULL;
        size_t size;
        int r;

        r = file_read_at(dir_fd, name, HOTPATCH_RECORD_MAX, &data, &size);
        /* Too large, a link, a directory: none of them did we write. */
        if (r == -EFBIG || r == -ELOOP || r == -EISDIR)
                return -EBADMSG;
        if (r < 0)
                return r;
        return fields_parse(fields, n_fields, data, size, object);
}

/** store_write() - replace a state file. Return: 0 or a negative errno; see file_replace_at() for it. */
int store_write(int dir_fd, const char *name, const Field *fields, size_t n_fields, const void *object) {
        _cleanup_free_ char *data = NULL;
        size_t size;
        int r;

        r = fields_format(fields, n_fields, object, &data, &size);
        if (r < 0)
                return r;
        if (size > HOTPATCH_RECORD_MAX)
                return -EFBIG;
        return file_replace_at(dir_fd, name, data, size, 0600);
}

/** store_open_file() - open a regular file for reading. Return: descriptor or a negative errno. */
int store_open_file(int dir_fd, const char *name) {
        _cleanup_close_ int fd =
                openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        struct stat st;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -ENOENT;
        return TAKE_FD(fd);
}

/** store_unlink() - delete a file for good. Return: 0, -ENOENT, or another negative errno. */
int store_unlink(int dir_fd, const char *name) {
        if (unlinkat(dir_fd, name, 0) < 0)
                return -errno;
        return fsync(dir_fd) < 0 ? -errno : 0;
}

/** store_write_failed() - set StateUnwritable. Return: its negative errno. */
int store_write_failed(sd_bus_error *error, const char *what, int r) {
        if (r == -ENOMEM)
                return r;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("StateUnwritable"),
                        "Cannot write %s in '/" STORE_DIRECTORY "': %s", what, strerror(-r));
}

/* linkat() by descriptor needs CAP_DAC_READ_SEARCH, which the daemon does not have; by /proc it is
 * open to all (open(2), O_TMPFILE). */
static int link_temporary(int fd, int dir_fd, const char *temporary) {
        char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

        if (unlinkat(dir_fd, temporary, 0) < 0 && errno != ENOENT)
                return -errno;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        return linkat(AT_FDCWD, path, dir_fd, temporary, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/**
 * store_link() - give an unnamed file a name, in place of what had it
 * @fd: from store_tmpfile(), completely written
 *
 * Return: 0 or a negative errno; then the old file stands (or, when only the last flush of the
 * directory failed, the new one does, and a power cut may still bring the old one back).
 */
int store_link(_unused_ const Store *s, int fd, int dir_fd, const char *name) {
        _cleanup_free_ char *temporary = NULL;
        int r;

        if (str_printf(&temporary, STORE_TEMPORARY_PREFIX "%s", name) < 0)
                return -ENOMEM;
        if (fsync(fd) < 0)
                return -errno;
        r = link_temporary(fd, dir_fd, temporary);
        if (r < 0)
                return r;
        if (renameat(dir_fd, temporary, dir_fd, name) < 0) {
                r = -errno;
                (void) unlinkat(dir_fd, temporary, 0);
                return r;
        }
        return fsync(dir_fd) < 0 ? -errno : 0;
}

/**
 * store_tmpfile() - an empty unnamed file in the state directory, for reading and writing
 *
 * Return: descriptor, or a negative errno with StateUnwritable.
 */
int store_tmpfile(const Store *s, sd_bus_error *error) {
        int fd = openat(s->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        return fd < 0 ? store_write_failed(error, "a new file", -errno) : fd;
}
