/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "daemon/worker.h"
#include "dbus/errors.h"
#include "tests/unit/unit.h"
#include "util/file.h"

typedef struct Result {
        sd_event *event;
        Worker *worker;
        bool free_in_done;
        unsigned calls;
        int r;
        char *name;
        char *message;
        void *output;
        size_t size;
} Result;

static Result result;

static void setup(void) {
        sigset_t set;

        ck_assert_ok(hotpatch_errors_register());
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigaddset(&set, SIGTERM);
        ck_assert_int_eq(sigprocmask(SIG_BLOCK, &set, NULL), 0);
        result = (Result) { 0 };
        ck_assert_ok(sd_event_new(&result.event));
}

static void teardown(void) {
        worker_free(result.worker);
        free(result.name);
        free(result.message);
        free(result.output);
        sd_event_unref(result.event);
}

static void on_done(void *userdata, int r, const sd_bus_error *error, const void *output, size_t size) {
        Result *res = userdata;

        res->calls++;
        res->r = r;
        res->name = error->name ? strdup(error->name) : NULL;
        res->message = error->message ? strdup(error->message) : NULL;
        res->size = size;
        res->output = malloc(size + 1);
        if (res->free_in_done)
                res->worker = worker_free(res->worker);
        /* valid during the call, also when the worker is gone */
        if (size)
                memcpy(res->output, output, size);
        (void) sd_event_exit(res->event, 0);
}

static void run(WorkerFunction function, void *userdata, uint64_t timeout_usec) {
        ck_assert_ok(worker_start(result.event, "test", timeout_usec, function, userdata, on_done, &result,
                &result.worker));
        ck_assert_uint_eq(result.calls, 0);
        ck_assert_int_eq(sd_event_loop(result.event), 0);
        ck_assert_uint_eq(result.calls, 1);
}

/* No child is left, not even a dead one. */
static void assert_no_children(void) {
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
        ck_assert_int_eq(errno, ECHILD);
}

static int say(void *userdata, int fd, _unused_ sd_bus_error *error) {
        return file_write_all(fd, userdata, strlen(userdata)) < 0 ? -EIO : 42;
}

START_TEST(test_output) {
        run(say, (void *) "hello", 0);
        ck_assert_int_eq(result.r, 42);
        ck_assert_uint_eq(result.size, 5);
        ck_assert_mem_eq(result.output, "hello", 5);
        ck_assert_ptr_null(result.name);
        assert_no_children();
}
END_TEST

START_TEST(test_free_in_callback) {
        result.free_in_done = true;
        run(say, (void *) "hello", 10 * USEC_PER_SEC);
        ck_assert_mem_eq(result.output, "hello", 5);
        ck_assert_ptr_null(result.worker);
        assert_no_children();
}
END_TEST

static int refuse(_unused_ void *userdata, int fd, sd_bus_error *error) {
        if (file_write_all(fd, "half", 4) < 0)
                return -EIO;
        return sd_bus_error_setf(error, HOTPATCH_ERROR("NotABundle"), "It is %s", "not one");
}

START_TEST(test_refusal) {
        run(refuse, NULL, 0);
        ck_assert_int_eq(result.r, -EBADMSG);
        ck_assert_str_eq(result.name, HOTPATCH_ERROR("NotABundle"));
        ck_assert_str_eq(result.message, "It is not one");
        ck_assert_uint_eq(result.size, 4);
}
END_TEST

static int fail_plainly(_unused_ void *userdata, _unused_ int fd, _unused_ sd_bus_error *error) {
        return -ENOMEM;
}

START_TEST(test_errno) {
        run(fail_plainly, NULL, 0);
        ck_assert_int_eq(result.r, -ENOMEM);
        ck_assert_ptr_null(result.name);
}
END_TEST

static int long_message(_unused_ void *userdata, _unused_ int fd, sd_bus_error *error) {
        char *text = malloc(100000);

        memset(text, 'x', 99999);
        text[99999] = 0;
        return sd_bus_error_set(error, HOTPATCH_ERROR("RefusedByKernel"), text);
}

START_TEST(test_long_message) {
        run(long_message, NULL, 0);
        ck_assert_str_eq(result.name, HOTPATCH_ERROR("RefusedByKernel"));
        ck_assert_uint_eq(strlen(result.message), WORKER_ERROR_MESSAGE_MAX);
}
END_TEST

static int write_much(void *userdata, int fd, _unused_ sd_bus_error *error) {
        size_t size = *(size_t *) userdata;
        char *bytes = calloc(1, size);

        for (size_t i = 0; i < size; i++)
                bytes[i] = (char) (i * 7);
        return file_write_all(fd, bytes, size) < 0 ? -EIO : 0;
}

START_TEST(test_largest_output) {
        size_t size = WORKER_OUTPUT_MAX;

        run(write_much, &size, 0);
        ck_assert_int_eq(result.r, 0);
        ck_assert_uint_eq(result.size, WORKER_OUTPUT_MAX);
        for (size_t i = 0; i < size; i++)
                if (((char *) result.output)[i] != (char) (i * 7))
                        ck_abort_msg("byte %zu differs", i);
}
END_TEST

START_TEST(test_too_much_output) {
        size_t size = WORKER_OUTPUT_MAX + 1;

        run(write_much, &size, 0);
        ck_assert_int_eq(result.r, -EFBIG);
        ck_assert_uint_eq(result.size, 0);
}
END_TEST

START_TEST(test_endless_output) {
        size_t size = 64 * WORKER_OUTPUT_MAX;

        run(write_much, &size, 0);
        ck_assert_int_eq(result.r, -EFBIG);
        assert_no_children();
}
END_TEST

static int die(void *userdata, int fd, _unused_ sd_bus_error *error) {
        if (file_write_all(fd, "before", 6) < 0)
                return -EIO;
        raise(*(int *) userdata);
        return 0;
}

START_TEST(test_death) {
        int signals[] = { SIGKILL, SIGSEGV, SIGTERM };

        /* a handler or a mask of the parent's must not keep it alive */
        (void) signal(SIGTERM, SIG_IGN);
        run(die, &signals[_i], 0);
        ck_assert_int_eq(result.r, -ECHILD);
        ck_assert_uint_eq(result.size, 0);
        assert_no_children();
}
END_TEST

static int leave(_unused_ void *userdata, _unused_ int fd, _unused_ sd_bus_error *error) {
        _exit(0);
}

/* It ended well and answered nothing: that is no success. */
START_TEST(test_no_answer) {
        run(leave, NULL, 0);
        ck_assert_int_eq(result.r, -ECHILD);
}
END_TEST

static int sleep_long(_unused_ void *userdata, _unused_ int fd, _unused_ sd_bus_error *error) {
        sleep(100);
        return 0;
}

START_TEST(test_timeout) {
        run(sleep_long, NULL, 50 * USEC_PER_MSEC);
        ck_assert_int_eq(result.r, -ETIME);
        assert_no_children();
}
END_TEST

static int on_stop(_unused_ sd_event_source *s, _unused_ uint64_t usec, void *userdata) {
        return sd_event_exit(userdata, 7);
}

START_TEST(test_free_while_running) {
        ck_assert_ok(worker_start(result.event, "test", 0, sleep_long, NULL, on_done, &result, &result.worker));
        result.worker = worker_free(result.worker);
        ck_assert_ok(sd_event_add_time_relative(result.event, NULL, CLOCK_MONOTONIC, 200 * USEC_PER_MSEC, 0,
                on_stop, result.event));
        ck_assert_int_eq(sd_event_loop(result.event), 7);
        ck_assert_uint_eq(result.calls, 0);
        assert_no_children();
}
END_TEST

static int look_around(void *userdata, int fd, _unused_ sd_bus_error *error) {
        sigset_t mask;
        int death = 0;

        if (sigprocmask(SIG_BLOCK, NULL, &mask) < 0 || sigismember(&mask, SIGTERM) != 0 ||
            sigismember(&mask, SIGCHLD) != 0)
                return -1;
        if (prctl(PR_GET_PDEATHSIG, &death) < 0 || death != SIGKILL)
                return -2;
        if (fcntl(*(int *) userdata, F_GETFD) >= 0)
                return -3;
        return file_write_all(fd, &(pid_t) { getpid() }, sizeof(pid_t));
}

START_TEST(test_surroundings) {
        int event_fd = sd_event_get_fd(result.event);

        run(look_around, &event_fd, 0);
        ck_assert_int_eq(result.r, 0);
        ck_assert_uint_eq(result.size, sizeof(pid_t));
        ck_assert(*(pid_t *) result.output != getpid());
}
END_TEST

static int report_and_sleep(void *userdata, _unused_ int fd, _unused_ sd_bus_error *error) {
        if (file_write_all(*(int *) userdata, "x", 1) < 0)
                return -EIO;
        sleep(100);
        return 0;
}

/* The worker dies with the process that started it: then the pipe has no writer any more. */
START_TEST(test_dies_with_parent) {
        int fds[2];
        pid_t pid;
        char c;

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        pid = fork();
        if (pid == 0) {
                Worker *w = NULL;
                sd_event *e = NULL;

                close(fds[0]);
                if (sd_event_new(&e) < 0 || worker_start(e, "test", 0, report_and_sleep, &fds[1], on_done,
                                &result, &w) < 0)
                        _exit(1);
                close(fds[1]);
                pause();
                _exit(0);
        }
        close(fds[1]);
        ck_assert_int_eq(read(fds[0], &c, 1), 1);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        alarm(20);
        ck_assert_int_eq(read(fds[0], &c, 1), 0);
        alarm(0);
        close(fds[0]);
}
END_TEST

static unsigned count_fds(void) {
        unsigned n = 0;

        for (int fd = 0; fd < 200; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

START_TEST(test_no_leaks) {
        unsigned before, after;

        for (int i = 0; i < 3; i++) {
                if (i == 1)
                        before = count_fds();
                sd_event_unref(result.event);
                ck_assert_ok(sd_event_new(&result.event));
                result.calls = 0;
                run(say, (void *) "hello", 5 * USEC_PER_SEC);
                free(TAKE_PTR(result.output));
                result.worker = worker_free(result.worker);
        }
        after = count_fds();
        ck_assert_uint_eq(before, after);
}
END_TEST

static Suite *worker_suite(void) {
        Suite *s = suite_create("worker");
        TCase *c = tcase_create("worker");

        tcase_add_checked_fixture(c, setup, teardown);
        tcase_set_timeout(c, 60);
        tcase_add_test(c, test_output);
        tcase_add_test(c, test_free_in_callback);
        tcase_add_test(c, test_refusal);
        tcase_add_test(c, test_errno);
        tcase_add_test(c, test_long_message);
        tcase_add_test(c, test_largest_output);
        tcase_add_test(c, test_too_much_output);
        tcase_add_test(c, test_endless_output);
        tcase_add_loop_test(c, test_death, 0, 3);
        tcase_add_test(c, test_no_answer);
        tcase_add_test(c, test_timeout);
        tcase_add_test(c, test_free_while_running);
        tcase_add_test(c, test_surroundings);
        tcase_add_test(c, test_dies_with_parent);
        tcase_add_test(c, test_no_leaks);
        suite_add_tcase(s, c);
        return s;
}

UNIT_MAIN(worker_suite)
