/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What came of a run, as a file that outlives a power cut: it says "running" before the first package is
 * touched, and "done" or "failed" after the last. A "running" that nobody holds the lock of is an
 * interrupted run; who reads it decides that, see run-interrupted.c.
 */

#include <fcntl.h>
#include <sys/stat.h>

#include "baseline/run-json.h"
#include "dbus/errors.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/strv.h"

#define WHAT "The result of a baseline run"

/** run_result_free() - free a result; NULL is fine. Returns NULL. */
RunResult *run_result_free(RunResult *r) {
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->n_changes; i++)
                run_change_done(&r->changes[i]);
        free(r->changes);
        free(r->id);
        free(r->backend);
        free(r->baseline);
        free(r->bundle);
        free(r->text);
        free(r->kernel);
        strv_free(r->warnings);
        free(r);
        return NULL;
}

/**
 * run_result_new() - the result of a run that begins now
 * @request: names it
 * @ret: run_result_free() it
 *
 * Return: 0 or a negative errno.
 */
int run_result_new(const RunRequest *request, RunResult **ret) {
        _cleanup_(run_result_freep) RunResult *result = calloc(1, sizeof(*result));
        int r;

        if (!result)
                return -ENOMEM;
        result->verb = request->verb;
        r = sd_id128_get_boot(&result->boot_id);
        if (r >= 0)
                r = run_json_copy(request->id, &result->id);
        if (r >= 0)
                r = run_json_copy(request->backend, &result->backend);
        if (r >= 0)
                r = run_json_copy(request->baseline, &result->baseline);
        if (r >= 0)
                r = run_json_copy(request->bundle, &result->bundle);
        result->deadline_usec = request->deadline_usec;
        if (r < 0)
                return r;
        *ret = TAKE_PTR(result);
        return 0;
}

/**
 * run_result_fail() - say why it failed; the first cause counts
 * @text: a sentence
 *
 * Return: 0 or -ENOMEM.
 */
int run_result_fail(RunResult *r, RunCause cause, bool retry, const char *text) {
        if (r->outcome == RUN_FAILED)
                return 0;
        r->outcome = RUN_FAILED;
        r->cause = cause;
        r->retry = retry;
        return run_json_copy(text, &r->text);
}

/** run_result_error() - the failure as an error of the bus. Return: its negative errno, 0 when there is none. */
int run_result_error(const RunResult *r, sd_bus_error *error) {
        const char *name = run_cause_error_name(r->cause);

        if (r->outcome != RUN_FAILED || !name)
                return 0;
        return sd_bus_error_set(error, name, r->text);
}

/* --- reading --- */

static int read_changes(RunResult *result, json_t *changes, sd_bus_error *error) {
        size_t n = json_array_size(changes);

        if (n > HOTPATCH_RUN_CHANGES_MAX)
                return run_json_refuse(error, WHAT, "it has %zu packages, %u are allowed", n, HOTPATCH_RUN_CHANGES_MAX);
        result->changes = calloc(n + 1, sizeof(*result->changes));
        if (!result->changes)
                return -ENOMEM;
        for (; result->n_changes < n; result->n_changes++) {
                int r = run_json_change(WHAT, json_array_get(changes, result->n_changes),
                        &result->changes[result->n_changes], error);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_warnings(RunResult *result, json_t *warnings, sd_bus_error *error) {
        size_t n = json_array_size(warnings);

        if (n > HOTPATCH_RUN_WARNINGS_MAX)
                return run_json_refuse(error, WHAT, "it has %zu warnings, %u are allowed", n, HOTPATCH_RUN_WARNINGS_MAX);
        for (size_t i = 0; i < n; i++) {
                const char *text = json_string_value(json_array_get(warnings, i));
                int r;

                if (!text || !run_text_is_valid(text))
                        return run_json_refuse(error, WHAT, "a warning is no sentence");
                r = strv_extend(&result->warnings, text);
                if (r < 0)
                        return r;
        }
        return 0;
}

typedef struct Words {
        const char *verb, *outcome, *id, *backend, *baseline, *bundle, *boot, *cause, *text, *kernel;
} Words;

static int read_words(RunResult *result, const Words *w, sd_bus_error *error) {
        int r;

        result->verb = run_verb_from_string(w->verb);
        result->outcome = run_outcome_from_string(w->outcome);
        result->cause = run_cause_from_string(strempty(w->cause));
        if (result->verb < 0 || result->outcome < 0 || result->cause < 0)
                return run_json_refuse(error, WHAT, "verb, outcome or cause is not known");
        if ((result->outcome == RUN_FAILED) != (result->cause != RUN_CAUSE_NONE) ||
            (result->outcome == RUN_FAILED) != !!w->text)
                return run_json_refuse(error, WHAT, "a failure has a cause and a text, and nothing else has");
        if (!run_id_is_valid(w->id) || !run_backend_is_valid(w->backend) || !run_baseline_is_valid(w->baseline) ||
            (w->bundle && !run_bundle_is_valid(w->bundle)) ||
            sd_id128_from_string(w->boot, &result->boot_id) < 0 || (w->text && !run_text_is_valid(w->text)) ||
            (w->kernel && !run_release_is_valid(w->kernel)))
                return run_json_refuse(error, WHAT, "a name has not its form");
        r = run_json_copy(w->id, &result->id);
        if (r >= 0)
                r = run_json_copy(w->backend, &result->backend);
        if (r >= 0)
                r = run_json_copy(w->baseline, &result->baseline);
        if (r >= 0)
                r = run_json_copy(w->bundle, &result->bundle);
        if (r >= 0)
                r = run_json_copy(w->text, &result->text);
        return r < 0 ? r : run_json_copy(w->kernel, &result->kernel);
}

/**
 * run_result_parse() - read a result
 * @ret: run_result_free() it
 * @error: BackendFailed, with the place
 *
 * Return: 0 or a negative errno.
 */
int run_result_parse(const void *data, size_t size, RunResult **ret, sd_bus_error *error) {
        _cleanup_(run_result_freep) RunResult *result = calloc(1, sizeof(*result));
        json_int_t protocol, started, ended, download, disk, boot, deadline = 0;
        json_t *changes = NULL, *warnings = NULL;
        _cleanup_json_ json_t *root = NULL;
        int retry, restart, r;
        Words w = {};
        json_error_t e;

        if (!result)
                return -ENOMEM;
        r = run_json_load(WHAT, data, size, HOTPATCH_RUN_RESULT_MAX, &root, error);
        if (r < 0)
                return r;
        if (json_unpack_ex(root, &e, 0,
                    "{s:I, s:s, s:s, s:s, s:s, s:s, s?s, s?I, s:s, s:I, s:I, s?s, s?s, s:b, s:o, s:I, s:I, s:I, s?s, s:b, s:o !}",
                    "protocol", &protocol, "verb", &w.verb, "outcome", &w.outcome, "id", &w.id,
                    "backend", &w.backend, "baseline", &w.baseline, "bundle", &w.bundle, "deadline", &deadline,
                    "boot", &w.boot, "started", &started,
                    "ended", &ended, "cause", &w.cause, "text", &w.text, "retry", &retry, "packages", &changes,
                    "download_bytes", &download, "disk_bytes", &disk, "boot_bytes", &boot,
                    "kernel", &w.kernel, "restart", &restart, "warnings", &warnings) < 0)
                return run_json_refuse(error, WHAT, "%s", e.text);
        if (protocol != RUN_PROTOCOL || started < 0 || ended < 0 || deadline < 0 || download < 0 || boot < 0)
                return run_json_refuse(error, WHAT, "a number is out of its range");
        result->started_usec = (uint64_t) started;
        result->ended_usec = (uint64_t) ended;
        result->deadline_usec = (uint64_t) deadline;
        result->retry = retry;
        result->restart = restart;
        result->download_bytes = download;
        result->disk_bytes = disk;
        result->boot_bytes = boot;
        r = read_words(result, &w, error);
        if (r >= 0)
                r = read_changes(result, changes, error);
        if (r >= 0)
                r = read_warnings(result, warnings, error);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(result);
        return 0;
}

/* --- writing --- */

static json_t *format_changes(const RunResult *r) {
        json_t *array = json_array();

        for (size_t i = 0; i < r->n_changes; i++)
                json_push(&array, run_json_from_change(&r->changes[i]));
        return array;
}

/**
 * run_result_format() - the result as JSON
 * @ret: to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int run_result_format(const RunResult *r, char **ret) {
        char boot[SD_ID128_STRING_MAX];
        _cleanup_json_ json_t *root = NULL;
        const char *cause = run_cause_to_string(r->cause);
        char *text;

        root = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s*, s:o*, s:s, s:I, s:I, s:s*, s:s*, s:b, s:o, s:I, s:I, s:I, s:s*, s:b, s:o}",
                "protocol", RUN_PROTOCOL, "verb", run_verb_to_string(r->verb),
                "outcome", run_outcome_to_string(r->outcome), "id", r->id, "backend", r->backend,
                "baseline", r->baseline, "bundle", r->bundle,
                "deadline", r->deadline_usec > 0 ? json_integer((json_int_t) r->deadline_usec) : NULL, "boot",
                sd_id128_to_string(r->boot_id, boot),
                "started", (json_int_t) r->started_usec, "ended", (json_int_t) r->ended_usec,
                "cause", *cause ? cause : NULL, "text", r->text, "retry", (int) r->retry,
                "packages", format_changes(r), "download_bytes", (json_int_t) r->download_bytes,
                "disk_bytes", (json_int_t) r->disk_bytes, "boot_bytes", (json_int_t) r->boot_bytes,
                "kernel", r->kernel, "restart", (int) r->restart, "warnings", json_strings(r->warnings));
        text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

/**
 * run_result_read_at() - the last result of a verb
 * @root_fd: root directory
 * @ret: run_result_free() it
 *
 * Return: 0, -ENOENT when there is none, -EBADMSG for what is none, or another negative errno.
 */
int run_result_read_at(int root_fd, RunVerb verb, RunResult **ret) {
        _cleanup_close_ int dir_fd = openat(root_fd, RUN_RESULT_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_free_ void *data = NULL;
        size_t size;
        int r;

        if (dir_fd < 0)
                return -errno;
        r = file_read_at(dir_fd, run_verb_result_name(verb), HOTPATCH_RUN_RESULT_MAX, &data, &size);
        if (r < 0)
                return r == -EFBIG || r == -ELOOP || r == -EISDIR ? -EBADMSG : r;
        r = run_result_parse(data, size, ret, NULL);
        return r == -ENOMEM ? r : r < 0 ? -EBADMSG : 0;
}
