/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The verbs that change something: apply, remove, stage, end-trial, cancel.
 *
 * One file is applied by ApplyBundle; several files, or files and ids, are staged first and then
 * applied by id as one transaction. What is applied already, or removed already, is no failure:
 * the state that was asked for is there, so the exit code is 0 and "changed" is false.
 */

#include <inttypes.h>
#include <time.h>

#include "ctl/argument.h"
#include "ctl/call.h"
#include "ctl/patches.h"
#include "ctl/text.h"
#include "ctl/trial.h"
#include "ctl/wait.h"
#include "dbus/names.h"
#include "util/strv.h"

static double seconds_now(void) {
        struct timespec ts;

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

static bool is_nothing_to_do(const sd_bus_error *error) {
        return sd_bus_error_has_names(
                        error, HOTPATCH_ERROR("AlreadyApplied"), HOTPATCH_ERROR("NotApplied"));
}

/* "a", "a and b", "a, b and c"; to be freed */
static char *spell_ids(char *const *ids) {
        size_t n = strv_length(ids), size = 1;
        char *text, *end;

        for (size_t i = 0; i < n; i++)
                size += strlen(ids[i]) + strlen(" and ");
        text = end = malloc(size);
        if (!text)
                return NULL;
        *end = '\0';
        for (size_t i = 0; i < n; i++) {
                end = stpcpy(end, i == 0 ? "" : i + 1 == n ? " and " : ", ");
                end = stpcpy(end, ids[i]);
        }
        return text;
}

typedef enum Outcome { OUTCOME_CHANGED, OUTCOME_UNCHANGED, OUTCOME_RUNNING } Outcome;

/* {"changed", "job", "reason"}; "changed" is null as long as the job runs */
static int print_outcome_json(
                const Ctl *ctl, Outcome outcome, const JobInfo *job, const char *reason) {
        _cleanup_value_ Value *answer = value_object();
        Value *v = NULL;

        if (outcome == OUTCOME_RUNNING ? value_set_string(answer, "changed", NULL) < 0
                                       : value_set_bool(answer, "changed",
                                                         outcome == OUTCOME_CHANGED) < 0)
                return -ENOMEM;
        if (job->path && job_to_value(job, &v) < 0)
                return -ENOMEM;
        if (v ? value_set(answer, "job", v) < 0 : value_set_string(answer, "job", NULL) < 0)
                return -ENOMEM;
        if (value_set_string(answer, "reason", reason) < 0)
                return -ENOMEM;
        return value_print(ctl, answer);
}

static int print_outcome(const Ctl *ctl, Outcome outcome, const JobInfo *job, const char *reason,
                double seconds) {
        _cleanup_free_ char *ids = spell_ids(job->patches), *clean = text_sanitize(reason);
        bool removed = streq_ptr(job->type, "remove");

        if (ctl->json)
                return print_outcome_json(ctl, outcome, job, reason);
        if (ctl->quiet)
                return 0;
        if (!ids || !clean)
                return -ENOMEM;
        if (outcome == OUTCOME_UNCHANGED)
                printf("Nothing to do: %s.\n", clean);
        else if (outcome == OUTCOME_RUNNING)
                printf("Job %" PRIu32 " has begun; 'hotpatchctl status' shows it.\n", job->id);
        else
                printf("%s%s%s %s now %s the running kernel (%.1f s).\n",
                                style_on(ctl->colour, STYLE_GREEN), *ids ? ids : "The bundle",
                                style_off(ctl->colour, STYLE_GREEN),
                                text_plural(strv_length(job->patches), "is", "are"),
                                removed ? "out of" : "in force in", seconds);
        return 0;
}

/* Waits, or not, for the job that @reply tells about, and tells how it went. */
static int follow_job(Ctl *ctl, Waiter *w, TrialWaiter *trial, sd_bus_message *reply, double started,
                sd_bus_error *error) {
        int r;

        r = waiter_take_job(w, reply, error);
        if (r < 0)
                return r;
        if (!ctl->wait)
                return print_outcome(ctl, OUTCOME_RUNNING, waiter_job(w), NULL, 0);
        r = waiter_run(w, error);
        if (r < 0)
                return r;
        if (!trial)
                return print_outcome(ctl, OUTCOME_CHANGED, waiter_job(w), NULL, seconds_now() - started);
        /* A program gets one answer; a person waits for minutes and wants to know why. */
        if (!ctl->json) {
                r = print_outcome(ctl, OUTCOME_CHANGED, waiter_job(w), NULL, seconds_now() - started);
                if (r >= 0 && !ctl->quiet && printf("Waiting for the end of the trial.\n") > 0)
                        (void) fflush(stdout);
        }
        if (r >= 0)
                r = trial_waiter_run(trial, waiter_job(w)->patches, error);
        if (r < 0)
                return r;
        if (ctl->json)
                return print_outcome(ctl, OUTCOME_CHANGED, waiter_job(w), NULL, seconds_now() - started);
        if (!ctl->quiet)
                puts("The trial has passed.");
        return 0;
}

/* Exit code of a verb whose job or call ended with @r and @error. */
static int finish(const Ctl *ctl, const char *subject, const Waiter *w, int r,
                const sd_bus_error *error) {
        static const JobInfo none = { 0 };

        if (r < 0 && is_nothing_to_do(error))
                r = print_outcome(ctl, OUTCOME_UNCHANGED, w ? waiter_job(w) : &none, error->message,
                                0);
        return r < 0 ? ctl_fail(ctl, subject, error, r) : HOTPATCH_EXIT_OK;
}

static int stage(Ctl *ctl, const char *file, char **ret_id, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *id;
        char *copy;
        int r;

        r = call_with_file(ctl, "Stage", file, &reply, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(reply, "s", &id);
        if (r < 0)
                return r;
        copy = strdup(id);
        if (!copy)
                return -ENOMEM;
        *ret_id = copy;
        return 0;
}

/* Ids of the arguments; files are staged. On failure @ret_subject is the argument that was refused.
 */
static int stage_arguments(Ctl *ctl, char *const *args, char ***ret_ids, const char **ret_subject,
                sd_bus_error *error) {
        _cleanup_strv_free_ char **ids = NULL;

        for (; *args; args++) {
                _cleanup_free_ char *id = NULL;
                int r = argument_is_file(*args) ? stage(ctl, *args, &id, error) : 0;

                if (r >= 0)
                        r = strv_extend(&ids, id ?: *args);
                if (r < 0) {
                        *ret_subject = *args;
                        return r;
                }
        }
        *ret_ids = TAKE_PTR(ids);
        return 0;
}

static int apply_several(Ctl *ctl, char *const *args, sd_bus_message **ret,
                const char **ret_subject, sd_bus_error *error) {
        _cleanup_strv_free_ char **ids = NULL;
        int r;

        r = stage_arguments(ctl, args, &ids, ret_subject, error);
        return r < 0 ? r : call_with_ids(ctl, "Apply", ids, ret, error);
}

int verb_apply(Ctl *ctl, int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_trial_waiter_ TrialWaiter *trial = NULL;
        _cleanup_waiter_ Waiter *w = NULL;
        const char *subject = argc == 2 ? argv[1] : NULL;
        double started = seconds_now();
        int r;

        if (ctl->dry_run)
                return verb_plan(ctl, argc, argv);
        if (ctl->wait_trial && !ctl->wait)
                return ctl_usage_of("apply", "--wait-trial and --no-wait contradict each other");
        r = waiter_new(ctl, &w, &error);
        if (r >= 0 && ctl->wait_trial)
                r = trial_waiter_new(ctl, &trial, &error);
        if (r < 0)
                return ctl_fail(ctl, NULL, &error, r);
        if (argc == 2 && argument_is_file(argv[1]))
                r = call_with_file(ctl, "ApplyBundle", argv[1], &reply, &error);
        else
                r = apply_several(ctl, argv + 1, &reply, &subject, &error);
        if (r >= 0)
                r = follow_job(ctl, w, trial, reply, started, &error);
        return finish(ctl, subject, w, r, &error);
}

int verb_remove(Ctl *ctl, int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_waiter_ Waiter *w = NULL;
        const char *subject = argc == 2 ? argv[1] : NULL;
        double started = seconds_now();
        int r = argument_check_ids(argv);

        if (r != HOTPATCH_EXIT_OK)
                return r;
        if (ctl->dry_run)
                return plan_removal(ctl, argc, argv);
        r = waiter_new(ctl, &w, &error);
        if (r < 0)
                return ctl_fail(ctl, NULL, &error, r);
        r = call_with_ids(ctl, "Remove", argv + 1, &reply, &error);
        if (r >= 0)
                r = follow_job(ctl, w, NULL, reply, started, &error);
        return finish(ctl, subject, w, r, &error);
}

static int print_staged(const Ctl *ctl, const char *file, const char *id) {
        _cleanup_free_ char *name = text_line(file);
        _cleanup_value_ Value *answer = NULL;

        if (!ctl->json) {
                if (!ctl->quiet)
                        printf("%s: staged as %s\n", strempty(name), id);
                return 0;
        }
        answer = value_object();
        if (value_set_string(answer, "file", file) < 0 || value_set_string(answer, "id", id) < 0)
                return -ENOMEM;
        return value_print(ctl, answer);
}

int verb_stage(Ctl *ctl, int argc, char *argv[]) {
        for (int i = 1; i < argc; i++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                _cleanup_free_ char *id = NULL;
                int r;

                r = stage(ctl, argv[i], &id, &error);
                if (r >= 0)
                        r = print_staged(ctl, argv[i], id);
                if (r < 0)
                        return ctl_fail(ctl, argv[i], &error, r);
        }
        return HOTPATCH_EXIT_OK;
}

int verb_cancel(Ctl *ctl, _unused_ int argc, char *argv[]) {
        int code = argument_check_job(argv);

        if (code == HOTPATCH_EXIT_OK)
                code = call_tell_job(ctl, argv[1], "Cancel");
        if (code == HOTPATCH_EXIT_OK && !ctl->quiet && !ctl->json)
                printf("Job %s was told to stop and to undo what it did.\n", argv[1]);
        return code;
}

static int print_ended(const Ctl *ctl, char *const *ids) {
        _cleanup_value_ Value *answer = value_object();

        if (value_set_bool(answer, "changed", true) < 0 || value_set_strv(answer, "patches", ids) < 0)
                return -ENOMEM;
        return value_print(ctl, answer);
}

int verb_end_trial(Ctl *ctl, int argc, char *argv[]) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r = argument_check_ids(argv);

        if (r != HOTPATCH_EXIT_OK)
                return r;
        r = call_with_ids(ctl, "EndTrial", argv + 1, &reply, &error);
        if (r >= 0 && ctl->json)
                r = print_ended(ctl, argv + 1);
        if (r < 0)
                return ctl_fail(ctl, argc == 2 ? argv[1] : NULL, &error, r);
        if (!ctl->quiet && !ctl->json)
                puts("The trial is over.");
        return HOTPATCH_EXIT_OK;
}
