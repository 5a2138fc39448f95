/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The boot check, and the end of the boot.
 *
 * The check says whether this start of the machine is a good one: what is wanted for this kernel is in
 * force. A patch for another kernel is not wanted here; a quarantined one was given up, one that the policy
 * forbids or that this machine is denied is not put back, and counting every boot as bad from then on would
 * only drive the machine to an older kernel. All are said, none fails the check, as nothing does where hotpatching
 * is switched off.
 *
 * Without a daemon nobody would end the trial of a restore. A machine that got as far as this check has
 * passed the part of it that matters most.
 */

#include <syslog.h>

#include "daemon/facts.h"
#include "daemon/restored.h"
#include "daemon/store.h"
#include "daemon/switch.h"
#include "livepatch/identity.h"
#include "livepatch/state.h"
#include "restore/restore.h"
#include "util/strv.h"

/** struct Check - what the check looks at */
typedef struct Check {
        Kernel *kernel;
        KernelIdentity identity;
        Store *store;
        Restored report; /* empty when there is none */
        AdmittedRecord *records;
        size_t n_records;
} Check;

static void check_done(Check *c) {
        admitted_records_free(c->records, c->n_records);
        restored_done(&c->report);
        store_free(c->store);
        kernel_identity_done(&c->identity);
        kernel_free(c->kernel);
}

static int fail(int r, const char *what) {
        fprintf(stderr, "<%d>%s: %s\n", LOG_ERR, what, strerror(-r));
        return r;
}

static bool is_in_force(const Check *c, const AdmittedRecord *record) {
        LivepatchState state;

        return livepatch_state(c->kernel, record->module, &state) >= 0 && state == LIVEPATCH_PATCHED &&
                facts_record_fits(c->kernel, record) > 0;
}

static bool is_quarantined(const Check *c, const AdmittedRecord *record) {
        _cleanup_(strike_record_done) StrikeRecord strikes = { 0 };
        int r = store_strike_get(c->store, record->id, record->digest, &strikes);

        return r == -EBADMSG || (r >= 0 && strike_record_is_quarantined(&strikes));
}

/* What hotpatch-restore said about it: result and reason, or NULL. */
static const char *find_result(const Check *c, const char *id, const char **ret_reason) {
        for (size_t i = 0; c->report.ids && c->report.ids[i]; i++)
                if (streq(c->report.ids[i], id)) {
                        *ret_reason = c->report.reasons[i];
                        return c->report.results[i];
                }
        *ret_reason = "";
        return NULL;
}

static bool is_for_other_kernel(const Check *c, const AdmittedRecord *record, const char *result) {
        return !streq(record->release, c->identity.release) || streq_ptr(result, "other-kernel");
}

/* Return: whether it is as it should be. */
static bool check_patch(const Check *c, const AdmittedRecord *record) {
        const char *reason, *result = find_result(c, record->id, &reason);

        if (is_for_other_kernel(c, record, result)) {
                fprintf(stderr, "<%d>'%s' is kept for another kernel\n", LOG_INFO, record->id);
                return true;
        }
        if (is_in_force(c, record))
                return true;
        if (is_quarantined(c, record)) {
                fprintf(stderr, "<%d>'%s' is quarantined and not in force\n", LOG_WARNING, record->id);
                return true;
        }
        if (streq_ptr(result, "denied")) {
                fprintf(stderr, "<%d>'%s' is not restored: %s\n", LOG_NOTICE, record->id, reason);
                return true;
        }
        if (streq_ptr(result, "forbidden")) {
                fprintf(stderr, "<%d>'%s' is forbidden by the policy and not in force\n", LOG_WARNING, record->id);
                return true;
        }
        fprintf(stderr, "<%d>'%s' is wanted and not in force%s%s\n", LOG_ERR, record->id, *reason ? ": " : "", reason);
        return false;
}

static int open_all(Check *c, const char *root) {
        int r;

        r = kernel_identity(c->kernel, &c->identity);
        if (r < 0)
                return fail(r, "The kernel does not say who it is");
        r = store_open_to_look(root, &c->store);
        if (r >= 0)
                r = store_admitted_list(c->store, &c->records, &c->n_records);
        if (r < 0)
                return fail(r, "The state directory cannot be read");
        r = restored_read(kernel_root_fd(c->kernel), &c->report);
        return r == -ENOMEM ? r : 0;
}

/* The lock of the state directory is the daemon's as long as it runs. */
static void end_trials_without_daemon(const char *root) {
        _cleanup_(store_freep) Store *s = NULL;
        TrialRecord *trials;
        sd_id128_t boot;
        size_t n;

        if (sd_id128_get_boot(&boot) < 0 || store_open(root, &s, NULL) < 0 || store_trial_list(s, &trials, &n) < 0)
                return;
        for (size_t i = 0; i < n; i++)
                if (streq(trials[i].kind, "restore") && sd_id128_equal(trials[i].boot_id, boot) &&
                    store_trial_remove(s, trials[i].transaction) < 0)
                        fprintf(stderr, "<%d>The trial of the restore cannot be ended\n", LOG_WARNING);
        trial_records_free(trials, n);
}

/**
 * restore_check() - is what is wanted for this kernel in force?
 *
 * Return: 0; -EAGAIN when something is missing, after naming it on stderr; or another negative errno.
 */
int restore_check(const char *root, const ModuleOps *ops, void *ops_userdata) {
        _cleanup_(check_done) Check c = {};
        const char *off;
        bool good = true;
        int r;

        r = kernel_new(root, ops, ops_userdata, &c.kernel);
        if (r < 0)
                return fail(r, "The kernel cannot be looked at");
        off = switch_off_reason(c.kernel);
        if (off) {
                fprintf(stderr, "<%d>Hotpatching is switched off: %s\n", LOG_NOTICE, off);
                return 0;
        }
        r = open_all(&c, root);
        if (r < 0)
                return r;
        for (size_t i = 0; i < c.n_records; i++)
                good = check_patch(&c, &c.records[i]) && good;
        if (!good)
                return -EAGAIN;
        c.store = store_free(c.store);
        end_trials_without_daemon(root);
        return 0;
}

/**
 * restore_mark_clean() - the machine is being shut down in order: what is on trial gets no strike for it
 *
 * Return: 0 or a negative errno, after saying why on stderr.
 */
int restore_mark_clean(const char *root) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(store_freep) Store *s = NULL;
        sd_id128_t boot;
        int r;

        r = sd_id128_get_boot(&boot);
        if (r >= 0)
                r = store_open(root, &s, &error);
        if (r >= 0)
                r = store_mark_clean(s, boot, &error);
        if (r < 0)
                fprintf(stderr, "<%d>The shutdown cannot be noted: %s\n", LOG_ERR, error.message ?: strerror(-r));
        return r;
}
