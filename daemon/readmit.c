/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * May a patch that is wanted be put back into the kernel without a person asking for it? What hotpatch-restore would
 * leave out at the start of the machine, a rollback does not put back either:
 *
 *   hotpatching was switched off, or is not allowed on this machine (any more)
 *   its content is quarantined
 *   the policy forbids what it replaces
 *   it requires a patch that is left out for one of these reasons
 *
 * Whatever is left out stays wanted: when the reason is gone, the next start of the machine brings it back, or a
 * person does. Whether its certificate was revoked is seen when it is verified.
 */

#include "daemon/admit.h"
#include "daemon/plan.h"
#include "daemon/readmit.h"
#include "daemon/switch.h"
#include "dbus/errors.h"
#include "livepatch/state.h"
#include "util/strv.h"

static int check_switches(const Manager *m, const Config *config, sd_bus_error *error) {
        const char *off = switch_off_reason(m->kernel);
        _cleanup_free_ char *why = NULL;
        int r;

        if (off)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("Disabled"), "hotpatching is switched off: %s", off);
        r = config_denial(config, &why);
        if (r >= 0 && why)
                return sd_bus_error_setf(error, HOTPATCH_ERROR("HotpatchDenied"),
                        "hotpatches are not allowed on this machine: %s", why);
        return r;
}

static int check_quarantine(const Store *s, const AdmittedRecord *record, sd_bus_error *error) {
        _cleanup_(strike_record_done) StrikeRecord strikes = {};
        int r = store_strike_get(s, record->id, record->digest, &strikes);
        size_t n;

        if (r == -ENOENT || (r >= 0 && !strike_record_is_quarantined(&strikes)))
                return 0;
        if (r < 0 && r != -EBADMSG)
                return r;
        n = strike_record_count(&strikes);
        return sd_bus_error_setf(error, HOTPATCH_ERROR("Quarantined"), "it is quarantined: %s",
                n > 0 ? strikes.reasons[n - 1] : "what speaks against it cannot be read");
}

/* The names are in the bundle; one that cannot be read says so when its module is taken out of it. */
static int check_policy(const Manager *m, const Config *config, const AdmittedRecord *record, sd_bus_error *error) {
        const PlanPolicy policy = { .forbid = config->forbid, .unreadable = config->forbid_unreadable };
        _cleanup_close_ int fd = store_admitted_open(m->store, record->id);
        _cleanup_(sd_bus_error_free) sd_bus_error ignored = SD_BUS_ERROR_NULL;
        _cleanup_verified_free_ Verified *v = NULL;

        if (!policy.forbid && !policy.unreadable)
                return 0;
        if (fd < 0 || admit_open(fd, m->root, &config->trust, record->admitted_usec, &v, &ignored) < 0)
                return 0;
        return plan_check_forbidden(verified_manifest(v), manifest_find_target(verified_manifest(v), m->identity.arch,
                                            m->identity.release, m->identity.build_id), &policy, error);
}

static int check_requirements(const AdmittedRecord *record, char *const *left_out, sd_bus_error *error) {
        for (char *const *id = left_out; id && *id; id++)
                if (strv_contains(record->requires, *id))
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("MissingRequirement"),
                                "it requires '%s', which is not put back", *id);
        return 0;
}

static bool is_there(const Manager *m, const AdmittedRecord *record) {
        LivepatchState state;

        return livepatch_state(m->kernel, record->module, &state) >= 0 &&
                (state == LIVEPATCH_PATCHED || state == LIVEPATCH_PATCHING);
}

static int check(const Manager *m, const Config *config, const AdmittedRecord *record, char *const *left_out,
                sd_bus_error *error) {
        int r;

        /* By a daemon that was interrupted. */
        if (is_there(m, record))
                return 0;
        r = check_switches(m, config, error);
        if (r >= 0)
                r = check_quarantine(m->store, record, error);
        if (r >= 0)
                r = check_requirements(record, left_out, error);
        return r < 0 ? r : check_policy(m, config, record, error);
}

/**
 * readmit_filter() - which of these patches may be put back?
 * @config: the policy
 * @ids: wanted, in the order of application: what is required comes before who requires it
 * @told, @userdata: hears of each that may not, with a reason that goes on after a colon
 * @ret: the others in the same order; NULL: none. Those without a record are among them.
 *
 * Return: 0 or a negative errno.
 */
int readmit_filter(const Manager *m, const Config *config, char *const *ids, ReadmitTold told, void *userdata,
                char ***ret) {
        _cleanup_strv_free_ char **in = NULL, **out = NULL;
        AdmittedRecord *records;
        size_t n;
        int r;

        r = store_admitted_list(m->store, &records, &n);
        if (r < 0)
                return r;
        for (char *const *id = ids; r >= 0 && id && *id; id++) {
                _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
                const AdmittedRecord *record = admitted_records_find(records, n, *id);
                int k = record ? check(m, config, record, out, &error) : 0;

                r = strv_extend(k < 0 ? &out : &in, *id);
                if (k < 0)
                        told(userdata, *id, error.message ?: strerror(-k));
        }
        admitted_records_free(records, n);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(in);
        return 0;
}
