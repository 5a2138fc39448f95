/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the restart does to the state of the baseline: a time is set, handed over to logind, put off or forgotten,
 * and the machine goes down. Each is on the disk before it is so, and what cannot be written is not so.
 *
 * When it restarts is decided in baseline/restart.c, and carried out in daemon/restart.c.
 */

#include "daemon/baseline-internal.h"

/* What cannot be written down is not so: the state is as before, except for what it owns, which nobody changed. */
static int changed_or_back(Baseline *b, const BaselineState *before, sd_bus_error *error) {
        int r = baseline_changed(b, error);

        if (r < 0)
                b->state = *before;
        return r;
}

/**
 * baseline_set_restart() - when the machine restarts
 * @usec: the time
 * @firm: a person named it
 *
 * Return: 0 or a negative errno, with StateUnwritable; nothing is changed then.
 */
int baseline_set_restart(Baseline *b, uint64_t usec, bool firm, sd_bus_error *error) {
        BaselineState before = b->state;
        int r = sd_id128_get_boot(&b->state.restart_boot);

        if (r < 0)
                return r;
        if (b->state.phase == BASELINE_INSTALLED)
                b->state.phase = BASELINE_SCHEDULED;
        b->state.restart_usec = usec;
        b->state.restart_firm = firm;
        b->state.handed_over = b->state.taken_over = false;
        return changed_or_back(b, &before, error);
}

/** baseline_hand_over() - logind is told that time next. Return: 0 or a negative errno; nothing is changed then. */
int baseline_hand_over(Baseline *b, uint64_t usec) {
        BaselineState before = b->state;

        b->state.restart_usec = usec;
        b->state.handed_over = true;
        b->state.taken_over = false;
        return changed_or_back(b, &before, NULL);
}

/** baseline_taken_over() - logind has it. Return: 0 or a negative errno; then nobody knows that it has. */
int baseline_taken_over(Baseline *b) {
        BaselineState before = b->state;

        /* It was planned anew meanwhile. */
        if (!b->state.handed_over)
                return 0;
        b->state.taken_over = true;
        return changed_or_back(b, &before, NULL);
}

/** baseline_forget_restart() - it is planned anew, or not at all. Return: 0 or a negative errno, see above. */
int baseline_forget_restart(Baseline *b) {
        BaselineState before = b->state;
        int r;

        baseline_drop_restart(&b->state);
        r = changed_or_back(b, &before, NULL);
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
        BaselineState before = b->state;
        int r;

        if (b->state.phase == BASELINE_SCHEDULED) {
                b->state.deferrals += counts;
                b->state.deferred_until_usec = until_usec;
        }
        baseline_drop_restart(&b->state);
        r = changed_or_back(b, &before, error);
        if (r >= 0)
                baseline_look(b);
        return r;
}

/**
 * baseline_goes_down() - the machine shuts down, or that was called off
 *
 * Return: 0 or a negative errno.
 */
int baseline_goes_down(Baseline *b, bool start) {
        BaselineState before = b->state;
        BaselinePhase phase = b->state.phase;

        if (phase == BASELINE_VERIFYING)
                b->state.clean = start;
        else if (start && (phase == BASELINE_INSTALLED || phase == BASELINE_SCHEDULED))
                b->state.phase = BASELINE_RESTARTING;
        else if (!start && phase == BASELINE_RESTARTING)
                b->state.phase = BASELINE_INSTALLED;
        else
                return 0;
        return changed_or_back(b, &before, NULL);
}
