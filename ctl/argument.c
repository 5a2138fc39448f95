/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An argument is an id or a file, and which of both must not depend on what happens to lie in the
 * current folder: `apply hp-1` means the same everywhere. So a file is what has a '/', ends in
 * .hpb, is '-' or cannot be an id.
 *
 * Files are opened here, with the rights of the person, and go to the daemon as descriptors.
 */

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "ctl/argument.h"
#include "util/file.h"
#include "util/limits.h"

/** argument_is_id() - [a-z0-9][a-z0-9._-]{0,63}, as org.hotpatch.Hotpatch1.xml has it */
bool argument_is_id(const char *arg) {
        static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";

        return *arg && strchr(first, *arg) &&
                strspn(arg, "abcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(arg) &&
                strlen(arg) <= HOTPATCH_ID_MAX;
}

/**
 * argument_check_ids() - do only ids follow the verb?
 * @argv: the verb, and what follows
 *
 * Return: an exit code; if it is not HOTPATCH_EXIT_OK, that was told.
 */
int argument_check_ids(char *const *argv) {
        for (char *const *arg = argv + 1; *arg; arg++)
                if (!argument_is_id(*arg))
                        return ctl_usage_of(*argv, "'%s' is not an id, see 'hotpatchctl list'", *arg);
        return HOTPATCH_EXIT_OK;
}

/** argument_is_file() - whether `apply` and `plan` take it as a file */
bool argument_is_file(const char *arg) {
        size_t n = strlen(arg);

        return strchr(arg, '/') || (n > 4 && streq(arg + n - 4, ".hpb")) || !argument_is_id(arg);
}

/* The daemon wants a regular file, and a pipe is none. */
static int copy_stdin(int *ret_fd, sd_bus_error *error) {
        _cleanup_close_ int fd = memfd_create("hotpatch-stdin", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return -errno;
        if (isatty(STDIN_FILENO))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleUnreadable"),
                        "Standard input is a terminal, not a bundle");
        r = file_copy(STDIN_FILENO, fd, HOTPATCH_BUNDLE_MAX, NULL);
        if (r == -EFBIG)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleTooLarge"),
                                "Standard input is longer than %llu bytes",
                                (unsigned long long) HOTPATCH_BUNDLE_MAX);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

/** argument_is_job() - is it a number that a job could have? */
bool argument_is_job(const char *arg) {
        return *arg && strspn(arg, "0123456789") == strlen(arg) && strlen(arg) <= strlen("4294967295");
}

/** argument_check_job() - as argument_check_ids(), for the one number of a job */
int argument_check_job(char *const *argv) {
        if (!argument_is_job(argv[1]))
                return ctl_usage_of(*argv, "'%s' is not the number of a job, see 'hotpatchctl status'", argv[1]);
        return HOTPATCH_EXIT_OK;
}

/**
 * argument_open() - open a bundle file for reading
 * @arg: its name, or "-" for standard input
 * @ret_fd: to be closed by the caller
 * @error: why not
 *
 * Return: 0 or a negative errno.
 */
int argument_open(const char *arg, int *ret_fd, sd_bus_error *error) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        if (streq(arg, "-"))
                return copy_stdin(ret_fd, error);
        fd = open(arg, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
                return sd_bus_error_setf(
                                error, SD_BUS_ERROR_FILE_NOT_FOUND, "There is no such file");
        if (fd < 0)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleUnreadable"),
                        "The file cannot be opened: %s", strerror(errno));
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return sd_bus_error_setf(error, HOTPATCH_ERROR("BundleUnreadable"),
                        "This is not a regular file");
        *ret_fd = TAKE_FD(fd);
        return 0;
}
