/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * hotpatch-check: run one check of the site's own, as hotpatch-check@NAME.service does during trials.
 *
 *     hotpatch-check NAME
 *
 * What the check says goes to the journal as it comes, and its end into /run/hotpatch/checks/NAME, for the reason
 * of a rollback. The exit status is the check's. A file that others than root can change is not run.
 *
 * The output is read until the check itself ends: what it left in the background may keep the pipe
 * open. There is no time limit here, the unit has one.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/check-name.h"
#include "util/file.h"

/* Exit statuses of the shell for what cannot be run. */
#define EXIT_CANNOT_RUN 126

/* The last bytes of the output. */
typedef struct Tail {
        char text[HOTPATCH_CHECK_OUTPUT_MAX];
        size_t n;
} Tail;

static void tail_add(Tail *t, const char *data, size_t size) {
        size_t room = sizeof(t->text);

        if (size >= room) {
                memcpy(t->text, data + size - room, room);
                t->n = room;
                return;
        }
        if (t->n + size > room) {
                memmove(t->text, t->text + t->n + size - room, room - size);
                t->n = room - size;
        }
        memcpy(t->text + t->n, data, size);
        t->n += size;
}

static void tail_write(const Tail *t, const char *name) {
        _cleanup_close_ int fd = -EBADF;

        (void) mkdir("/run/hotpatch", 0711);
        (void) mkdir("/" CHECKS_OUTPUT_DIRECTORY, 0700);
        fd = open("/" CHECKS_OUTPUT_DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || file_replace_at(fd, name, t->text, t->n, 0600) < 0)
                fprintf(stderr, "The end of the output cannot be kept, ignoring: %m\n");
}

/* Return: a descriptor of the executable, or a negative errno after saying why not. */
static int open_check(const char *name) {
        _cleanup_close_ int dir_fd = -EBADF, fd = -EBADF;
        struct stat st;
        int r;

        dir_fd = open("/" CHECKS_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0 || fstat(dir_fd, &st) < 0) {
                r = -errno;
                fprintf(stderr, "/" CHECKS_DIRECTORY " cannot be opened: %s\n", strerror(-r));
                return r;
        }
        if (!check_file_is_safe(&st)) {
                fprintf(stderr, "Others than root may write to /" CHECKS_DIRECTORY "\n");
                return -EPERM;
        }
        fd = openat(dir_fd, name, O_RDONLY); /* not close-on-exec: the interpreter of a script opens it */
        if (fd < 0 || fstat(fd, &st) < 0) {
                r = -errno;
                fprintf(stderr, "The check '%s' cannot be opened: %s\n", name, strerror(-r));
                return r;
        }
        if (!S_ISREG(st.st_mode) || !check_file_is_safe(&st)) {
                fprintf(stderr, "The check '%s' is not a file that only root can write\n", name);
                return -EPERM;
        }
        return TAKE_FD(fd);
}

static void run_check(int fd, const char *name, int output_fd) {
        char *argv[] = { (char *) name, NULL };
        extern char **environ;

        if (dup2(output_fd, STDOUT_FILENO) < 0 || dup2(output_fd, STDERR_FILENO) < 0)
                _exit(EXIT_CANNOT_RUN);
        (void) execveat(fd, "", argv, environ, AT_EMPTY_PATH);
        fprintf(stderr, "The check '%s' cannot be run: %m\n", name);
        _exit(EXIT_CANNOT_RUN);
}

/* Return: whether there may be more. */
static bool pass_on(int fd, Tail *t) {
        char buffer[4096];
        ssize_t n = read(fd, buffer, sizeof(buffer));

        if (n < 0)
                return errno == EINTR;
        if (n == 0)
                return false;
        tail_add(t, buffer, (size_t) n);
        (void) (file_write_all(STDOUT_FILENO, buffer, (size_t) n) < 0);
        return true;
}

static void follow(int fd, int pid_fd, Tail *t) {
        struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = pid_fd, .events = POLLIN } };
        bool open = true;

        for (;;) {
                if (poll(fds, ELEMENTSOF(fds), -1) < 0 && errno != EINTR)
                        return;
                if (open && fds[0].revents)
                        open = pass_on(fd, t);
                else if (fds[1].revents)
                        return; /* it has ended, and all is read that it said */
                if (!open)
                        fds[0].fd = -1;
                fds[0].revents = open ? fds[0].revents : 0;
        }
}

int main(int argc, char *argv[]) {
        _cleanup_close_ int fd = -EBADF, pid_fd = -EBADF;
        int pipe_fds[2], status;
        Tail tail = { .n = 0 };
        pid_t pid;

        if (argc != 2 || !check_name_is_valid(argv[1])) {
                fprintf(stderr, "Usage: hotpatch-check NAME\n"
                        "Run the check /" CHECKS_DIRECTORY "/NAME, see hotpatchd(8).\n");
                return EXIT_CANNOT_RUN;
        }
        fd = open_check(argv[1]);
        if (fd < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0)
                return EXIT_CANNOT_RUN;
        pid = fork();
        if (pid < 0)
                return EXIT_CANNOT_RUN;
        if (pid == 0)
                run_check(fd, argv[1], pipe_fds[1]);
        (void) close(pipe_fds[1]);
        pid_fd = pidfd_open(pid, 0);
        if (pid_fd >= 0)
                follow(pipe_fds[0], pid_fd, &tail);
        (void) close(pipe_fds[0]);
        if (waitpid(pid, &status, 0) < 0)
                return EXIT_CANNOT_RUN;
        tail_write(&tail, argv[1]);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
