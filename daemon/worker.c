/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A worker is a forked child that runs one function and ends.
 *
 * fork() without exec() keeps the call as simple as a function call: the child has the parent's
 * memory as it was, so requests need no marshalling. The price is discipline in the child: it never
 * returns into the event loop, never touches the bus (sd-bus and sd-event refuse a forked copy with
 * -ECHILD; their descriptors are only close-on-exec, so they do exist in the child), and ends with
 * _exit(), which runs no handlers of the parent's. The daemon has one thread, so nothing can hold a
 * lock across the fork.
 *
 * One pipe carries the answer: first the bytes that the function wrote, as it wrote them, then a
 * trailer with its result. The trailer comes last because only the end knows the result, and it is
 * read from the end, so bytes cannot be mistaken for it. A child that did not exit with 0 has no
 * result, whatever it wrote.
 *
 * A child in an uninterruptible system call outlives its timeout; `done` is called when it really
 * is gone, because until then it may still change the kernel.
 */

#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "daemon/worker.h"
#include "util/file.h"
#include "util/limits.h"

#define READ_BLOCK ((size_t) 64 * 1024)
#define TRAILER_MAGIC UINT64_C(0x68702d776f726b72)

/* Trailer: name, NUL, message, NUL, then this. Same program on both sides, so no byte order. */
typedef struct Trailer {
        uint64_t magic;
        int32_t r;
        uint16_t name_size;    /* with the NUL */
        uint16_t message_size; /* with the NUL */
} Trailer;

#define TRAILER_MAX (sizeof(Trailer) + WORKER_ERROR_NAME_MAX + 1 + WORKER_ERROR_MESSAGE_MAX + 1)

struct Worker {
        pid_t pid;
        int pidfd; /* owned by the child source once that is there */
        int pipe_fd;
        int failure; /* why the parent killed it, 0: it did not */
        uint8_t *buf;
        size_t size, room;
        sd_event_source *child;
        sd_event_source *input;
        sd_event_source *timer;
        WorkerDone done;
        void *userdata;
};

/* --- the child --- */

static void child_answer(int fd, int r, const sd_bus_error *error) {
        const char *name = r < 0 && error->name ? error->name : "";
        const char *message = r < 0 && error->name ? strempty(error->message) : "";
        char buf[TRAILER_MAX];
        Trailer t = {
                .magic = TRAILER_MAGIC,
                .r = r,
                .name_size = (uint16_t) (strnlen(name, WORKER_ERROR_NAME_MAX) + 1),
                .message_size = (uint16_t) (strnlen(message, WORKER_ERROR_MESSAGE_MAX) + 1),
        };
        size_t n = 0;

        memcpy(buf, name, t.name_size - 1U);
        n += t.name_size - 1U;
        buf[n++] = 0;
        memcpy(buf + n, message, t.message_size - 1U);
        n += t.message_size - 1U;
        buf[n++] = 0;
        memcpy(buf + n, &t, sizeof(t));
        n += sizeof(t);
        if (file_write_all(fd, buf, n) < 0)
                _exit(EXIT_FAILURE);
}

/* Handlers and the mask are the parent's; a fresh process has neither. */
static void child_reset_signals(void) {
        sigset_t none;

        for (int s = 1; s < NSIG; s++)
                if (s != SIGKILL && s != SIGSTOP)
                        (void) signal(s, SIG_DFL);
        sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_run(const char *name, pid_t parent, int event_fd, int read_fd, int write_fd,
                WorkerFunction function, void *userdata) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        child_reset_signals();
        /* Die with the daemon: nobody else would ever take the answer. The parent may have gone
         * before the request took effect, so look once more. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(EXIT_FAILURE);
        (void) prctl(PR_SET_NAME, name);
        safe_close(read_fd);
        safe_close(event_fd);
        r = function(userdata, write_fd, &error);
        child_answer(write_fd, r, &error);
        _exit(EXIT_SUCCESS);
}

/* --- the parent --- */

static Worker *worker_release(Worker *w) {
        w->input = sd_event_source_disable_unref(w->input);
        w->timer = sd_event_source_disable_unref(w->timer);
        w->child = sd_event_source_disable_unref(w->child);
        w->pipe_fd = safe_close(w->pipe_fd);
        return w;
}

static void worker_kill(Worker *w, int failure) {
        if (w->failure == 0)
                w->failure = failure;
        (void) pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0);
}

/* Return: 1 after bytes, 0 at the end, -EAGAIN when there is nothing now, or another errno. */
static int worker_read(Worker *w) {
        ssize_t n;

        if (w->room - w->size < READ_BLOCK) {
                size_t room = w->room + READ_BLOCK * (w->room ? 4 : 1);
                uint8_t *grown = realloc(w->buf, room);

                if (!grown)
                        return -ENOMEM;
                w->buf = grown;
                w->room = room;
        }
        n = read(w->pipe_fd, w->buf + w->size, READ_BLOCK);
        if (n < 0)
                return errno == EINTR ? 1 : -errno;
        w->size += (size_t) n;
        if (w->size > WORKER_OUTPUT_MAX + TRAILER_MAX)
                return -EFBIG;
        return n > 0;
}

static int on_input(sd_event_source *source, _unused_ int fd, _unused_ uint32_t events, void *userdata) {
        Worker *w = userdata;
        int r = worker_read(w);

        if (r == 1 || r == -EAGAIN)
                return 0;
        if (r < 0)
                worker_kill(w, r);
        /* What follows the end of the pipe is the end of the child. */
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static int on_timeout(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        worker_kill(userdata, -ETIME);
        return 0;
}

/* Return: the function's result, or -ECHILD when there is no trailer. */
static int worker_parse_answer(const Worker *w, size_t *ret_size, sd_bus_error *ret_error) {
        const char *name, *message;
        size_t text, size;
        Trailer t;

        if (w->size < sizeof(t))
                return -ECHILD;
        memcpy(&t, w->buf + w->size - sizeof(t), sizeof(t));
        text = (size_t) t.name_size + t.message_size;
        if (t.magic != TRAILER_MAGIC || t.name_size == 0 || t.message_size == 0 ||
            text > w->size - sizeof(t))
                return -ECHILD;
        size = w->size - sizeof(t) - text;
        name = (const char *) w->buf + size;
        message = name + t.name_size;
        if (name[t.name_size - 1] != 0 || message[t.message_size - 1] != 0)
                return -ECHILD;
        if (size > WORKER_OUTPUT_MAX)
                return -EFBIG;
        if (t.r < 0 && *name)
                (void) sd_bus_error_set(ret_error, name, message);
        *ret_size = size;
        return t.r;
}

static int worker_result(const Worker *w, const siginfo_t *si, size_t *ret_size, sd_bus_error *ret_error) {
        if (w->failure < 0)
                return w->failure;
        if (si->si_code != CLD_EXITED || si->si_status != EXIT_SUCCESS)
                return -ECHILD;
        return worker_parse_answer(w, ret_size, ret_error);
}

/* An IO source on the pidfd and not sd-event's own for children: that one asks waitid(2) once only, which under a
 * tracer (strace -f) does not show the child yet, and libsystemd 252 aborts when it cannot be set up. Here a look in
 * vain is followed by another, until the tracer has let the child go. */
static int on_child(sd_event_source *source, int fd, _unused_ uint32_t events, void *userdata) {
        siginfo_t si = {};
        Worker *w = userdata;
        sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_free_ uint8_t *output = NULL;
        size_t size = 0;
        int r;

        r = waitid(P_PIDFD, (id_t) fd, &si, WEXITED | WNOHANG) < 0 ? -errno : 0;
        if (r >= 0 && si.si_pid == 0)
                return 0;
        if (r < 0 && r != -ECHILD)
                return 0; /* the next look tells */
        if (!w) /* worker_free() came first */
                return sd_event_source_set_floating(source, false);
        do
                r = worker_read(w);
        while (r > 0);
        if (r < 0 && r != -EAGAIN && w->failure == 0)
                w->failure = r;
        r = worker_result(w, &si, &size, &error);
        output = TAKE_PTR(w->buf);
        worker_release(w);
        w->done(w->userdata, r, &error, output, size);
        /* The callback may have freed the worker: only locals from here on. */
        sd_bus_error_free(&error);
        return 0;
}

/** worker_pid() - the child's process id, for people */
pid_t worker_pid(const Worker *w) {
        return w->pid;
}

/**
 * worker_free() - forget a worker; accepts NULL
 *
 * A child that still runs is killed and reaped by the event loop when it is gone; its callback is
 * not called. Return: NULL.
 */
Worker *worker_free(Worker *w) {
        if (!w)
                return NULL;
        if (w->child) {
                worker_kill(w, -ECANCELED);
                /* The loop keeps the source, so that the child is reaped without waiting here. */
                sd_event_source_set_userdata(w->child, NULL);
                (void) sd_event_source_set_floating(w->child, true);
                w->child = sd_event_source_unref(w->child);
        }
        worker_release(w);
        free(w->buf);
        free(w);
        return NULL;
}

/* Without a source in the loop nobody would reap the child: do it here. It has only just started. */
static void worker_abandon(Worker *w) {
        if (w->child)
                return;
        (void) kill(w->pid, SIGKILL);
        (void) waitpid(w->pid, NULL, 0);
        w->pidfd = safe_close(w->pidfd);
}

/* Hooks the running child into the loop; on failure worker_free() kills it. */
static int worker_watch(Worker *w, sd_event *event, const char *name, uint64_t timeout_usec) {
        int r;

        r = sd_event_add_io(event, &w->child, w->pidfd, EPOLLIN, on_child, w);
        if (r < 0)
                return r;
        r = sd_event_source_set_io_fd_own(w->child, true);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(w->child, name);
        r = sd_event_add_io(event, &w->input, w->pipe_fd, EPOLLIN, on_input, w);
        if (r < 0)
                return r;
        if (timeout_usec == 0)
                return 0;
        return sd_event_add_time_relative(
                event, &w->timer, CLOCK_MONOTONIC, timeout_usec, 0, on_timeout, w);
}

/**
 * worker_start() - run a function in a child process
 * @event: the loop that watches; the loop that watches
 * @name: short, shown as the process's name
 * @timeout_usec: the child is killed after that; 0: never
 * @function: runs in the child with @function_userdata, see WorkerFunction
 * @done: called once, never from within worker_start(), see WorkerDone
 * @ret: the worker; free with worker_free()
 *
 * Return: 0 or a negative errno; then nothing runs.
 */
int worker_start(sd_event *event, const char *name, uint64_t timeout_usec,
                WorkerFunction function, void *function_userdata,
                WorkerDone done, void *done_userdata, Worker **ret) {
        _cleanup_(worker_freep) Worker *w = NULL;
        _cleanup_close_ int write_fd = -EBADF;
        int event_fd = sd_event_get_fd(event); /* after the fork it would not say */
        pid_t parent = getpid();
        int fds[2], r;

        w = malloc(sizeof(*w));
        if (!w)
                return -ENOMEM;
        *w = (Worker) { .pidfd = -EBADF, .pipe_fd = -EBADF, .done = done, .userdata = done_userdata };
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        w->pipe_fd = fds[0];
        write_fd = fds[1];
        /* Only this end: the child writes with plain write(2). */
        if (fcntl(w->pipe_fd, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        /* What stdio still holds would otherwise be written twice. */
        (void) fflush(NULL);
        w->pid = fork();
        if (w->pid < 0)
                return -errno;
        if (w->pid == 0)
                child_run(name, parent, event_fd, w->pipe_fd, write_fd, function, function_userdata);
        w->pidfd = pidfd_open(w->pid, 0);
        r = w->pidfd < 0 ? -errno : worker_watch(w, event, name, timeout_usec);
        if (r < 0) {
                worker_abandon(w);
                return r;
        }
        *ret = TAKE_PTR(w);
        return 0;
}
