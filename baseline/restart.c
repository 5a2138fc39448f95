/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * When the machine restarts, decided and not done.
 *
 * A restart is ours until shortly before its time, and logind's only for the last minutes: logind has one
 * schedule for everybody, does not ask whether anybody works when the time has come, and up to version 256 lets
 * root shut down over a block inhibitor. In the last minutes we look again each minute, and take the restart
 * back when something holds it up after all.
 *
 * What somebody else has scheduled is never touched. It is a restart too: ours waits, and after it there is
 * nothing left to do.
 *
 * Somebody may call ours off without a word to us ("shutdown -c"). logind lets everybody do that who may restart the
 * machine, so also the person at a desktop: it is worth what a deferral through us is worth, and comes out of
 * the same budget. What an administrator has named is his own to call off.
 */

#include "baseline/restart.h"
#include "util/str.h"

/* Whoever holds it up is asked again so often. */
#define RETRY_USEC (10 * USEC_PER_MINUTE)

/** restart_time() - the first moment in a window; Return: 0, -ENOENT: there is no window any more, -ENOMEM */
int restart_time(const CalendarPolicy *p, uint64_t earliest_usec, uint64_t *ret) {
        uint64_t begin, end;
        int r = calendar_window_at(p, earliest_usec, &begin, &end);

        if (r >= 0)
                *ret = begin > earliest_usec ? begin : earliest_usec;
        return r;
}

/* One sentence about what holds the restart up; NULL: nothing does. */
static int find_busy(const RestartFacts *f, char **ret) {
        *ret = NULL;
        /* Half-installed packages are worse than any delay, and an installation ends. */
        if (f->installing)
                return str_printf(ret, "The restart waits: packages are being installed");
        if (f->firm || (f->deadline_usec > 0 && f->now_usec >= f->deadline_usec))
                return 0;
        if (f->inhibitor)
                return str_printf(ret, "The restart waits for %s", f->inhibitor);
        if (f->user)
                return str_printf(ret, "The restart waits: %s is logged in", f->user);
        if (f->battery)
                return str_printf(ret, "The restart waits for external power");
        return 0;
}

static int postpone(const CalendarPolicy *p, const RestartFacts *f, uint64_t earliest, RestartDecision *d) {
        int r = 0;

        /* A person's own time is in no window. */
        if (f->firm)
                d->restart_usec = earliest;
        else
                r = restart_time(p, earliest, &d->restart_usec);
        /* There is no window any more: it is not planned. */
        if (r == -ENOENT) {
                d->action = RESTART_DROP;
                return 0;
        }
        d->action = f->ours ? RESTART_TAKE_BACK : RESTART_POSTPONE;
        d->wake_usec = d->restart_usec > f->now_usec + RESTART_NOTICE_USEC ? d->restart_usec - RESTART_NOTICE_USEC
                                                                           : f->now_usec + USEC_PER_MINUTE;
        return r;
}

static bool is_in_window(const CalendarPolicy *p, uint64_t usec) {
        uint64_t begin, end;

        return calendar_window_at(p, usec, &begin, &end) >= 0 && begin <= usec;
}

/* Nothing needs it when its time comes, or the policy is another than when it was planned. */
static bool is_void(const CalendarPolicy *p, const RestartFacts *f) {
        if (f->needless && (f->ours || f->restart_usec <= f->now_usec + RESTART_NOTICE_USEC))
                return true;
        return !f->firm && (f->disabled || !is_in_window(p, f->restart_usec));
}

/* People have their notice, also when the time is near or was slept through. */
static uint64_t time_to_hand_over(const RestartFacts *f) {
        uint64_t earliest = f->now_usec + RESTART_NOTICE_USEC;

        return f->restart_usec > earliest - USEC_PER_MINUTE ? f->restart_usec : earliest;
}

/* 1: it is put off, and *d says how; 0: it comes all the same, and *ret_why says why */
static int accept_call_off(const CalendarPolicy *p, const RestartFacts *f, RestartDecision *d, char **ret_why) {
        uint64_t after = (f->restart_usec > f->now_usec ? f->restart_usec : f->now_usec) + p->window_length_usec;
        int r = f->firm ? 0 : restart_may_defer(p, f->budget, f->now_usec, after, ret_why);

        if (r < 0 || *ret_why)
                return r;
        r = str_printf(&d->text, "The restart was called off, as 'shutdown -c' does");
        if (r < 0)
                return r;
        d->action = RESTART_PUT_OFF;
        d->restart_usec = after;
        return 1;
}

/* Its time is near, or past. */
static int decide_now(const CalendarPolicy *p, const RestartFacts *f, const char *busy, RestartDecision *d) {
        uint64_t earliest = f->now_usec + RESTART_NOTICE_USEC;

        if (f->theirs_usec > 0) {
                d->wake_usec = f->now_usec + RETRY_USEC;
                d->overdue = f->deadline_usec > 0 && f->now_usec >= f->deadline_usec;
                return str_printf(&d->text, "Somebody else has scheduled %s; the restart that was planned for %s waits for it%s",
                        strempty(f->theirs), strempty(f->planned),
                        d->overdue ? ", beyond the deadline of the baseline" : "");
        }
        if (busy)
                return postpone(p, f, f->now_usec + RETRY_USEC, d);
        d->wake_usec = f->now_usec + USEC_PER_MINUTE;
        if (f->ours)
                return 0;
        if (!f->firm && !is_in_window(p, time_to_hand_over(f)))
                return postpone(p, f, earliest, d);
        d->action = RESTART_HAND_OVER;
        d->restart_usec = time_to_hand_over(f);
        return 0;
}

/**
 * restart_decide() - what to do about a planned restart
 * @p: the calendar
 * @f: with a restart_usec
 * @ret: free its text
 *
 * Return: 0 or -ENOMEM.
 */
int restart_decide(const CalendarPolicy *p, const RestartFacts *f, RestartDecision *ret) {
        RestartDecision d = { .action = RESTART_WAIT, .restart_usec = f->restart_usec };
        _cleanup_free_ char *busy = NULL, *denied = NULL;
        int r = 0;

        if (is_void(p, f)) {
                d.action = RESTART_DROP;
                d.restart_usec = 0;
        } else if (f->restart_usec > f->now_usec + RESTART_NOTICE_USEC && !f->ours)
                d.wake_usec = f->restart_usec - RESTART_NOTICE_USEC;
        else if (!f->called_off || (r = accept_call_off(p, f, &d, &denied)) == 0) {
                r = find_busy(f, &busy);
                if (r >= 0)
                        r = decide_now(p, f, busy, &d);
                if (r >= 0 && busy && !d.text)
                        d.text = TAKE_PTR(busy);
                if (r >= 0 && denied && !d.text)
                        r = str_printf(&d.text, "The restart was called off, as 'shutdown -c' does, and comes all the same: %s",
                                denied);
        }
        if (r < 0) {
                free(d.text);
                return r;
        }
        *ret = d;
        return 0;
}

/**
 * restart_may_defer() - does the budget allow to put the restart off until then?
 * @budget: what there is of it
 * @until_usec: the restart comes in a window after that
 * @ret_why_not: one sentence, owned; NULL: it may
 *
 * Return: 0 or -ENOMEM.
 */
int restart_may_defer(const CalendarPolicy *p, const RestartBudget *budget, uint64_t now_usec, uint64_t until_usec,
                char **ret_why_not) {
        uint64_t first = budget->first_usec ?: now_usec, restart;
        int r;

        *ret_why_not = NULL;
        if (budget->times >= budget->max_times)
                return str_printf(ret_why_not, "The restart was put off %u times, as often as is allowed", (unsigned) budget->times);
        if (until_usec <= now_usec)
                return str_printf(ret_why_not, "That time is over");
        if (until_usec <= budget->restart_usec)
                return str_printf(ret_why_not, "The restart is not planned before that time");
        if (until_usec > first && until_usec - first > budget->max_usec)
                return str_printf(ret_why_not, "The restart can be put off by %u minutes all in all, after the time that it was planned "
                           "for first", (unsigned) (budget->max_usec / USEC_PER_MINUTE));
        r = restart_time(p, until_usec, &restart);
        if (r == -ENOMEM)
                return r;
        if (budget->deadline_usec > 0 && (r < 0 || restart >= budget->deadline_usec))
                return str_printf(ret_why_not, "No window comes after that time and before the deadline of the baseline");
        return 0;
}
