/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The baseline of this machine: what baseline/ decides about it, joined to the store, the clock and the policy.
 *
 * It goes from phase to phase by itself; what a person does beside that is in baseline-by-hand.c, the restart in
 * restart.c, the year in baseline-calendar.c.
 */

#include <syslog.h>

#include "daemon/baseline-internal.h"
#include "daemon/bus.h"
#include "daemon/facts.h"
#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/record.h"
#include "daemon/restored.h"
#include "daemon/store-baseline.h"
#include "daemon/store-forced.h"
#include "dbus/errors.h"
#include "livepatch/state.h"
#include "util/str.h"

/* 2026-01-01: no machine has this program since before; a clock without a battery begins in 1970, or with the date of
 * an image. */
#define PLAUSIBLE_USEC (1767225600ULL * USEC_PER_SEC)

static uint64_t now(void) {
        return clock_usec(CLOCK_REALTIME);
}

/* The machine was restarted since, by whomever: planned is nothing any more, whatever the reason was. */
static int end_old_plan(Baseline *b, sd_id128_t boot) {
        if (b->state.restart_usec == 0 || sd_id128_equal(b->state.restart_boot, boot))
                return 0;
        baseline_drop_restart(&b->state);
        /* Where it cannot be written the next start does the same. */
        return store_baseline_write(b->manager->store, &b->state, NULL) == -ENOMEM ? -ENOMEM : 0;
}

/* Shut down in order: from now on this boot is watched, and a crash of it counts. */
static int go_on_verifying(Baseline *b, sd_id128_t boot) {
        if (b->state.phase != BASELINE_VERIFYING || !b->state.clean || sd_id128_equal(b->state.boot_id, boot))
                return 0;
        b->state.boot_id = boot;
        b->state.clean = false;
        return store_baseline_write(b->manager->store, &b->state, NULL) == -ENOMEM ? -ENOMEM : 0;
}

/**
 * baseline_new() - read the state
 * @m: with a store and a configuration
 * @ret: baseline_free() it
 *
 * A state that is damaged is named among the findings and stays as it is: it may have said that an
 * installation is half done.
 *
 * Return: 0 or a negative errno.
 */
int baseline_new(Manager *m, Baseline **ret) {
        _cleanup_(baseline_freep) Baseline *b = calloc(1, sizeof(*b));
        sd_id128_t boot;
        int r, k;

        if (!b)
                return -ENOMEM;
        b->manager = m;
        r = store_baseline_read(m->store, &b->state);
        if (r < 0 && r != -ENOENT && r != -EBADMSG)
                return r;
        if (r < 0)
                b->state = (BaselineState) { .since_usec = now() };
        if (r == -EBADMSG) {
                b->damaged = true;
                b->state.text = strdup("The file '/var/lib/hotpatch/baseline-state' cannot be read; no baseline is "
                                "worked at before it was looked at");
        }
        k = sd_id128_get_boot(&boot);
        if (k < 0)
                return k;
        /* It was called off, or we would not be here. */
        if (b->state.phase == BASELINE_RESTARTING && sd_id128_equal(boot, b->state.boot_id))
                b->state.phase = BASELINE_INSTALLED;
        /* Durable at once: from now on a baseline that is not done is missed. */
        k = r == -ENOENT ? store_baseline_write(m->store, &b->state, NULL) : 0;
        if (k >= 0 && r >= 0)
                k = end_old_plan(b, boot);
        if (k >= 0 && r >= 0)
                k = go_on_verifying(b, boot);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(b);
        return 0;
}

/** baseline_free() - free it; NULL is fine. Returns NULL. */
Baseline *baseline_free(Baseline *b) {
        if (!b)
                return NULL;
        sd_event_source_disable_unref(b->timer);
        free(b->boot_check);
        free(b->forced);
        baseline_state_done(&b->state);
        free(b);
        return NULL;
}

static int on_timer(_unused_ sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        baseline_look(userdata);
        return 0;
}

/** baseline_wake_at() - look again then; 0: not before somebody asks */
void baseline_wake_at(Baseline *b, uint64_t usec) {
        uint64_t soon = now() + USEC_PER_MINUTE;

        b->timer = sd_event_source_disable_unref(b->timer);
        b->wake_usec = usec;
        /* A time that is past already would come at once, and again. */
        if (usec > 0 && usec < soon)
                usec = soon;
        if (usec > 0)
                (void) sd_event_add_time(b->manager->event, &b->timer, CLOCK_REALTIME, usec, USEC_PER_MINUTE, on_timer, b);
}

/** baseline_tell() - write to the journal where the machine stands */
void baseline_tell(const Baseline *b) {
        bool failed = b->state.phase == BASELINE_FAILED;

        (void) record_write(&(Record) {
                .message_id = failed ? HOTPATCH_MESSAGE_BASELINE_FAILED : HOTPATCH_MESSAGE_BASELINE,
                .priority = failed ? LOG_ERR : LOG_NOTICE,
                .text = b->state.text,
                .caller_uid = UINT32_MAX,
        });
}

/**
 * baseline_commit() - make a changed state durable, then known to others
 * @next: a changed copy of the state; taken over on success
 * @error: StateUnwritable, or StateDamaged
 *
 * All or nothing: what cannot be written is not so here either, or it would be another after the next start.
 *
 * Return: 0 or a negative errno.
 */
int baseline_commit(Baseline *b, BaselineState *next, sd_bus_error *error) {
        int r;

        if (b->damaged)
                return sd_bus_error_set(error, HOTPATCH_ERROR("StateDamaged"), b->state.text);
        r = store_baseline_write(b->manager->store, next, error);
        if (r < 0)
                return r;
        baseline_state_done(&b->state);
        b->state = *next;
        *next = (BaselineState) { 0 };
        bus_baseline_changed(b->manager);
        if (b->manager->restart)
                restart_look(b->manager->restart);
        return 0;
}

/* Any number below half a day, another one for each machine and always the same for this one. */
#define SPREAD_ID SD_ID128_MAKE(8d, 5e, 0b, 3c, 71, 9a, 4f, 26, b2, 60, d3, 4c, 15, e8, 77, a9)
#define SPREAD_MAX_USEC (12 * 60 * USEC_PER_MINUTE)

static uint64_t spread_usec(void) {
        sd_id128_t id;

        if (sd_id128_get_machine_app_specific(SPREAD_ID, &id) < 0)
                return 0;
        return (id.qwords[0] ^ id.qwords[1]) % SPREAD_MAX_USEC;
}

/* Why nothing is done by itself; NULL: it is. */
static int find_disabled(const Baseline *b, char **ret) {
        const Config *config = b->manager->config;
        const char *where = config_distrusted(config, "Baseline", "Enable");

        *ret = NULL;
        if (config->baseline.enabled)
                return 0;
        return where ? str_printf(ret, "'Enable' cannot be read at %s", where) : str_printf(ret, "Enable=no");
}

/*
 * Which hotpatches the baseline that is reached next retires is on disk before one of them goes, and the baseline is
 * reached when all are gone. @next is a copy of the state, and is one again.
 */
static int retire_patches(Baseline *b, BaselineState *next, BaselineOutcome *o) {
        int r = baseline_judge_patches(b, next, o);

        for (char **id = o->retired; r >= 0 && id && *id; id++)
                r = baseline_add_retired(next, *id);
        if (r >= 0 && o->retired)
                r = baseline_commit(b, next, NULL);
        if (r >= 0)
                r = baseline_retire_patches(b, o);
        if (r < 0)
                return r;
        baseline_state_done(next);
        return baseline_state_copy(&b->state, next);
}

/**
 * baseline_step() - one step on
 * @next: a copy of the state, which may be further already
 *
 * Return: 1, 0 when there is no more to do now, or a negative errno.
 */
int baseline_step(Baseline *b, BaselineState *next, const CalendarPolicy *p, const BaselineFacts *facts) {
        static const RunVerb verbs[_BASELINE_ACTION_MAX] = {
                [BASELINE_PLAN] = RUN_PLAN, [BASELINE_DOWNLOAD] = RUN_DOWNLOAD, [BASELINE_INSTALL] = RUN_INSTALL,
        };
        BaselinePhase before = b->state.phase;
        _cleanup_(baseline_outcome_done) BaselineOutcome outcome = { 0 };
        _cleanup_free_ char *disabled = NULL;
        BaselineDecision d;
        bool goes_on, starts;
        int r = find_disabled(b, &disabled);

        if (r >= 0)
                r = baseline_decide(p, disabled, next, facts, &d);
        if (r < 0)
                return r;
        goes_on = d.action == BASELINE_ENTER;
        starts = !goes_on && d.action != BASELINE_WAIT;
        baseline_wake_at(b, d.wake_usec);
        if (next->phase == BASELINE_INSTALLING && goes_on)
                next->seen_run = next->run;
        if (goes_on && d.phase == BASELINE_REACHED)
                r = retire_patches(b, next, &outcome);
        if (r >= 0)
                r = baseline_enter(next, &d, facts);
        if (r >= 0 && starts)
                r = sd_id128_randomize(&next->run);
        if (r >= 0 && (next->phase != before || goes_on || starts || !streq_ptr(next->text, b->state.text)))
                r = baseline_commit(b, next, NULL);
        if (r >= 0 && b->state.phase != before)
                baseline_tell(b);
        if (r >= 0 && goes_on && b->state.phase == BASELINE_REACHED)
                baseline_tell_outcome(b, &outcome);
        /* Only after it is on disk that it begins. */
        if (r >= 0 && starts)
                r = baseline_start_run(b, verbs[d.action]);
        baseline_decision_done(&d);
        return r < 0 ? r : goes_on;
}

/* A record that cannot be read may be of this boot, and books nothing: it would be so after the restart, too. */
static int find_forced(Baseline *b, BaselineFacts *f) {
        _cleanup_(forced_done) Forced forced = {};
        char *text = NULL;
        int r = store_forced_read(b->manager->store, f->boot_id, &forced);

        if (r >= 0)
                r = str_printf(&text, "the transition of module '%s' was forced", forced.modules[0]);
        if (r < 0 && r != -ENOENT && r != -EBADMSG)
                return r;
        free(b->forced);
        f->forced = b->forced = text;
        return 0;
}

/* What a decision looks at, without the run of the package manager. */
static int gather(Baseline *b, BaselineFacts *ret) {
        BaselineFacts facts = {
                .now_usec = now(),
                .uptime_usec = clock_usec(CLOCK_BOOTTIME),
                .trial_usec = b->manager->config->baseline.trial_usec,
                .spread_usec = spread_usec(),
                .release = b->manager->identity.release,
        };
        int r = sd_id128_get_boot(&facts.boot_id);

        if (r < 0)
                return r;
        facts.unclean = b->state.phase == BASELINE_VERIFYING && !b->state.clean;
        r = find_forced(b, &facts);
        if (r < 0)
                return r;
        *ret = facts;
        return 0;
}

/**
 * baseline_prepare() - before something is changed that the steps do not come to
 * @ret_facts: what a decision looks at, without the run of the package manager
 * @ret_next: a copy of the state; baseline_state_done() it
 *
 * Return: 0 or a negative errno.
 */
int baseline_prepare(Baseline *b, BaselineFacts *ret_facts, BaselineState *ret_next) {
        int r = gather(b, ret_facts);

        return r < 0 ? r : baseline_state_copy(&b->state, ret_next);
}

static bool is_in_force(const Manager *m, const char *id) {
        _cleanup_(admitted_record_done) AdmittedRecord record = { 0 };
        LivepatchState state;

        return store_admitted_find(m->store, id, &record) >= 0 &&
                livepatch_state(m->kernel, record.module, &state) >= 0 && state == LIVEPATCH_PATCHED &&
                facts_record_fits(m->kernel, &record) > 0;
}

/*
 * What hotpatch-restore could not bring back under the new kernel, and nobody has since; what the policy forbids or other
 * kernels have is no failure of the baseline. For one that needed no restart that is older news. Of the reason only its
 * sentence: what the kernel wrote about it stands below that, and is told with the patch.
 */
static int find_boot_check(Baseline *b, BaselineFacts *f) {
        _cleanup_(restored_done) Restored restored = { 0 };
        char *text = NULL;

        free(b->boot_check);
        b->boot_check = NULL;
        if (b->state.phase != BASELINE_VERIFYING || !b->state.kernel ||
            restored_read(kernel_root_fd(b->manager->kernel), &restored) < 0)
                return 0;
        for (size_t i = 0; !text && restored.ids && restored.ids[i]; i++)
                if (streq(restored.results[i], "failed") && !is_in_force(b->manager, restored.ids[i]) &&
                    str_printf(&text, "patch '%s' was not restored after the restart%s%.*s", restored.ids[i],
                             *restored.reasons[i] ? ": " : "", (int) strcspn(restored.reasons[i], "\n"),
                             restored.reasons[i]) < 0)
                        return -ENOMEM;
        f->boot_check_failed = b->boot_check = text;
        return 0;
}

/** baseline_look() - go on as far as it goes, until somebody else has to end what he does or a time comes */
void baseline_look(Baseline *b) {
        CalendarPolicy p = baseline_calendar_policy(b, NULL);
        int r = 1;

        if (b->looking || b->damaged)
                return;
        b->looking = true;
        /* A clock that was set back before this machine began makes it begin anew; one that was lost does not. */
        if (now() < b->state.since_usec && now() >= PLAUSIBLE_USEC)
                b->state.since_usec = now();
        /* Phases follow each other without a ring; the bound is for a mistake of ours. */
        for (unsigned i = 0; r > 0 && i < _BASELINE_PHASE_MAX; i++) {
                _cleanup_(baseline_state_done) BaselineState next = { 0 };
                _cleanup_(run_result_freep) RunResult *result = NULL;
                BaselineFacts facts;

                r = gather(b, &facts);
                if (r >= 0)
                        r = find_boot_check(b, &facts);
                if (r >= 0)
                        r = baseline_find_run(b, &facts, &result);
                if (r >= 0)
                        r = baseline_state_copy(&b->state, &next);
                if (r >= 0)
                        r = baseline_step(b, &next, &p, &facts);
        }
        /* The disk is full, or the like; the step is taken when that is over. */
        if (r < 0)
                baseline_wake_at(b, now() + BASELINE_AGAIN_USEC);
        b->looking = false;
        restart_look(b->manager->restart);
}

/** baseline_recover() - what happened while no daemon was there, then baseline_look() */
void baseline_recover(Baseline *b) {
        /* What cannot be written the next start finds again. */
        (void) (baseline_find_unseen(b) < 0);
        baseline_look(b);
}

/**
 * baseline_ran() - the package manager has ended; what follows is done
 * @result: NULL: it could not even begin
 * @error: why it failed
 */
void baseline_ran(Baseline *b, const RunResult *result, const sd_bus_error *error) {
        BaselinePhase phase = b->state.phase;
        bool over = phase < BASELINE_INSTALLED || phase > BASELINE_VERIFYING;

        if (b->damaged)
                return;
        if (!result) {
                if (baseline_verb(b->state.phase) >= 0)
                        (void) (baseline_fail_start(b, error) < 0);
                return;
        }
        if (result->outcome == RUN_DONE && result->verb == RUN_MEND && over && streq_ptr(result->baseline, b->state.name))
                (void) (baseline_begin_again(b) < 0);
        else if (phase != BASELINE_INSTALLING && (result->verb == RUN_INSTALL || result->verb == RUN_MEND))
                (void) (baseline_take_by_hand(b, result) < 0);
        baseline_look(b);
}

/**
 * baseline_schedule() - a person wants this baseline now, whatever the calendar says; it goes on by itself
 * @name: "2026.10"
 * @bundle: id of the bundle that asks for it; NULL: none
 * @kernel: the release that the bundle wants to run; NULL: whichever comes
 * @deadline_usec: until when
 * @error: Busy when another one is being installed, restarted into or watched; StateUnwritable
 *
 * Return: 0 or a negative errno; nothing is changed then.
 */
int baseline_schedule(Baseline *b, const char *name, const char *bundle, const char *kernel,
                uint64_t deadline_usec, sd_bus_error *error) {
        BaselineDecision d = { .action = BASELINE_ENTER, .phase = BASELINE_DUE, .text = (char *) "Asked for out of turn" };
        _cleanup_(baseline_state_done) BaselineState next = { 0 };
        BaselinePhase phase = b->state.phase;
        BaselineFacts facts;
        int r;

        if (phase >= BASELINE_INSTALLING && phase <= BASELINE_VERIFYING)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("Busy"), "Baseline %s is not over yet", strempty(b->state.name));
        (void) snprintf(d.name, sizeof(d.name), "%s", name);
        r = baseline_prepare(b, &facts, &next);
        if (r >= 0)
                r = baseline_enter(&next, &d, &facts);
        if (r >= 0)
                r = baseline_ask(&next, bundle, kernel, deadline_usec);
        if (r >= 0)
                r = baseline_commit(b, &next, error);
        if (r >= 0)
                baseline_look(b);
        return r;
}

/** baseline_pending() - does the daemon have to stay for a moment that it waits for? */
bool baseline_pending(const Baseline *b) {
        switch (b->state.phase) {
        case BASELINE_IDLE:
        case BASELINE_REACHED:
        case BASELINE_FAILED:
                return false; /* the daily timer is soon enough */
        default:
                return b->timer && b->wake_usec < now() + BASELINE_NEAR_USEC;
        }
}

/** baseline_state() - where this machine stands */
const BaselineState *baseline_state(const Baseline *b) {
        return &b->state;
}
