/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Waiting for the kernel. It sends no event when a transition ends (poll(2) on `transition` wakes up
 * only when the file disappears), so the state is looked at again and again, in steps of about three
 * percent of the time that has passed: what looking adds stays small beside the wait itself. After
 * 15 s, when the kernel signals the stragglers and retries once a second, so is looked once a second.
 */

#include "daemon/job-internal.h"
#include "daemon/timer.h"
#include "livepatch/state.h"

#define INTERVAL_MIN_USEC (20 * USEC_PER_MSEC)
#define INTERVAL_MAX_USEC (250 * USEC_PER_MSEC)
#define INTERVAL_SHARE 32
/* kernel/livepatch/transition.c: SIGNALS_TIMEOUT */
#define PATIENT_AFTER_USEC (15 * USEC_PER_SEC)

/** job_waited_usec() - how long the current wait has lasted */
uint64_t job_waited_usec(const Job *j) {
        return clock_usec(CLOCK_MONOTONIC) - j->wait_started_usec;
}

static uint64_t interval(const Job *j) {
        uint64_t waited = job_waited_usec(j), share = waited / INTERVAL_SHARE;

        if (waited >= PATIENT_AFTER_USEC)
                return USEC_PER_SEC;
        if (share < INTERVAL_MIN_USEC)
                return INTERVAL_MIN_USEC;
        return share < INTERVAL_MAX_USEC ? share : INTERVAL_MAX_USEC;
}

static int on_timer(sd_event_source *source, _unused_ uint64_t usec, void *userdata) {
        Job *j = userdata;

        if (j->wait_check(j) == WAIT_OVER)
                return 0; /* the job may be gone */
        return timer_again(source, interval(j));
}

/** job_wait_stop() - look no more */
void job_wait_stop(Job *j) {
        j->timer = sd_event_source_disable_unref(j->timer);
        j->stall = stall_free(j->stall);
}

/**
 * job_wait_after() - call @check until it says WAIT_OVER
 * @j: the job; an older wait ends
 * @check: looks at the kernel; called from a timer
 * @delay_usec: not before; 0: very soon
 *
 * Return: 0 or a negative errno.
 */
int job_wait_after(Job *j, WaitCheck check, uint64_t delay_usec) {
        job_wait_stop(j);
        j->wait_check = check;
        j->wait_started_usec = clock_usec(CLOCK_MONOTONIC);
        j->held_since_usec = 0;
        return sd_event_add_time_relative(j->manager->event, &j->timer, CLOCK_MONOTONIC, delay_usec,
                USEC_PER_MSEC, on_timer, j);
}

/** job_wait() - job_wait_after() without a delay */
int job_wait(Job *j, WaitCheck check) {
        return job_wait_after(j, check, 0);
}

/**
 * job_held_too_long() - has the module had a reference without a livepatch for 15 s, or no way out at all?
 *
 * Not while it is still coming: a loader that outlived its daemon sits in finit_module(2) then, and when
 * the module's init goes on, the patch comes into force.
 */
bool job_held_too_long(Job *j, const char *module, LivepatchState state) {
        uint64_t now = clock_usec(CLOCK_MONOTONIC);

        if (state != LIVEPATCH_HELD || livepatch_is_coming(j->manager->kernel, module) > 0) {
                j->held_since_usec = 0;
                return false;
        }
        if (j->held_since_usec == 0)
                j->held_since_usec = now;
        if (livepatch_is_permanent(j->manager->kernel, module))
                return true;
        return now - j->held_since_usec >= (j->forced ? HELD_FORCED_USEC : HELD_TIMEOUT_USEC);
}
