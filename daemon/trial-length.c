/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How long a trial lasts: what the manifest asks for, between the bounds of policy.
 *
 * After a restore at most ten minutes: each of these patches has been in force before, and somebody waits for the
 * machine. And at least two, unless the policy wants less: one that takes the machine down later than its manifest watches
 * it would be put back for ever, as a crash tells nothing about a patch that is not on trial.
 */

#include "daemon/trial-length.h"

#define RESTORE_MIN_USEC (2 * 60 * USEC_PER_SEC)
#define RESTORE_MAX_USEC (10 * 60 * USEC_PER_SEC)

/** trial_length() - of a patch that is new; @usec is what its manifest asks for. 0: there is no trial. */
uint64_t trial_length(const TrialPolicy *policy, uint64_t usec) {
        if (usec < policy->min_usec)
                usec = policy->min_usec;
        return usec > policy->max_usec ? policy->max_usec : usec;
}

/** trial_length_restore() - of one that is put back, by hotpatch-restore or later by hotpatchd */
uint64_t trial_length_restore(const TrialPolicy *policy, uint64_t usec) {
        usec = trial_length(policy, usec < RESTORE_MIN_USEC ? RESTORE_MIN_USEC : usec);
        return usec < RESTORE_MAX_USEC ? usec : RESTORE_MAX_USEC;
}
