/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What became of fixes: they were applied, or taken out again by a trial.
 *
 * The first is an event, told when it is seen and gone when the fix is. The second is so until the patch is in force
 * again, and is told also to who logs in afterwards, because a hole is open.
 */

#include <inttypes.h>

#include "notifier/notice-internal.h"
#include "util/limits.h"
#include "util/str.h"

/* --- applied --- */

static bool was_applied(const Machine *before, const MachinePatch *p) {
        const MachinePatch *old = machine_patch(before, p->id);

        return machine_patch_is_active(p) && p->applied_usec > (old ? old->applied_usec : 0);
}

static bool has_gone(const Machine *before, const Machine *machine) {
        for (size_t i = 0; i < before->n_patches; i++) {
                const MachinePatch *now = machine_patch(machine, before->patches[i].id);

                if (machine_patch_is_active(&before->patches[i]) && !(now && machine_patch_is_active(now)))
                        return true;
        }
        return false;
}

static int append_applied(const MachinePatch *p, Notice *n) {
        _cleanup_free_ char *fixes = NULL;
        int r = str_extendf(&n->key, " %s %" PRIu64, p->id, p->applied_usec);

        if (notice_is_grave(p->severity))
                n->urgency = URGENCY_NORMAL;
        if (r >= 0)
                r = notice_fixes(p, &fixes);
        return r < 0 ? r : text_append(&n->body, TEXT_APPLIED_FIXES, "title", notice_title(p, p->id), "fixes", fixes, NULL);
}

static int end_applied(Notice *n, size_t count, uint64_t trial_usec, uint64_t now_usec) {
        _cleanup_free_ char *when = NULL;
        int r = notice_end_list(n, count);

        if (r >= 0)
                r = count == 1 ? text_fill(&n->summary, TEXT_APPLIED_ONE, NULL)
                               : notice_fill_count(&n->summary, TEXT_APPLIED_MANY, count);
        if (r < 0 || trial_usec <= now_usec)
                return r < 0 ? r : text_append(&n->body, TEXT_APPLIED_DONE, NULL);
        r = text_time(&when, trial_usec, now_usec);
        return r < 0 ? r : text_append(&n->body, TEXT_APPLIED_TRIAL, "when", when, NULL);
}

/** decide_applied() - what has come into force since the last look goes into @set. Return: 0 or -ENOMEM. */
int decide_applied(const Machine *before, const Machine *machine, uint64_t now_usec, NoticeSet *set) {
        _cleanup_notice_ Notice *n = calloc(1, sizeof(*n));
        uint64_t trial_usec = 0;
        size_t count = 0;
        int r = 0;

        if (!n)
                return -ENOMEM;
        n->transient = true;
        for (size_t i = 0; i < machine->n_patches && r >= 0; i++) {
                const MachinePatch *p = &machine->patches[i];

                if (!was_applied(before, p))
                        continue;
                if (p->trial_until_usec > trial_usec)
                        trial_usec = p->trial_until_usec;
                if (count++ < HOTPATCH_NOTIFIER_ITEMS_MAX)
                        r = append_applied(p, n);
        }
        if (r >= 0 && count > 0)
                r = end_applied(n, count, trial_usec, now_usec);
        if (r < 0)
                return r;
        if (count > 0)
                notice_set_put(set, TOPIC_APPLIED, TAKE_PTR(n));
        else if (has_gone(before, machine))
                notice_set_put(set, TOPIC_APPLIED, NULL);
        return 0;
}

/* --- taken out again --- */

static int append_rollback(const Machine *machine, const MachineRollback *b, Notice *n) {
        const MachinePatch *p = machine_patch(machine, b->patch);
        int r = str_extendf(&n->key, "%s %" PRIu64 " ", b->patch, b->when_usec);

        if (p && notice_is_grave(p->severity))
                n->urgency = URGENCY_CRITICAL;
        return r < 0 ? r : text_append(&n->body, TEXT_ROLLED_BACK_ITEM, "title", notice_title(p, b->patch), "reason",
                                   b->reason, NULL);
}

/** decide_rolled_back() - what failed its trial. @ret: untouched when nothing did. Return: 0 or -ENOMEM. */
int decide_rolled_back(const Machine *machine, Notice **ret) {
        _cleanup_notice_ Notice *n = calloc(1, sizeof(*n));
        size_t count = machine->n_rollbacks;
        int r;

        if (!n)
                return -ENOMEM;
        if (count == 0)
                return 0;
        n->urgency = URGENCY_NORMAL;
        r = count == 1 ? text_fill(&n->summary, TEXT_ROLLED_BACK_ONE, NULL)
                       : notice_fill_count(&n->summary, TEXT_ROLLED_BACK_MANY, count);
        for (size_t i = 0; i < count && i < HOTPATCH_NOTIFIER_ITEMS_MAX && r >= 0; i++)
                r = append_rollback(machine, &machine->rollbacks[i], n);
        if (r >= 0)
                r = notice_end_list(n, count);
        if (r >= 0)
                r = text_append(&n->body, TEXT_ROLLED_BACK_OPEN, NULL);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(n);
        return 0;
}
