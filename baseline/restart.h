/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The restart of a machine as a step of its own: when it is handed to logind, and what holds it up. */

#include "calendar/year.h"

/**
 * struct RestartBudget - what may be put off, and what was
 * @max_times, @max_usec: Deferrals= and DeferMaxSec=, all in all
 * @times: how often it was done
 * @first_usec: when the calendar wanted to restart first; 0: not known
 * @restart_usec: when it is planned now
 * @deadline_usec: 0: there is none
 */
typedef struct RestartBudget {
        unsigned max_times;
        uint64_t max_usec;
        uint64_t times;
        uint64_t first_usec;
        uint64_t restart_usec;
        uint64_t deadline_usec;
} RestartBudget;

/**
 * struct RestartFacts
 * @restart_usec: when it is planned
 * @firm: a person named that time: nothing holds it up
 * @needless: nothing on this machine needs a restart any more
 * @disabled: the policy does not let the machine restart by itself
 * @installing: packages are being changed: that holds it up in any case
 * @deadline_usec: from then on nothing holds it up; 0: there is none
 * @inhibitor, @user: who asks not to shut down, who is logged in, for people; NULL: nobody, or it does not
 *   matter by policy
 * @battery: there is no power but the battery's, and it matters
 * @ours: logind has the restart, for @restart_usec
 * @called_off: logind had it, and somebody has taken it from there without a word to us
 * @budget: what there is for putting it off
 * @theirs_usec: when logind shuts down for somebody else; 0: it does not
 * @theirs, @planned: that, and our restart, for people: "'poweroff' for 2026-10-20 22:00 UTC"; "2026-10-20 22:00 UTC"
 */
typedef struct RestartFacts {
        uint64_t now_usec;
        uint64_t restart_usec;
        bool firm;
        bool needless;
        bool disabled;
        bool installing;
        uint64_t deadline_usec;
        const char *inhibitor;
        const char *user;
        bool battery;
        bool ours;
        bool called_off;
        const RestartBudget *budget;
        uint64_t theirs_usec;
        const char *theirs, *planned;
} RestartFacts;

typedef enum RestartAction {
        RESTART_WAIT,
        RESTART_HAND_OVER, /* to logind, for restart_usec */
        RESTART_TAKE_BACK, /* from logind; it is planned for restart_usec now */
        RESTART_POSTPONE,  /* likewise, and logind does not have it */
        RESTART_DROP,      /* from logind, too, when it has it; it is not planned any more */
        RESTART_PUT_OFF,   /* somebody has called it off: not before restart_usec, and it counts unless it was firm */
} RestartAction;

/**
 * struct RestartDecision
 * @text: what holds it up; owned, NULL: nothing
 * @overdue: it is held up beyond the deadline; somebody has to see to it
 */
typedef struct RestartDecision {
        RestartAction action;
        uint64_t restart_usec;
        uint64_t wake_usec;
        char *text;
        bool overdue;
} RestartDecision;

int restart_time(const CalendarPolicy *p, uint64_t earliest_usec, uint64_t *ret) _must_check_ _nonnull_(1, 3);
int restart_decide(const CalendarPolicy *p, const RestartFacts *f, RestartDecision *ret) _must_check_
                _nonnull_(1, 2, 3);
int restart_may_defer(const CalendarPolicy *p, const RestartBudget *budget, uint64_t now_usec, uint64_t until_usec,
                char **ret_why_not) _must_check_ _nonnull_(1, 2, 5);

/* People who are logged in can save their work. */
#define RESTART_NOTICE_USEC (5 * USEC_PER_MINUTE)
