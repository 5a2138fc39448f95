/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is done about a transition that does not end, from gentle to firm:
 *
 *   1 s     the tasks that block are named, with their units, and hotpatch-blockers.service is started: it
 *           tells what they do in the kernel, and has the kernel say in its log why it does not let them go
 *   FreezeAfterSec=   the units of those that can be woken are frozen and thawed, see freezer.c
 *   15 s    the kernel itself wakes whom it can, and goes on to do so
 *   TimeoutSec=       the job turns the transition around
 *
 * One object lives as long as the wait for one transition. It is driven by the looks of that wait and by
 * what the helpers answer; it decides nothing about the job.
 *
 * Everything beyond the names is optional: without systemd, without the right to look at stacks, on a kernel
 * without dynamic debug the blockers are still named, and the note says what is missing.
 */

#include <inttypes.h>
#include <sys/inotify.h>
#include <syslog.h>

#include "daemon/blockers-text.h"
#include "daemon/bus.h"
#include "daemon/freeze-policy.h"
#include "daemon/job-internal.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "daemon/stacks.h"
#include "daemon/stall.h"
#include "livepatch/functions.h"
#include "livepatch/klog-follow.h"
#include "util/file.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

/* An ordinary transition has ended by then, on 6.1 in one or two tries of a second; and two seconds is
 * what a person is promised. */
#define NAME_AFTER_USEC USEC_PER_SEC
#define LOOK_EVERY_USEC USEC_PER_SEC
/* The reader takes about two seconds, and a machine that is that busy is not to be kept busier. */
#define READ_EVERY_USEC (10 * USEC_PER_SEC)
#define READ_TIMEOUT_USEC (15 * USEC_PER_SEC)
/* Between freezing the same units again, and how often. */
#define FREEZE_EVERY_USEC (5 * USEC_PER_SEC)
#define FREEZE_ROUNDS_MAX 3U

#define READER_UNIT "hotpatch-blockers.service"
#define READER_FOLDER "run/hotpatch"
#define READER_FILE "blockers.json"
/* 128 tasks with 64 frames of 128 bytes. */
#define READER_ANSWER_MAX ((size_t) 2 * 1024 * 1024)

struct Stall {
        Job *job;
        char *module;
        bool patched;
        char **functions;
        Blockers blockers;
        bool named;
        uint64_t looked_usec;

        SystemdCall *reader;
        sd_event_source *answer;
        KernelLogFollower *log;
        uint64_t read_usec;
        bool answered;
        char *missing; /* why stacks or reasons are not known; NULL: nothing is missing */

        unsigned freeze_rounds;
        uint64_t frozen_usec;
        bool freezing;
        bool told;
};

static void changed(Stall *s) {
        s->job->blockers_changed = true;
        bus_job_changed(s->job);
}

static bool may_freeze(const Stall *s, const Blocker *b) {
        const Config *c = s->job->config;

        /* A freezer waits for all tasks of a unit, and one in such a sleep would keep the others frozen. */
        return c->freeze_after_usec > 0 && !c->freeze_exclude_unreadable && b->unit && !b->kernel_thread &&
                b->state != 'D' && freeze_is_allowed(b->unit, c->freeze_exclude);
}

/* --- the journal --- */

static int collect(const Stall *s, char ***units, char ***stacks) {
        for (size_t i = 0; i < s->blockers.n; i++) {
                const Blocker *b = &s->blockers.items[i];
                _cleanup_free_ char *text = NULL;
                int r = 0;

                if (b->unit && !strv_contains(*units, b->unit))
                        r = strv_extend(units, b->unit);
                if (r >= 0 && b->stack)
                        r = blocker_stack_text(b, &text);
                if (r >= 0 && text)
                        r = strv_extend(stacks, text);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void tell(Stall *s) {
        _cleanup_free_ char *summary = NULL, *note = NULL;
        _cleanup_strv_free_ char **units = NULL, **stacks = NULL;
        const Job *j = s->job;

        if (s->told || s->blockers.n == 0)
                return;
        s->told = true;
        if (collect(s, &units, &stacks) < 0 || blockers_summary(&s->blockers, &summary) < 0 ||
            stall_note(s, &note) < 0)
                return;
        record_say(&(Record) {
                .message_id = HOTPATCH_MESSAGE_STALLED,
                .priority = LOG_WARNING,
                .transaction = j->transaction,
                .patch = j->ids ? j->ids[0] : NULL,
                .module = s->module,
                .units = units,
                .stacks = stacks,
                .caller_uid = j->caller_uid,
        }, "The transition %s module '%s' waits for %s%s%s%s", s->patched ? "to" : "back from",
                s->module, summary, *note ? " (" : "", note, *note ? ")" : "");
}

/* --- the reader --- */

static int set_missing(Stall *s, const char *why) {
        char *copy = why ? strdup(why) : NULL;

        if (why && !copy)
                return -ENOMEM;
        free(s->missing);
        s->missing = copy;
        return 0;
}

static int explain(Stall *s) {
        return blockers_explain(&s->blockers, s->module, s->patched, s->functions);
}

static int merge_answer(Stall *s) {
        _cleanup_free_ char *debug = NULL, *why = NULL;
        _cleanup_free_ void *text = NULL;
        size_t size;
        int r;

        r = file_read_at(kernel_root_fd(s->job->manager->kernel), READER_FOLDER "/" READER_FILE,
                READER_ANSWER_MAX, &text, &size);
        if (r >= 0)
                r = stacks_merge(text, size, &s->blockers, &debug);
        if (r < 0)
                return r;
        s->answered = true;
        if (!streq(debug, "on") && str_printf(&why, "the kernel does not tell its reasons: %s", debug) < 0)
                return -ENOMEM;
        r = set_missing(s, why);
        if (r < 0)
                return r;
        r = explain(s);
        changed(s);
        return r;
}

static int on_answer(_unused_ sd_event_source *source, const struct inotify_event *event, void *userdata) {
        Stall *s = userdata;

        if (event->len > 0 && streq(event->name, READER_FILE))
                (void) merge_answer(s);
        return 0;
}

static void on_log(void *userdata, const KernelRecord *record) {
        Stall *s = userdata;

        /* Whoever may write to /dev/kmsg cannot write in the kernel's name. */
        if (record->facility != 0 || !strstr(record->text, "klp_try_switch_task: "))
                return;
        if (blockers_take_log(&s->blockers, record->text) >= 0 && explain(s) >= 0)
                changed(s);
}

static void on_read(void *userdata, int r, _unused_ const char *answer, const sd_bus_error *error) {
        Stall *s = userdata;

        s->reader = systemd_call_free(s->reader);
        if (s->log)
                (void) (kernel_log_follower_catch_up(s->log) < 0);
        s->log = kernel_log_follower_free(s->log);
        s->answer = sd_event_source_disable_unref(s->answer);
        if (r >= 0)
                (void) merge_answer(s);
        else if (!s->answered)
                (void) set_missing(s, error->message);
        tell(s);
        changed(s);
}

static int start_reader(Stall *s) {
        Manager *m = s->job->manager;
        _cleanup_free_ char *folder = NULL;
        int r;

        if (str_printf(&folder, "%s/%s", streq(m->root, "/") ? "" : m->root, READER_FOLDER) < 0)
                return -ENOMEM;
        r = systemd_start_unit(m->systemd, READER_UNIT, READ_TIMEOUT_USEC, on_read, s, &s->reader);
        if (r < 0)
                return r;
        /* Stacks are there long before the unit has ended; without these two they come with its end. */
        (void) sd_event_add_inotify(m->event, &s->answer, folder, IN_MOVED_TO, on_answer, s);
        (void) (kernel_log_follow(m->kernel, m->event, KERNEL_LOG_NOW, on_log, NULL, s, &s->log) < 0);
        return 0;
}

/* A stack that does not tell the reason was read while the task was on its way elsewhere. */
static bool knows_all(const Stall *s) {
        for (size_t i = 0; i < s->blockers.n; i++) {
                const Blocker *b = &s->blockers.items[i];

                if (b->state != 'R' && (!b->stack || b->reason == BLOCKER_UNKNOWN))
                        return false;
        }
        return true;
}

static void read_more(Stall *s, uint64_t now) {
        if (s->reader || s->blockers.n == 0 || (s->read_usec != 0 && now - s->read_usec < READ_EVERY_USEC) ||
            knows_all(s))
                return;
        s->read_usec = now;
        if (start_reader(s) < 0) {
                (void) set_missing(s, "hotpatch-blockers.service cannot be started");
                tell(s);
        }
}

/* --- freezing --- */

static void on_thawed(void *userdata) {
        Stall *s = userdata;

        s->freezing = false;
        s->frozen_usec = clock_usec(CLOCK_MONOTONIC);
}

static int collect_units(const Stall *s, char ***ret) {
        _cleanup_strv_free_ char **units = NULL;

        for (size_t i = 0; i < s->blockers.n; i++) {
                const Blocker *b = &s->blockers.items[i];

                if (may_freeze(s, b) && !strv_contains(units, b->unit) && strv_extend(&units, b->unit) < 0)
                        return -ENOMEM;
        }
        /* Not a unit in which another task would hold the freezer up. */
        for (size_t i = 0; i < s->blockers.n; i++) {
                const Blocker *b = &s->blockers.items[i];

                if (b->state == 'D' && b->unit && strv_contains(units, b->unit))
                        strv_remove(units, b->unit);
        }
        *ret = TAKE_PTR(units);
        return 0;
}

static void freeze_some(Stall *s, uint64_t now) {
        const Manager *m = s->job->manager;
        _cleanup_strv_free_ char **units = NULL;

        if (s->job->config->freeze_after_usec == 0 || s->freezing || s->freeze_rounds >= FREEZE_ROUNDS_MAX ||
            job_waited_usec(s->job) < s->job->config->freeze_after_usec ||
            (s->frozen_usec != 0 && now - s->frozen_usec < FREEZE_EVERY_USEC))
                return;
        if (collect_units(s, &units) < 0 || strv_length(units) == 0)
                return;
        if (freezer_run(m->freezer, units, on_thawed, s) < 0)
                return;
        s->freezing = true;
        s->freeze_rounds++;
}

/* --- the looks --- */

/* While it is undone, a job's progress stands still. */
static void show(Job *j, unsigned done, unsigned total) {
        if (total > 0 && j->state != JOB_REVERSING && job_plan(j))
                job_step_progress(j, (double) done / total);
}

static void show_transition(Job *j, bool patched) {
        unsigned done, total;

        if (job_progress_due(j) && livepatch_progress(j->manager->kernel, patched, &done, &total) >= 0)
                show(j, done, total);
}

/* What is known of a task that blocks still is kept. */
static void carry_over(Blockers *to, Blockers *from) {
        for (size_t i = 0; i < to->n; i++) {
                Blocker *now = &to->items[i], *before = blockers_find(from, now->tid);

                if (!before || before->pid != now->pid)
                        continue;
                now->reason = before->reason;
                now->function = TAKE_PTR(before->function);
                now->stack = TAKE_PTR(before->stack);
        }
}

static bool same_tasks(const Blockers *a, const Blockers *b) {
        if (a->n != b->n || a->n_more != b->n_more)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (a->items[i].tid != b->items[i].tid || a->items[i].state != b->items[i].state)
                        return false;
        return true;
}

static void name_blockers(Stall *s) {
        Blockers found;
        bool same;

        if (blockers_read(s->job->manager->kernel, s->patched, &found) < 0)
                return;
        same = s->named && same_tasks(&found, &s->blockers);
        carry_over(&found, &s->blockers);
        blockers_done(&s->blockers);
        s->blockers = found;
        s->named = true;
        (void) (explain(s) < 0);
        if (!same)
                changed(s);
        show(s->job, found.done, found.total);
}

static int stall_new(Job *j, const char *module, bool patched) {
        Stall *s = malloc(sizeof(*s));

        if (!s)
                return -ENOMEM;
        *s = (Stall) { .job = j, .module = strdup(module), .patched = patched };
        if (!s->module) {
                free(s);
                return -ENOMEM;
        }
        /* Without them the stacks still tell where tasks are. */
        (void) (livepatch_function_names(j->manager->kernel, module, &s->functions) < 0);
        j->stall = s;
        return 0;
}

/**
 * stall_look() - the transition of a job runs still
 * @j: a job that waits for it
 * @module: of the livepatch
 * @patched: direction of the transition
 *
 * To be called at each look at the kernel. Keeps the job's progress and its `stall`.
 */
void stall_look(Job *j, const char *module, bool patched) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC);

        if (j->stall && (!streq(j->stall->module, module) || j->stall->patched != patched))
                j->stall = stall_free(j->stall);
        if (job_waited_usec(j) < NAME_AFTER_USEC && !j->stall)
                return show_transition(j, patched);
        if (!j->stall && stall_new(j, module, patched) < 0)
                return;
        if (now - j->stall->looked_usec < LOOK_EVERY_USEC)
                return;
        j->stall->looked_usec = now;
        name_blockers(j->stall);
        read_more(j->stall, now);
        freeze_some(j->stall, now);
}

/** stall_free() - the transition has ended, or nobody waits for it; NULL is fine. Returns NULL. */
Stall *stall_free(Stall *s) {
        if (!s)
                return NULL;
        if (s->freezing)
                freezer_stop(s->job->manager->freezer);
        systemd_call_free(s->reader);
        kernel_log_follower_free(s->log);
        sd_event_source_disable_unref(s->answer);
        changed(s);
        blockers_done(&s->blockers);
        strv_free(s->functions);
        free(s->missing);
        free(s->module);
        free(s);
        return NULL;
}

/** stall_is_patching() - its direction */
bool stall_is_patching(const Stall *s) {
        return s->patched;
}

/** stall_module() - whose transition it is */
const char *stall_module(const Stall *s) {
        return s->module;
}

/**
 * stall_note() - what is not known about the blockers, and why
 * @s: NULL: no transition stalls
 * @ret: empty when nothing is missing; to be freed
 *
 * Return: 0 or -ENOMEM.
 */
int stall_note(const Stall *s, char **ret) {
        char more[64] = "", *text;

        if (s && s->blockers.n_more > 0)
                (void) snprintf(more, sizeof(more), "%u more tasks are not named%s", s->blockers.n_more,
                        s->missing ? "; " : "");
        if (str_printf(&text, "%s%s", more, s ? strempty(s->missing) : "") < 0)
                return -ENOMEM;
        *ret = text;
        return 0;
}

/** stall_summary() - who is waited for, for a sentence; see blockers_summary(). @s may be NULL. */
int stall_summary(const Stall *s, char **ret) {
        static const Blockers none;

        return blockers_summary(s ? &s->blockers : &none, ret);
}

static int append_blocker(const Stall *s, const Blocker *b, sd_bus_message *reply) {
        _cleanup_free_ char *advice = NULL;
        bool freeze = may_freeze(s, b) && s->freeze_rounds < FREEZE_ROUNDS_MAX;
        int r = blocker_advice(b, freeze, &advice);

        if (r < 0)
                return r;
        return sd_bus_message_append(reply, "(uusssss)", b->pid, b->tid, b->command,
                b->kernel_thread ? "kernel thread" : strempty(b->unit), blocker_reason_to_string(b->reason),
                strempty(b->function), advice);
}

/** stall_append() - the value of the property Blockers, a(uusssss); @s may be NULL. Return: 0 or errno. */
int stall_append(const Stall *s, sd_bus_message *reply) {
        int r = sd_bus_message_open_container(reply, 'a', "(uusssss)");

        for (size_t i = 0; r >= 0 && s && i < s->blockers.n; i++)
                r = append_blocker(s, &s->blockers.items[i], reply);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}
