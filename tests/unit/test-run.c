/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "baseline/run-transcript.h"
#include "baseline/runner.h"
#include "dbus/errors.h"
#include "tests/unit/unit.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

#define ID "00112233445566778899aabbccddeeff"
#define REQUEST                                                                                            \
        "{\"protocol\":1,\"verb\":\"install\",\"id\":\"" ID "\",\"backend\":\"apt\",\"baseline\":\"2026.10\",\"bundle\":\"base-1\",\"deadline\":1798675200000000"  \
        ",\"packages\":[{\"name\":\"linux-image-6.1.0-56-amd64\",\"version\":\"6.1.150-1~bpo+1\"}],\"lock_timeout\":900}"
#define HELLO "{\"type\":\"hello\",\"protocol\":1,\"backend\":\"apt\"}"

static RunResult *result_new(RunVerb verb) {
        const RunRequest request = { .verb = verb, .id = (char *) ID, .backend = (char *) "apt",
                .baseline = (char *) "2026.10" };
        RunResult *result;

        ck_assert_ok(run_result_new(&request, &result));
        return result;
}

START_TEST(test_request) {
        _cleanup_(run_request_freep) RunRequest *r = NULL, *again = NULL;
        _cleanup_free_ char *text = NULL;

        ck_assert_ok(run_request_parse(REQUEST, strlen(REQUEST), &r, NULL));
        ck_assert(r->verb == RUN_INSTALL);
        ck_assert_uint_eq(r->n_packages, 1);
        ck_assert_str_eq(r->packages[0].version, "6.1.150-1~bpo+1");
        ck_assert_ptr_null(r->kernel);
        ck_assert_ok(run_request_format(r, &text));
        ck_assert_ok(run_request_parse(text, strlen(text), &again, NULL));
        ck_assert_str_eq(again->packages[0].name, "linux-image-6.1.0-56-amd64");
        ck_assert_uint_eq(again->lock_timeout_sec, 900);
        ck_assert_str_eq(again->bundle, "base-1");
        ck_assert_uint_eq(again->deadline_usec, UINT64_C(1798675200000000));
}
END_TEST

/* What would reach a command line as something else than a name. */
START_TEST(test_request_refuses) {
        static const struct {
                const char *from, *to;
        } bad[] = {
                { "install", "erase" },           { "\"apt\"", "\"../apt\"" },  { "\"apt\"", "\"\"" },
                { "\"linux-", "\"-linux-" },      { "\"linux-", "\"a b" },     { "\"6.1.150", "\"=6" },
                { "\"6.1.150", "\"$(id)" },       { ID, "short" },                 { "\"protocol\":1", "\"protocol\":2" },
                { "900", "-1" },                  { "900", "3601" },               { "900", "\"900\"" },
                { "\"lock_", "\"extra\":1,\"lock_" }, { "\"lock_", "\"id\":\"" ID "\",\"lock_" },
                { "2026.10", "20 26" },            { "2026.10", "2026.1" },         { "2026.10", "base-1" },
                { "base-1", "-base" },            { "base-1", "a/b" },               { "1798675200000000", "-1" },
                          { "\"lock_timeout\":900", "\"lock\":1" },
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                const char *at = strstr(REQUEST, bad[i].from);
                _cleanup_free_ char *text = NULL;
                RunRequest *r = NULL;

                ck_assert_int_ge(asprintf(&text, "%.*s%s%s", (int) (at - REQUEST), REQUEST, bad[i].to,
                                at + strlen(bad[i].from)), 0);
                ck_assert_msg(run_request_parse(text, strlen(text), &r, &error) < 0, "%s", text);
                ck_assert(sd_bus_error_has_name(&error, HOTPATCH_ERROR("BackendFailed")));
                ck_assert_ptr_null(r);
        }
}
END_TEST

static int say(RunTranscript *t, const char *line) {
        return run_transcript_line(t, line, strlen(line), NULL);
}

START_TEST(test_transcript) {
        _cleanup_(run_result_freep) RunResult *result = result_new(RUN_PLAN), *again = NULL;
        _cleanup_(run_transcript_done) RunTranscript t = { .result = result };
        _cleanup_free_ char *text = NULL;

        ck_assert_ok(say(&t, HELLO));
        ck_assert_ok(say(&t, "{\"type\":\"status\",\"text\":\"reading\"}"));
        ck_assert_ok(say(&t, "{\"type\":\"progress\",\"percent\":40}"));
        ck_assert_ok(say(&t, "{\"type\":\"package\",\"action\":\"install\",\"name\":\"linux-image-7\",\"to\":\"1:7\"}"));
        ck_assert_ok(say(&t, "{\"type\":\"package\",\"action\":\"upgrade\",\"name\":\"b\",\"from\":\"1\",\"to\":\"2\"}"));
        ck_assert_ok(say(&t, "{\"type\":\"warning\",\"text\":\"kept\"}"));
        ck_assert_ok(say(&t, "{\"type\":\"needs\",\"download_bytes\":5,\"disk_bytes\":-7,\"boot_bytes\":9}"));
        ck_assert_ok(say(&t, "{\"type\":\"done\",\"kernel\":\"7.0-amd64\",\"restart\":true}"));
        ck_assert_ok(run_transcript_end(&t, 0));
        ck_assert(result->outcome == RUN_DONE);
        ck_assert_uint_eq(t.percent, 40);

        ck_assert_ok(run_result_format(result, &text));
        ck_assert_ok(run_result_parse(text, strlen(text), &again, NULL));
        ck_assert_uint_eq(again->n_changes, 2);
        ck_assert_str_eq(again->changes[0].to, "1:7");
        ck_assert_ptr_null(again->changes[0].from);
        ck_assert_int_eq(again->disk_bytes, -7);
        ck_assert_str_eq(again->kernel, "7.0-amd64");
        ck_assert(again->restart);
        ck_assert_str_eq(again->warnings[0], "kept");
}
END_TEST

/* Each line, as the second one, is refused; what comes behind it is not looked at. */
START_TEST(test_transcript_refuses) {
        static const char *const bad[] = {
                "", "{}", "[]", "7", "{\"type\":7}", "{\"type\":\"hullo\"}", HELLO "x",
                "{\"type\":\"hello\",\"protocol\":1,\"backend\":\"apt\"}",
                "{\"type\":\"status\"}", "{\"type\":\"status\",\"text\":\"\"}",
                "{\"type\":\"status\",\"text\":\"a\\u001b[31m\"}", "{\"type\":\"status\",\"text\":\"a\",\"more\":1}",
                "{\"type\":\"progress\",\"percent\":101}", "{\"type\":\"progress\",\"percent\":-1}",
                "{\"type\":\"progress\",\"percent\":1,\"percent\":2}",
                "{\"type\":\"package\",\"action\":\"eat\",\"name\":\"a\",\"to\":\"1\"}",
                "{\"type\":\"package\",\"action\":\"install\",\"name\":\"a\",\"from\":\"1\",\"to\":\"2\"}",
                "{\"type\":\"package\",\"action\":\"upgrade\",\"name\":\"a\",\"to\":\"2\"}",
                "{\"type\":\"package\",\"action\":\"install\",\"name\":\"-a\",\"to\":\"2\"}",
                "{\"type\":\"needs\",\"download_bytes\":-1}",
                "{\"type\":\"done\"}", "{\"type\":\"done\",\"kernel\":\"../x\",\"restart\":true}",
                "{\"type\":\"failed\",\"cause\":\"weather\",\"text\":\"a\"}",
                "{\"type\":\"failed\",\"cause\":\"interrupted\",\"text\":\"a\"}", /* the runner's own word */
                "{\"type\":\"failed\",\"cause\":\"\",\"text\":\"a\"}", "{\"type\":\"failed\",\"cause\":\"backend\"}",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(run_result_freep) RunResult *result = result_new(RUN_INSTALL);
                _cleanup_(run_transcript_done) RunTranscript t = { .result = result };

                ck_assert_ok(say(&t, HELLO));
                ck_assert_msg(say(&t, bad[i]) < 0, "%s", bad[i]);
                ck_assert_ok(say(&t, "{\"type\":\"done\",\"restart\":true}"));
                ck_assert_ok(run_transcript_end(&t, 0));
                ck_assert_msg(result->outcome == RUN_FAILED && result->cause == RUN_CAUSE_BACKEND, "%s", bad[i]);
        }
}
END_TEST

START_TEST(test_transcript_order) {
        static const struct {
                const char *first, *second;
                int status;
                RunCause cause;
        } ends[] = {
                { "{\"type\":\"done\",\"restart\":false}", NULL, 0, RUN_CAUSE_BACKEND }, /* no hello */
                { HELLO, NULL, 0, RUN_CAUSE_BACKEND },                                   /* no last word */
                { HELLO, "{\"type\":\"done\",\"restart\":false}", W_EXITCODE(1, 0), RUN_CAUSE_BACKEND },
                { HELLO, "{\"type\":\"failed\",\"cause\":\"held\",\"text\":\"a\"}", W_EXITCODE(1, 0), RUN_CAUSE_HELD },
                { HELLO, "{\"type\":\"failed\",\"cause\":\"held\",\"text\":\"a\"}", 0, RUN_CAUSE_HELD },
                { HELLO, NULL, W_EXITCODE(0, SIGKILL), RUN_CAUSE_INTERRUPTED },
                { HELLO, NULL, W_EXITCODE(3, 0), RUN_CAUSE_BACKEND },
        };

        for (size_t i = 0; i < ELEMENTSOF(ends); i++) {
                _cleanup_(run_result_freep) RunResult *result = result_new(RUN_INSTALL);
                _cleanup_(run_transcript_done) RunTranscript t = { .result = result };
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;

                (void) say(&t, ends[i].first);
                if (ends[i].second)
                        (void) say(&t, ends[i].second);
                ck_assert_ok(run_transcript_end(&t, ends[i].status));
                ck_assert_msg(result->outcome == RUN_FAILED && result->cause == ends[i].cause, "case %zu", i);
                ck_assert_int_lt(run_result_error(result, &error), 0);
                ck_assert_ptr_nonnull(hotpatch_error_find(error.name));
        }
}
END_TEST

START_TEST(test_limits) {
        _cleanup_(run_result_freep) RunResult *result = result_new(RUN_PLAN);
        _cleanup_(run_transcript_done) RunTranscript t = { .result = result };
        _cleanup_free_ char *line = malloc(HOTPATCH_RUN_LINE_MAX + 64);

        ck_assert_ok(say(&t, HELLO));
        for (size_t i = 0; i < HOTPATCH_RUN_WARNINGS_MAX + 10; i++)
                ck_assert_ok(say(&t, "{\"type\":\"warning\",\"text\":\"a\"}"));
        ck_assert_uint_eq(strv_length(result->warnings), HOTPATCH_RUN_WARNINGS_MAX);
        for (size_t i = 0; i < HOTPATCH_RUN_CHANGES_MAX; i++)
                ck_assert_ok(say(&t, "{\"type\":\"package\",\"action\":\"install\",\"name\":\"a\",\"to\":\"1\"}"));
        ck_assert_int_lt(say(&t, "{\"type\":\"package\",\"action\":\"install\",\"name\":\"a\",\"to\":\"1\"}"), 0);
        t.broken = false;
        memset(line, ' ', HOTPATCH_RUN_LINE_MAX + 1);
        ck_assert_int_lt(run_transcript_line(&t, line, HOTPATCH_RUN_LINE_MAX + 1, NULL), 0);
}
END_TEST

/* What a backend may give as the cause, and the error that a caller sees: doc/baseline-backend.md has the first column. */
static const struct {
        const char *word, *error;
} protocol[] = {
        { "lock-held", HOTPATCH_ERROR("PackagesLocked") },
        { "no-space", HOTPATCH_ERROR("DiskFull") },
        { "boot-full", HOTPATCH_ERROR("BootFull") },
        { "packages-broken", HOTPATCH_ERROR("PackagesBroken") },
        { "conffile", HOTPATCH_ERROR("ConffileConflict") },
        { "initramfs-missing", HOTPATCH_ERROR("InitramfsMissing") },
        { "kernel-missing", HOTPATCH_ERROR("KernelMissing") },
        { "download-failed", HOTPATCH_ERROR("DownloadFailed") },
        { "not-trusted", HOTPATCH_ERROR("RepositoryNotTrusted") },
        { "not-found", HOTPATCH_ERROR("PackageNotFound") },
        { "would-remove", HOTPATCH_ERROR("WouldRemovePackages") },
        { "would-downgrade", HOTPATCH_ERROR("WouldDowngradePackages") },
        { "held", HOTPATCH_ERROR("PackageHeld") },
        { "unsupported", HOTPATCH_ERROR("BackendUnsupported") },
        { "backend", HOTPATCH_ERROR("BackendFailed") },
};

START_TEST(test_causes) {
        /* One is the runner's own, and no failure has no cause. */
        ck_assert_uint_eq(ELEMENTSOF(protocol), _RUN_CAUSE_MAX - 2);
        for (size_t i = 0; i < ELEMENTSOF(protocol); i++) {
                _cleanup_(run_result_freep) RunResult *result = result_new(RUN_INSTALL), *again = NULL;
                _cleanup_(run_transcript_done) RunTranscript t = { .result = result };
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                _cleanup_free_ char *line = NULL, *text = NULL;
                bool retry = i % 2;

                ck_assert_int_ge(asprintf(&line, "{\"type\":\"failed\",\"cause\":\"%s\",\"text\":\"Why %zu\",\"retry\":%s}",
                                protocol[i].word, i, retry ? "true" : "false"), 0);
                ck_assert_ok(say(&t, HELLO));
                ck_assert_ok(say(&t, line));
                ck_assert_ok(run_transcript_end(&t, W_EXITCODE(1, 0)));
                ck_assert_ok(run_result_format(result, &text));
                ck_assert_ok(run_result_parse(text, strlen(text), &again, NULL));
                ck_assert_str_eq(run_cause_to_string(again->cause), protocol[i].word);
                ck_assert_int_eq(again->retry, retry);
                ck_assert_int_lt(run_result_error(again, &error), 0);
                ck_assert_str_eq(error.name, protocol[i].error);
                ck_assert(startswith(error.message, "Why "));
                /* It has a row of its own in the table of errors, and so a remedy. */
                ck_assert_str_eq(hotpatch_error_find(error.name)->name, protocol[i].error);
        }
}
END_TEST

/* --- the runner, with backends of a few lines --- */

static char *root_new(void) {
        static const char *const folders[] = { "run", "run/hotpatch", "run/hotpatch/baseline", "var", "var/lib",
                "var/lib/hotpatch" };
        char *root = scratch_new();

        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                _cleanup_free_ char *path = path_join(root, folders[i]);
                ck_assert_int_eq(mkdir(path, 0700), 0);
        }
        return root;
}

static void put(const char *root, const char *name, const char *text, unsigned mode) {
        _cleanup_free_ char *path = path_join(root, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

        ck_assert_int_ge(fd, 0);
        ck_assert_ok(file_write_all(fd, text, strlen(text)));
        close(fd);
}

static RunResult *run_request(const char *root, const char *request, const char *script) {
        const Runner runner = { .root = root, .backends = root, .kill_sec = 1 };
        RunResult *result = NULL;

        put(root, RUN_REQUEST_FILE, request, 0600);
        put(root, "apt", script, 0755);
        ck_assert_ok(runner_run(&runner, &result, NULL));
        return result;
}

static RunResult *run(const char *root, const char *script) {
        return run_request(root, REQUEST, script);
}

static char *request_for(const char *verb) {
        char *text;

        ck_assert_int_ge(asprintf(&text, "{\"protocol\":1,\"verb\":\"%s\",\"id\":\"" ID "\",\"backend\":\"apt\""
                ",\"baseline\":\"2026.10\",\"packages\":[],\"lock_timeout\":0}", verb), 0);
        return text;
}

#define SAYS(line) "#!/bin/sh\necho '" HELLO "'\necho '" line "'\n"
#define SAYS_DONE SAYS("{\"type\":\"done\",\"restart\":false}")
#define SAYS_FAILED SAYS("{\"type\":\"failed\",\"cause\":\"packages-broken\",\"text\":\"no\"}") "exit 1\n"

/* What was cut off stays so until it is mended: neither a mend that fails nor a damaged record ends it. */
START_TEST(test_runner_after_a_mend_that_failed) {
        char *root = root_new();
        _cleanup_free_ char *mend = request_for("mend");
        RunResult *result;

        result = run_request(root, mend, SAYS_FAILED);
        ck_assert(result->outcome == RUN_FAILED && result->cause == RUN_CAUSE_PACKAGES_BROKEN);
        run_result_free(result);
        result = run(root, SAYS_DONE);
        ck_assert(result->outcome == RUN_FAILED && result->cause == RUN_CAUSE_INTERRUPTED);
        run_result_free(result);
        put(root, RUN_RESULT_DIRECTORY "/install", "{", 0600);
        result = run(root, SAYS_DONE);
        ck_assert(result->outcome == RUN_FAILED && result->cause == RUN_CAUSE_INTERRUPTED);
        run_result_free(result);
        result = run_request(root, mend, SAYS_DONE);
        ck_assert(result->outcome == RUN_DONE);
        run_result_free(result);
        result = run(root, SAYS_DONE);
        ck_assert(result->outcome == RUN_DONE);
        run_result_free(result);
        scratch_free(root);
}
END_TEST

START_TEST(test_runner_reserves_room) {
        char *root = root_new();
        _cleanup_(run_result_freep) RunResult *result = NULL;
        _cleanup_free_ char *script = NULL;

        ck_assert_int_ge(asprintf(&script, "#!/bin/sh\n[ $(wc -c <'%s/" RUN_RESULT_DIRECTORY "/reserve') -ge 65536 ] || exit 7\n"
                "echo '" HELLO "'\necho '{\"type\":\"done\",\"restart\":false}'\n", root), 0);
        result = run(root, script);
        ck_assert_msg(result->outcome == RUN_DONE, "%s", result->text);
        scratch_free(root);
}
END_TEST

START_TEST(test_runner_waits_for_the_last_process) {
        char *root = root_new();
        _cleanup_(run_result_freep) RunResult *result = NULL;
        _cleanup_free_ char *proof = path_join(root, "ended"), *script = NULL;

        ck_assert_int_ge(asprintf(&script, SAYS_DONE "(sleep 0.5; >'%s') >/dev/null 2>&1 &\n", proof), 0);
        result = run(root, script);
        ck_assert(result->outcome == RUN_DONE);
        ck_assert_int_eq(access(proof, F_OK), 0);
        scratch_free(root);
}
END_TEST

/* A stop of a plan has an end, also when the backend does not want to hear of it. */
START_TEST(test_runner_kills_a_plan_that_does_not_end) {
        char *root = root_new();
        _cleanup_(run_result_freep) RunResult *result = NULL;
        _cleanup_free_ char *plan = request_for("plan");

        result = run_request(root, plan, "#!/bin/sh\ntrap '' TERM\necho '" HELLO "'\nkill -TERM $PPID\n"
                "while :; do sleep 1; done\n");
        ck_assert(result->outcome == RUN_FAILED && result->retry);
        scratch_free(root);
}
END_TEST

START_TEST(test_runner_passes_proxies_on) {
        char *root = root_new();
        _cleanup_(run_result_freep) RunResult *result = NULL;

        ck_assert_int_eq(setenv("https_proxy", "http://proxy.example.org:3128", 1), 0);
        result = run(root, "#!/bin/sh\n[ \"$https_proxy\" = http://proxy.example.org:3128 ] || exit 8\n"
                "echo '" HELLO "'\necho '{\"type\":\"done\",\"restart\":false}'\n");
        ck_assert_msg(result->outcome == RUN_DONE, "%s", result->text);
        scratch_free(root);
}
END_TEST

START_TEST(test_runner) {
        char *root = root_new();
        _cleanup_(run_result_freep) RunResult *result = NULL, *read = NULL;
        _cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

        result = run(root, "#!/bin/sh\necho '" HELLO "'\n"
                "[ \"$1 $2\" = 'install linux-image-6.1.0-56-amd64=6.1.150-1~bpo+1' ] || exit 3\n"
                "[ \"$HOTPATCH_LOCK_TIMEOUT$HOTPATCH_BASELINE\" = 9002026.10 ] || exit 4\n"
                /* a last line without its newline counts */
                "printf '{\"type\":\"done\",\"restart\":true}'\n");
        ck_assert_msg(result->outcome == RUN_DONE, "%s", result->text);
        ck_assert_ok(run_result_read_at(root_fd, RUN_INSTALL, &read));
        ck_assert(read->restart && read->ended_usec >= read->started_usec && read->started_usec > 0);
        ck_assert_int_eq(run_lock_is_held(root_fd), 0);
        scratch_free(root);
}
END_TEST

/* It goes on to its end though nobody understands it, and a line may be longer than any buffer. */
START_TEST(test_runner_hears_nonsense) {
        char *root = root_new();
        _cleanup_(run_result_freep) RunResult *result = NULL;
        _cleanup_free_ char *proof = path_join(root, "went-on");
        _cleanup_free_ char *script = NULL;

        ck_assert_int_ge(asprintf(&script, "#!/bin/sh\necho '" HELLO "'\nhead -c 300000 /dev/zero\necho\n"
                "echo '{\"type\":\"done\",\"restart\":true}'\n>'%s'\n", proof), 0);
        result = run(root, script);
        ck_assert(result->outcome == RUN_FAILED && result->cause == RUN_CAUSE_BACKEND);
        ck_assert_int_eq(access(proof, F_OK), 0);
        scratch_free(root);
}
END_TEST

START_TEST(test_runner_finds_a_cut_off_one) {
        char *root = root_new();
        _cleanup_(run_result_freep) RunResult *result = NULL, *left = result_new(RUN_INSTALL), *settled = NULL;
        _cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ char *text = NULL, *results = path_join(root, RUN_RESULT_DIRECTORY);
        _cleanup_free_ char *proof = path_join(root, "was-run"), *script = NULL;
        int lock;

        ck_assert_int_eq(run_settle(root_fd, &settled), -ENOENT);
        ck_assert_int_eq(mkdir(results, 0700), 0);
        ck_assert_ok(run_result_format(left, &text));
        put(root, RUN_RESULT_DIRECTORY "/install", text, 0600);
        lock = run_lock_take(root_fd);
        ck_assert_ok(lock);
        close(lock);

        ck_assert_int_eq(run_settle(root_fd, &settled), 0);
        ck_assert(settled->outcome == RUN_FAILED && settled->cause == RUN_CAUSE_INTERRUPTED);
        ck_assert_int_ge(asprintf(&script, "#!/bin/sh\n>'%s'\n", proof), 0);
        result = run(root, script);
        ck_assert(result->outcome == RUN_FAILED && result->cause == RUN_CAUSE_INTERRUPTED);
        ck_assert_int_ne(access(proof, F_OK), 0);
        scratch_free(root);
}
END_TEST

START_TEST(test_lock) {
        char *root = root_new();
        _cleanup_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int fds[2];
        pid_t pid;
        char c;

        ck_assert_int_eq(run_lock_is_held(root_fd), 0);
        ck_assert_int_eq(pipe(fds), 0);
        pid = fork();
        if (pid == 0) {
                int lock = run_lock_take(root_fd);
                _exit(lock < 0 || write(fds[1], "x", 1) != 1 || pause());
        }
        ck_assert_int_eq(read(fds[0], &c, 1), 1);
        ck_assert_int_eq(run_lock_is_held(root_fd), 1);
        ck_assert_int_eq(run_lock_take(root_fd), -EBUSY);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        ck_assert_int_eq(run_lock_is_held(root_fd), 0);
        scratch_free(root);
}
END_TEST

START_TEST(test_runner_without_request) {
        char *root = root_new();
        const Runner runner = { .root = root, .backends = root };
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        RunResult *result = NULL;

        ck_assert_int_lt(runner_run(&runner, &result, &error), 0);
        ck_assert_ptr_nonnull(strstr(error.message, "no request"));
        put(root, RUN_REQUEST_FILE, "{", 0600);
        ck_assert_int_lt(runner_run(&runner, &result, NULL), 0);
        ck_assert_ptr_null(result);
        scratch_free(root);
}
END_TEST

static Suite *suite(void) {
        Suite *s = suite_create("run");
        TCase *t = tcase_create("run");

        hotpatch_errors_register();
        tcase_add_test(t, test_request);
        tcase_add_test(t, test_request_refuses);
        tcase_add_test(t, test_transcript);
        tcase_add_test(t, test_transcript_refuses);
        tcase_add_test(t, test_transcript_order);
        tcase_add_test(t, test_limits);
        tcase_add_test(t, test_causes);
        tcase_add_test(t, test_runner);
        tcase_add_test(t, test_runner_after_a_mend_that_failed);
        tcase_add_test(t, test_runner_reserves_room);
        tcase_add_test(t, test_runner_waits_for_the_last_process);
        tcase_add_test(t, test_runner_kills_a_plan_that_does_not_end);
        tcase_add_test(t, test_runner_passes_proxies_on);
        tcase_add_test(t, test_runner_hears_nonsense);
        tcase_add_test(t, test_runner_finds_a_cut_off_one);
        tcase_add_test(t, test_lock);
        tcase_add_test(t, test_runner_without_request);
        tcase_set_timeout(t, 60);
        suite_add_tcase(s, t);
        return s;
}

UNIT_MAIN(suite)
