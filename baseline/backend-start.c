/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The backend as a process. It is a shell script as a rule, which has no parser for JSON: so it gets its request as arguments
 * and environment, from nobody but us, and the journal as its standard error. It leads a process group of its own, so
 * that it can be ended with all that it has started.
 *
 * The lock is the runner's alone: closing any descriptor of it in this process would end it, and a backend that
 * outlives us must not hold it. All of ours are close-on-exec.
 */

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "baseline/backend-start.h"
#include "util/strv.h"

/* NAME=VERSION of each package, after the path and the verb; names and versions hold no '='. */
static int make_arguments(const RunRequest *request, const char *path, char ***ret) {
        _cleanup_strv_free_ char **arguments = NULL;
        int r;

        r = strv_extend(&arguments, path);
        if (r >= 0)
                r = strv_extend(&arguments, run_verb_to_string(request->verb));
        for (size_t i = 0; r >= 0 && i < request->n_packages; i++) {
                const RunPackage *p = &request->packages[i];

                r = strv_extendf(&arguments, "%s=%s", p->name, p->version);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(arguments);
        return 0;
}

static int make_environment(const RunRequest *request, char ***ret) {
        _cleanup_strv_free_ char **environment = NULL;
        const struct { const char *name, *value; } variables[] = {
                { "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
                { "LC_ALL", "C.UTF-8" }, /* what it says is read by a program */
                { "HOME", "/root" },
                { "HOTPATCH_BASELINE", request->baseline },
                { "HOTPATCH_KERNEL", request->kernel },
                /* How repositories are reached, from a drop-in of the unit or systemd-system.conf(5) */
                { "http_proxy", getenv("http_proxy") },
                { "https_proxy", getenv("https_proxy") },
                { "ftp_proxy", getenv("ftp_proxy") },
                { "all_proxy", getenv("all_proxy") },
                { "no_proxy", getenv("no_proxy") },
        };
        int r = strv_extendf(&environment, "HOTPATCH_LOCK_TIMEOUT=%u", request->lock_timeout_sec);

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(variables); i++)
                if (variables[i].value)
                        r = strv_extendf(&environment, "%s=%s", variables[i].name, variables[i].value);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(environment);
        return 0;
}

/* In the child; async-signal-safe calls only, and it never returns. */
static void child(char *const *arguments, char *const *environment, int input_fd, int output_fd) {
        sigset_t none;

        sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) setpgid(0, 0);
        (void) umask(0022); /* what packages expect */
        if (dup2(input_fd, STDIN_FILENO) >= 0 && dup2(output_fd, STDOUT_FILENO) >= 0)
                execve(arguments[0], arguments, environment);
        _exit(127);
}

/**
 * backend_start() - start a backend with what it is asked for
 * @path: of its program
 * @request: goes to its arguments and environment
 * @ret_pid: of the child, which leads a process group of its own
 * @ret_output_fd: what it says; ends with it and with all that it has started
 *
 * Return: 0 or a negative errno.
 */
int backend_start(const char *path, const RunRequest *request, pid_t *ret_pid, int *ret_output_fd) {
        _cleanup_strv_free_ char **arguments = NULL, **environment = NULL;
        _cleanup_close_ int input_fd = -EBADF, read_fd = -EBADF, write_fd = -EBADF;
        int fds[2], r;
        pid_t pid;

        r = make_arguments(request, path, &arguments);
        if (r >= 0)
                r = make_environment(request, &environment);
        if (r < 0)
                return r;
        input_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (input_fd < 0 || pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        read_fd = fds[0];
        write_fd = fds[1];
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                child(arguments, environment, input_fd, write_fd);
        /* In both, so that it is so for both; EACCES: it runs already, and has done it. */
        (void) setpgid(pid, pid);
        *ret_pid = pid;
        *ret_output_fd = TAKE_FD(read_fd);
        return 0;
}
