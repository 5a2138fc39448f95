/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Programs are run with what they need in the environment and nothing else: a MAKEFLAGS, KCFLAGS or
 * LANG of the caller's would change the result. ^C ends the program, and we clean up, as system(3)
 * does it.
 */

#include "builder/run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "util/str.h"
#include "util/strv.h"

static int make_environment(char ***ret) {
        /* The proxies are for apt: some machines have them nowhere else. */
        static const char *const kept[] = { "PATH", "HOME", "TMPDIR", "http_proxy", "https_proxy", "no_proxy" };
        _cleanup_strv_free_ char **v = NULL;
        int r;

        r = strv_extend(&v, "LC_ALL=C");
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(kept); i++) {
                _cleanup_free_ char *s = NULL;

                if (!getenv(kept[i]))
                        continue;
                if (str_printf(&s, "%s=%s", kept[i], getenv(kept[i])) < 0)
                        return -ENOMEM;
                r = strv_extend(&v, s);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(v);
        return 0;
}

static _Noreturn void become(const Run *run, char *const *environment, int output) {
        (void) signal(SIGINT, SIG_DFL);
        (void) dup2(output, STDOUT_FILENO);
        (void) dup2(output, STDERR_FILENO);
        if (run->folder && chdir(run->folder) < 0)
                dprintf(STDERR_FILENO, "cannot go to '%s': %s\n", run->folder, strerror(errno));
        else {
                execvpe(run->arguments[0], run->arguments, environment);
                dprintf(STDERR_FILENO, "cannot run '%s': %s\n", run->arguments[0], strerror(errno));
        }
        _exit(127);
}

static int spawn(const Run *run, char *const *environment, pid_t *ret_pid, int *ret_fd) {
        int fds[2];
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        pid = fork();
        if (pid < 0) {
                int r = -errno;

                safe_close(fds[0]);
                safe_close(fds[1]);
                return r;
        }
        if (pid == 0)
                become(run, environment, fds[1]);
        safe_close(fds[1]);
        *ret_pid = pid;
        *ret_fd = fds[0];
        return 0;
}

static void read_lines(const Run *run, int fd) {
        _cleanup_fclose_ FILE *f = fdopen(fd, "r");
        _cleanup_free_ char *line = NULL;
        size_t room = 0;
        ssize_t n;

        if (!f) {
                safe_close(fd);
                return;
        }
        while ((n = getline(&line, &room, f)) >= 0) {
                if (n > 0 && line[n - 1] == '\n')
                        line[n - 1] = '\0';
                if (run->line)
                        run->line(line, run->userdata);
                else
                        fprintf(stderr, "%s\n", line);
        }
}

/**
 * run_program() - run one program to its end
 * @run: what
 *
 * Return: its exit status (127: it could not be run), -EINTR when a signal ended it, or another
 * negative errno.
 */
int run_program(const Run *run) {
        _cleanup_strv_free_ char **environment = NULL;
        int r, fd = -EBADF, status;
        void (*interrupt)(int);
        pid_t pid = 0;

        r = make_environment(&environment);
        if (r < 0)
                return r;
        interrupt = signal(SIGINT, SIG_IGN);
        r = spawn(run, environment, &pid, &fd);
        if (r == 0) {
                read_lines(run, fd);
                while ((r = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
                        ;
                r = r < 0 ? -errno : WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
        }
        (void) signal(SIGINT, interrupt);
        return r;
}
