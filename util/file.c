/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whole files.
 *
 * State is kept in small files that are replaced as a whole: a temporary file is written and
 * flushed, renamed over the old one, and the directory flushed (rename(2), fsync(2)). A crash at
 * any of these steps leaves the old or the new content and at most a `.#NAME` beside it, which the
 * next write of that name replaces.
 *
 * Files of /proc and /sys have no size that can be trusted, so reading grows up to the limit.
 */

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "util/file.h"
#include "util/hex.h"

#define COPY_BLOCK ((size_t) 64 * 1024)

/** path_join() - "folder/name". Return: free with free(); NULL: out of memory */
char *path_join(const char *folder, const char *name) {
        char *path;

        return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/**
 * file_write_all() - write all bytes, whatever number of write(2) calls it takes
 *
 * Return: 0 or a negative errno; on error some bytes may have been written.
 */
int file_write_all(int fd, const void *data, size_t size) {
        const uint8_t *p = data;

        while (size > 0) {
                ssize_t n = write(fd, p, size);
                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                p += n;
                size -= (size_t) n;
        }
        return 0;
}

/**
 * file_pread_all() - read exactly @size bytes at @offset
 *
 * Return: 0, -ENODATA when the file ends before, or another negative errno.
 */
int file_pread_all(int fd, void *buf, size_t size, uint64_t offset) {
        uint8_t *p = buf;

        while (size > 0) {
                ssize_t n = pread(fd, p, size, (off_t) offset);
                if (n < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (n == 0)
                        return -ENODATA;
                p += n;
                offset += (uint64_t) n;
                size -= (size_t) n;
        }
        return 0;
}

/* read(2), also when a signal comes; a negative errno where it fails. */
static ssize_t read_some(int fd, void *buf, size_t size) {
        ssize_t n;

        do
                n = read(fd, buf, size);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

static int read_up_to(int fd, size_t max, void **ret, size_t *ret_size) {
        _cleanup_free_ uint8_t *buf = NULL;
        size_t size = 0, room = 0;

        for (;;) {
                ssize_t n;

                if (size == room) {
                        size_t wanted = room ? room * 2 : 4096;
                        uint8_t *grown;

                        if (wanted > max + 1)
                                wanted = max + 1;
                        if (size > max)
                                return -EFBIG;
                        grown = realloc(buf, wanted + 1);
                        if (!grown)
                                return -ENOMEM;
                        buf = grown;
                        room = wanted;
                }
                n = read_some(fd, buf + size, room - size);
                if (n < 0)
                        return (int) n;
                if (n == 0)
                        break;
                size += (size_t) n;
                if (size > max)
                        return -EFBIG;
        }
        buf[size] = 0;
        *ret = TAKE_PTR(buf);
        if (ret_size)
                *ret_size = size;
        return 0;
}

/**
 * directory_open_at() - open a folder to read its names
 * @dir_fd, @path: where it is, as openat(2) takes them
 * @flags: more flags of open(2), such as O_NOFOLLOW
 * @ret: closedir() it
 *
 * Return: 0 or a negative errno.
 */
int directory_open_at(int dir_fd, const char *path, int flags, DIR **ret) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
        DIR *d;

        if (fd < 0)
                return -errno;
        d = fdopendir(fd);
        if (!d)
                return -errno;
        (void) TAKE_FD(fd);
        *ret = d;
        return 0;
}

/* Not every file system says it in the directory, readdir(3). */
static bool is_folder(DIR *d, const struct dirent *e) {
        struct stat st;

        if (e->d_type != DT_UNKNOWN)
                return e->d_type == DT_DIR;
        return fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) >= 0 && S_ISDIR(st.st_mode);
}

/**
 * directory_next_folder() - the next folder in it whose name does not start with a dot
 * @ret: its name; valid until the next call
 *
 * Return: 1, 0 at the end, or a negative errno.
 */
int directory_next_folder(DIR *d, const char **ret) {
        for (;;) {
                const struct dirent *e;

                errno = 0;
                e = readdir(d);
                if (!e)
                        return errno ? -errno : 0;
                if (*e->d_name == '.' || !is_folder(d, e))
                        continue;
                *ret = e->d_name;
                return 1;
        }
}

/**
 * file_read_at() - read a whole file
 * @dir_fd: directory @path is relative to, or AT_FDCWD
 * @max: refuse files of more bytes
 * @ret: the content with a NUL after it that is not counted; to be freed
 * @ret_size: number of bytes; may be NULL
 *
 * Symbolic links in the last component are not followed. A FIFO does not hold up the caller: it is empty,
 * or -EAGAIN when somebody else writes to it.
 *
 * Return: 0, -EFBIG for more than @max bytes, or another negative errno.
 */
int file_read_at(int dir_fd, const char *path, size_t max, void **ret, size_t *ret_size) {
        _cleanup_close_ int fd =
                openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);

        if (fd < 0)
                return -errno;
        return read_up_to(fd, max, ret, ret_size);
}

/**
 * file_read_line_at() - read the first line of a small file, as sysfs attributes are
 * @ret: the line without its newline; to be freed
 *
 * Return: 0, -EFBIG for more than 4 KiB (sysfs gives at most a page), or another negative errno.
 */
int file_read_line_at(int dir_fd, const char *path, char **ret) {
        void *content;
        int r = file_read_at(dir_fd, path, 4096, &content, NULL);

        if (r < 0)
                return r;
        ((char *) content)[strcspn(content, "\n")] = 0;
        *ret = content;
        return 0;
}

/* @tmp: name of the file on its way; @flags: how it is made; @exact: the mode is not subject to the umask */
static int replace(int dir_fd, const char *tmp, int flags, const char *name, const void *data, size_t size, unsigned mode,
                bool exact) {
        _cleanup_close_ int fd =
                openat(dir_fd, tmp, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | flags, mode);
        int r;

        if (fd < 0)
                return -errno;
        r = file_write_all(fd, data, size);
        if (r >= 0 && exact && fchmod(fd, mode) < 0)
                r = -errno;
        if (r >= 0 && fsync(fd) < 0)
                r = -errno;
        if (r >= 0 && renameat(dir_fd, tmp, dir_fd, name) < 0)
                r = -errno;
        if (r < 0) {
                (void) unlinkat(dir_fd, tmp, 0);
                return r;
        }
        return fsync(dir_fd) < 0 ? -errno : 0;
}

/**
 * file_replace_at() - write a file so that a crash leaves the old or the new one, never a part
 * @dir_fd: the directory, open for reading (it is flushed)
 * @name: file name in it, no slash
 * @mode: permission bits of the new file, before the umask
 *
 * Return: 0 or a negative errno; then the old file stands unchanged, unless flushing the directory was
 * what failed: then the new one is in its place, and a crash of the machine may bring the old one back.
 */
int file_replace_at(int dir_fd, const char *name, const void *data, size_t size, unsigned mode) {
        _cleanup_free_ char *tmp = NULL;

        if (asprintf(&tmp, ".#%s", name) < 0)
                return -ENOMEM;
        return replace(dir_fd, tmp, O_TRUNC, name, data, size, mode, false);
}

/**
 * file_publish_at() - as file_replace_at(), for files that others read
 * @mode: permission bits of the new file, whatever the umask is; nobody sees it with others
 *
 * The file on its way has a name that does not end as @name does: who looks for "*.prom" does not find half of one. The
 * folder may be somebody else's, who lays out there what he likes: so that name is a new one each time, and the file ours.
 * The price is one that stays when we are killed in between.
 *
 * Return: 0 or a negative errno.
 */
int file_publish_at(int dir_fd, const char *name, const void *data, size_t size, unsigned mode) {
        _cleanup_free_ char *tmp = NULL, *hex = NULL;
        uint8_t random[8];

        if (getrandom(random, sizeof(random), 0) != sizeof(random))
                return -EIO;
        hex = hex_encode(random, sizeof(random));
        if (!hex || asprintf(&tmp, ".#%s.%s~", name, hex) < 0)
                return -ENOMEM;
        return replace(dir_fd, tmp, O_EXCL, name, data, size, mode, true);
}

/**
 * file_copy() - copy from the present position of @fd_in to that of @fd_out until the end
 * @max: most bytes to accept
 * @ret_size: number of bytes copied; may be NULL
 *
 * Blocks as long as @fd_in does: where that is a stranger's file, call it in a child.
 *
 * Return: 0, -EFBIG for more than @max bytes, or another negative errno.
 */
int file_copy(int fd_in, int fd_out, uint64_t max, uint64_t *ret_size) {
        _cleanup_free_ uint8_t *buf = malloc(COPY_BLOCK);
        uint64_t total = 0;

        if (!buf)
                return -ENOMEM;
        for (;;) {
                ssize_t n = read_some(fd_in, buf, COPY_BLOCK);
                int r;

                if (n < 0)
                        return (int) n;
                if (n == 0)
                        break;
                total += (uint64_t) n;
                if (total > max)
                        return -EFBIG;
                r = file_write_all(fd_out, buf, (size_t) n);
                if (r < 0)
                        return r;
        }
        if (ret_size)
                *ret_size = total;
        return 0;
}
