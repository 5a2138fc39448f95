/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Lets a process and its children run up to their N-th system call, and there kills them or has that
 * one call fail.
 *
 *   fault-tracer PID N KIND
 *   fault-tracer - N KIND COMMAND…
 *
 * strace(1) can inject too, but its `when=` counts each system call of each process for itself: the N-th
 * openat of every child. Here all calls of all processes are counted in one row, in the order in which
 * they happen, so that N = 1, 2, 3… comes past every one of them.
 *
 *   before    SIGKILL to the first process when somebody enters call N; the kernel then does not begin it
 *   after     the same when call N is done, before the program sees the result
 *   worker    SIGKILL to the one that enters call N, unless that is the first process: a child dies alone
 *   ENAME     call N is not made and fails with that error
 *   count     nothing
 *
 * Output: "ready", then "call N ROLE NUMBER" at the call in question, and "count N" at SIGTERM, when the
 * processes are let go. ROLE is `daemon` for the first process and `child` for any other.
 *
 * The made-up kernel of hotpatchd-test is code in the child; what it does counts as the one system call
 * that it stands for, see FAULT_* in tests/bus/hotpatchd-test.c. While somebody is in there nobody is
 * killed: finit_module(2) does not stop halfway for a signal either.
 *
 * For x86-64: making a call fail needs its registers.
 */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/faults/fault-marks.h"


#define TRACEES_MAX 64
#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
                 PTRACE_O_TRACEEXIT)

typedef enum Kind {
        KIND_COUNT,
        KIND_BEFORE,
        KIND_AFTER,
        KIND_WORKER,
        KIND_ERROR,
} Kind;

typedef struct Tracee {
        pid_t pid;
        bool in_kernel; /* between the marks of the made-up kernel */
        bool fails;     /* its call has been taken away, the result is still to be set */
        bool held;      /* stopped until nobody is in the kernel */
        bool known;     /* its parent has told of it */
        bool waiting;   /* stopped until its parent has */
} Tracee;

static struct {
        Kind kind;
        int error;
        unsigned long point, count;
        pid_t first;     /* the daemon */
        pid_t after;     /* kill when this one leaves its call */
        bool over;       /* the point has come: nobody is looked at any more */
        bool kill_soon;  /* the point has come, somebody is in the kernel */
        Tracee tracees[TRACEES_MAX];
} t;

static volatile sig_atomic_t asked_to_end;

static void on_term(int signal_number) {
        (void) signal_number;
        asked_to_end = 1;
}

static _Noreturn void die(const char *what) {
        perror(what);
        exit(EXIT_FAILURE);
}

static Tracee *find(pid_t pid) {
        Tracee *free_one = NULL;

        for (size_t i = 0; i < TRACEES_MAX; i++) {
                if (t.tracees[i].pid == pid)
                        return &t.tracees[i];
                if (t.tracees[i].pid == 0 && !free_one)
                        free_one = &t.tracees[i];
        }
        if (!free_one) {
                errno = EMFILE;
                die("fault-tracer");
        }
        *free_one = (Tracee) { .pid = pid };
        return free_one;
}

static bool somebody_in_kernel(void) {
        for (size_t i = 0; i < TRACEES_MAX; i++)
                if (t.tracees[i].pid != 0 && t.tracees[i].in_kernel)
                        return true;
        return false;
}

static void go_on(pid_t pid, int signal_number) {
        (void) ptrace(t.over ? PTRACE_CONT : PTRACE_SYSCALL, pid, NULL, signal_number);
}

/* The children have asked to die with the daemon. */
static void kill_daemon(void) {
        t.over = true;
        t.kill_soon = false;
        (void) kill(t.first, SIGKILL);
        for (size_t i = 0; i < TRACEES_MAX; i++)
                if (t.tracees[i].held) {
                        t.tracees[i].held = false;
                        go_on(t.tracees[i].pid, 0);
                }
}

/* Return: whether @tracee stays stopped for now. */
static bool kill_when_possible(Tracee *tracee) {
        t.kill_soon = true;
        if (somebody_in_kernel()) {
                tracee->held = true;
                return true;
        }
        kill_daemon();
        return false;
}

static void take_call_away(pid_t pid) {
        if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), -1L) < 0)
                die("PTRACE_POKEUSER");
}

static void set_result(pid_t pid, long result) {
        if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), result) < 0)
                die("PTRACE_POKEUSER");
}

/* The kernel knows no failure of these: brk(2) answers with the old break, and what is in an epoll set can always
 * be taken out of it. Libraries count on that. */
static bool cannot_fail(const struct __ptrace_syscall_info *info) {
        static const unsigned long numbers[] = {
                SYS_brk, SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
                SYS_umask, SYS_rt_sigreturn, SYS_exit, SYS_exit_group
        };

        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                if (info->entry.nr == numbers[i])
                        return true;
        return info->entry.nr == SYS_epoll_ctl && info->entry.args[1] == EPOLL_CTL_DEL;
}

static bool at_point(Tracee *tracee, unsigned long number, const struct __ptrace_syscall_info *info) {
        printf("call %lu %s %lu\n", t.count, tracee->pid == t.first ? "daemon" : "child", number);
        switch (t.kind) {
        case KIND_BEFORE:
                tracee->in_kernel = false;
                return kill_when_possible(tracee);
        case KIND_AFTER:
                t.after = tracee->pid;
                return false;
        case KIND_WORKER:
                t.over = true;
                if (tracee->pid != t.first)
                        (void) kill(tracee->pid, SIGKILL);
                return false;
        case KIND_ERROR:
                if (cannot_fail(info)) {
                        t.over = true;
                        return false;
                }
                take_call_away(tracee->pid);
                tracee->fails = true;
                tracee->in_kernel = false;
                return false;
        default:
                return false;
        }
}

static bool on_entry(Tracee *tracee, const struct __ptrace_syscall_info *info) {
        unsigned long number = info->entry.nr;
        bool mark = number == SYS_close && (info->entry.args[0] & FAULT_MARK) == FAULT_MARK;

        if (mark && info->entry.args[0] == FAULT_LEAVE)
                return false;
        if (tracee->in_kernel || t.kill_soon)
                return false;
        if (mark) {
                tracee->in_kernel = true;
                number = info->entry.args[0] == FAULT_INSERT ? SYS_finit_module : SYS_delete_module;
        }
        return ++t.count == t.point ? at_point(tracee, number, info) : false;
}

static bool on_exit_of_call(Tracee *tracee, bool left) {
        if (tracee->fails) {
                set_result(tracee->pid, -t.error);
                tracee->fails = false;
                t.over = true;
                return false;
        }
        if (left)
                tracee->in_kernel = false;
        if (t.after == tracee->pid && !tracee->in_kernel) {
                t.after = 0;
                return kill_when_possible(tracee);
        }
        if (t.kill_soon && !somebody_in_kernel())
                kill_daemon();
        return false;
}

/* The exit does not say which call it is of: the mark is remembered from its entry. */
static bool on_syscall(Tracee *tracee) {
        static pid_t leaving;
        struct __ptrace_syscall_info info;
        bool left;

        if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->pid, sizeof(info), &info) < 0)
                return false; /* killed meanwhile */
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
                if (info.entry.nr == SYS_close && info.entry.args[0] == FAULT_LEAVE)
                        leaving = tracee->pid;
                return on_entry(tracee, &info);
        }
        left = leaving == tracee->pid;
        if (left)
                leaving = 0;
        return on_exit_of_call(tracee, left);
}

static void on_gone(pid_t pid) {
        Tracee *tracee = find(pid);

        *tracee = (Tracee) {};
        if (t.after == pid || (t.kill_soon && !somebody_in_kernel()))
                kill_daemon();
}

/* The first stop of a child and its parent's word of it come in any order. A child that somebody has made in
 * the kernel is the kernel: it is there until it ends. */
static void on_fork(const Tracee *parent) {
        unsigned long pid;
        Tracee *child;

        if (ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &pid) < 0)
                return;
        child = find((pid_t) pid);
        child->known = true;
        child->in_kernel = parent->in_kernel;
        if (child->waiting)
                go_on(child->pid, 0);
        child->waiting = false;
}

static void on_stop(pid_t pid, int status) {
        Tracee *tracee = find(pid);
        int signal_number = WSTOPSIG(status);

        if (signal_number == (SIGTRAP | 0x80)) {
                if (t.over && !tracee->fails)
                        go_on(pid, 0);
                else if (!on_syscall(tracee))
                        go_on(pid, 0);
                return;
        }
        if (status >> 16 == PTRACE_EVENT_EXIT) {
                /* Nobody may see that it is traced: its pidfd becomes readable when it has ended, but waitid(2)
                 * shows it to the parent only after us, and sd-event looks no second time. */
                on_gone(pid);
                (void) ptrace(PTRACE_DETACH, pid, NULL, NULL);
                return;
        }
        if (status >> 16 == PTRACE_EVENT_STOP && !tracee->known) {
                tracee->waiting = true;
                return;
        }
        if (status >> 16 == PTRACE_EVENT_FORK || status >> 16 == PTRACE_EVENT_CLONE)
                on_fork(tracee);
        go_on(pid, status >> 16 != 0 ? 0 : signal_number);
}

static void trace(void) {
        while (!asked_to_end || t.kill_soon || t.after != 0) {
                int status;
                pid_t pid = waitpid(-1, &status, __WALL);

                if (pid < 0 && errno == EINTR)
                        continue;
                if (pid < 0)
                        break;
                if (WIFSTOPPED(status))
                        on_stop(pid, status);
                else
                        on_gone(pid);
        }
        printf("count %lu\n", t.count);
}

static void parse_kind(const char *word) {
        static const struct {
                const char *name;
                Kind kind;
                int error;
        } kinds[] = {
                { "count", KIND_COUNT, 0 },
                { "before", KIND_BEFORE, 0 },
                { "after", KIND_AFTER, 0 },
                { "worker", KIND_WORKER, 0 },
                { "EIO", KIND_ERROR, EIO },
                { "ENOSPC", KIND_ERROR, ENOSPC },
                { "ENOMEM", KIND_ERROR, ENOMEM },
                { "EINTR", KIND_ERROR, EINTR },
                { "EMFILE", KIND_ERROR, EMFILE },
        };

        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                if (strcmp(word, kinds[i].name) == 0) {
                        t.kind = kinds[i].kind;
                        t.error = kinds[i].error;
                        return;
                }
        fprintf(stderr, "unknown kind '%s'\n", word);
        exit(EXIT_FAILURE);
}

static pid_t start(char *command[]) {
        int status;
        pid_t pid = fork();

        if (pid < 0)
                die("fork");
        if (pid == 0) {
                (void) raise(SIGSTOP);
                (void) execvp(command[0], command);
                die(command[0]);
        }
        if (waitpid(pid, &status, WUNTRACED) < 0)
                die("waitpid");
        return pid;
}

int main(int argc, char *argv[]) {
        const struct sigaction term = { .sa_handler = on_term }; /* no SA_RESTART */

        if (argc < 4) {
                fprintf(stderr, "Usage: %s PID|- N KIND [COMMAND…]\n", argv[0]);
                return EXIT_FAILURE;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        t.point = strtoul(argv[2], NULL, 10);
        parse_kind(argv[3]);
        if (sigaction(SIGTERM, &term, NULL) < 0)
                die("sigaction");
        t.first = strcmp(argv[1], "-") == 0 ? start(argv + 4) : (pid_t) atoi(argv[1]);
        find(t.first)->known = true;
        if (ptrace(PTRACE_SEIZE, t.first, NULL, OPTIONS) < 0)
                die("PTRACE_SEIZE");
        if (strcmp(argv[1], "-") == 0)
                (void) kill(t.first, SIGCONT);
        if (ptrace(PTRACE_INTERRUPT, t.first, NULL, NULL) < 0)
                die("PTRACE_INTERRUPT");
        printf("ready %d\n", t.first);
        trace();
        return EXIT_SUCCESS;
}
