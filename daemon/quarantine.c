/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Strikes on the bus: each patch shows those against its content, those against content that is not here are
 * findings, and Release forgives both.
 *
 * Forgiving is a decision of a person and not of a clock. It is for an id, whatever content had it: who
 * names an id means the patch, and content that nobody has any more needs no quarantine.
 */

#include <syslog.h>

#include "daemon/manager.h"
#include "daemon/messages.h"
#include "daemon/patch-internal.h"
#include "daemon/quarantine.h"
#include "daemon/record.h"
#include "dbus/errors.h"
#include "util/strv.h"

static int mark(Patch *p, const StrikeRecord *record) {
        p->quarantined = strike_record_is_quarantined(record);
        if (record->damaged)
                return strv_extend(&p->strikes, "The record of what speaks against it is damaged");
        return strv_copy(record->reasons, &p->strikes);
}

/**
 * quarantine_mark() - put strikes and quarantine to the patches they are about
 * @set: a new view; patches without a digest are not ours or not known, and have none
 *
 * Return: 0 or a negative errno.
 */
int quarantine_mark(const Store *s, PatchSet *set) {
        StrikeRecord *records;
        size_t n;
        int r;

        r = store_strike_list(s, &records, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n && r >= 0; i++) {
                Patch *p = patch_find(set, records[i].id);

                if (!p || p->foreign || !streq(p->digest, records[i].digest))
                        continue;
                r = patch_own(set, &p);
                if (r >= 0)
                        r = mark(p, &records[i]);
        }
        strike_records_free(records, n);
        return r;
}

static int add_finding(const StrikeRecord *record, FindingSet *found) {
        size_t n = strike_record_count(record);

        if (record->damaged)
                return finding_set_add(found, FINDING_STRUCK, record->id, record->digest,
                                "A bundle '%s' that is not here is quarantined; why cannot be read", record->id);
        return finding_set_add(found, FINDING_STRUCK, record->id, record->digest, "A bundle '%s' that is not here %s: %s",
                        record->id, strike_record_is_quarantined(record) ? "is quarantined" : "has a strike",
                        record->reasons[n - 1]);
}

/**
 * quarantine_look() - what speaks against bundles that no patch shows
 * @set: the patches that are known
 * @found: findings are added, unsorted
 *
 * A bundle that was applied from a file and took the machine down before it was admitted is nowhere else; nor is
 * one whose id has other content now.
 *
 * Return: 0 or a negative errno.
 */
int quarantine_look(const Store *s, const PatchSet *set, FindingSet *found) {
        StrikeRecord *records;
        size_t n;
        int r;

        r = store_strike_list(s, &records, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n && r >= 0; i++) {
                const Patch *p = patch_find(set, records[i].id);

                if (!p || p->foreign || !streq(p->digest, records[i].digest))
                        r = add_finding(&records[i], found);
        }
        strike_records_free(records, n);
        return r;
}

static void record_release(const Request *request, const char *id) {
        record_say(&(Record) {
                .message_id = HOTPATCH_MESSAGE_RELEASED,
                .priority = LOG_NOTICE,
                .patch = id,
                .caller_uid = request->caller_uid,
        }, "What speaks against '%s' does not count any more", id);
}

/**
 * quarantine_release() - forget what speaks against the bundles of a request
 * @error: NotQuarantined when nothing speaks against any of them, StateUnwritable
 *
 * Return: 0 or a negative errno; those before the one that failed are released.
 */
int quarantine_release(Manager *m, const Request *request, sd_bus_error *error) {
        bool any = false;

        for (char **id = request->ids; id && *id; id++) {
                int r = store_strike_clear(m->store, *id, NULL);

                if (r < 0)
                        return sd_bus_error_setf(error, HOTPATCH_ERROR("StateUnwritable"),
                                "Cannot delete what speaks against '%s': %s", *id, strerror(-r));
                if (r > 0)
                        record_release(request, *id);
                any = any || r > 0;
        }
        return any ? 0 : sd_bus_error_set(error, HOTPATCH_ERROR("NotQuarantined"),
                "Nothing speaks against what was named");
}
