/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The load directory of a job. libkmod takes a module by its path and its name from the file name, so
 * the verified copy has to have a name somewhere; it has one where only root can look, for as long as
 * its job runs. The folders are flat: files and nothing else.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/loaddir.h"
#include "daemon/rundir.h"
#include "util/file.h"
#include "util/str.h"

static const char load_dir[] = "run/hotpatch/load";

static int make_parents(int root_fd) {
        _cleanup_close_ int run_fd = rundir_open(root_fd);

        if (run_fd < 0)
                return run_fd;
        return mkdirat(root_fd, load_dir, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_load_dir(int root_fd) {
        int fd = openat(root_fd, load_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

static bool is_dot(const char *name) {
        return streq(name, ".") || streq(name, "..");
}

static void remove_at(int load_fd, const char *name) {
        _cleanup_closedir_ DIR *d = NULL;

        if (directory_open_at(load_fd, name, O_NOFOLLOW, &d) < 0) {
                (void) unlinkat(load_fd, name, 0);
                return;
        }
        for (struct dirent *e; (e = readdir(d));)
                if (!is_dot(e->d_name))
                        (void) unlinkat(dirfd(d), e->d_name, 0);
        (void) unlinkat(load_fd, name, AT_REMOVEDIR);
}

/**
 * loaddir_make() - make a new, empty load directory
 * @root_fd: the root directory
 * @name: name of the folder; one that is left over from before is removed first
 * @ret_fd: the folder
 *
 * Return: 0 or a negative errno.
 */
int loaddir_make(int root_fd, const char *name, int *ret_fd) {
        _cleanup_close_ int load_fd = -EBADF;
        int fd, r;

        r = make_parents(root_fd);
        if (r < 0)
                return r;
        load_fd = open_load_dir(root_fd);
        if (load_fd < 0)
                return load_fd;
        remove_at(load_fd, name);
        if (mkdirat(load_fd, name, 0700) < 0)
                return -errno;
        fd = openat(load_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        *ret_fd = fd;
        return 0;
}

/** loaddir_remove() - remove a load directory and what is in it */
void loaddir_remove(int root_fd, const char *name) {
        _cleanup_close_ int load_fd = open_load_dir(root_fd);

        if (load_fd >= 0)
                remove_at(load_fd, name);
}

/** loaddir_clear() - remove what daemons before this one left behind */
void loaddir_clear(int root_fd) {
        _cleanup_closedir_ DIR *d = NULL;

        if (directory_open_at(root_fd, load_dir, O_NOFOLLOW, &d) < 0)
                return;
        for (struct dirent *e; (e = readdir(d));)
                if (!is_dot(e->d_name))
                        remove_at(dirfd(d), e->d_name);
}

/** loaddir_module_path() - path of a module in a load directory; NULL without memory */
char *loaddir_module_path(const char *root, const char *name, const char *module) {
        char *path;

        return str_printf(&path, "%s/%s/%s/%s.ko", streq(root, "/") ? "" : root, load_dir, name, module) < 0
                ? NULL : path;
}

/**
 * loaddir_next_number() - a job number that was not used since the machine booted
 * @root_fd: the root directory
 * @last: the last one this daemon gave
 *
 * A client that waits for job 7 must not be told about another job 7 of a daemon that was started
 * in between. Without a writable /run the numbers are only unique in this daemon.
 */
uint32_t loaddir_next_number(int root_fd, uint32_t last) {
        _cleanup_close_ int fd = -EBADF;
        _cleanup_free_ char *line = NULL;
        char number[16];
        unsigned long stored = 0;

        fd = rundir_open(root_fd);
        if (fd < 0)
                return last + 1;
        if (file_read_line_at(fd, "last-job", &line) >= 0)
                stored = strtoul(line, NULL, 10);
        if (stored > last && stored < UINT32_MAX)
                last = (uint32_t) stored;
        snprintf(number, sizeof(number), "%u\n", ++last);
        if (file_replace_at(fd, "last-job", number, strlen(number), 0600) < 0)
                return last; /* the next daemon may repeat it; no reason not to work */
        return last;
}
