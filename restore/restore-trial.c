/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Patches that are put back are on trial again: another boot is another machine. The record is the
 * write-ahead note as well. It names a patch before its module is given to the kernel, and only then, so
 * that a crash strikes those that were in the kernel and none that came after.
 *
 * How long it lasts is what the manifests ask for, at most ten minutes: each of these patches has been
 * in force before, and somebody waits for the machine.
 */

#include <fcntl.h>
#include <time.h>

#include "daemon/aftermath.h"
#include "daemon/taint.h"
#include "livepatch/klog-record.h"
#include "restore/restore-internal.h"
#include "util/strv.h"

#define TRIAL_MAX_USEC (10 * 60 * USEC_PER_SEC)

static uint64_t now(clockid_t clock) {
        struct timespec ts;

        (void) clock_gettime(clock, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

/* The number that the next record of the kernel log will have: what was logged so far is nobody's sign.
 * Each read gives one record, and the end is EAGAIN (Documentation/ABI/testing/dev-kmsg). */
static uint64_t next_kernel_record(const Kernel *k) {
        _cleanup_close_ int fd = openat(kernel_root_fd(k), "dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        char buf[KERNEL_RECORD_MAX + 1];
        uint64_t next = 0;

        while (fd >= 0) {
                ssize_t n = read(fd, buf, sizeof(buf) - 1);
                KernelRecord record;
                char *p = buf;

                /* EPIPE: records were overwritten meanwhile; the next read goes on behind them. */
                if (n < 0 && (errno == EPIPE || errno == EINTR))
                        continue;
                if (n <= 0)
                        break;
                buf[n] = 0;
                while (kernel_record_next(&p, &record) > 0)
                        next = record.sequence + 1;
        }
        return next;
}

static uint64_t trial_length(const Restore *r) {
        const TrialPolicy *policy = &r->config.trial;
        uint64_t longest = 0;

        for (size_t i = 0; i < r->n_candidates; i++) {
                const Candidate *c = &r->candidates[i];
                uint64_t usec;

                if (c->done || !c->verified)
                        continue;
                usec = (uint64_t) verified_manifest(c->verified)->trial_seconds * USEC_PER_SEC;
                if (usec > longest)
                        longest = usec;
        }
        if (longest < policy->min_usec)
                longest = policy->min_usec;
        if (longest > policy->max_usec)
                longest = policy->max_usec;
        return longest < TRIAL_MAX_USEC ? longest : TRIAL_MAX_USEC;
}

/** restore_trial_begin() - fill in what does not depend on the patch. Return: 0 or a negative errno. */
int restore_trial_begin(Restore *r) {
        uint64_t length = trial_length(r);

        r->trial.transaction = aftermath_restore_transaction(r->boot_id);
        r->trial.kind = strdup("restore");
        if (!r->trial.transaction || !r->trial.kind)
                return -ENOMEM;
        r->trial.boot_id = r->boot_id;
        r->trial.started_usec = now(CLOCK_REALTIME);
        r->trial.until_boottime_usec = now(CLOCK_BOOTTIME) + length;
        r->trial.until_realtime_usec = r->trial.started_usec + length;
        r->trial.kmsg_sequence = next_kernel_record(r->kernel);
        r->trial.taint = taint_allowed(&r->config.trial, taint_read(r->kernel));
        return 0;
}

/**
 * restore_trial_add() - write down that a patch is about to be loaded
 * @error: StateUnwritable; then it must not be loaded
 *
 * Return: 0 or a negative errno.
 */
int restore_trial_add(Restore *r, const Candidate *c, sd_bus_error *error) {
        int k;

        k = strv_extend(&r->trial.ids, c->record->id);
        if (k >= 0)
                k = strv_extend(&r->trial.modules, c->record->module);
        if (k >= 0)
                k = strv_extend(&r->trial.digests, c->record->digest);
        return k < 0 ? k : store_trial_write(r->store, &r->trial, error);
}

static void drop_last(char **v) {
        size_t n = strv_length(v);

        if (n == 0)
                return;
        free(v[n - 1]);
        v[n - 1] = NULL;
}

/** restore_trial_take_back() - the last one was not loaded after all. Return: 0 or a negative errno. */
int restore_trial_take_back(Restore *r) {
        drop_last(r->trial.ids);
        drop_last(r->trial.modules);
        drop_last(r->trial.digests);
        if (strv_length(r->trial.ids) == 0)
                return store_trial_remove(r->store, r->trial.transaction);
        return store_trial_write(r->store, &r->trial, NULL);
}

/** restore_trial_end() - nothing more is loaded; without a time for a trial there is none. Return: 0 or errno. */
int restore_trial_end(Restore *r) {
        if (r->trial.until_realtime_usec > r->trial.started_usec)
                return 0;
        return store_trial_remove(r->store, r->trial.transaction);
}
