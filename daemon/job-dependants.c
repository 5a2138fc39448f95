/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What becomes of patches that a rollback had to take out although nothing speaks against them: they require what
 * has failed.
 *
 * One that will have all it requires again, by what comes back, comes back with it. One that will not stays out,
 * and if it was on a trial of its own, what it had superseded comes back in its place.
 */

#include "daemon/job-internal.h"
#include "util/strv.h"

static bool provides(const AdmittedRecord *r, const char *id) {
        return streq(r->id, id) || strv_contains(r->supersedes, id);
}

static bool any_provides(const AdmittedRecord *records, size_t n, const char *id) {
        for (size_t i = 0; i < n; i++)
                if (provides(&records[i], id))
                        return true;
        return false;
}

/* Will what a patch requires be there when all is over? By what comes back, by what stays, or by another one that
 * was applied before it, had to leave for the same reason and comes back too. */
static bool will_fit(const Job *j, const AdmittedRecord *r, const AdmittedRecord *back, size_t n_back,
                const AdmittedRecord *admitted, size_t n) {
        for (char **id = r->requires; id && *id; id++) {
                bool found = any_provides(back, n_back, *id);

                for (size_t i = 0; !found && i < n; i++) {
                        const AdmittedRecord *other = &admitted[i];

                        if (!provides(other, *id) || strv_contains(j->rollback.ids, other->id))
                                continue;
                        found = !strv_contains(j->committed, other->id) ||
                                (other->order < r->order && will_fit(j, other, back, n_back, admitted, n));
                }
                if (!found)
                        return false;
        }
        return true;
}

typedef struct Outlook {
        AdmittedRecord *back;     /* what the transaction had superseded */
        size_t n_back;
        AdmittedRecord *admitted;
        size_t n_admitted;
} Outlook;

static void outlook_done(Outlook *o) {
        admitted_records_free(o->back, o->n_back);
        admitted_records_free(o->admitted, o->n_admitted);
}

static int outlook_read(const Job *j, Outlook *o) {
        int r = store_superseded_list(j->manager->store, j->rollback.transaction, &o->back, &o->n_back);

        return r < 0 ? r : store_admitted_list(j->manager->store, &o->admitted, &o->n_admitted);
}

/* A patch has to stay out only because of what it requires. What it had superseded on a trial of its own comes back in
 * its place, with what this transaction had superseded. */
static int take_along(const Job *j, const AdmittedRecord *r, const Outlook *o) {
        const char *trial = trials_transaction(j->manager->trials, r->id);
        AdmittedRecord *old;
        size_t n;
        int k;

        if (!trial || streq(trial, j->rollback.transaction))
                return 0;
        k = store_superseded_list(j->manager->store, trial, &old, &n);
        if (k < 0)
                return k;
        for (size_t i = 0; k >= 0 && i < n; i++)
                if (strv_contains(r->supersedes, old[i].id) &&
                    will_fit(j, &old[i], o->back, o->n_back, o->admitted, o->n_admitted))
                        k = store_superseded_move(j->manager->store, trial, j->rollback.transaction, old[i].id);
        admitted_records_free(old, n);
        return k;
}

/* It was fine before the transaction came, and will be when what that superseded is back. Return: 1 when it will
 * come back, 0 when it has to stay out, or a negative errno. */
static int see_to_dependant(const Job *j, const char *id) {
        _cleanup_(outlook_done) Outlook o = {};
        const AdmittedRecord *record;
        int r = outlook_read(j, &o);

        record = r < 0 ? NULL : admitted_records_find(o.admitted, o.n_admitted, id);
        if (!record)
                return r;
        if (will_fit(j, record, o.back, o.n_back, o.admitted, o.n_admitted))
                return 1;
        return take_along(j, record, &o);
}

/**
 * job_rollback_forget() - a patch is out of the kernel, by a rollback
 * @id: one of its ids
 *
 * What left only because it requires what failed, and will have what it requires, goes to what comes back.
 *
 * Return: 0 or a negative errno; then it is to be called again, up to JOB_RETURN_TRIES_MAX times.
 */
int job_rollback_forget(Job *j, const char *id) {
        bool last_try = j->return_tries + 1 >= JOB_RETURN_TRIES_MAX;
        const Store *s = j->manager->store;
        int r = strv_contains(j->rollback.ids, id) ? 0 : see_to_dependant(j, id);

        if (r > 0) {
                r = store_superseded_retire(s, j->rollback.transaction, id);
                if (r >= 0)
                        return 0;
        }
        /* To forget it would be for good. */
        if (r < 0 && !last_try && job_return_may_pass(r, NULL))
                return r;
        /* Its bundle stays at hand; that the patch is not wanted any more counts for more. */
        r = store_admitted_demote(s, id);
        return r < 0 ? store_admitted_remove(s, id) : 0;
}
