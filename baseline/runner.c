/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A run: read the request, start the backend, make a result of what it says. This program stands between
 * a daemon that can do little (its sandbox) and a package manager that can do everything, so that
 * neither has to trust the other's bytes.
 *
 * What it promises about an installation:
 *
 *   - "running" is on the disk before the backend starts, so a power cut is found again;
 *   - nothing here ends the backend once it may be changing packages: no time limit, no error of the
 *     protocol, no SIGTERM. Plans and downloads are ended by SIGTERM;
 *   - after an interrupted one the next is refused, until one was mended, also when mending has failed;
 *   - a full disk does not turn its end into a power cut: room for the result is reserved before;
 *   - who comes next finds nobody at work: the lock is held until the last process has ended;
 *   - the result is on the disk before this process ends, whatever the outcome.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "baseline/backend-start.h"
#include "baseline/run-transcript.h"
#include "baseline/runner.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"

/* Room for the last write; a result has a few KiB. The file stays between runs, for a disk that is full at the start. */
#define RESERVE_FILE "reserve"
#define RESERVE_SIZE ((off_t) 64 * 1024)
#define KILL_SEC 30U
/* What runs on in the backend's group after that is a service that a script has started, and no package manager. */
#define GROUP_WAIT_SEC 300U

/**
 * struct Run - one run
 * @results_fd: folder of the results
 * @output_fd: the backend's standard output
 * @signal_fd: SIGTERM and SIGINT
 * @stopped, @kill_usec: it was told to end, and is killed then (CLOCK_MONOTONIC); 0: not
 * @line, @n_line: what has come of the present line; @overlong: it has too many bytes
 */
typedef struct Run {
        const Runner *runner;
        RunRequest *request;
        RunResult *result;
        RunTranscript transcript;
        int root_fd;
        int results_fd;
        int lock_fd;
        int inhibit_fd;
        int output_fd;
        int signal_fd;
        pid_t pid;
        char line[HOTPATCH_RUN_LINE_MAX + 1];
        size_t n_line;
        uint64_t kill_usec;
        bool stopped;
} Run;

static void run_done(Run *run) {
        run_request_free(run->request);
        run_result_free(run->result);
        run_transcript_done(&run->transcript);
        safe_close(run->results_fd);
        safe_close(run->inhibit_fd);
        safe_close(run->output_fd);
        safe_close(run->signal_fd);
        safe_close(run->root_fd);
        safe_close(run->lock_fd); /* last of all */
}

static uint64_t now_usec(clockid_t clock) {
        struct timespec ts;

        clock_gettime(clock, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

static bool changes_packages(const Run *run) {
        return run->request->verb == RUN_INSTALL || run->request->verb == RUN_MEND;
}

/* --- before --- */

static int open_directory(int root_fd, const char *path) {
        int fd;

        if (mkdirat(root_fd, path, 0700) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}

static int read_request(Run *run, sd_bus_error *error) {
        _cleanup_free_ void *data = NULL;
        size_t size;
        int r;

        r = file_read_at(run->root_fd, RUN_REQUEST_FILE, HOTPATCH_RUN_REQUEST_MAX, &data, &size);
        if (r == -ENOENT)
                return sd_bus_error_set(error, HOTPATCH_ERROR("BackendFailed"),
                        "There is no request of hotpatchd in '/" RUN_REQUEST_FILE "'");
        if (r < 0)
                return sd_bus_error_set_errnof(error, -r, "'/" RUN_REQUEST_FILE "': %s", strerror(-r));
        r = run_request_parse(data, size, &run->request, error);
        /* Each request is carried out once, however often the unit is started. */
        if (r >= 0 && unlinkat(run->root_fd, RUN_REQUEST_FILE, 0) < 0)
                return -errno;
        return r;
}

static int write_result(const Run *run) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = run_result_format(run->result, &text);
        return r < 0 ? r : file_replace_at(run->results_fd, run_verb_result_name(run->result->verb), text,
                                   strlen(text), 0600);
}

/* Best effort: where there is no room, the first write says so. */
static void reserve(const Run *run) {
        _cleanup_close_ int fd = openat(run->results_fd, RESERVE_FILE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd >= 0 && posix_fallocate(fd, 0, RESERVE_SIZE) != 0)
                (void) unlinkat(run->results_fd, RESERVE_FILE, 0);
}

static int write_last(const Run *run) {
        int r;

        (void) unlinkat(run->results_fd, RESERVE_FILE, 0);
        r = write_result(run);
        reserve(run);
        return r;
}

/*
 * After a cut-off installation only mending is possible; it is not tried again over half-done work. A record that
 * cannot be read may have said that, and mending what is in order does no harm.
 */
static int check_interrupted(Run *run) {
        _cleanup_(run_result_freep) RunResult *last = NULL;
        int r;

        if (run->request->verb != RUN_INSTALL)
                return 0;
        r = run_result_read_at(run->root_fd, RUN_INSTALL, &last);
        if (r == -ENOENT)
                return 0;
        if (r == -EBADMSG)
                return run_result_fail(run->result, RUN_CAUSE_INTERRUPTED, false,
                        "The record of the last installation cannot be read, and packages may be half installed");
        if (r < 0)
                return r;
        if (last->outcome == RUN_RUNNING || (last->outcome == RUN_FAILED && last->cause == RUN_CAUSE_INTERRUPTED))
                return run_result_fail(run->result, RUN_CAUSE_INTERRUPTED, false,
                        "An installation was cut off before, and packages may be half installed");
        if (last->outcome == RUN_FAILED && last->verb == RUN_MEND)
                return run_result_fail(run->result, RUN_CAUSE_INTERRUPTED, false,
                        "Mending has failed before, and packages may be half installed");
        return 0;
}

static int prepare(Run *run, sd_bus_error *error) {
        int r;

        run->root_fd = open(run->runner->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (run->root_fd < 0)
                return -errno;
        run->lock_fd = run_lock_take(run->root_fd);
        if (run->lock_fd == -EBUSY)
                return sd_bus_error_set(error, HOTPATCH_ERROR("Busy"), "A baseline run is under way already");
        if (run->lock_fd < 0)
                return sd_bus_error_set_errnof(error, -run->lock_fd, "'/" RUN_LOCK_FILE "': %s", strerror(-run->lock_fd));
        r = read_request(run, error);
        if (r < 0)
                return r;
        run->results_fd = open_directory(run->root_fd, RUN_RESULT_DIRECTORY);
        if (run->results_fd < 0)
                return sd_bus_error_set_errnof(error, -run->results_fd, "'/" RUN_RESULT_DIRECTORY "': %s",
                        strerror(-run->results_fd));
        r = run_result_new(run->request, &run->result);
        if (r < 0)
                return r;
        run->result->started_usec = now_usec(CLOCK_REALTIME);
        run->transcript.result = run->result;
        return check_interrupted(run);
}

static void inhibit(Run *run) {
        _cleanup_free_ char *why = NULL;

        if (!run->runner->inhibit || !changes_packages(run) ||
            str_printf(&why, "Packages of baseline %s are being installed", run->request->baseline) < 0)
                return;
        run->inhibit_fd = inhibit_take(why);
        if (run->inhibit_fd < 0)
                fprintf(stderr, SD_WARNING "No shutdown inhibitor, ignoring: %s\n", strerror(-run->inhibit_fd));
}

/* --- the backend's process --- */

static int block_signals(Run *run) {
        sigset_t mask;

        sigemptyset(&mask);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGINT);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;
        run->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
        return run->signal_fd < 0 ? -errno : 0;
}

static int spawn(Run *run) {
        _cleanup_free_ char *path = path_join(run->runner->backends, run->request->backend);
        _cleanup_free_ char *text = NULL;
        int r;

        if (!path)
                return -ENOMEM;
        if (access(path, X_OK) >= 0)
                return backend_start(path, run->request, &run->pid, &run->output_fd);
        r = str_printf(&text, "There is no backend '%s' in '%s'", run->request->backend, run->runner->backends);
        return r < 0 ? r : run_result_fail(run->result, RUN_CAUSE_UNSUPPORTED, false, text);
}

/* --- what it says --- */

static void tell(const Run *run) {
        (void) sd_notifyf(false, "STATUS=%s: %s %s (%u %%)", run->request->backend,
                run_verb_to_string(run->request->verb), strempty(run->transcript.status), run->transcript.percent);
}

static int take_line(Run *run) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = run_transcript_line(&run->transcript, run->line, run->n_line, &error);
        run->n_line = 0;
        if (sd_bus_error_is_set(&error))
                fprintf(stderr, SD_ERR "%s\n", error.message);
        tell(run);
        return r == -ENOMEM ? r : 0;
}

static int take_bytes(Run *run, const char *data, size_t size) {
        for (size_t i = 0; i < size; i++) {
                int r;

                /* One byte more than is allowed is kept, so that the transcript refuses the line. */
                if (data[i] != '\n') {
                        if (run->n_line < sizeof(run->line))
                                run->line[run->n_line++] = data[i];
                        continue;
                }
                r = take_line(run);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void on_signal(Run *run) {
        struct signalfd_siginfo si;

        if (read(run->signal_fd, &si, sizeof(si)) != (ssize_t) sizeof(si))
                return;
        if (changes_packages(run)) {
                fprintf(stderr, SD_NOTICE "Packages are being changed, going on to the end\n");
                return;
        }
        if (!run->stopped)
                run->kill_usec = now_usec(CLOCK_MONOTONIC) + (run->runner->kill_sec ?: KILL_SEC) * USEC_PER_SEC;
        run->stopped = true;
        (void) kill(-run->pid, SIGTERM);
}

/* Milliseconds for poll(2) until it is killed; -1: it is not */
static int time_left(Run *run) {
        uint64_t now;

        if (run->kill_usec == 0)
                return -1;
        now = now_usec(CLOCK_MONOTONIC);
        if (now < run->kill_usec)
                return (int) ((run->kill_usec - now) / 1000 + 1);
        run->kill_usec = 0;
        (void) kill(-run->pid, SIGKILL);
        return -1;
}

/* Until the last process that can say something has closed its end. */
static int listen_to(Run *run) {
        struct pollfd fds[] = {
                { .fd = run->output_fd, .events = POLLIN },
                { .fd = run->signal_fd, .events = POLLIN },
        };
        char buf[4096];

        for (;;) {
                ssize_t n;
                int r;

                if (poll(fds, ELEMENTSOF(fds), time_left(run)) < 0) {
                        if (errno == EINTR)
                                continue;
                        return -errno;
                }
                if (fds[1].revents)
                        on_signal(run);
                if (!fds[0].revents)
                        continue;
                n = read(run->output_fd, buf, sizeof(buf));
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return run->n_line > 0 ? take_line(run) : 0;
                r = take_bytes(run, buf, (size_t) n);
                if (r < 0)
                        return r;
        }
}

static int reap(Run *run, int *ret_status) {
        while (waitpid(run->pid, ret_status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return 0;
}

/* dpkg and what it began may have closed what we listen to, and the one that we waited for is apt. */
static void wait_for_group(const Run *run) {
        const struct timespec moment = { .tv_nsec = 50 * 1000 * 1000 };
        uint64_t end = now_usec(CLOCK_MONOTONIC) + GROUP_WAIT_SEC * USEC_PER_SEC;

        while (kill(-run->pid, 0) >= 0 && now_usec(CLOCK_MONOTONIC) < end)
                (void) nanosleep(&moment, NULL);
}

static int work(Run *run) {
        int heard, status, r;

        reserve(run);
        r = write_result(run);
        if (r == -ENOSPC || r == -EDQUOT)
                return run_result_fail(run->result, RUN_CAUSE_NO_SPACE, false,
                        "There is no room for the result of the run in '/" RUN_RESULT_DIRECTORY "'");
        if (r < 0)
                return r;
        r = spawn(run);
        if (r < 0 || run->result->outcome == RUN_FAILED)
                return r;
        /* A failure to listen is told after the backend has ended: it is not left to itself. */
        heard = listen_to(run);
        r = reap(run, &status);
        wait_for_group(run);
        if (r < 0 || heard < 0)
                return r < 0 ? r : heard;
        if (run->stopped)
                return run_result_fail(run->result, RUN_CAUSE_BACKEND, true, "It was stopped before it had ended");
        return run_transcript_end(&run->transcript, status);
}

static void run_init(Run *run, const Runner *runner) {
        *run = (Run) {
                .runner = runner, .root_fd = -EBADF, .results_fd = -EBADF, .lock_fd = -EBADF,
                .inhibit_fd = -EBADF, .output_fd = -EBADF, .signal_fd = -EBADF,
        };
}

/**
 * runner_run() - carry out the request that lies there
 * @runner: what it stands on
 * @ret: the result, which is on the disk as well; run_result_free() it
 * @error: why there is none: no request, another run is under way, the disk
 *
 * SIGTERM and SIGINT are blocked afterwards.
 *
 * Return: 0, also for a run that failed; or a negative errno.
 */
int runner_run(const Runner *runner, RunResult **ret, sd_bus_error *error) {
        _cleanup_(run_done) Run run;
        int r;

        run_init(&run, runner);
        /* Before the request is taken: from then on a stop is answered, and nothing gets lost. */
        r = block_signals(&run);
        if (r >= 0)
                r = prepare(&run, error);
        if (r < 0)
                return r;
        inhibit(&run);
        /* A refusal leaves the file of the interrupted run as it is. */
        if (run.result->outcome != RUN_FAILED) {
                r = work(&run);
                if (r < 0)
                        r = run_result_fail(run.result, RUN_CAUSE_BACKEND, false, strerror(-r));
                run.result->ended_usec = now_usec(CLOCK_REALTIME);
                if (r >= 0)
                        r = write_last(&run);
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(run.result);
        return 0;
}
