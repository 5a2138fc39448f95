/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Strikes: what speaks against a bundle, one file for each content. The name has the digest of the
 * manifest, so a bundle that was built again under the same id begins with a clean sheet.
 *
 * What happened is counted once: each strike has its cause, the boot that ended badly or the
 * transaction that failed, and a cause that is there already changes nothing. So whoever is
 * interrupted between striking and deleting the record that led to it can simply do it again.
 *
 * Two strikes are a quarantine; two that count half, because something else is the likelier cause, are one. Nothing
 * here takes it back but store_strike_clear().
 */

#include "bundle/manifest.h"
#include "daemon/store-internal.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

const Field store_strike_fields[] = {
        { "ID", FIELD_STRING, true, offsetof(StrikeRecord, id), manifest_id_is_valid },
        { "DIGEST", FIELD_STRING, true, offsetof(StrikeRecord, digest), store_valid_digest },
        { "CAUSE", FIELD_STRV, true, offsetof(StrikeRecord, causes), manifest_id_is_valid },
        { "WHEN_USEC", FIELD_STRV, true, offsetof(StrikeRecord, when_usec), store_valid_usec },
        { "HALF", FIELD_STRV, false, offsetof(StrikeRecord, halves), manifest_id_is_valid },
        { "REASON", FIELD_STRV, true, offsetof(StrikeRecord, reasons), NULL },
};
const size_t store_n_strike_fields = ELEMENTSOF(store_strike_fields);

/** strike_record_done() - free what it owns */
void strike_record_done(StrikeRecord *r) {
        fields_done(store_strike_fields, ELEMENTSOF(store_strike_fields), r);
}

/** strike_records_free() - free an array from store_strike_list() */
void strike_records_free(StrikeRecord *records, size_t n) {
        for (size_t i = 0; i < n; i++)
                strike_record_done(&records[i]);
        free(records);
}

/** strike_record_count() - how many strikes there are, full or half */
size_t strike_record_count(const StrikeRecord *r) {
        return strv_length(r->reasons);
}

/** strike_record_full() - how many full strikes they make */
size_t strike_record_full(const StrikeRecord *r) {
        size_t halves = 0;

        for (char **cause = r->causes; cause && *cause; cause++)
                halves += strv_contains(r->halves, *cause) ? 1 : 2;
        return halves / 2;
}

/** strike_record_is_quarantined() - are there enough of them, or so many that they cannot be read? */
bool strike_record_is_quarantined(const StrikeRecord *r) {
        return r->damaged || strike_record_full(r) >= HOTPATCH_STRIKES_QUARANTINE;
}

static char *file_name(const char *id, const char *digest) {
        char *name;

        return str_printf(&name, "%s.%s", id, digest) < 0 ? NULL : name;
}

static int strike_read(const Store *s, const char *name, StrikeRecord *ret) {
        _cleanup_(strike_record_done) StrikeRecord record = { 0 };
        _cleanup_free_ char *expected = NULL;
        int r;

        r = store_read(s->strikes_fd, name, store_strike_fields, ELEMENTSOF(store_strike_fields), &record);
        if (r < 0)
                return r;
        expected = file_name(record.id, record.digest);
        if (!expected)
                return -ENOMEM;
        /* Cause, time and sentence are those at the same place. */
        if (!streq(expected, name) || strv_length(record.causes) != strv_length(record.reasons) ||
            strv_length(record.when_usec) != strv_length(record.reasons))
                return -EBADMSG;
        *ret = record;
        record = (StrikeRecord) {};
        return 0;
}

static int check_name(const char *id, const char *digest) {
        return manifest_id_is_valid(id) && store_valid_digest(digest) ? 0 : -EINVAL;
}

/**
 * store_strike_get() - what speaks against a bundle
 * @digest: of its manifest
 * @ret: filled on success; strike_record_done() it
 *
 * Return: 0, -ENOENT when nothing does, -EBADMSG when the record is damaged (then it must not be
 * taken for nothing), or another negative errno.
 */
int store_strike_get(const Store *s, const char *id, const char *digest, StrikeRecord *ret) {
        _cleanup_free_ char *name = NULL;
        int r = check_name(id, digest);

        if (r < 0)
                return r;
        name = file_name(id, digest);
        return name ? strike_read(s, name, ret) : -ENOMEM;
}

static int append(StrikeRecord *record, const char *cause, uint64_t when_usec, const char *reason) {
        int r = strv_extend(&record->causes, cause);

        if (r >= 0)
                r = strv_extendf(&record->when_usec, "%llu", (unsigned long long) when_usec);
        return r < 0 ? r : strv_extend(&record->reasons, reason);
}

static int has_room(const Store *s) {
        StrikeRecord *records;
        size_t n;
        int r = store_strike_list(s, &records, &n);

        if (r < 0)
                return r;
        strike_records_free(records, n);
        return n < HOTPATCH_STRIKE_RECORDS_MAX ? 0 : -EMLINK;
}

static int strike_begin(const Store *s, const char *id, const char *digest, StrikeRecord *ret) {
        _cleanup_(strike_record_done) StrikeRecord record = { 0 };
        int r = has_room(s);

        if (r < 0)
                return r;
        record.id = strdup(id);
        record.digest = strdup(digest);
        if (!record.id || !record.digest)
                return -ENOMEM;
        *ret = record;
        record = (StrikeRecord) {};
        return 0;
}

static int add(const Store *s, const char *id, const char *digest, const char *cause, uint64_t when_usec,
                const char *reason, bool half, sd_bus_error *error) {
        _cleanup_(strike_record_done) StrikeRecord record = { 0 };
        _cleanup_free_ char *name = NULL;
        int r;

        r = store_strike_get(s, id, digest, &record);
        if (r == -ENOENT)
                r = strike_begin(s, id, digest, &record);
        if (r < 0)
                return store_write_failed(error, "a strike", r);
        /* More of them say nothing new. */
        if (strv_contains(record.causes, cause) || strike_record_count(&record) >= HOTPATCH_STRIKES_MAX)
                return (int) strike_record_count(&record);
        r = append(&record, cause, when_usec, reason);
        if (r >= 0 && half)
                r = strv_extend(&record.halves, cause);
        if (r < 0)
                return r;
        name = file_name(id, digest);
        if (!name)
                return -ENOMEM;
        r = store_write(s->strikes_fd, name, store_strike_fields, ELEMENTSOF(store_strike_fields), &record);
        return r < 0 ? store_write_failed(error, "a strike", r) : (int) strike_record_count(&record);
}

/**
 * store_strike_add() - write down what speaks against a bundle
 * @digest: of its manifest
 * @cause: the boot (as a UUID) or the transaction; one that struck already strikes no more
 * @when_usec: CLOCK_REALTIME
 * @reason: a sentence
 * @error: StateUnwritable
 *
 * A damaged record stays as it is and counts as a quarantine everywhere.
 *
 * Return: the number of strikes now, -EBADMSG when the record is damaged, or another negative errno.
 */
int store_strike_add(const Store *s, const char *id, const char *digest, const char *cause,
                uint64_t when_usec, const char *reason, sd_bus_error *error) {
        return add(s, id, digest, cause, when_usec, reason, false, error);
}

/** store_strike_add_half() - store_strike_add() of one that counts half */
int store_strike_add_half(const Store *s, const char *id, const char *digest, const char *cause,
                uint64_t when_usec, const char *reason, sd_bus_error *error) {
        return add(s, id, digest, cause, when_usec, reason, true, error);
}

/* --- all of them --- */

typedef struct StrikeList {
        const Store *store;
        StrikeRecord *records;
        size_t n;
} StrikeList;

/* What a damaged file's name still says. Return: 1, 0 when it says nothing, or -ENOMEM. */
static int strike_from_name(const char *name, StrikeRecord *ret) {
        const char *dot = strrchr(name, '.');
        _cleanup_(strike_record_done) StrikeRecord record = { .damaged = true };

        if (!dot || !store_valid_digest(dot + 1))
                return 0;
        record.id = strndup(name, (size_t) (dot - name));
        record.digest = strdup(dot + 1);
        if (!record.id || !record.digest)
                return -ENOMEM;
        if (!manifest_id_is_valid(record.id))
                return 0;
        *ret = record;
        record = (StrikeRecord) {};
        return 1;
}

static int list_visit(_unused_ int dir_fd, const char *name, void *userdata) {
        StrikeList *list = userdata;
        StrikeRecord *grown, record = { 0 };
        int r;

        if (startswith(name, STORE_TEMPORARY_PREFIX))
                return 0;
        r = strike_read(list->store, name, &record);
        if (r < 0 && r != -ENOMEM) {
                r = strike_from_name(name, &record);
                if (r == 0)
                        return 0;
        }
        if (r < 0)
                return r;
        grown = reallocarray(list->records, list->n + 1, sizeof(*grown));
        if (!grown) {
                strike_record_done(&record);
                return -ENOMEM;
        }
        list->records = grown;
        list->records[list->n++] = record;
        return 0;
}

static int compare_names(const void *a, const void *b) {
        const StrikeRecord *x = a, *y = b;
        int r = strcmp(x->id, y->id);

        return r ?: strcmp(x->digest, y->digest);
}

/**
 * store_strike_list() - all bundles that something speaks against, by id
 * @ret: array of @ret_n; free with strike_records_free()
 *
 * A damaged record is in it as such if its name tells whose it is.
 *
 * Return: 0 or a negative errno.
 */
int store_strike_list(const Store *s, StrikeRecord **ret, size_t *ret_n) {
        StrikeList list = { .store = s };
        int r = store_walk(s->strikes_fd, list_visit, &list);

        if (r < 0) {
                strike_records_free(list.records, list.n);
                return r;
        }
        if (list.n > 0)
                qsort(list.records, list.n, sizeof(*list.records), compare_names);
        *ret = list.records;
        *ret_n = list.n;
        return 0;
}

/* --- forgiving --- */

typedef struct Clear {
        const char *id;
        const char *digest; /* NULL: of any content */
        int n;
} Clear;

/* Damaged ones as well: a person asked for it, and the name says whose it is. */
static int clear_visit(int dir_fd, const char *name, void *userdata) {
        Clear *c = userdata;
        const char *rest = startswith(name, c->id);
        int r;

        if (!rest || *rest != '.' || !store_valid_digest(rest + 1) || (c->digest && !streq(rest + 1, c->digest)))
                return 0;
        r = store_unlink(dir_fd, name);
        if (r < 0)
                return r;
        c->n++;
        return 0;
}

/**
 * store_strike_clear() - forget what speaks against a bundle
 * @digest: of its manifest; NULL: whatever content had this id
 *
 * Return: 1 when there was something, 0 when there was nothing, or a negative errno.
 */
int store_strike_clear(const Store *s, const char *id, const char *digest) {
        Clear c = { .id = id, .digest = digest };
        int r;

        if (!manifest_id_is_valid(id))
                return -EINVAL;
        r = store_walk(s->strikes_fd, clear_visit, &c);
        return r < 0 ? r : c.n > 0;
}

/* --- damage --- */

static int collect_damaged(_unused_ int dir_fd, const char *name, void *userdata) {
        _cleanup_(strike_record_done) StrikeRecord record = { 0 };
        const StoreDamage *d = userdata;

        if (startswith(name, STORE_TEMPORARY_PREFIX) || strike_read(d->store, name, &record) >= 0)
                return 0;
        return store_damage_add(d->names, "strikes/%s", name);
}

/** store_strikes_damaged() - append the names of damaged strikes. Return: 0 or a negative errno. */
int store_strikes_damaged(const Store *s, char ***names) {
        return store_walk(s->strikes_fd, collect_damaged, &(StoreDamage) { s, names });
}
