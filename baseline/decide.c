/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What to do next about the baseline: a pure function of the policy, the state and the facts, like plan is for
 * hotpatches. Each answer is one step with a sentence; the caller carries it out, makes it durable and asks
 * again.
 *
 *   idle ─► due ─► planned ─► downloaded ─► installing ─► installed ─► scheduled ─► restarting
 *                                                                                      │
 *                failed ◄───────── (each of them, with a named cause)    reached ◄── verifying
 *
 * Time only ever decides what begins or is missed. A clock that is set back takes back what was concluded from
 * the time that it showed before (a baseline that is not due yet is not missed), but nothing that was done: what
 * is installed is restarted into, what was reached stays. The trial after the restart is measured by the
 * boot's own clock.
 *
 * A failed baseline, a missed one too, is not tried again by itself: the same would happen again, to a machine
 * that runs. The next baseline takes its place, or InstallBaseline of an administrator begins it anew. Only where
 * the old kernel came back, nothing has to be tried: it goes on when the new one runs.
 *
 * A transition that was forced wants the machine restarted, and soon: nothing more is applied before. So the newest
 * baseline is gone through once more, out of turn, and ends with a restart also where there is nothing new to install.
 * Whatever restarts the machine first has done what it was for. One that is in work anyway, or has failed, is not
 * replaced by it: the former restarts by itself, the latter has to be looked at first.
 */

#include "baseline/restart.h"
#include "baseline/state.h"
#include "util/str.h"

/* Whoever ends a run tells; should nobody, it is looked at again. */
#define LOOK_USEC (10 * USEC_PER_MINUTE)
/* Another package manager that was in the way is done by then. */
#define AGAIN_USEC (60 * USEC_PER_MINUTE)
/* What is left of the first window for those that ask last. */
#define WINDOW_REST_USEC (60 * USEC_PER_MINUTE)

typedef struct Context {
        const CalendarPolicy *p;
        const char *disabled;
        const BaselineState *s;
        const BaselineFacts *f;
        BaselineDecision *d;
} Context;

static int say(const Context *c, const char *format, ...) _printf_(2, 3);
static int say(const Context *c, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = str_vprintf(&c->d->text, format, ap);
        va_end(ap);
        return r;
}

/* Return: 0 or -ENOMEM, then the sentence is as it was. */
static int add(const Context *c, const char *format, ...) _printf_(2, 3);
static int add(const Context *c, const char *format, ...) {
        _cleanup_free_ char *more = NULL, *old = c->d->text;
        va_list ap;
        int r;

        va_start(ap, format);
        r = str_vprintf(&more, format, ap);
        va_end(ap);
        c->d->text = NULL;
        if (r >= 0)
                r = say(c, "%s%s", old, more);
        if (r < 0)
                c->d->text = TAKE_PTR(old);
        return r;
}

static void enter(const Context *c, BaselinePhase phase) {
        c->d->action = BASELINE_ENTER;
        c->d->phase = phase;
}

static int fail(const Context *c, BaselineCause cause, const char *reason) {
        enter(c, BASELINE_FAILED);
        c->d->cause = cause;
        return say(c, "Baseline %s: %s", c->s->name, reason);
}

/* Is the state ahead of the restart, so that another baseline can take this one's place? */
static bool is_replaceable(BaselinePhase phase) {
        switch (phase) {
        case BASELINE_INSTALLING:
        case BASELINE_INSTALLED:
        case BASELINE_SCHEDULED:
        case BASELINE_RESTARTING:
        case BASELINE_VERIFYING:
                return false;
        default:
                return true;
        }
}

static int missed(const Context *c) {
        CalendarMonth before;
        const char *reached = c->s->reached;

        if (c->s->forced)
                return fail(c, BASELINE_MISSED,
                            "it could not be installed again in time; the machine still has to restart");
        if (!reached && calendar_baseline_at(c->p, c->s->since_usec, &before) >= 0)
                reached = before.name;
        enter(c, BASELINE_FAILED);
        c->d->cause = BASELINE_MISSED;
        return say(c, "Baseline %s was missed: hotpatches end with baseline %s, install %s to go on",
                   c->s->name, reached ?: "of the past", c->s->name);
}

static int wait_for_next(const Context *c) {
        CalendarMonth next;
        int r = calendar_baseline_after(c->p, c->f->now_usec, &next);

        if (r >= 0)
                c->d->wake_usec = next.day_usec;
        if (c->disabled && (r >= 0 || r == -ENOENT))
                return say(c, "Baselines are not planned on this machine (%s); 'Enable=yes' in [Baseline] of "
                           "hotpatchd.conf switches them on", c->disabled);
        if (r == -ENOENT)
                return say(c, "The calendar has no baseline any more");
        if (r < 0)
                return r;
        return say(c, "The next baseline is %s, due on %04d-%02d-%02d", next.name, next.day.year, next.day.month,
                   next.day.day);
}

/* It came to an end here, and is not tried again by itself. It was missed only if its deadline is over by the clock
 * as it is now. */
static bool is_over(const Context *c, const CalendarMonth *m) {
        const char *ended = baseline_history_find(c->s, m->name);

        return ended && (!startswith(ended, "missed ") || c->f->now_usec >= m->deadline_usec);
}

/* Reached while the clock was wrong; a later one of the true calendar counts all the same. */
static bool is_reached(const Context *c, const CalendarMonth *m) {
        return c->s->reached && c->s->reached_usec <= c->f->now_usec && strcmp(m->name, c->s->reached) <= 0;
}

/* The baseline that ought to be in work: the newest that is due, unless this machine has it or came later. */
static int find_due(const Context *c, CalendarMonth *ret) {
        CalendarMonth m;
        int r = calendar_baseline_at(c->p, c->f->now_usec, &m);

        if (r < 0)
                return r;
        if (m.day_usec < c->s->since_usec || is_reached(c, &m) || is_over(c, &m))
                return -ENOENT;
        *ret = m;
        return 0;
}

static bool is_in_work(BaselinePhase phase) {
        return phase == BASELINE_DUE || phase == BASELINE_PLANNED || phase == BASELINE_DOWNLOADED;
}

/* Only an unplanned one, or one whose day has come, is in work or was missed; a clock set back undoes the others.
 * It does not undo what was done to the machine, as by an installation that the power was taken from. */
static bool is_premature(const Context *c) {
        CalendarMonth m;
        bool undone = is_in_work(c->s->phase) || (c->s->phase == BASELINE_FAILED && c->s->cause == BASELINE_MISSED);

        return undone && c->s->name && !c->s->bundle && calendar_baseline(c->p, c->s->name, &m) >= 0 &&
                m.day_usec > c->f->now_usec;
}

/* Its month was to have a baseline while this machine took no hotpatches, or by another Months=. */
static bool is_out_of_calendar(const Context *c) {
        int year, month;

        return is_in_work(c->s->phase) && !c->s->bundle && c->s->deadline_usec == 0 &&
                baseline_name_parse(c->s->name, &year, &month) >= 0 && !(c->p->months & (1U << (month - 1)));
}

/* The record of what was forced may be lost meanwhile; the boot that has to end is still this one. */
static bool is_booked_here(const Context *c) {
        return c->s->forced && sd_id128_equal(c->s->boot_id, c->f->boot_id);
}

static bool must_restart(const Context *c) {
        return c->f->forced || is_booked_here(c);
}

/* The restart that it was for has been. */
static bool is_pointless(const Context *c) {
        return c->s->forced && !must_restart(c) && is_in_work(c->s->phase);
}

/* Return: 1: out of turn; 0: no */
static int decide_forced(const Context *c) {
        CalendarMonth m;
        int r;

        if (!c->f->forced || c->disabled || (c->s->phase != BASELINE_IDLE && c->s->phase != BASELINE_REACHED))
                return 0;
        r = calendar_baseline_at(c->p, c->f->now_usec, &m);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        enter(c, BASELINE_DUE);
        c->d->forced = true;
        c->d->deadline_usec = c->f->now_usec + c->p->deadline_usec;
        memcpy(c->d->name, m.name, sizeof(m.name));
        r = say(c, "Baseline %s is due", m.name);
        return r < 0 ? r : 1;
}

static int decide_which(const Context *c) {
        CalendarMonth due;
        int r = find_due(c, &due);

        if (r < 0 && r != -ENOENT)
                return r;
        if (r >= 0 && !streq_ptr(c->s->name, due.name) &&
            !(c->s->bundle && c->s->phase != BASELINE_REACHED && c->s->phase != BASELINE_FAILED)) {
                enter(c, BASELINE_DUE);
                c->d->unplanned = c->disabled;
                memcpy(c->d->name, due.name, sizeof(due.name));
                r = say(c, "Baseline %s is due since %04d-%02d-%02d", due.name, due.day.year, due.day.month,
                        due.day.day);
                return r < 0 ? r : 1;
        }
        if (is_premature(c)) {
                enter(c, BASELINE_IDLE);
                r = say(c, "Baseline %s is not due yet; the clock was set back", c->s->name);
                return r < 0 ? r : 1;
        }
        if (is_out_of_calendar(c)) {
                enter(c, BASELINE_IDLE);
                r = say(c, "Baseline %s is not in the calendar of this machine any more", c->s->name);
                return r < 0 ? r : 1;
        }
        if (is_pointless(c)) {
                enter(c, BASELINE_IDLE);
                r = say(c, "Baseline %s is not due any more: the machine was restarted", c->s->name);
                return r < 0 ? r : 1;
        }
        return decide_forced(c);
}

static int run_backend(const Context *c, BaselineAction action, BaselinePhase next, const char *doing) {
        switch (c->f->run) {
        case BASELINE_RUN_RUNNING:
                c->d->wake_usec = c->f->now_usec + LOOK_USEC;
                return say(c, "Baseline %s is being %s", c->s->name, doing);
        case BASELINE_RUN_DONE:
                enter(c, next);
                return say(c, "Baseline %s is %s", c->s->name, doing);
        case BASELINE_RUN_FAILED:
                /* Nothing was changed: tried again with the next look, until the deadline. */
                c->d->wake_usec = c->f->now_usec + USEC_PER_DAY;
                return say(c, "Baseline %s could not be %s: %s", c->s->name, doing, strempty(c->f->run_text));
        default:
                c->d->action = action;
                return say(c, "Baseline %s is being %s", c->s->name, doing);
        }
}

/* The release that must run while an older one does; NULL: none. @kernel: what the run says, before what the bundle
 * said. */
static const char *missing_kernel(const Context *c, const char *kernel) {
        if (!kernel)
                kernel = c->s->kernel;
        return kernel && strverscmp(c->f->release, kernel) < 0 ? kernel : NULL;
}

/*
 * Each machine asks its repositories at a time of its own after midnight of the day, so that not all of them do at
 * once; so early that the first window is not lost. A person or a bundle does not wait.
 */
static uint64_t first_moment(const Context *c) {
        uint64_t begin, end, moment;
        CalendarMonth m;

        if (c->s->bundle || c->s->deadline_usec > 0 || calendar_baseline(c->p, c->s->name, &m) < 0)
                return 0;
        moment = m.day_usec + c->f->spread_usec;
        if (calendar_window_at(c->p, m.day_usec, &begin, &end) >= 0 && moment + WINDOW_REST_USEC > end)
                moment = end > m.day_usec + WINDOW_REST_USEC ? end - WINDOW_REST_USEC : m.day_usec;
        return moment;
}

static int decide_due(const Context *c) {
        if (c->f->run == BASELINE_RUN_NONE && first_moment(c) > c->f->now_usec) {
                c->d->wake_usec = first_moment(c);
                return say(c, "Baseline %s is due, and this machine asks its repositories later on its day",
                           c->s->name);
        }
        if (c->f->run == BASELINE_RUN_DONE && !c->f->run_restart && !missing_kernel(c, c->f->run_kernel)) {
                enter(c, must_restart(c) ? BASELINE_INSTALLED : BASELINE_VERIFYING);
                return say(c, "Baseline %s has nothing that this machine does not have%s", c->s->name,
                           must_restart(c) ? "; the machine only has to restart" : "");
        }
        return run_backend(c, BASELINE_PLAN, BASELINE_PLANNED, "planned");
}

static int decide_downloaded(const Context *c) {
        uint64_t begin, end;
        int r;

        if (c->disabled)
                return say(c, "Baseline %s is downloaded, and nothing is done by itself (%s)", c->s->name,
                           c->disabled);
        r = calendar_window_at(c->p, c->f->now_usec, &begin, &end);

        if (r == -ENOENT)
                return say(c, "Baseline %s is downloaded, and there will be no window to install it", c->s->name);
        if (r < 0)
                return r;
        if (begin > c->f->now_usec) {
                c->d->wake_usec = begin;
                return say(c, "Baseline %s is downloaded and waits for its window", c->s->name);
        }
        /* Not one of a clock that was set back. */
        if (c->s->again_usec > c->f->now_usec && c->s->again_usec <= c->f->now_usec + AGAIN_USEC) {
                c->d->wake_usec = c->s->again_usec;
                return say(c, "Baseline %s is downloaded; another package manager or the like was in the way, and "
                           "it is tried again", c->s->name);
        }
        c->d->action = BASELINE_INSTALL;
        c->d->phase = BASELINE_INSTALLING;
        return say(c, "Baseline %s is being installed", c->s->name);
}

static int decide_ran(const Context *c) {
        bool here = sd_id128_equal(c->f->run_boot_id, c->f->boot_id);
        bool restart = c->f->run_restart || missing_kernel(c, c->f->run_kernel) || must_restart(c);

        /* Who shut the machine down in the meantime has done what was left to do. */
        enter(c, restart && here ? BASELINE_INSTALLED : BASELINE_VERIFYING);
        c->d->kernel = c->f->run_kernel;
        return say(c, "Baseline %s is installed%s", c->s->name,
                   restart ? here ? "; the machine has to restart" : ", and the machine was restarted" : "");
}

static int decide_installing(const Context *c) {
        switch (c->f->run) {
        case BASELINE_RUN_RUNNING:
                c->d->wake_usec = c->f->now_usec + LOOK_USEC;
                return say(c, "Baseline %s is being installed", c->s->name);
        case BASELINE_RUN_DONE:
                return decide_ran(c);
        case BASELINE_RUN_FAILED:
                if (!c->f->run_retry)
                        return fail(c, BASELINE_INSTALL_FAILED, c->f->run_text ?: "the installation failed");
                enter(c, BASELINE_DOWNLOADED);
                c->d->again_usec = c->f->now_usec + AGAIN_USEC;
                return say(c, "Baseline %s could not be installed and is tried again: %s", c->s->name,
                           strempty(c->f->run_text));
        default:
                return fail(c, BASELINE_INTERRUPTED, "the installation began and did not end");
        }
}

static int decide_installed(const Context *c) {
        uint64_t earliest = c->f->now_usec + RESTART_NOTICE_USEC;
        int r;

        if (c->s->restart_firm) {
                enter(c, BASELINE_SCHEDULED);
                c->d->restart_usec = c->s->restart_usec;
                return say(c, "Baseline %s is installed; the restart is scheduled", c->s->name);
        }
        if (c->disabled)
                return say(c, "Baseline %s is installed; 'hotpatchctl reboot schedule' restarts the machine (%s)",
                           c->s->name, c->disabled);
        r = restart_time(c->p, c->s->deferred_until_usec > earliest ? c->s->deferred_until_usec : earliest,
                        &c->d->restart_usec);

        if (r == -ENOENT)
                return say(c, "Baseline %s is installed, and there will be no window to restart in", c->s->name);
        if (r < 0)
                return r;
        enter(c, BASELINE_SCHEDULED);
        return say(c, "Baseline %s is installed; the restart is scheduled", c->s->name);
}

static int decide_verifying(const Context *c) {
        /* A later one was installed meanwhile, or it was built anew: that is no failure. */
        if (c->s->kernel && strverscmp(c->f->release, c->s->kernel) < 0) {
                _cleanup_free_ char *reason = NULL;

                if (str_printf(&reason, "kernel '%s' was installed, but '%s' runs after the restart", c->s->kernel,
                             c->f->release) < 0)
                        return -ENOMEM;
                return fail(c, BASELINE_OLD_KERNEL_RETURNED, reason);
        }
        if (c->f->boot_check_failed)
                return fail(c, BASELINE_BOOT_CHECK_FAILED, c->f->boot_check_failed);
        if (!sd_id128_equal(c->s->boot_id, c->f->boot_id) && c->f->unclean)
                return fail(c, BASELINE_CRASHED_IN_TRIAL, "the machine went down while the new kernel was on trial");
        if (c->s->kernel && c->f->uptime_usec < c->f->trial_usec) {
                c->d->wake_usec = c->f->now_usec + (c->f->trial_usec - c->f->uptime_usec);
                return say(c, "Baseline %s runs and is on trial", c->s->name);
        }
        enter(c, BASELINE_REACHED);
        return say(c, "Baseline %s is reached", c->s->name);
}

static bool is_restarted(const Context *c) {
        bool waits = c->s->phase == BASELINE_INSTALLED || c->s->phase == BASELINE_SCHEDULED ||
                c->s->phase == BASELINE_RESTARTING;

        return waits && !sd_id128_equal(c->s->boot_id, c->f->boot_id);
}

/* A person has seen to the boot loader and restarted: what was to run does, and is watched from now on. */
static bool is_back(const Context *c) {
        return c->s->phase == BASELINE_FAILED && c->s->cause == BASELINE_OLD_KERNEL_RETURNED && c->s->kernel &&
                strverscmp(c->f->release, c->s->kernel) >= 0;
}

static bool is_too_late(const Context *c) {
        uint64_t deadline = baseline_deadline(c->s, c->p);

        /* Nobody has planned it here; whether the machine came to it in another way is not known. */
        return !c->disabled && is_in_work(c->s->phase) && deadline > 0 && c->f->now_usec >= deadline &&
                c->f->run != BASELINE_RUN_RUNNING;
}

static int decide_phase(const Context *c) {
        switch (c->s->phase) {
        case BASELINE_DUE:
                if (c->disabled)
                        return say(c, "Baseline %s is due, and baselines are not planned on this machine (%s); "
                                   "'Enable=yes' in [Baseline] of hotpatchd.conf switches them on", c->s->name,
                                   c->disabled);
                return decide_due(c);
        case BASELINE_PLANNED:
                return run_backend(c, BASELINE_DOWNLOAD, BASELINE_DOWNLOADED, "downloaded");
        case BASELINE_DOWNLOADED:
                return decide_downloaded(c);
        case BASELINE_INSTALLING:
                return decide_installing(c);
        case BASELINE_INSTALLED:
                return decide_installed(c);
        case BASELINE_SCHEDULED:
                /* daemon/restart.c watches its time. */
                return say(c, "Baseline %s is installed; the restart is scheduled", c->s->name);
        case BASELINE_RESTARTING:
                return say(c, "Baseline %s: the machine restarts", c->s->name);
        case BASELINE_VERIFYING:
                return decide_verifying(c);
        case BASELINE_FAILED: {
                int r = wait_for_next(c);

                free(c->d->text);
                c->d->text = NULL;
                return r < 0 ? r : say(c, "%s", strempty(c->s->text));
        }
        default:
                return wait_for_next(c);
        }
}

/* A person who finds the machine about to restart in a month that has no baseline wants to know why. */
static int say_why(const Context *c) {
        bool works = c->d->phase >= BASELINE_DUE && c->d->phase <= BASELINE_RESTARTING;
        bool out_of_turn = c->d->forced || c->s->forced;

        if (!works || !c->f->forced || (!out_of_turn && c->d->phase < BASELINE_INSTALLED))
                return 0;
        return add(c, " (%s: %s)", out_of_turn ? "out of turn" : "needed anyway", c->f->forced);
}

/**
 * baseline_decide() - the next step
 * @p: the calendar
 * @disabled: why nothing is done by itself, "Enable=no"; NULL: it is
 * @s: the state; since_usec is set
 * @f: the facts
 * @ret: baseline_decision_done() it
 *
 * Return: 0 or -ENOMEM.
 */
int baseline_decide(const CalendarPolicy *p, const char *disabled, const BaselineState *s, const BaselineFacts *f,
                BaselineDecision *ret) {
        BaselineDecision d = { .action = BASELINE_WAIT, .phase = s->phase, .cause = s->cause };
        Context c = { p, disabled, s, f, &d };
        int r = 0;

        if (is_restarted(&c)) {
                enter(&c, BASELINE_VERIFYING);
                r = say(&c, "Baseline %s: the machine was restarted", s->name);
        } else if (is_back(&c)) {
                enter(&c, BASELINE_VERIFYING);
                r = say(&c, "Baseline %s: kernel '%s' runs after all", s->name, f->release);
        } else if (!is_replaceable(s->phase) || (r = decide_which(&c)) == 0)
                r = is_too_late(&c) ? missed(&c) : decide_phase(&c);
        if (r >= 0)
                r = say_why(&c);
        if (r < 0) {
                baseline_decision_done(&d);
                return r;
        }
        if (d.phase != BASELINE_FAILED)
                d.cause = BASELINE_CAUSE_NONE;
        *ret = d;
        return 0;
}

/** baseline_decision_done() - free what it owns */
void baseline_decision_done(BaselineDecision *d) {
        free(d->text);
        d->text = NULL;
}
