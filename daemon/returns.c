/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A patch that failed its trial is out; what it had superseded comes back. Unless time has gone on:
 *
 *   it was superseded itself   by a patch on trial. Should that one fail too, it is not the failed patch that has to
 *                              come back but what that had superseded: the newer trial inherits it, and the failed
 *                              one is only staged.
 *                              By a patch that is not (or no longer) on trial: then that has the place of all
 *                              of them, and an older patch on top of it would hide its fix.
 *   it failed as well          what would come back has a failed trial of its own, and leaves for that one's reason.
 *
 * The daemon asks when it rolls back, and who settles what a boot has left. Doing it again changes
 * nothing, so whoever is interrupted begins anew.
 */

#include "daemon/returns.h"
#include "util/strv.h"

static int move_all(const Store *s, const char *from, const char *to, char *const *ids) {
        for (; ids && *ids; ids++) {
                int r = store_superseded_move(s, from, to, *ids);

                /* A damaged one is for a person to look at. */
                if (r < 0 && r != -ENOENT && r != -EBADMSG)
                        return r;
        }
        return 0;
}

/* What this patch of the failed trial had superseded or replaced goes to who superseded it. */
static int pass_on(const Store *s, const TrialRecord *failed, const AdmittedRecord *record, const char *heir) {
        int r = move_all(s, failed->transaction, heir, record->supersedes);

        return r < 0 ? r : move_all(s, failed->transaction, heir, record->replaced);
}

static int settle_inheritance(const Store *s, const TrialRecord *failed) {
        for (char **id = failed->ids; id && *id; id++) {
                _cleanup_(admitted_record_done) AdmittedRecord record = {};
                _cleanup_free_ char *heir = NULL;
                int r = store_superseded_find(s, *id, failed->transaction, &heir, &record);

                if (r == -ENOENT)
                        continue;
                if (r >= 0)
                        r = pass_on(s, failed, &record, heir);
                if (r >= 0)
                        r = store_superseded_forget(s, heir, *id);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* In this kernel: one that is wanted for another one has nobody's place here. */
static bool is_superseded(const char *id, const char *release, char *const *except, const AdmittedRecord *admitted,
                size_t n) {
        for (size_t i = 0; i < n; i++)
                if (streq(admitted[i].release, release) && !strv_contains(except, admitted[i].id) &&
                    strv_contains(admitted[i].supersedes, id))
                        return true;
        return false;
}

static bool all_superseded(const TrialRecord *failed, const char *release, const AdmittedRecord *admitted, size_t n) {
        for (char **id = failed->ids; id && *id; id++)
                if (!is_superseded(*id, release, failed->ids, admitted, n))
                        return false;
        return true;
}

static bool has_failed(const char *id, const char *except, const TrialRecord *trials, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (trials[i].reason && !streq(trials[i].transaction, except) && strv_contains(trials[i].ids, id))
                        return true;
        return false;
}

static int choose(const Store *s, const TrialRecord *failed, const AdmittedRecord *admitted, size_t n_admitted,
                const TrialRecord *trials, size_t n_trials, char ***ids) {
        AdmittedRecord *records;
        size_t n;
        int r;

        r = store_superseded_list(s, failed->transaction, &records, &n);
        if (r < 0)
                return r;
        /* All patches of a transaction and all that they superseded were in one kernel. */
        if (n > 0 && all_superseded(failed, records[0].release, admitted, n_admitted)) {
                admitted_records_free(records, n);
                return 0;
        }
        for (size_t i = 0; r >= 0 && i < n; i++) {
                const char *id = records[i].id;

                if (has_failed(id, failed->transaction, trials, n_trials))
                        r = store_superseded_forget(s, failed->transaction, id);
                else if (!is_superseded(id, records[i].release, failed->ids, admitted, n_admitted))
                        r = strv_extend(ids, id);
        }
        admitted_records_free(records, n);
        return r;
}

/**
 * returns_decide() - sort out what a failed trial had superseded
 * @failed: its patches are out of the kernel
 * @ret: what comes back by store_superseded_restore(), in the order of application; NULL when nothing does
 *
 * Return: 0 or a negative errno.
 */
int returns_decide(const Store *s, const TrialRecord *failed, char ***ret) {
        _cleanup_strv_free_ char **ids = NULL;
        AdmittedRecord *admitted = NULL;
        TrialRecord *trials = NULL;
        size_t n = 0, n_trials = 0;
        int r;

        r = settle_inheritance(s, failed);
        if (r >= 0)
                r = store_admitted_list(s, &admitted, &n);
        if (r >= 0)
                r = store_trial_list(s, &trials, &n_trials);
        if (r >= 0)
                r = choose(s, failed, admitted, n, trials, n_trials, &ids);
        trial_records_free(trials, n_trials);
        admitted_records_free(admitted, n);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(ids);
        return 0;
}
