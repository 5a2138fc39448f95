/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The protocol of backends, doc/baseline-backend.md: JSON objects, one in each line, from the standard output of
 * a program that works on packages as root. It is not an enemy, but it is written by others, and it
 * quotes what repositories say: so every line is read with limits, and what is unknown is an error.
 *
 * An error of the protocol does not stop the program: in the middle of an installation that would do
 * more harm than any line. Its lines are not looked at any more, it may end its work, and the run
 * has failed.
 */

#include <sys/wait.h>

#include "baseline/run-json.h"
#include "baseline/run-transcript.h"
#include "dbus/errors.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

#define WHAT "A line of the baseline backend"

/** run_transcript_done() - free what it holds; the result is the caller's */
void run_transcript_done(RunTranscript *t) {
        free(t->status);
        t->status = NULL;
}

static int check_text(const char *text, sd_bus_error *error) {
        return run_text_is_valid(text) ? 0 : run_json_refuse(error, WHAT, "'text' is no sentence");
}

static int on_hello(RunTranscript *t, json_t *line, sd_bus_error *error) {
        const char *type, *backend;
        json_int_t protocol;
        json_error_t e;

        if (json_unpack_ex(line, &e, 0, "{s:s, s:I, s:s !}", "type", &type, "protocol", &protocol,
                            "backend", &backend) < 0)
                return run_json_refuse(error, WHAT, "%s", e.text);
        if (protocol != RUN_PROTOCOL)
                return run_json_refuse(error, WHAT, "it speaks protocol %lld, not %d", (long long) protocol, RUN_PROTOCOL);
        if (!streq(backend, t->result->backend))
                return run_json_refuse(error, WHAT, "it calls itself '%.32s'", backend);
        t->greeted = true;
        return 0;
}

/* A line that has a text and nothing else. @ret_text lives as long as @line. */
static int read_text(json_t *line, const char **ret_text, sd_bus_error *error) {
        const char *type, *text;
        json_error_t e;
        int r;

        if (json_unpack_ex(line, &e, 0, "{s:s, s:s !}", "type", &type, "text", &text) < 0)
                return run_json_refuse(error, WHAT, "%s", e.text);
        r = check_text(text, error);
        if (r >= 0)
                *ret_text = text;
        return r;
}

static int on_status(RunTranscript *t, json_t *line, sd_bus_error *error) {
        const char *text;
        int r = read_text(line, &text, error);

        return r < 0 ? r : run_json_copy(text, &t->status);
}

static int on_progress(RunTranscript *t, json_t *line, sd_bus_error *error) {
        json_int_t percent;
        const char *type;
        json_error_t e;

        if (json_unpack_ex(line, &e, 0, "{s:s, s:I !}", "type", &type, "percent", &percent) < 0)
                return run_json_refuse(error, WHAT, "%s", e.text);
        if (percent < 0 || percent > 100)
                return run_json_refuse(error, WHAT, "'percent' is not between 0 and 100");
        t->percent = (unsigned) percent;
        return 0;
}

static int on_warning(RunTranscript *t, json_t *line, sd_bus_error *error) {
        const char *text;
        int r = read_text(line, &text, error);

        /* A hundred of one kind say no more than the first ones; the journal has all. */
        if (r < 0 || strv_length(t->result->warnings) >= HOTPATCH_RUN_WARNINGS_MAX)
                return r;
        return strv_extend(&t->result->warnings, text);
}

static int on_package(RunTranscript *t, json_t *line, sd_bus_error *error) {
        RunResult *result = t->result;
        RunChange *grown;
        int r;

        if (result->n_changes >= HOTPATCH_RUN_CHANGES_MAX)
                return run_json_refuse(error, WHAT, "more than %u packages", HOTPATCH_RUN_CHANGES_MAX);
        grown = reallocarray(result->changes, result->n_changes + 1, sizeof(*grown));
        if (!grown)
                return -ENOMEM;
        result->changes = grown;
        r = run_json_change(WHAT, line, &grown[result->n_changes], error);
        if (r >= 0)
                result->n_changes++;
        return r;
}

static int on_needs(RunTranscript *t, json_t *line, sd_bus_error *error) {
        json_int_t download = 0, disk = 0, boot = 0;
        const char *type;
        json_error_t e;

        if (json_unpack_ex(line, &e, 0, "{s:s, s?I, s?I, s?I !}", "type", &type, "download_bytes", &download,
                            "disk_bytes", &disk, "boot_bytes", &boot) < 0)
                return run_json_refuse(error, WHAT, "%s", e.text);
        if (download < 0 || boot < 0)
                return run_json_refuse(error, WHAT, "a number of bytes is negative");
        t->result->download_bytes = download;
        t->result->disk_bytes = disk;
        t->result->boot_bytes = boot;
        return 0;
}

static int on_done(RunTranscript *t, json_t *line, sd_bus_error *error) {
        const char *type, *kernel = NULL;
        json_error_t e;
        int restart, r;

        if (json_unpack_ex(line, &e, 0, "{s:s, s?s, s:b !}", "type", &type, "kernel", &kernel, "restart", &restart) < 0)
                return run_json_refuse(error, WHAT, "%s", e.text);
        if (kernel && !run_release_is_valid(kernel))
                return run_json_refuse(error, WHAT, "'%.64s' is no kernel release", kernel);
        r = run_json_copy(kernel, &t->result->kernel);
        if (r < 0)
                return r;
        t->result->restart = restart;
        t->result->outcome = RUN_DONE;
        t->ended = true;
        return 0;
}

static int on_failed(RunTranscript *t, json_t *line, sd_bus_error *error) {
        const char *type, *word, *text;
        json_error_t e;
        RunCause cause;
        int retry = 0, r;

        if (json_unpack_ex(line, &e, 0, "{s:s, s:s, s:s, s?b !}", "type", &type, "cause", &word, "text", &text,
                            "retry", &retry) < 0)
                return run_json_refuse(error, WHAT, "%s", e.text);
        cause = run_cause_from_string(word);
        if (cause < 0 || cause == RUN_CAUSE_NONE || cause == RUN_CAUSE_INTERRUPTED)
                return run_json_refuse(error, WHAT, "'%.32s' is no cause", word);
        r = check_text(text, error);
        if (r < 0)
                return r;
        t->ended = true;
        return run_result_fail(t->result, cause, retry, text);
}

static const struct Message {
        const char *type;
        int (*handle)(RunTranscript *t, json_t *line, sd_bus_error *error);
} messages[] = {
        { "status", on_status },   { "progress", on_progress }, { "warning", on_warning }, { "package", on_package },
        { "needs", on_needs },     { "done", on_done },         { "failed", on_failed },
};

static int handle(RunTranscript *t, json_t *line, sd_bus_error *error) {
        const char *type = json_string_value(json_object_get(line, "type"));

        if (!json_is_object(line) || !type)
                return run_json_refuse(error, WHAT, "it is no object with a 'type'");
        if (t->ended)
                return run_json_refuse(error, WHAT, "it comes after the last one");
        if (!t->greeted)
                return streq(type, "hello") ? on_hello(t, line, error)
                                            : run_json_refuse(error, WHAT, "the first is not 'hello'");
        for (size_t i = 0; i < ELEMENTSOF(messages); i++)
                if (streq(messages[i].type, type))
                        return messages[i].handle(t, line, error);
        return run_json_refuse(error, WHAT, "'%.32s' is no type of a line", type);
}

/**
 * run_transcript_line() - take one line in
 * @t: the transcript
 * @line, @size: without the newline
 * @error: BackendFailed: this line cannot be understood, and those after it are not looked at
 *
 * Return: 0 or a negative errno; 0 for what comes after an error.
 */
int run_transcript_line(RunTranscript *t, const char *line, size_t size, sd_bus_error *error) {
        _cleanup_(sd_bus_error_free) sd_bus_error refusal = SD_BUS_ERROR_NULL;
        _cleanup_json_ json_t *object = NULL;
        int r;

        if (t->broken)
                return 0;
        if (++t->lines > HOTPATCH_RUN_LINES_MAX)
                r = run_json_refuse(&refusal, WHAT, "more than %u lines", HOTPATCH_RUN_LINES_MAX);
        else
                r = run_json_load(WHAT, line, size, HOTPATCH_RUN_LINE_MAX, &object, &refusal);
        if (r >= 0)
                r = handle(t, object, &refusal);
        if (r >= 0 || r == -ENOMEM)
                return r;
        t->broken = true;
        t->result->outcome = RUN_RUNNING;
        if (run_result_fail(t->result, RUN_CAUSE_BACKEND, false, refusal.message) < 0)
                return -ENOMEM;
        return sd_bus_error_copy(error, &refusal);
}

/**
 * run_transcript_end() - the backend has ended; the result is complete afterwards
 * @t: the transcript
 * @wait_status: as from waitpid(2)
 *
 * What it said and how it ended must agree: "done" and 0, "failed" and another status. When it
 * died without a word, that is the failure.
 *
 * Return: 0 or -ENOMEM.
 */
int run_transcript_end(RunTranscript *t, int wait_status) {
        bool clean = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
        _cleanup_free_ char *text = NULL;
        int r;

        if (t->result->outcome == RUN_FAILED)
                return 0;
        if (t->result->outcome == RUN_DONE && clean)
                return 0;
        t->result->outcome = RUN_RUNNING;
        if (WIFSIGNALED(wait_status))
                r = str_printf(&text, "The backend '%s' was ended by signal %d", t->result->backend,
                        WTERMSIG(wait_status));
        else if (clean)
                r = str_printf(&text, "The backend '%s' ended without a last word", t->result->backend);
        else
                r = str_printf(&text, "The backend '%s' ended with status %d and does not say why", t->result->backend,
                        WEXITSTATUS(wait_status));
        if (r < 0)
                return r;
        /* Somebody ended it, with what it had begun half done. */
        return run_result_fail(t->result,
                WIFSIGNALED(wait_status) && (t->result->verb == RUN_INSTALL || t->result->verb == RUN_MEND)
                        ? RUN_CAUSE_INTERRUPTED : RUN_CAUSE_BACKEND, false, text);
}
