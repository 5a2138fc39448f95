/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A baseline is reached: which hotpatches are contained in it?
 *
 * Nobody can see that in a kernel. What is known is what the author signed: a hotpatch whose manifest names a
 * baseline was made for machines that are at that baseline, and by naming it the author promises that the next one
 * has the repair. If the repair were missing there, he would make a target for the new kernel in the same
 * bundle. So it is contained if all of this is so:
 *
 *   it was applied under an older kernel, and has no target for this one
 *   it names a baseline, and that is an earlier one than was reached
 *
 * A baseline that came as a bundle may say it itself: whoever signed that has named the hotpatch in 'supersedes'. Then
 * nothing else is asked, but that the older kernel does not run again.
 *
 * Anything else is kept: a patch of one's own that no vendor knows, most of all. To keep one too many costs a line in
 * 'hotpatchctl status'; to give up one too many costs a hole.
 */

#include "baseline/retire.h"

/**
 * retire_decide() - what becomes of one wanted hotpatch
 * @ret_why: of RETIRE_KEPT: half a sentence, after "it is kept, because"; static
 */
RetireVerdict retire_decide(const RetireFacts *f, const char **ret_why) {
        *ret_why = "";
        if (streq(f->release, f->running))
                return RETIRE_STAYS;
        if (strverscmp(f->running, f->release) < 0)
                *ret_why = "it was applied under a newer kernel";
        else if (f->superseded)
                return RETIRE_CONTAINED;
        else if (!f->looked)
                *ret_why = "nobody looked in this boot whether it fits the running kernel";
        else if (!f->made_for)
                *ret_why = "it does not say for which baseline it was made";
        else if (strcmp(f->made_for, f->reached) >= 0)
                *ret_why = "it was made for this baseline or a later one, and for another kernel";
        else
                return RETIRE_CONTAINED;
        return RETIRE_KEPT;
}
