/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files of the trials share, trial*.c. */

#include <systemd/sd-event.h>

#include "daemon/manager.h"
#include "daemon/trial.h"
#include "livepatch/kernelsigns.h"
#include "livepatch/klog-follow.h"

typedef struct TrialChecks TrialChecks;
typedef struct TrialSelfTests TrialSelfTests;
typedef struct TrialUnits TrialUnits;

/**
 * struct Trial - one transaction that is watched
 * @timer: its end, CLOCK_BOOTTIME
 * @due: its end has come; what still has to be looked at is under way
 * @failed: a bad sign was seen, and its patches are to be taken out; record.reason says which
 * @grown: looks in a row at which the kernel kept too much more memory than before
 * @given_up: they cannot be taken out; the next start tries again
 * @resumed: a daemon before us was taking them out
 * @out_ids, @out_modules: all that this one was taking out; NULL: nothing is known of it
 */
typedef struct Trial {
        Trials *trials;
        TrialRecord record;
        sd_event_source *timer;
        bool due;
        bool failed;
        unsigned grown;
        bool given_up;
        bool resumed;
        char **out_ids;
        char **out_modules;
} Trial;

/**
 * struct Trials
 * @list: oldest first
 * @log: while a trial or an Apply is on
 * @mark: number of the first kernel log record of the job that runs; KERNEL_LOG_NOW: none came yet
 * @taint_before: of the kernel, when that job began
 * @memory_before: what the kernel kept for itself then, KiB; 0: not known
 * @quiet: closes a report of the kernel after which nothing comes
 * @look: the periodic look at what sends no event
 * @interval: asks the checks and the self-tests again
 * @next: goes on when a job has ended
 */
struct Trials {
        Manager *manager;
        Trial **list;
        size_t n;

        KernelLogFollower *log;
        KernelSigns signs;
        uint64_t mark;
        uint64_t taint_before;
        uint64_t memory_before;
        sd_event_source *quiet;
        sd_event_source *look;
        sd_event_source *interval;
        sd_event_source *next;
        unsigned looks; /* since a trial is on */
        unsigned pressed; /* looks in a row at which the pressure was too high */

        TrialUnits *units;
        TrialChecks *checks;
        TrialSelfTests *self_tests;
};

/** enum TrialsForgiven - which trials that failed are over when their patches are applied again */
typedef enum TrialsForgiven {
        TRIALS_GIVEN_UP, /* by this daemon */
        TRIALS_FAILED,   /* all */
} TrialsForgiven;

static inline bool trial_is_running(const Trial *t) {
        return !t->failed;
}

/* Only a sign that names it counts: it has come back by a rollback, for which nobody has to vouch a second time. One
 * that names nobody would take out one good patch after the other. */
static inline bool trial_must_be_named(const Trial *t) {
        return streq(t->record.kind, "return");
}

/* trial.c */
void trial_say(const Trial *t, const char *message_id, int priority, const char *format, ...) _printf_(4, 5);
void trials_say_blind(const char *module, const char *format, ...) _nonnull_(2) _printf_(2, 3);
int trial_set_timer(Trial *t) _must_check_ _nonnull_(1);
int trials_add(Trials *t, TrialRecord *record) _must_check_ _nonnull_(1, 2);
Trial *trials_find(const Trials *t, const char *transaction) _nonnull_(1, 2);
Trial *trials_find_patch(const Trials *t, const char *id) _nonnull_(1, 2);
uint64_t trials_log_begin(const Trials *t) _nonnull_(1);
void trials_forget(Trials *t, size_t i, bool tried_later) _nonnull_(1);
int trials_forgive(Trials *t, char *const *ids, const char *heir, TrialsForgiven which) _must_check_ _nonnull_(1);
void trials_watch(Trials *t) _nonnull_(1);
void trials_pass(Trials *t, size_t i) _nonnull_(1);
void trials_end_one(Trials *t, size_t i, const char *result, const char *reason) _nonnull_(1, 3, 4);
void trial_fail(Trial *t, const char *reason) _nonnull_(1, 2);
Trial *trials_youngest(const Trials *t, uint64_t sequence) _nonnull_(1);
void trials_settle(Trials *t) _nonnull_(1);

/* trial-log.c: what the kernel says */
void trial_log_open(Trials *t, uint64_t from);
void trial_log_close(Trials *t);
void trial_log_catch_up(Trials *t);
bool trial_log_read(Trials *t);

/* trial-look.c: what has to be looked at */
int trial_look_start(Trials *t) _must_check_;
void trial_look_stop(Trials *t);
void trial_look_at_taint(Trials *t);
void trial_look_at_dump(Trials *t);
void trial_look_consume(Trials *t);
uint64_t trial_taint(const Trials *t);
uint64_t trial_kernel_memory(const Trials *t);
uint64_t trial_taint_allowed(const Trials *t, uint64_t before);
