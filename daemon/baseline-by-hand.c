/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a person has done by hand with the package manager of the baseline, and what follows from it: an installation
 * brings the machine as far as one of the calendar, one that was cut off is waited with, and one that was mended is begun
 * again from the beginning.
 *
 * The result of a run lies on the disk, so it counts also when no daemon saw its end. A run is known by its id: clocks
 * are set back.
 */

#include "daemon/baseline-internal.h"
#include "daemon/manager.h"
#include "util/str.h"

/* The baseline that a person's run belongs to is in work from now on. Also on failure @ret is to be freed. */
static int begin_by_hand(Baseline *b, const RunResult *result, const CalendarPolicy *p, BaselineFacts *ret_facts,
                BaselineState *ret) {
        BaselineDecision d = { .action = BASELINE_ENTER, .phase = BASELINE_DUE, .text = (char *) "Begun by hand" };
        CalendarMonth m;
        int r = baseline_prepare(b, ret_facts, ret);

        if (r < 0)
                return r;
        if (baseline_name_is_valid(result->baseline))
                memcpy(d.name, result->baseline, sizeof(d.name));
        else {
                r = calendar_baseline_at(p, ret_facts->now_usec, &m);
                if (r < 0)
                        return r;
                memcpy(d.name, m.name, sizeof(d.name));
        }
        r = baseline_enter(ret, &d, ret_facts);
        /* One that was scheduled is known already, with the kernel that it promises. */
        if (r >= 0 && result->bundle && !streq_ptr(ret->bundle, result->bundle))
                r = baseline_ask(ret, result->bundle, NULL, result->deadline_usec);
        (void) (sd_id128_from_string(result->id, &ret->seen_run) < 0);
        return r;
}

/* An administrator installed, at a time when the calendar did not: the same follows. */
static int adopt(Baseline *b, const RunResult *result) {
        CalendarPolicy p = baseline_calendar_policy(b, NULL);
        BaselineDecision d = { .action = BASELINE_ENTER, .phase = BASELINE_INSTALLING, .text = (char *) "Installed by hand" };
        bool promised = b->state.phase >= BASELINE_INSTALLED && b->state.phase <= BASELINE_RESTARTING;
        _cleanup_(baseline_state_done) BaselineState next = { 0 };
        BaselineFacts facts;
        int r = begin_by_hand(b, result, &p, &facts, &next);

        if (r >= 0)
                r = baseline_enter(&next, &d, &facts);
        if (r < 0)
                return r;
        next.run = next.seen_run;
        baseline_take_result(result, &facts);
        /* A second run found it there already; it is to run all the same. */
        if (!facts.run_kernel && promised)
                facts.run_kernel = b->state.kernel;
        return baseline_step(b, &next, &p, &facts);
}

/* What a person began was cut off: nothing else is done, and no restart comes, before that is mended. */
static int fail_interrupted(Baseline *b, const RunResult *result) {
        CalendarPolicy p = baseline_calendar_policy(b, NULL);
        BaselineDecision d = { .action = BASELINE_ENTER, .phase = BASELINE_FAILED, .cause = BASELINE_INTERRUPTED };
        _cleanup_(baseline_state_done) BaselineState next = { 0 };
        BaselineFacts facts;
        int r = begin_by_hand(b, result, &p, &facts, &next);

        if (r >= 0)
                r = str_printf(&d.text, "Baseline %s: the installation began and did not end", next.name);
        if (r >= 0)
                r = baseline_enter(&next, &d, &facts);
        baseline_decision_done(&d);
        if (r >= 0)
                r = baseline_commit(b, &next, NULL);
        if (r >= 0)
                baseline_tell(b);
        return r;
}

/**
 * baseline_take_by_hand() - what a person's installation has come to
 *
 * Return: as baseline_step().
 */
int baseline_take_by_hand(Baseline *b, const RunResult *result) {
        BaselinePhase phase = b->state.phase;
        bool over = phase < BASELINE_INSTALLED || phase > BASELINE_VERIFYING;

        if (result->outcome == RUN_FAILED && result->cause == RUN_CAUSE_INTERRUPTED)
                return phase == BASELINE_FAILED && b->state.cause == BASELINE_INTERRUPTED ? 0 : fail_interrupted(b, result);
        if (result->outcome != RUN_DONE || result->verb != RUN_INSTALL)
                return 0;
        return over || result->restart || result->kernel ? adopt(b, result) : 0;
}

/**
 * baseline_begin_again() - after mending
 *
 * It completes what was begun, not the baseline: that is planned and installed from the beginning.
 *
 * Return: 0 or a negative errno.
 */
int baseline_begin_again(Baseline *b) {
        CalendarPolicy p = baseline_calendar_policy(b, NULL);
        BaselineDecision d = { .action = BASELINE_ENTER, .phase = BASELINE_DUE, .text = (char *) "Mended, and to be completed" };
        _cleanup_(baseline_state_done) BaselineState next = { 0 };
        BaselineFacts facts;
        int r = baseline_prepare(b, &facts, &next);

        if (r < 0)
                return r;
        (void) snprintf(d.name, sizeof(d.name), "%s", b->state.name);
        r = baseline_enter(&next, &d, &facts);
        if (r < 0)
                return r;
        /* A person wants it, after its deadline as well. */
        if (baseline_deadline(&next, &p) <= facts.now_usec)
                next.deadline_usec = facts.now_usec + p.deadline_usec;
        return baseline_commit(b, &next, NULL);
}

/* One that the state knows of; what ended well before the present phase began is old news. */
static bool is_seen(const Baseline *b, const RunResult *result) {
        sd_id128_t id;

        if (sd_id128_from_string(result->id, &id) < 0 || sd_id128_equal(id, b->state.seen_run))
                return true;
        return result->outcome == RUN_DONE && result->ended_usec <= b->state.phase_usec;
}

/**
 * baseline_find_unseen() - an installation of which no daemon has seen the end
 *
 * Because of a power cut, or because none was there.
 *
 * Return: as baseline_step().
 */
int baseline_find_unseen(Baseline *b) {
        _cleanup_(run_result_freep) RunResult *result = NULL;
        int r;

        if (b->damaged || b->state.phase == BASELINE_INSTALLING || baseline_call_pending(b->manager))
                return 0;
        r = run_settle(kernel_root_fd(b->manager->kernel), &result);
        if (r == -ENOENT || r == -EBADMSG || r > 0 || (r == 0 && is_seen(b, result)))
                return 0;
        if (r < 0)
                return r;
        return baseline_take_by_hand(b, result);
}
