/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hotpatchd as it is, on a made-up machine: everything below --root DIR, and a kernel that is played by
 * files there. Only the two system calls are ours; transitions are played by tests/bus/hotpatchtest.py,
 * which watches the same files. Not installed: the product has no way to be told another root.
 *
 *   DIR/fake/insert-errno   what loading fails with (a number); no file: it works
 *   DIR/fake/insert-errno-NAME  the same for one module
 *   DIR/fake/insert-msec    how long loading takes
 *   DIR/fake/insert-hangs   loading does not come back while this is there
 *   DIR/fake/remove-errno   what unloading fails with
 *   DIR/fake/power-disk     a disk and an offset on it: which module is loaded or unloaded is written there first, so
 *                           that it stands in the log of the disk, for tests/faults/power-replay.py
 *   DIR/fake/hold           the name of a file: who opens it waits until fake/hold is gone, and says so by fake/held
 *   DIR/fake/open-fails     a number and the name of a file: opening that fails so often with EIO
 *   DIR/fake/kmsg/          if it is there, the kernel log: `log` has all records so far, and each one who opens
 *                           /dev/kmsg gets a pipe of its own, N, which begins with these and wakes him up for more
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/service.h"
#include "dbus/errors.h"
#include "restore/restore.h"
#include "tests/faults/fault-marks.h"
#include "tests/faults/replay.h"
#include "util/file.h"

static int read_number(int root_fd, const char *path) {
        _cleanup_free_ char *line = NULL;

        return file_read_line_at(root_fd, path, &line) < 0 ? 0 : atoi(line);
}

static int write_file(int root_fd, const char *directory, const char *name, const char *text) {
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;

        if (asprintf(&path, "%s/%s", directory, name) < 0)
                return -ENOMEM;
        fd = openat(root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        return fd < 0 ? -errno : file_write_all(fd, text, strlen(text));
}

/* What the kernel makes of a livepatch module: it is live and its transition has begun. */
static int make_module(int root_fd, const char *name) {
        _cleanup_free_ char *module = NULL, *made = NULL, *patch = NULL;

        if (asprintf(&module, "sys/module/%s", name) < 0 || asprintf(&made, "fake/new-%s", name) < 0 ||
            asprintf(&patch, "sys/kernel/livepatch/%s", name) < 0)
                return -ENOMEM;
        if (mkdirat(root_fd, module, 0755) < 0)
                return -errno;
        if (write_file(root_fd, module, "initstate", "coming\n") < 0 ||
            write_file(root_fd, module, "refcnt", "1\n") < 0 || mkdirat(root_fd, made, 0755) < 0 ||
            write_file(root_fd, made, "enabled", "1\n") < 0 ||
            write_file(root_fd, made, "transition", "1\n") < 0)
                return -EIO;
        if (renameat(root_fd, made, root_fd, patch) < 0)
                return -errno;
        return write_file(root_fd, module, "initstate", "live\n");
}

/* What follows, up to the end of the kernel's work, is one system call for tests/faults/fault-tracer.c.
 * Return: 0, or what that one was made to fail with. */
static int enter_kernel(unsigned mark) {
        return syscall(SYS_close, mark) < 0 && errno != EBADF ? -errno : 0;
}

/* In a process of its own: nobody kills a kernel in the middle of a system call. */
static int in_kernel(unsigned mark, int (*function)(void *userdata, const char *argument), void *userdata,
                const char *argument) {
        int r = enter_kernel(mark), status = 0;
        pid_t pid;

        if (r < 0)
                return r;
        pid = fork();
        if (pid == 0)
                _exit(-function(userdata, argument));
        r = pid < 0 || waitpid(pid, &status, 0) < 0 ? -errno : -WEXITSTATUS(status);
        (void) syscall(SYS_close, FAULT_LEAVE);
        return r;
}

static int tell_power_disk(int root_fd, const char *name) {
        _cleanup_free_ char *where = NULL, *sector = NULL;
        _cleanup_close_ int fd = -EBADF;
        char path[256];
        long offset;

        if (file_read_line_at(root_fd, "fake/power-disk", &where) < 0)
                return 0;
        if (sscanf(where, "%255s %ld", path, &offset) != 2 || posix_memalign((void **) &sector, 4096, 4096) != 0)
                return -EINVAL;
        memset(sector, 0, 4096);
        snprintf(sector, 4096, REPLAY_MARK_KERNEL "%s\n", name);
        fd = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
        return fd < 0 || pwrite(fd, sector, 4096, offset) != 4096 ? -EIO : 0;
}

static int do_insert(void *userdata, const char *path) {
        int root_fd = *(int *) userdata;
        _cleanup_free_ char *name = strdup(strrchr(path, '/') + 1), *own = NULL;
        int r = read_number(root_fd, "fake/insert-errno");

        if (access(path, R_OK) < 0)
                return -errno;
        if (r > 0)
                return -r;
        *strrchr(name, '.') = 0;
        if (tell_power_disk(root_fd, name) < 0)
                return -EIO;
        if (asprintf(&own, "fake/insert-errno-%s", name) < 0)
                return -ENOMEM;
        r = read_number(root_fd, own);
        return r > 0 ? -r : make_module(root_fd, name);
}

static int fake_insert(void *userdata, const char *path) {
        int msec = read_number(*(int *) userdata, "fake/insert-msec");

        (void) nanosleep(&(struct timespec) { msec / 1000, msec % 1000 * 1000000L }, NULL);
        while (faccessat(*(int *) userdata, "fake/insert-hangs", F_OK, 0) >= 0)
                (void) nanosleep(&(struct timespec) { .tv_nsec = 5000000L }, NULL);
        return in_kernel(FAULT_INSERT, do_insert, userdata, path);
}

static int do_remove(void *userdata, const char *name) {
        int root_fd = *(int *) userdata, r = read_number(root_fd, "fake/remove-errno");
        _cleanup_free_ char *refcnt = NULL, *module = NULL, *gone = NULL;

        if (r > 0)
                return -r;
        if (asprintf(&refcnt, "sys/module/%s/refcnt", name) < 0 ||
            asprintf(&module, "sys/module/%s", name) < 0 ||
            asprintf(&gone, "fake/removed-%s-%d", name, getpid()) < 0)
                return -ENOMEM;
        if (tell_power_disk(root_fd, name) < 0)
                return -EIO;
        if (read_number(root_fd, refcnt) != 0)
                return -EWOULDBLOCK;
        return renameat(root_fd, module, root_fd, gone) < 0 ? -errno : 0;
}

static int fake_remove(void *userdata, const char *name) {
        return in_kernel(FAULT_REMOVE, do_remove, userdata, name);
}

/* hotpatch-restore as it is, on the same machine. */
static int be_restore(const char *root, const char *what, const ModuleOps *ops, int *root_fd) {
        int r = hotpatch_errors_register();

        if (r < 0)
                return r;
        if (streq(what, "--check"))
                return restore_check(root, ops, root_fd);
        return streq(what, "--clean") ? restore_mark_clean(root) : restore_run(root, ops, root_fd);
}

/* --- /dev/kmsg: every reader has his own place in it, which neither a file nor one pipe can play --- */

int __real_openat64(int dir_fd, const char *path, int flags, ...);
int __wrap_openat64(int dir_fd, const char *path, int flags, ...);
off_t __real_lseek64(int fd, off_t offset, int whence);
off_t __wrap_lseek64(int fd, off_t offset, int whence);

static int open_log(int root_fd) {
        static unsigned n;
        _cleanup_free_ void *records = NULL;
        char path[64];
        size_t size;
        int fd;

        snprintf(path, sizeof(path), "fake/kmsg/%d-%u", (int) getpid(), n++);
        if (mkfifoat(root_fd, path, 0600) < 0)
                return -1;
        fd = __real_openat64(root_fd, path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        /* What is written meanwhile comes twice, and is dropped by its number. */
        if (fd >= 0 && file_read_at(root_fd, "fake/kmsg/log", 1 << 16, &records, &size) >= 0)
                (void) (file_write_all(fd, records, size) < 0);
        return fd;
}

static int machine_fd = -EBADF;

static void hold(const char *path) {
        _cleanup_free_ char *held = NULL;

        if (file_read_line_at(machine_fd, "fake/hold", &held) < 0 || !streq(held, path))
                return;
        (void) (write_file(machine_fd, "fake", "held", "") < 0);
        while (faccessat(machine_fd, "fake/hold", F_OK, 0) >= 0)
                (void) nanosleep(&(struct timespec) { .tv_nsec = 1000000L }, NULL);
}

static bool open_fails(const char *path) {
        _cleanup_free_ char *line = NULL;
        _cleanup_free_ char *rest = NULL;
        unsigned long n;
        char *name;

        if (file_read_line_at(machine_fd, "fake/open-fails", &line) < 0)
                return false;
        n = strtoul(line, &name, 10);
        if (*name != ' ' || !streq(name + 1, path))
                return false;
        if (n <= 1)
                return unlinkat(machine_fd, "fake/open-fails", 0) >= 0;
        return asprintf(&rest, "%lu %s\n", n - 1, path) >= 0 && write_file(machine_fd, "fake", "open-fails", rest) >= 0;
}

int __wrap_openat64(int dir_fd, const char *path, int flags, ...) {
        mode_t mode = 0;
        va_list ap;

        va_start(ap, flags);
        if (flags & (O_CREAT | __O_TMPFILE))
                mode = va_arg(ap, mode_t);
        va_end(ap);
        if (machine_fd >= 0 && *path != '/' && !startswith(path, "fake/"))
                hold(path);
        if (machine_fd >= 0 && *path != '/' && !startswith(path, "fake/") && open_fails(path)) {
                errno = EIO;
                return -1;
        }
        if (streq(path, "dev/kmsg") && faccessat(dir_fd, "fake/kmsg", F_OK, 0) >= 0)
                return open_log(dir_fd);
        return __real_openat64(dir_fd, path, flags, mode);
}

off_t __wrap_lseek64(int fd, off_t offset, int whence) {
        char buffer[4096];
        struct stat st;

        if (whence != SEEK_END || fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
                return __real_lseek64(fd, offset, whence);
        while (read(fd, buffer, sizeof(buffer)) > 0)
                ;
        return 0;
}

int main(int argc, char *argv[]) {
        static const ModuleOps ops = { .insert = fake_insert, .remove = fake_remove };
        int root_fd;

        if (argc < 3 || argc > 4 || !streq(argv[1], "--root")) {
                fprintf(stderr, "Usage: %s --root DIR [--restore|--check|--clean]\n", argv[0]);
                return EXIT_FAILURE;
        }
        root_fd = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (root_fd < 0) {
                fprintf(stderr, "%s: %m\n", argv[2]);
                return EXIT_FAILURE;
        }
        machine_fd = root_fd;
        if (argc == 4)
                return be_restore(argv[2], argv[3], &ops, &root_fd) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        return service_run(argv[2], &ops, &root_fd) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
