/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * poll-file PATH SECONDS: wait for POLLPRI on a sysfs file as its man page says (read, poll, read again),
 * print what the file says at each wake, and how often it woke in that time, or until SIGTERM.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long long now_ms(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static volatile sig_atomic_t ended;

static void on_term(int number) {
        (void) number;
        ended = 1;
}

int main(int argc, char **argv) {
        char text[4096] = "";
        long long end, left;
        int fd, wakes = 0;
        ssize_t n;

        if (argc != 3)
                return 2;
        fd = open(argv[1], O_RDONLY);
        if (fd < 0) {
                perror(argv[1]);
                return 1;
        }
        end = now_ms() + atoi(argv[2]) * 1000LL;
        if (pread(fd, text, sizeof(text), 0) < 0)
                return 1;
        signal(SIGTERM, on_term);
        puts("waiting");
        fflush(stdout);
        while (!ended && (left = end - now_ms()) > 0) {
                struct pollfd p = { .fd = fd, .events = POLLPRI };

                /* In pieces: a signal just before poll() would not end it. */
                if (poll(&p, 1, left < 500 ? (int) left : 500) <= 0)
                        continue;
                wakes++;
                n = pread(fd, text, sizeof(text) - 1, 0);
                text[n > 0 ? n : 0] = '\0';
                fputs(text, stdout);
                fflush(stdout);
        }
        printf("wakes %d\n", wakes);
        return 0;
}
