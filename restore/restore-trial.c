/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Patches that are put back are on trial again: another boot is another machine. Each has a trial of its
 * own, so that a bad sign takes out the patch that it names, and not all that the machine has. The record is
 * the write-ahead note as well: it is written before the module is given to the kernel, and only then, so
 * that a crash strikes those that were in the kernel and none that came after.
 *
 * How long it lasts is told by daemon/trial-length.c.
 */

#include <fcntl.h>
#include <time.h>

#include "daemon/aftermath.h"
#include "daemon/dump.h"
#include "daemon/taint.h"
#include "daemon/trial-length.h"
#include "livepatch/klog-record.h"
#include "restore/restore-internal.h"
#include "util/strv.h"

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

static uint64_t length_of(const Restore *r, const Candidate *c) {
        return trial_length_restore(&r->config->trial,
                        (uint64_t) verified_manifest(c->verified)->trial_seconds * USEC_PER_SEC);
}

/** restore_trial_begin() - look how the kernel is before anything is loaded */
void restore_trial_begin(Restore *r) {
        r->kmsg_sequence = next_kernel_record(r->kernel);
        r->taint = taint_allowed(&r->config->trial, taint_read(r->kernel));
}

static int fill_record(const Restore *r, const Candidate *c, TrialRecord *ret) {
        uint64_t usec = length_of(r, c);
        int k;

        *ret = (TrialRecord) {
                .transaction = aftermath_restore_transaction(r->boot_id, c->record->order),
                .kind = strdup("restore"),
                .boot_id = r->boot_id,
                .started_usec = now(CLOCK_REALTIME),
                .until_boottime_usec = now(CLOCK_BOOTTIME) + usec,
                .until_realtime_usec = now(CLOCK_REALTIME) + usec,
                .kmsg_sequence = r->kmsg_sequence,
                .taint = r->taint,
                .dumps = dump_expected(kernel_root_fd(r->kernel)),
        };
        if (!ret->transaction || !ret->kind)
                return -ENOMEM;
        k = strv_extend(&ret->ids, c->record->id);
        if (k >= 0)
                k = strv_extend(&ret->modules, c->record->module);
        return k < 0 ? k : strv_extend(&ret->digests, c->record->digest);
}

/**
 * restore_trial_add() - write down that a patch is about to be loaded
 * @error: StateUnwritable; then it must not be loaded
 *
 * Return: 0 or a negative errno.
 */
int restore_trial_add(const Restore *r, const Candidate *c, sd_bus_error *error) {
        _cleanup_(trial_record_done) TrialRecord record = {};
        int k = fill_record(r, c, &record);

        return k < 0 ? k : store_trial_write(r->store, &record, error);
}

/** restore_trial_take_back() - it was not loaded after all. Return: 0 or a negative errno. */
int restore_trial_take_back(const Restore *r, const Candidate *c) {
        _cleanup_free_ char *transaction = aftermath_restore_transaction(r->boot_id, c->record->order);

        return transaction ? store_trial_remove(r->store, transaction) : -ENOMEM;
}

/** restore_trial_end() - nothing more is loaded; who is given no time has no trial. Return: 0 or errno. */
int restore_trial_end(const Restore *r) {
        int k = 0;

        for (size_t i = 0; k >= 0 && i < r->n_candidates; i++)
                if (r->candidates[i].verified && length_of(r, &r->candidates[i]) == 0)
                        k = restore_trial_take_back(r, &r->candidates[i]);
        return k;
}
