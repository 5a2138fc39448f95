/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Trials: which patches are being watched, since when, until when.
 *
 * A record is there for as long as its trial runs. One of this boot is the daemon's to end; one of
 * another boot that is not `clean` says that the machine went down while these patches were on
 * trial. Time is written by two clocks: CLOCK_BOOTTIME ends the trial, CLOCK_REALTIME is for people.
 */

#include "bundle/manifest.h"
#include "daemon/store-internal.h"
#include "util/limits.h"
#include "util/strv.h"

static bool valid_kind(const char *s) {
        return streq(s, "apply") || streq(s, "restore") || streq(s, "return");
}

static bool valid_service(const char *s) {
        return *s && strlen(s) <= HOTPATCH_UNIT_NAME_MAX;
}

const Field store_trial_fields[] = {
        { "TRANSACTION", FIELD_STRING, true, offsetof(TrialRecord, transaction), manifest_id_is_valid },
        { "KIND", FIELD_STRING, true, offsetof(TrialRecord, kind), valid_kind },
        { "BOOT_ID", FIELD_ID128, true, offsetof(TrialRecord, boot_id), NULL },
        { "STARTED_USEC", FIELD_U64, true, offsetof(TrialRecord, started_usec), NULL },
        { "UNTIL_BOOTTIME_USEC", FIELD_U64, true, offsetof(TrialRecord, until_boottime_usec), NULL },
        { "UNTIL_REALTIME_USEC", FIELD_U64, true, offsetof(TrialRecord, until_realtime_usec), NULL },
        { "KMSG_SEQUENCE", FIELD_U64, true, offsetof(TrialRecord, kmsg_sequence), NULL },
        { "ID", FIELD_STRV, true, offsetof(TrialRecord, ids), manifest_id_is_valid },
        { "MODULE", FIELD_STRV, true, offsetof(TrialRecord, modules), manifest_module_is_valid },
        { "DIGEST", FIELD_STRV, true, offsetof(TrialRecord, digests), store_valid_digest },
        { "CLEAN", FIELD_BOOL, true, offsetof(TrialRecord, clean), NULL },
        { "DUMPS", FIELD_BOOL, false, offsetof(TrialRecord, dumps), NULL },
        { "TAINT", FIELD_U64, false, offsetof(TrialRecord, taint), NULL },
        { "KERNEL_MEMORY", FIELD_U64, false, offsetof(TrialRecord, kernel_memory), NULL },
        { "SERVICE", FIELD_STRV, false, offsetof(TrialRecord, services), valid_service },
        { "REASON", FIELD_STRING, false, offsetof(TrialRecord, reason), NULL },
        { "RETURN", FIELD_STRV, false, offsetof(TrialRecord, returns), manifest_id_is_valid },
        { "REPLACED_FOREIGN", FIELD_STRV, false, offsetof(TrialRecord, replaced_foreign), NULL },
};
const size_t store_n_trial_fields = ELEMENTSOF(store_trial_fields);

/** trial_record_done() - free what it owns */
void trial_record_done(TrialRecord *r) {
        fields_done(store_trial_fields, ELEMENTSOF(store_trial_fields), r);
}

static void strv_drop(char **v, size_t i) {
        free(v[i]);
        do
                v[i] = v[i + 1];
        while (v[i++]);
}

/** trial_record_drop() - a patch is not on this trial any more; nothing when it was not */
void trial_record_drop(TrialRecord *r, const char *id) {
        for (size_t i = 0; r->ids && r->ids[i]; i++)
                if (streq(r->ids[i], id)) {
                        strv_drop(r->ids, i);
                        strv_drop(r->modules, i);
                        strv_drop(r->digests, i);
                        return;
                }
}

/** trial_records_free() - free an array from store_trial_list() */
void trial_records_free(TrialRecord *records, size_t n) {
        for (size_t i = 0; i < n; i++)
                trial_record_done(&records[i]);
        free(records);
}

/* Each module and digest is that of the id at the same place. */
static bool is_even(const TrialRecord *r) {
        size_t n = strv_length(r->ids);

        return n <= HOTPATCH_ADMITTED_MAX && strv_length(r->modules) == n && strv_length(r->digests) == n;
}

static int trial_read(const Store *s, const char *name, TrialRecord *ret) {
        TrialRecord record = { 0 };
        int r = store_read(s->trials_fd, name, store_trial_fields, ELEMENTSOF(store_trial_fields), &record);

        if (r < 0)
                return r;
        if (!streq(record.transaction, name) || !is_even(&record)) {
                trial_record_done(&record);
                return -EBADMSG;
        }
        *ret = record;
        return 0;
}

/**
 * store_trial_write() - begin a trial, or replace its record
 * @r: ids, modules and digests of the same length
 *
 * Return: 0, or a negative errno with StateUnwritable.
 */
int store_trial_write(const Store *s, const TrialRecord *r, sd_bus_error *error) {
        int k = -EINVAL;

        if (r->transaction && manifest_id_is_valid(r->transaction) && is_even(r))
                k = store_write(s->trials_fd, r->transaction, store_trial_fields,
                                ELEMENTSOF(store_trial_fields), r);
        return k < 0 ? store_write_failed(error, "a trial", k) : 0;
}

/** store_trial_remove() - a trial is over. Return: 0 (also when there is none) or a negative errno. */
int store_trial_remove(const Store *s, const char *transaction) {
        int r = manifest_id_is_valid(transaction) ? store_unlink(s->trials_fd, transaction) : -EINVAL;

        return r == -ENOENT ? 0 : r;
}

/* --- all of them --- */

typedef struct TrialList {
        const Store *store;
        TrialRecord *records;
        size_t n;
} TrialList;

static int list_visit(_unused_ int dir_fd, const char *name, void *userdata) {
        TrialList *list = userdata;
        TrialRecord *grown, record;
        int r;

        if (startswith(name, STORE_TEMPORARY_PREFIX) || list->n >= HOTPATCH_TRIALS_MAX)
                return 0;
        r = trial_read(list->store, name, &record);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        grown = reallocarray(list->records, list->n + 1, sizeof(*grown));
        if (!grown) {
                trial_record_done(&record);
                return -ENOMEM;
        }
        list->records = grown;
        list->records[list->n++] = record;
        return 0;
}

static int compare_started(const void *a, const void *b) {
        const TrialRecord *x = a, *y = b;

        if (x->started_usec != y->started_usec)
                return x->started_usec < y->started_usec ? -1 : 1;
        return strcmp(x->transaction, y->transaction);
}

/**
 * store_trial_list() - all trials, of this boot and of others, the oldest first
 * @ret: array of @ret_n; free with trial_records_free()
 *
 * Damaged records are left out; store_damaged() names them.
 *
 * Return: 0 or a negative errno.
 */
int store_trial_list(const Store *s, TrialRecord **ret, size_t *ret_n) {
        TrialList list = { .store = s };
        int r = store_walk(s->trials_fd, list_visit, &list);

        if (r < 0) {
                trial_records_free(list.records, list.n);
                return r;
        }
        if (list.n > 0)
                qsort(list.records, list.n, sizeof(*list.records), compare_started);
        *ret = list.records;
        *ret_n = list.n;
        return 0;
}

static int mark_trials(const Store *s, sd_id128_t boot_id, bool clean, sd_bus_error *error) {
        TrialRecord *records;
        size_t n;
        int r = store_trial_list(s, &records, &n);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n && r >= 0; i++) {
                if (!sd_id128_equal(records[i].boot_id, boot_id) || records[i].clean == clean)
                        continue;
                records[i].clean = clean;
                r = store_trial_write(s, &records[i], error);
        }
        trial_records_free(records, n);
        return r;
}

static int mark_intent(const Store *s, sd_id128_t boot_id, bool clean, sd_bus_error *error) {
        _cleanup_(intent_done) Intent intent = { 0 };
        int r = store_intent_read(s, &intent);

        /* A damaged one says nothing of the end of this boot. */
        if (r == -ENOENT || r == -EBADMSG)
                return 0;
        if (r < 0 || intent.clean == clean || !sd_id128_equal(intent.boot_id, boot_id))
                return r;
        intent.clean = clean;
        return store_intent_write(s, &intent, error);
}

static int mark(const Store *s, sd_id128_t boot_id, bool clean, sd_bus_error *error) {
        int r = mark_trials(s, boot_id, clean, error);

        return r < 0 ? r : mark_intent(s, boot_id, clean, error);
}

/**
 * store_mark_clean() - the machine goes down in order: say so in all trials and the intent of @boot_id
 *
 * Return: 0, or a negative errno, with StateUnwritable when it was writing that failed.
 */
int store_mark_clean(const Store *s, sd_id128_t boot_id, sd_bus_error *error) {
        return mark(s, boot_id, true, error);
}

/**
 * store_mark_running() - the machine has gone on in the same boot: take back what store_mark_clean() said
 *
 * The services were stopped and started, and the kernel was not: systemctl soft-reboot does that.
 *
 * Return: as store_mark_clean().
 */
int store_mark_running(const Store *s, sd_id128_t boot_id, sd_bus_error *error) {
        return mark(s, boot_id, false, error);
}

/* --- damage --- */

static int collect_damaged(_unused_ int dir_fd, const char *name, void *userdata) {
        _cleanup_(trial_record_done) TrialRecord record = { 0 };
        const StoreDamage *d = userdata;

        if (startswith(name, STORE_TEMPORARY_PREFIX) || trial_read(d->store, name, &record) >= 0)
                return 0;
        return store_damage_add(d->names, "trials/%s", name);
}

/** store_trials_damaged() - append the names of damaged trials. Return: 0 or a negative errno. */
int store_trials_damaged(const Store *s, char ***names) {
        return store_walk(s->trials_fd, collect_damaged, &(StoreDamage) { s, names });
}
