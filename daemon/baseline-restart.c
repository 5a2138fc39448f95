/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the restart does to the state of the baseline: a time is set, handed over to logind, put off or forgotten,
 * and the machine goes down. Each is on the disk before it is so, and what cannot be written is not so.
 *
 * When it restarts is decided in baseline/restart.c, and carried out in daemon/restart.c.
 */

#include "daemon/baseline-internal.h"

/**
 * baseline_set_restart() - when the machine restarts
 * @usec: the time
 * @firm: a person named it
 *
 * Return: 0 or a negative errno, with StateUnwritable; nothing is changed then.
 */
int baseline_set_restart(Baseline *b, uint64_t usec, bool firm, sd_bus_error *error) {
        _cleanup_(baseline_state_done) BaselineState next = { 0 };
        int r = baseline_state_copy(&b->state, &next);

        if (r >= 0)
                r = sd_id128_get_boot(&next.restart_boot);
        if (r < 0)
                return r;
        if (next.phase == BASELINE_INSTALLED)
                next.phase = BASELINE_SCHEDULED;
        next.restart_usec = usec;
        next.restart_firm = firm;
        next.handed_over = next.taken_over = false;
        return baseline_commit(b, &next, error);
}

/** baseline_hand_over() - logind is told that time next. Return: 0 or a negative errno; nothing is changed then. */
int baseline_hand_over(Baseline *b, uint64_t usec) {
        _cleanup_(baseline_state_done) BaselineState next = { 0 };
        int r = baseline_state_copy(&b->state, &next);

        if (r < 0)
                return r;
        next.restart_usec = usec;
        next.handed_over = true;
        next.taken_over = false;
        return baseline_commit(b, &next, NULL);
}

/** baseline_taken_over() - logind has it. Return: 0 or a negative errno; then nobody knows that it has. */
int baseline_taken_over(Baseline *b) {
        _cleanup_(baseline_state_done) BaselineState next = { 0 };
        int r = baseline_state_copy(&b->state, &next);

        /* It was planned anew meanwhile. */
        if (r < 0 || !next.handed_over)
                return r;
        next.taken_over = true;
        return baseline_commit(b, &next, NULL);
}

/** baseline_forget_restart() - it is planned anew, or not at all. Return: 0 or a negative errno, see above. */
int baseline_forget_restart(Baseline *b) {
        _cleanup_(baseline_state_done) BaselineState next = { 0 };
        int r = baseline_state_copy(&b->state, &next);

        if (r < 0)
                return r;
        baseline_drop_restart(&next);
        r = baseline_commit(b, &next, NULL);
        if (r >= 0)
                baseline_look(b);
        return r;
}

/**
 * baseline_defer() - the restart comes in a window after that time; one without a baseline does not come at all
 * @counts: against the budget
 *
 * Return: 0 or a negative errno, with StateUnwritable; nothing is changed then.
 */
int baseline_defer(Baseline *b, uint64_t until_usec, bool counts, sd_bus_error *error) {
        _cleanup_(baseline_state_done) BaselineState next = { 0 };
        int r = baseline_state_copy(&b->state, &next);

        if (r < 0)
                return r;
        if (next.phase == BASELINE_SCHEDULED) {
                next.deferrals += counts;
                next.deferred_until_usec = until_usec;
        }
        baseline_drop_restart(&next);
        r = baseline_commit(b, &next, error);
        if (r >= 0)
                baseline_look(b);
        return r;
}

/**
 * baseline_goes_down() - the machine shuts down, or that was called off
 *
 * Return: 0 or a negative errno; nothing is changed then.
 */
int baseline_goes_down(Baseline *b, bool start) {
        _cleanup_(baseline_state_done) BaselineState next = { 0 };
        BaselinePhase phase = b->state.phase;
        int r = baseline_state_copy(&b->state, &next);

        if (r < 0)
                return r;
        if (phase == BASELINE_VERIFYING)
                next.clean = start;
        else if (start && (phase == BASELINE_INSTALLED || phase == BASELINE_SCHEDULED))
                next.phase = BASELINE_RESTARTING;
        else if (!start && phase == BASELINE_RESTARTING)
                next.phase = BASELINE_INSTALLED;
        else
                return 0;
        return baseline_commit(b, &next, NULL);
}
