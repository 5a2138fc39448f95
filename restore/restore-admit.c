/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who is wanted here: for each record, whether it has not gone wrong too often, and is not in the kernel
 * already; then whether its bundle still is what was admitted, and has a target for this kernel. Whatever speaks
 * against a patch of another kernel, it is kept for that one and no more is said than that.
 *
 * It is verified as on the day it was admitted, with the anchors and revocation lists of today: a
 * certificate that has run out since says nothing against what it signed in its time, one that was
 * revoked does.
 */

#include <sys/mman.h>

#include "daemon/admit.h"
#include "dbus/errors.h"
#include "livepatch/state.h"
#include "restore/restore-internal.h"

/* --- sorting out --- */

static int refuse_other_kernel(const Restore *r, const AdmittedRecord *record, sd_bus_error *error) {
        return sd_bus_error_setf(error, HOTPATCH_ERROR("KernelReleaseMismatch"),
                "It is for the kernel '%s', and '%s' is running", record->release, r->identity.release);
}

/* Return: 1 when it is quarantined, 0, or a negative errno. */
static int check_quarantine(const Restore *r, const AdmittedRecord *record, sd_bus_error *error) {
        _cleanup_(strike_record_done) StrikeRecord strikes = { 0 };
        int k = store_strike_get(r->store, record->id, record->digest, &strikes);
        size_t n;

        if (k == -ENOENT)
                return 0;
        if (k < 0 && k != -EBADMSG)
                return k;
        n = strike_record_count(&strikes);
        if (k != -EBADMSG && !strike_record_is_quarantined(&strikes))
                return 0;
        (void) sd_bus_error_setf(error, HOTPATCH_ERROR("Quarantined"), "It is quarantined: %s",
                n > 0 ? strikes.reasons[n - 1] : "what speaks against it cannot be read");
        return 1;
}

static bool is_present(const Restore *r, const AdmittedRecord *record) {
        LivepatchState state;

        return livepatch_state(r->kernel, record->module, &state) >= 0 &&
                (state == LIVEPATCH_PATCHED || state == LIVEPATCH_PATCHING) &&
                facts_record_fits(r->kernel, record) > 0;
}

/* Return: 1 when the policy does not allow it, 0, or -ENOMEM. */
static int check_denied(const Restore *r, sd_bus_error *error) {
        _cleanup_free_ char *why = NULL;
        int k = config_denial(r->config, &why);

        if (k < 0 || !why)
                return k;
        (void) sd_bus_error_setf(error, HOTPATCH_ERROR("HotpatchDenied"),
                "Hotpatches are not allowed on this machine: %s", why);
        return 1;
}

/* What keeps a patch out that is for this kernel. Return: 0 or a negative errno. */
static int sort_one(Restore *r, Candidate *c) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int k;

        if (restore_is_elsewhere(r, c))
                return 0; /* whether its bundle serves this kernel is seen when that is verified */
        if (is_present(r, c->record)) {
                restore_outcome(r, c, "present", 0, NULL);
                return 0;
        }
        k = check_denied(r, &error);
        if (k != 0) {
                if (k > 0)
                        restore_outcome(r, c, "denied", -EPERM, &error);
                return k < 0 ? k : 0;
        }
        k = check_quarantine(r, c->record, &error);
        if (k > 0)
                restore_outcome(r, c, "quarantined", -EPERM, &error);
        return k < 0 ? k : 0;
}

/** restore_sort() - candidates out of the records; those with nothing to do are done. Return: 0 or errno. */
int restore_sort(Restore *r) {
        int k;

        k = store_admitted_list(r->store, &r->records, &r->n_records);
        if (k < 0)
                return k;
        r->candidates = calloc(r->n_records + 1, sizeof(*r->candidates));
        if (!r->candidates)
                return -ENOMEM;
        for (; r->n_candidates < r->n_records; r->n_candidates++) {
                Candidate *c = &r->candidates[r->n_candidates];

                c->record = &r->records[r->n_candidates];
                k = sort_one(r, c);
                if (k < 0)
                        return k;
        }
        return 0;
}

/* --- verifying --- */

static int open_bundle(const Restore *r, const Candidate *c, sd_bus_error *error) {
        int fd = store_admitted_open(r->store, c->record->id);

        return fd >= 0 ? fd : sd_bus_error_setf(error, HOTPATCH_ERROR("StateDamaged"),
                "Its bundle in '/var/lib/hotpatch/admitted' cannot be opened: %s", strerror(-fd));
}

static int verify(Restore *r, Candidate *c, int payload_fd, sd_bus_error *error) {
        _cleanup_close_ int fd = open_bundle(r, c, error);
        int k;

        if (fd < 0)
                return fd;
        k = admit_again(&(AdmitRequest) {
                .source_fd = fd,
                .copy_fd = -EBADF,
                .root = r->root,
                .policy = &r->config->trust,
                .now_usec = c->record->admitted_usec,
                .kernel = &r->identity,
                .load_dir_fd = r->load_dir_fd,
                .expected_id = c->record->id,
        }, payload_fd, &c->verified, error);
        if (k < 0)
                return k;
        if (streq(verified_digest(c->verified), c->record->digest))
                return 0;
        return sd_bus_error_set(error, HOTPATCH_ERROR("StateDamaged"), "Its bundle is not the one that was admitted");
}

/* The same release, built again. */
static bool fits_kernel(const Restore *r, const Candidate *c) {
        return manifest_find_target(verified_manifest(c->verified), r->identity.arch, r->identity.release,
                r->identity.build_id);
}

/* Return: 0 or a negative errno, also for those that are done. */
static int verify_here(Restore *r, Candidate *c) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int k = verify(r, c, -EBADF, &error);

        if (k == -ENOMEM)
                return k;
        if (k < 0)
                restore_outcome(r, c, "failed", k, &error);
        else if (!fits_kernel(r, c)) {
                k = sd_bus_error_set(&error, HOTPATCH_ERROR("KernelBuildIdMismatch"),
                        "It is for another build of the running kernel");
                restore_outcome(r, c, "other-kernel", k, &error);
        }
        return 0;
}

/* Likewise, of one that was applied under another kernel. */
static int verify_elsewhere(Restore *r, Candidate *c) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL, ignored = SD_BUS_ERROR_NULL;
        _cleanup_close_ int payload_fd = memfd_create("hotpatch-payload", MFD_CLOEXEC);
        int k;

        if (payload_fd < 0)
                return -errno;
        k = verify(r, c, payload_fd, &ignored);
        sd_bus_error_free(&ignored);
        if (k == -ENOMEM)
                return k;
        if (k < 0 || !fits_kernel(r, c)) {
                k = refuse_other_kernel(r, c->record, &error);
                restore_outcome(r, c, "other-kernel", k, &error);
                return 0;
        }
        k = restore_move_here(r, c, payload_fd, &error);
        if (k >= 0)
                return sort_one(r, c);
        if (k == -ENOMEM)
                return k;
        restore_outcome(r, c, "failed", k, &error);
        return 0;
}

/**
 * restore_verify() - verify the candidates, and put their modules into the load directory
 *
 * Those that fail are done. Return: 0 or a negative errno that is about none of them.
 */
int restore_verify(Restore *r) {
        for (size_t i = 0; i < r->n_candidates; i++) {
                Candidate *c = &r->candidates[i];
                int k = c->done ? 0 : restore_is_elsewhere(r, c) ? verify_elsewhere(r, c) : verify_here(r, c);

                if (k < 0)
                        return k;
        }
        return 0;
}
