/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Trials: what the kernel says about itself.
 *
 * The log is followed from before the insertion of an Apply on, so that a warning during the transition
 * counts too: then there is no trial yet, and the job itself is turned around.
 *
 * Whom a report names decides first: a patch on trial or on its way in. A report that names nobody of these
 * counts only by policy, and belongs to the youngest trial; by default that is so for oopses and the like, which
 * often show up far from what broke the memory, and not for warnings, of which a healthy machine has some.
 */

#include <syslog.h>

#include "daemon/job.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "daemon/timer.h"
#include "daemon/trial-internal.h"
#include "livepatch/state.h"
#include "util/str.h"

/* The lines of a report come at once; the slowest console takes 100 ms for one of them. */
#define QUIET_USEC (200 * USEC_PER_MSEC)

static bool names_functions(const KernelSign *sign, const char *table) {
        PatchNoteFunction f;

        while (patch_note_next_function(&table, &f) > 0)
                if (kernel_sign_names_function(sign, f.object, f.function))
                        return true;
        return false;
}

/* Its code, or a function that it replaces: before everybody has changed over, that runs too. */
static bool names_patch(const Kernel *k, const KernelSign *sign, const char *module) {
        PatchNote note;
        bool named;

        if (kernel_sign_names_module(sign, module))
                return true;
        if (livepatch_note(k, module, &note) < 0)
                return false;
        named = names_functions(sign, note.table);
        patch_note_done(&note);
        return named;
}

static bool names_one_of(const Kernel *k, const KernelSign *sign, char *const *modules) {
        for (; modules && *modules; modules++)
                if (names_patch(k, sign, *modules))
                        return true;
        return false;
}

/* Does the policy count a report that names nobody? */
static bool counts_anonymous(const TrialPolicy *policy, KernelSignKind kind) {
        return policy->signs &
                (kind == KERNEL_SIGN_WARNING ? TRIAL_SIGN_KERNEL_WARNING : TRIAL_SIGN_KERNEL_OOPS);
}

static Trial *find_named(const Trials *t, const KernelSign *sign) {
        for (size_t i = t->n; i-- > 0;) {
                Trial *trial = t->list[i];

                if (!trial->failed && trial->record.kmsg_sequence <= sign->sequence &&
                    names_one_of(t->manager->kernel, sign, trial->record.modules))
                        return trial;
        }
        return NULL;
}

/* A patch that is on its way in and has no trial yet. */
static bool is_of_job(const Trials *t, const KernelSign *sign) {
        const Job *j = manager_running_job(t->manager);

        return j && j->type == JOB_APPLY && !j->past_return && t->mark != KERNEL_LOG_NOW &&
                sign->sequence >= t->mark && names_one_of(t->manager->kernel, sign, j->inserted);
}

static void on_sign(Trials *t, const KernelSign *sign) {
        const TrialPolicy *policy = &t->manager->config->trial;
        _cleanup_free_ char *text = NULL, *reason = NULL;
        bool named = policy->signs & TRIAL_SIGN_KERNEL_LOG, of_job;
        Trial *trial = NULL;

        of_job = named && is_of_job(t, sign);
        if (!of_job && named)
                trial = find_named(t, sign);
        if (!of_job && !trial && counts_anonymous(policy, sign->kind))
                trial = trials_youngest(t, sign->sequence);
        if (!of_job && !trial)
                return;
        if (kernel_sign_describe(sign, &text) >= 0)
                (void) (str_printf(&reason, "the kernel reported a %s", text) < 0);
        if (of_job) {
                trial_look_consume(t);
                job_reverse(manager_running_job(t->manager), reason ?: "the kernel complained about it");
        } else
                trial_fail(trial, reason ?: "the kernel complained about it");
}

static void flush(Trials *t) {
        KernelSign sign;

        if (kernel_signs_flush(&t->signs, &sign) <= 0)
                return;
        on_sign(t, &sign);
        kernel_sign_done(&sign);
}

static int on_quiet(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        flush(userdata);
        return 0;
}

static void arm(Trials *t) {
        (void) (timer_arm(t->manager->event, &t->quiet, QUIET_USEC, USEC_PER_MSEC, on_quiet, t) < 0);
}

/* A trial that began while nothing was known of the log: here it begins. */
static void mark_trials(Trials *t, uint64_t sequence) {
        for (size_t i = 0; i < t->n; i++) {
                TrialRecord *r = &t->list[i]->record;

                if (r->kmsg_sequence != KERNEL_LOG_NOW)
                        continue;
                r->kmsg_sequence = sequence;
                (void) (store_trial_write(t->manager->store, r, NULL) < 0);
        }
}

static void on_record(void *userdata, const KernelRecord *record) {
        Trials *t = userdata;
        KernelSign sign;
        bool complete;

        if (t->mark == KERNEL_LOG_NOW)
                t->mark = record->sequence;
        mark_trials(t, record->sequence);
        complete = kernel_signs_feed(&t->signs, record, &sign) > 0;
        if (kernel_signs_pending(&t->signs))
                arm(t);
        if (!complete)
                return;
        on_sign(t, &sign);
        kernel_sign_done(&sign);
}

static void on_lost(_unused_ void *userdata, uint64_t n) {
        record_say(&(Record) {
                .message_id = HOTPATCH_MESSAGE_LOG_LOST,
                .priority = LOG_WARNING,
                .caller_uid = UINT32_MAX,
        }, "%ju records of the kernel log were overwritten before they could be read", (uintmax_t) n);
}

/**
 * trial_log_open() - follow the kernel log
 * @t: the trials; follows nothing yet
 * @from: number of the first record
 *
 * A machine whose log cannot be read has one sign less; that is written down once for each try.
 */
void trial_log_open(Trials *t, uint64_t from) {
        int r;

        r = kernel_log_follow(t->manager->kernel, t->manager->event, from, on_record, on_lost, t, &t->log);
        if (r >= 0)
                return;
        trials_say_blind(NULL, "The kernel log cannot be read and is not watched during trials: %s", strerror(-r));
}

/** trial_log_close() - follow it no more; an open report is dropped */
void trial_log_close(Trials *t) {
        t->log = kernel_log_follower_free(t->log);
        t->quiet = sd_event_source_disable_unref(t->quiet);
        kernel_signs_done(&t->signs);
}

/** trial_log_catch_up() - look at everything that the kernel has said until now */
void trial_log_catch_up(Trials *t) {
        if (!t->log)
                return;
        /* A sign may end the last trial, and with it the following. */
        if (kernel_log_follower_catch_up(t->log) >= 0)
                flush(t);
}

/** trial_log_read() - the same, but a report may go on. Return: whether one does. */
bool trial_log_read(Trials *t) {
        if (!t->log)
                return false;
        (void) (kernel_log_follower_catch_up(t->log) < 0);
        return kernel_signs_pending(&t->signs);
}
