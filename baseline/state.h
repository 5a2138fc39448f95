/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Where this machine stands with its baseline, and what is to be done next. */

#include <systemd/sd-id128.h>

#include "calendar/year.h"

typedef enum BaselinePhase {
        BASELINE_IDLE,
        BASELINE_DUE,
        BASELINE_PLANNED,
        BASELINE_DOWNLOADED,
        BASELINE_INSTALLING,
        BASELINE_INSTALLED,
        BASELINE_SCHEDULED,
        BASELINE_RESTARTING,
        BASELINE_VERIFYING,
        BASELINE_REACHED,
        BASELINE_FAILED,
        _BASELINE_PHASE_MAX,
        _BASELINE_PHASE_INVALID = -EINVAL,
} BaselinePhase;

typedef enum BaselineCause {
        BASELINE_CAUSE_NONE,
        BASELINE_INSTALL_FAILED,
        BASELINE_INTERRUPTED,
        BASELINE_OLD_KERNEL_RETURNED,
        BASELINE_BOOT_CHECK_FAILED,
        BASELINE_CRASHED_IN_TRIAL,
        BASELINE_MISSED,
        _BASELINE_CAUSE_MAX,
        _BASELINE_CAUSE_INVALID = -EINVAL,
} BaselineCause;

/**
 * struct BaselineState - what survives restarts; strings owned, NULL: none; times are CLOCK_REALTIME
 * @since_usec: when this machine began to follow the calendar
 * @name: the baseline in work, "2026.10"; NULL when BASELINE_IDLE
 * @bundle: id of the bundle that asked for it out of turn; NULL: the calendar did
 * @deadline_usec: of an unplanned one; 0: the calendar's
 * @forced: it is out of turn because a transition was forced, and over with that boot
 * @phase_usec: when the phase began
 * @cause, @text: of BASELINE_FAILED, for programs and for people; @text also says why something waits
 * @run: id of the package manager's run that belongs to the phase; null: it was not started yet
 * @seen_run: id of the last installation that the state has taken notice of, whoever began it
 * @again_usec: an installation that could not begin is not tried again before; 0: it was not tried
 * @kernel: release that must run afterwards; NULL: not known, or the running one stays
 * @boot_id: boot in which it was booked because of a forced transition, or installed; then the one in which it is
 *           verified
 * @clean: while it was verified, the machine was shut down in order
 * @restart_usec: when the machine is to restart, also for another reason than a baseline; 0: not decided
 * @restart_firm: a person named that time
 * @restart_boot: boot in which it was decided; it is of no use in another one
 * @handed_over: logind is told exactly that time
 * @taken_over: and has answered that it has it
 * @first_restart_usec: when the calendar wanted to restart before anybody put it off; 0: not yet
 * @deferrals, @deferred_until_usec: of this baseline's restart
 * @reached, @reached_usec, @reached_kernel: the newest baseline that this machine completed
 * @history: "2026.07 reached 1784671200", oldest first
 * @retired: "2026.07 hp-2026-06-example": which baseline contains which hotpatch, oldest first
 */
typedef struct BaselineState {
        uint64_t since_usec;
        char *name;
        char *bundle;
        uint64_t deadline_usec;
        bool forced;
        BaselinePhase phase;
        uint64_t phase_usec;
        BaselineCause cause;
        char *text;
        sd_id128_t run;
        sd_id128_t seen_run;
        uint64_t again_usec;
        char *kernel;
        sd_id128_t boot_id;
        bool clean;
        uint64_t restart_usec;
        bool restart_firm;
        sd_id128_t restart_boot;
        bool handed_over;
        bool taken_over;
        uint64_t first_restart_usec;
        uint64_t deferrals;
        uint64_t deferred_until_usec;
        char *reached;
        uint64_t reached_usec;
        char *reached_kernel;
        char **history;
        char **retired;
} BaselineState;

/** BaselineRun - how the backend's last run for this baseline and phase stands */
typedef enum BaselineRun {
        BASELINE_RUN_NONE,        /* there was none */
        BASELINE_RUN_RUNNING,
        BASELINE_RUN_DONE,
        BASELINE_RUN_FAILED,
        BASELINE_RUN_INTERRUPTED, /* it began and did not end, and nothing runs */
} BaselineRun;

/**
 * struct BaselineFacts - what is so at this moment
 * @uptime_usec: CLOCK_BOOTTIME
 * @trial_usec: a new kernel is on trial until then, on that clock
 * @release: of the running kernel
 * @run: of the phase's own verb: plan in DUE, download in PLANNED, install in INSTALLING
 * @run_text: why it failed
 * @run_retry: why it failed may pass by itself, and nothing was begun
 * @run_boot_id: the boot in which it ran
 * @spread_usec: how long after midnight of its day this machine asks its repositories
 * @run_kernel: newest kernel that is there because of it; NULL: no new one
 * @run_restart: a restart is needed afterwards; of a plan: there is something to install
 * @unclean: the boot before this one did not end in order
 * @boot_check_failed: what hotpatch-boot-check found; NULL: nothing
 * @forced: "the transition of module 'x' was forced" in this boot, which has to end; NULL: none was
 */
typedef struct BaselineFacts {
        uint64_t now_usec;
        uint64_t uptime_usec;
        uint64_t trial_usec;
        uint64_t spread_usec;
        sd_id128_t boot_id;
        const char *release;
        BaselineRun run;
        const char *run_text;
        bool run_retry;
        sd_id128_t run_boot_id;
        const char *run_kernel;
        bool run_restart;
        bool unclean;
        const char *boot_check_failed;
        const char *forced;
} BaselineFacts;

typedef enum BaselineAction {
        BASELINE_WAIT,     /* nothing to do before wake_usec */
        BASELINE_ENTER,    /* go to the phase, then decide again */
        BASELINE_PLAN,     /* start the backend; the phase stays until it has ended */
        BASELINE_DOWNLOAD,
        BASELINE_INSTALL,  /* go to INSTALLING durably, then start the backend */
        _BASELINE_ACTION_MAX,
} BaselineAction;

/**
 * struct BaselineDecision - the next step
 * @phase, @cause: to enter; with BASELINE_WAIT those there are
 * @name: of the baseline that is entered with BASELINE_DUE
 * @unplanned: what it takes the place of was not planned here, and so is not missed
 * @forced: it is entered because a transition was forced, with the deadline
 * @deadline_usec: of that
 * @kernel: with BASELINE_INSTALLED and BASELINE_VERIFYING: the release that must run; NULL: as it was known
 * @again_usec: with BASELINE_DOWNLOADED: not to be installed before
 * @restart_usec: with BASELINE_SCHEDULED: when
 * @wake_usec: when to look again; 0: when something happens
 * @text: one sentence; owned
 */
typedef struct BaselineDecision {
        BaselineAction action;
        BaselinePhase phase;
        BaselineCause cause;
        char name[BASELINE_NAME_SIZE];
        bool unplanned;
        bool forced;
        uint64_t deadline_usec;
        const char *kernel;
        uint64_t restart_usec;
        uint64_t again_usec;
        uint64_t wake_usec;
        char *text;
} BaselineDecision;

/* state.c */
const char *baseline_phase_to_string(BaselinePhase phase);
BaselinePhase baseline_phase_from_string(const char *s) _nonnull_(1);
const char *baseline_cause_to_string(BaselineCause cause);
BaselineCause baseline_cause_from_string(const char *s) _nonnull_(1);
void baseline_state_done(BaselineState *s);
int baseline_state_copy(const BaselineState *s, BaselineState *ret) _must_check_ _nonnull_(1, 2);
bool baseline_name_is_valid(const char *s) _nonnull_(1);
bool baseline_history_is_valid(const char *s) _nonnull_(1);
int baseline_enter(BaselineState *s, const BaselineDecision *d, const BaselineFacts *f) _must_check_
                _nonnull_(1, 2, 3);
int baseline_ask(BaselineState *s, const char *bundle, const char *kernel, uint64_t deadline_usec) _must_check_
                _nonnull_(1);
bool baseline_retired_is_valid(const char *s) _nonnull_(1);
int baseline_add_retired(BaselineState *s, const char *id) _must_check_ _nonnull_(1, 2);
const char *baseline_retired_by(const BaselineState *s, const char *id, char ret[static BASELINE_NAME_SIZE]) _nonnull_(1, 2);
const char *baseline_history_find(const BaselineState *s, const char *name) _nonnull_(1, 2);
const char *baseline_month_state(const BaselineState *s, const CalendarMonth *m, uint64_t now_usec, uint64_t *ret_when)
                _nonnull_(1, 2, 4);
uint64_t baseline_covered_until(const BaselineState *s, const CalendarPolicy *p, uint64_t now_usec) _nonnull_(1, 2);
void baseline_drop_restart(BaselineState *s) _nonnull_(1);
uint64_t baseline_deadline(const BaselineState *s, const CalendarPolicy *p) _nonnull_(1, 2);

/* decide.c */
int baseline_decide(const CalendarPolicy *p, const char *disabled, const BaselineState *s, const BaselineFacts *f,
                BaselineDecision *ret) _must_check_ _nonnull_(1, 3, 4, 5);
void baseline_decision_done(BaselineDecision *d);
