/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What others see while a command patches the kernel; for a guest of tools/bench:
 *
 *     bench-guest effective FILE WORD COMMAND…    prints "OLD NEW TOTAL"
 *     bench-guest pause COMMAND…                  prints "PAUSE TOTAL"
 *
 * All in milliseconds; TOTAL is the command's.
 *
 * effective: from the start of COMMAND until FILE was first seen with WORD in it, and at no look after that
 * without. OLD is seen by processes that are there before and sleep until their only look, one every 20 ms:
 * none of them is anything but idle when the kernel comes for it. NEW is seen by processes that are forked
 * and executed one after the other.
 *
 * pause: the longest time between two looks at the clock of a process that does nothing else, on the second
 * processor, while COMMAND runs on the first. With sleep(1) for a command that is the quiet machine. What
 * else there is in the guest is kept off the second processor by in-guest.
 */

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/base.h"

#define OLD_MAX 250
#define OLD_STEP_USEC (20 * USEC_PER_SEC / 1000)
#define NEW_MAX 4000
#define NEW_PAUSE_USEC 5000
/* Until those that sleep do, and the spinner spins. */
#define SETTLE_USEC (USEC_PER_SEC / 2)

typedef struct Look {
        uint64_t at; /* its end; 0: not made */
        bool right;
} Look;

/* Shared by all processes. */
typedef struct Board {
        Look old[OLD_MAX];
        Look new[NEW_MAX];
        volatile uint64_t pause;
        volatile bool counting, over;
} Board;

static uint64_t now_usec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * USEC_PER_SEC + (uint64_t) t.tv_nsec / 1000;
}

static void sleep_until(uint64_t usec) {
        const struct timespec t = {
                .tv_sec = (time_t) (usec / USEC_PER_SEC),
                .tv_nsec = (long) (usec % USEC_PER_SEC) * 1000,
        };

        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
                ;
}

static _Noreturn void die(const char *what) {
        perror(what);
        exit(EXIT_FAILURE);
}

/* Return: 0 in the child, which does not outlive the parent. */
static pid_t fork_child(void) {
        pid_t pid = fork();

        if (pid < 0)
                die("fork");
        if (pid == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                die("prctl");
        return pid;
}

static void pin(int processor) {
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(processor, &set);
        if (sched_setaffinity(0, sizeof(set), &set) < 0)
                die("sched_setaffinity");
}

/* Return: milliseconds that the command took; it has to succeed. */
static double run(char *argv[]) {
        uint64_t begun = now_usec();
        pid_t pid = fork_child();
        int status;

        if (pid == 0) {
                execvp(argv[0], argv);
                die(argv[0]);
        }
        if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
                fprintf(stderr, "bench-guest: %s failed\n", argv[0]);
                exit(EXIT_FAILURE);
        }
        return (double) (now_usec() - begun) / 1000;
}

/* --- effective --- */

static bool look(const char *path, const char *word) {
        char text[8192];
        FILE *f = fopen(path, "re");
        size_t n;

        if (!f)
                die(path);
        n = fread(text, 1, sizeof(text) - 1, f);
        fclose(f);
        text[n] = 0;
        return strstr(text, word);
}

static _Noreturn void be_old(Look *row, uint64_t at, const char *path, const char *word) {
        bool right;

        sleep_until(at);
        right = look(path, word);
        *row = (Look) { .at = now_usec(), .right = right };
        _exit(EXIT_SUCCESS);
}

static _Noreturn void make_new(Board *board, const char *path, const char *word) {
        bool right = false;

        for (size_t i = 0; i < NEW_MAX && !(board->over && right); i++) {
                pid_t pid = fork_child();
                int status;

                if (pid == 0) {
                        execl("/proc/self/exe", "bench-guest", "look", path, word, NULL);
                        die("bench-guest");
                }
                if (waitpid(pid, &status, 0) < 0)
                        die("waitpid");
                right = WIFEXITED(status) && WEXITSTATUS(status) == 0;
                board->new[i] = (Look) { .at = now_usec(), .right = right };
                usleep(NEW_PAUSE_USEC);
        }
        _exit(EXIT_SUCCESS);
}

/* Return: milliseconds from @begun to the first look that was right and that no wrong one came after. */
static double first_right(const Look *looks, size_t n, uint64_t begun, const char *what) {
        uint64_t wrong = 0, right = 0;

        for (size_t i = 0; i < n; i++)
                if (looks[i].at != 0 && !looks[i].right && looks[i].at > wrong)
                        wrong = looks[i].at;
        for (size_t i = 0; i < n; i++)
                if (looks[i].right && looks[i].at > wrong && (right == 0 || looks[i].at < right))
                        right = looks[i].at;
        if (right == 0 || wrong == 0) {
                fprintf(stderr, "bench-guest: the %s processes saw no change\n", what);
                exit(EXIT_FAILURE);
        }
        return (double) (right - begun) / 1000;
}

static int effective(Board *board, char *argv[]) {
        uint64_t begun = now_usec() + SETTLE_USEC;
        double total;

        for (size_t i = 0; i < OLD_MAX; i++)
                if (fork_child() == 0)
                        be_old(&board->old[i], begun + i * OLD_STEP_USEC, argv[0], argv[1]);
        if (fork_child() == 0)
                make_new(board, argv[0], argv[1]);
        sleep_until(begun);
        begun = now_usec();
        total = run(argv + 2);
        board->over = true;
        while (wait(NULL) > 0)
                ;
        printf("%.1f %.1f %.1f\n", first_right(board->old, OLD_MAX, begun, "old"),
                first_right(board->new, NEW_MAX, begun, "new"), total);
        return EXIT_SUCCESS;
}

/* --- pause --- */

static _Noreturn void spin(Board *board) {
        uint64_t last;

        pin(1);
        last = now_usec();
        while (!board->over) {
                uint64_t now = now_usec();

                if (board->counting && now - last > board->pause)
                        board->pause = now - last;
                last = now;
        }
        _exit(EXIT_SUCCESS);
}

static int longest_pause(Board *board, char *argv[]) {
        double total;

        if (fork_child() == 0)
                spin(board);
        pin(0);
        sleep_until(now_usec() + SETTLE_USEC);
        board->counting = true;
        total = run(argv);
        board->counting = false;
        board->over = true;
        (void) wait(NULL);
        printf("%.2f %.1f\n", (double) board->pause / 1000, total);
        return EXIT_SUCCESS;
}

int main(int argc, char *argv[]) {
        Board *board;

        if (argc == 4 && streq(argv[1], "look"))
                return look(argv[2], argv[3]) ? EXIT_SUCCESS : EXIT_FAILURE;
        board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (board == MAP_FAILED)
                die("mmap");
        if (argc > 4 && streq(argv[1], "effective"))
                return effective(board, argv + 2);
        if (argc > 2 && streq(argv[1], "pause"))
                return longest_pause(board, argv + 2);
        fprintf(stderr, "usage: bench-guest effective FILE WORD COMMAND...\n       bench-guest pause COMMAND...\n");
        return 2;
}
