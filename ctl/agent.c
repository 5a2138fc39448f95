/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A person without root who sits at a terminal is asked for a password by pkttyagent(1), which this
 * starts as a child. --fallback: if the desktop has an agent, that one asks. The agent tells by
 * closing its notify descriptor that it is registered; only then may the question come.
 *
 * Not having the agent is no error: polkit says no, and the daemon's refusal says the rest.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "ctl/agent.h"

/* An agent that does not come up in that time will not come. */
#define AGENT_START_MSEC 5000

static _Noreturn void run_agent(int notify_fd, pid_t parent) {
        char number[16];
        sigset_t none;
        int fd;

        sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        /* It must not outlive us, whatever ends us. */
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
                _exit(1);
        /* It talks to the terminal even if our output goes elsewhere. */
        fd = open("/dev/tty", O_WRONLY | O_CLOEXEC);
        if (fd >= 0) {
                (void) dup2(fd, STDOUT_FILENO);
                (void) dup2(fd, STDERR_FILENO);
        }
        if (fcntl(notify_fd, F_SETFD, 0) < 0)
                _exit(1);
        snprintf(number, sizeof(number), "%d", notify_fd);
        execlp("pkttyagent", "pkttyagent", "--notify-fd", number, "--fallback", (char *) NULL);
        _exit(127);
}

/**
 * agent_open() - have somebody who can ask for a password
 * @ctl: the options; remembers the child
 *
 * Does nothing for root, without a terminal, with --no-ask-password or if there is one already.
 */
void agent_open(Ctl *ctl) {
        int ends[2];
        pid_t parent = getpid();
        struct pollfd wait = { .events = POLLIN };

        if (ctl->agent_pid > 0 || !ctl->ask_password || geteuid() == 0 || !isatty(STDIN_FILENO))
                return;
        if (pipe2(ends, O_CLOEXEC) < 0)
                return;
        ctl->agent_pid = fork();
        if (ctl->agent_pid == 0)
                run_agent(ends[1], parent);
        safe_close(ends[1]);
        wait.fd = ends[0];
        if (ctl->agent_pid > 0)
                while (poll(&wait, 1, AGENT_START_MSEC) < 0 && errno == EINTR)
                        ;
        safe_close(ends[0]);
}

/** agent_close() - end the agent, if there is one; it puts the terminal in order when it goes */
void agent_close(Ctl *ctl) {
        if (ctl->agent_pid <= 0)
                return;
        (void) kill(ctl->agent_pid, SIGTERM);
        (void) kill(ctl->agent_pid, SIGCONT);
        while (waitpid(ctl->agent_pid, NULL, 0) < 0 && errno == EINTR)
                ;
        ctl->agent_pid = 0;
}
