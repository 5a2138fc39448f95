/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One process for each processor, busy with system calls: cheap ones, and reading /proc/version, whose function
 * the patch replaces. Ends when it is told to, or with a failure when an answer is not one of the two there are.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

static int hammer(void) {
        char buf[1024];

        for (;;) {
                ssize_t n;
                int fd;

                for (int i = 0; i < 100; i++)
                        (void) syscall(SYS_getpid);
                fd = open("/proc/version", O_RDONLY);
                n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));
                close(fd);
                if (n <= 0 || memcmp(buf, "Linux version ", 14) != 0)
                        return EXIT_FAILURE;
        }
}

int main(void) {
        long n = sysconf(_SC_NPROCESSORS_ONLN);
        int status;

        for (long i = 0; i < n; i++)
                if (fork() == 0) {
                        prctl(PR_SET_PDEATHSIG, SIGKILL);
                        _exit(hammer());
                }
        (void) wait(&status);
        return EXIT_FAILURE;
}
