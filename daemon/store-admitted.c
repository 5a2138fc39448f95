/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Admitted bundles: the bundle as it was verified, and a record that says that it is wanted.
 *
 * Two files cannot be replaced in one step, so the record is the one that counts: it names its
 * bundle by digest, the bundle is written under that name first, and renaming the record into place
 * is the step that changes what is wanted. Removing goes the other way round. What a crash leaves
 * between the two is a bundle that no record names; the next store_open() deletes it, unless the
 * record beside it is damaged and the bundle may be needed to repair it.
 */

#include <fcntl.h>

#include "baseline/state.h"
#include "bundle/manifest.h"
#include "daemon/payload.h"
#include "daemon/store-internal.h"
#include "dbus/errors.h"
#include "util/limits.h"
#include "util/str.h"
#include "util/strv.h"

static bool valid_severity(const char *s) {
        return severity_from_string(s) >= 0;
}

/* As uname -r: it is compared, and it is part of messages. */
static bool valid_release(const char *s) {
        size_t n = 0;

        for (; s[n]; n++)
                if (s[n] <= ' ' || s[n] > '~' || s[n] == '/')
                        return false;
        return n > 0 && n <= 64;
}

const Field store_admitted_fields[] = {
        { "ID", FIELD_STRING, true, offsetof(AdmittedRecord, id), manifest_id_is_valid },
        { "TITLE", FIELD_STRING, true, offsetof(AdmittedRecord, title), NULL },
        { "SEVERITY", FIELD_STRING, true, offsetof(AdmittedRecord, severity), valid_severity },
        { "STREAM", FIELD_STRING, true, offsetof(AdmittedRecord, stream), manifest_id_is_valid },
        { "SEQUENCE", FIELD_U64, true, offsetof(AdmittedRecord, sequence), NULL },
        { "BASELINE", FIELD_STRING, false, offsetof(AdmittedRecord, baseline), baseline_name_is_valid },
        { "DIGEST", FIELD_STRING, true, offsetof(AdmittedRecord, digest), store_valid_digest },
        { "MODULE", FIELD_STRING, true, offsetof(AdmittedRecord, module), manifest_module_is_valid },
        { "MODULE_BUILD_ID", FIELD_STRING, false, offsetof(AdmittedRecord, module_build_id),
          store_valid_hex },
        { "RELEASE", FIELD_STRING, true, offsetof(AdmittedRecord, release), valid_release },
        { "FIX", FIELD_STRV, false, offsetof(AdmittedRecord, fixes), NULL },
        { "REQUIRES", FIELD_STRV, false, offsetof(AdmittedRecord, requires), manifest_id_is_valid },
        { "CONFLICTS", FIELD_STRV, false, offsetof(AdmittedRecord, conflicts), manifest_id_is_valid },
        { "SUPERSEDES", FIELD_STRV, false, offsetof(AdmittedRecord, supersedes),
          manifest_id_is_valid },
        { "STATE", FIELD_STRV, false, offsetof(AdmittedRecord, states), payload_state_is_valid },
        { "REPLACED", FIELD_STRV, false, offsetof(AdmittedRecord, replaced), manifest_id_is_valid },
        { "ADMITTED_USEC", FIELD_U64, true, offsetof(AdmittedRecord, admitted_usec), NULL },
        { "APPLIED_USEC", FIELD_U64, true, offsetof(AdmittedRecord, applied_usec), NULL },
        { "FORCE_SAFE", FIELD_U64, false, offsetof(AdmittedRecord, force_safe), NULL },
        { "ORDER", FIELD_U64, true, offsetof(AdmittedRecord, order), NULL },
};
const size_t store_n_admitted_fields = ELEMENTSOF(store_admitted_fields);

/** admitted_record_done() - free what it owns */
void admitted_record_done(AdmittedRecord *r) {
        fields_done(store_admitted_fields, ELEMENTSOF(store_admitted_fields), r);
}

/**
 * admitted_record_displaces() - has it taken the place of a patch, which comes back if its trial fails?
 * @order: of that patch; 0: not known. One that was applied again since stands for itself.
 */
bool admitted_record_displaces(const AdmittedRecord *r, const char *id, uint64_t order) {
        return order < r->order && (strv_contains(r->supersedes, id) || strv_contains(r->replaced, id));
}

/** admitted_record_provides() - does it fulfil a requirement of @id? It is that patch, or supersedes it. */
bool admitted_record_provides(const AdmittedRecord *r, const char *id) {
        return streq(r->id, id) || strv_contains(r->supersedes, id);
}

/** admitted_records_free() - free an array from store_admitted_list() */
void admitted_records_free(AdmittedRecord *records, size_t n) {
        for (size_t i = 0; i < n; i++)
                admitted_record_done(&records[i]);
        free(records);
}

/** admitted_records_find() - the record of an id in such an array; NULL: none */
const AdmittedRecord *admitted_records_find(const AdmittedRecord *records, size_t n, const char *id) {
        for (size_t i = 0; i < n; i++)
                if (streq(records[i].id, id))
                        return &records[i];
        return NULL;
}

/** store_record_name() - "ID.record"; NULL without memory */
char *store_record_name(const char *id) {
        char *name;

        return str_printf(&name, "%s" STORE_RECORD_SUFFIX, id) < 0 ? NULL : name;
}

/** store_bundle_name() - "ID.DIGEST.hpb"; NULL without memory */
char *store_bundle_name(const char *id, const char *digest) {
        char *name;

        return str_printf(&name, "%s.%s" STORE_BUNDLE_SUFFIX, id, digest) < 0 ? NULL : name;
}

/** store_record_read() - Return: 0, -ENOENT, -EBADMSG when it is damaged or another's, or another errno. */
int store_record_read(int dir_fd, const char *id, AdmittedRecord *ret) {
        _cleanup_free_ char *name = store_record_name(id);
        AdmittedRecord record = { 0 };
        int r;

        if (!name)
                return -ENOMEM;
        r = store_read(dir_fd, name, store_admitted_fields, ELEMENTSOF(store_admitted_fields), &record);
        if (r < 0)
                return r;
        if (!streq(record.id, id)) {
                admitted_record_done(&record);
                return -EBADMSG;
        }
        *ret = record;
        return 0;
}

/* --- bundles that no record names --- */

/* Return: the ID of "ID.DIGEST.hpb"; NULL when the name is not such a one or memory is out. */
static char *id_of_bundle_name(const char *name) {
        size_t n = strlen(name), tail = strlen(".") + 64 + strlen(STORE_BUNDLE_SUFFIX);
        _cleanup_free_ char *id = NULL;

        if (n <= tail || name[n - tail] != '.' ||
            !streq(name + n - strlen(STORE_BUNDLE_SUFFIX), STORE_BUNDLE_SUFFIX))
                return NULL;
        id = strndup(name, n - tail);
        return id && manifest_id_is_valid(id) ? TAKE_PTR(id) : NULL;
}

static int remove_orphan(int dir_fd, const char *name, _unused_ void *userdata) {
        _cleanup_(admitted_record_done) AdmittedRecord record = { 0 };
        _cleanup_free_ char *id = id_of_bundle_name(name), *wanted = NULL;
        int r;

        if (!id)
                return 0;
        r = store_record_read(dir_fd, id, &record);
        if (r < 0 && r != -ENOENT)
                return 0;
        if (r >= 0) {
                wanted = store_bundle_name(id, record.digest);
                if (!wanted)
                        return -ENOMEM;
                if (streq(wanted, name))
                        return 0;
        }
        (void) unlinkat(dir_fd, name, 0);
        return 0;
}

/** store_admitted_clean() - delete bundles that no record names. Return: 0 or a negative errno. */
int store_admitted_clean(const Store *s) {
        return store_walk(s->admitted_fd, remove_orphan, NULL);
}

/* --- the list --- */

/* Nothing is wrong with the file then. */
static bool is_passing(int r) {
        return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EINTR;
}

typedef struct List {
        AdmittedRecord *records;
        size_t n;
        char ***damaged; /* NULL: not asked for */
        const char *prefix;
        char *unreadable; /* the first record that was left out */
} List;

static int list_visit(int dir_fd, const char *name, void *userdata) {
        List *list = userdata;
        size_t n = strlen(name), k = strlen(STORE_RECORD_SUFFIX);
        _cleanup_free_ char *id = NULL;
        AdmittedRecord *grown, record;
        int r;

        if (n < k || !streq(name + n - k, STORE_RECORD_SUFFIX) || *name == '.')
                return 0;
        id = store_id_of(name, STORE_RECORD_SUFFIX);
        r = id ? store_record_read(dir_fd, id, &record) : -EBADMSG;
        /* A plan without it would rest on half of the truth. */
        if (is_passing(r))
                return r;
        if (r < 0 && !list->unreadable && !(list->unreadable = strdup(name)))
                return -ENOMEM;
        if (r < 0)
                return list->damaged ? store_damage_add(list->damaged, "%s/%s", list->prefix, name) : 0;
        grown = reallocarray(list->records, list->n + 1, sizeof(*grown));
        if (!grown) {
                admitted_record_done(&record);
                return -ENOMEM;
        }
        list->records = grown;
        list->records[list->n++] = record;
        return 0;
}

static int compare_order(const void *a, const void *b) {
        const AdmittedRecord *x = a, *y = b;

        if (x->order != y->order)
                return x->order < y->order ? -1 : 1;
        return strcmp(x->id, y->id);
}

/* @ret_unreadable: NULL when nobody wants to know, or *@ret_unreadable when all could be read */
static int list_records(int dir_fd, AdmittedRecord **ret, size_t *ret_n, char **ret_unreadable) {
        List list = {};
        int r = store_walk(dir_fd, list_visit, &list);

        if (r < 0 || !ret_unreadable) {
                free(list.unreadable);
                list.unreadable = NULL;
        }
        if (r < 0) {
                admitted_records_free(list.records, list.n);
                return r;
        }
        if (list.n > 0)
                qsort(list.records, list.n, sizeof(*list.records), compare_order);
        *ret = list.records;
        *ret_n = list.n;
        if (ret_unreadable)
                *ret_unreadable = list.unreadable;
        return 0;
}

/** store_record_list() - store_admitted_list() of any directory with such records */
int store_record_list(int dir_fd, AdmittedRecord **ret, size_t *ret_n) {
        return list_records(dir_fd, ret, ret_n, NULL);
}

/** store_record_damaged() - append "@prefix/NAME" of damaged records. Return: 0 or a negative errno. */
int store_record_damaged(int dir_fd, const char *prefix, char ***names) {
        List list = { .damaged = names, .prefix = prefix };
        int r = store_walk(dir_fd, list_visit, &list);

        admitted_records_free(list.records, list.n);
        free(list.unreadable);
        return r;
}

/**
 * store_admitted_list() - all records that can be read, in the order of application
 * @ret: array of @ret_n; free with admitted_records_free()
 *
 * Damaged records are left out; store_damaged() names them.
 *
 * Return: 0 or a negative errno.
 */
int store_admitted_list(const Store *s, AdmittedRecord **ret, size_t *ret_n) {
        return store_record_list(s->admitted_fd, ret, ret_n);
}

/**
 * store_admitted_list_all() - store_admitted_list() for who must not decide on half of the truth
 * @ret_unreadable: file name of a record that was left out; NULL: there is none
 *
 * Tells what this very reading left out, so that a disk that fails now and then deceives nobody.
 *
 * Return: 0 or a negative errno.
 */
int store_admitted_list_all(const Store *s, AdmittedRecord **ret, size_t *ret_n, char **ret_unreadable) {
        return list_records(s->admitted_fd, ret, ret_n, ret_unreadable);
}

/** store_admitted_next_order() - the place behind all that are there, at least 1. Return: 0 or a negative errno. */
int store_admitted_next_order(const Store *s, uint64_t *ret) {
        AdmittedRecord *records;
        size_t n;
        int r = store_admitted_list(s, &records, &n);

        if (r < 0)
                return r;
        /* sorted by it */
        *ret = n > 0 ? records[n - 1].order + 1 : 1;
        admitted_records_free(records, n);
        return 0;
}

/** store_admitted_damaged() - append the names of damaged records. Return: 0 or a negative errno. */
int store_admitted_damaged(const Store *s, char ***names) {
        return store_record_damaged(s->admitted_fd, "admitted", names);
}

/* --- one bundle --- */

/**
 * store_admitted_find() - the record of one id
 * @id: any string
 * @ret: admitted_record_done() it
 *
 * Damage is passed over as store_admitted_list() does: such a record is none.
 *
 * Return: 0, -ENOENT when there is none, or another negative errno.
 */
int store_admitted_find(const Store *s, const char *id, AdmittedRecord *ret) {
        int r = manifest_id_is_valid(id) ? store_record_read(s->admitted_fd, id, ret) : -ENOENT;

        return r < 0 && !is_passing(r) ? -ENOENT : r;
}

/**
 * store_admitted_open() - open an admitted bundle
 *
 * Return: descriptor for reading, -ENOENT when it is not admitted (or its file is gone), -EBADMSG
 * when its record is damaged, or another negative errno.
 */
int store_admitted_open(const Store *s, const char *id) {
        _cleanup_(admitted_record_done) AdmittedRecord record = { 0 };
        _cleanup_free_ char *name = NULL;
        int r;

        if (!manifest_id_is_valid(id))
                return -EINVAL;
        r = store_record_read(s->admitted_fd, id, &record);
        if (r < 0)
                return r;
        name = store_bundle_name(id, record.digest);
        return name ? store_open_file(s->admitted_fd, name) : -ENOMEM;
}

static int admitted_has_room(const Store *s, const char *id) {
        AdmittedRecord *records;
        bool known;
        size_t n;
        int r = store_admitted_list(s, &records, &n);

        if (r < 0)
                return r;
        known = admitted_records_find(records, n, id);
        admitted_records_free(records, n);
        return known || n < HOTPATCH_ADMITTED_MAX;
}

static int commit_bundle(const Store *s, int fd, const AdmittedRecord *r) {
        _cleanup_free_ char *name = store_bundle_name(r->id, r->digest);
        _cleanup_close_ int there = -EBADF;

        if (!name)
                return -ENOMEM;
        if (fd >= 0)
                return store_link(s, fd, s->admitted_fd, name);
        there = store_open_file(s->admitted_fd, name);
        return there < 0 ? there : 0;
}

static int commit_both(const Store *s, int fd, const AdmittedRecord *r) {
        _cleanup_free_ char *name = store_record_name(r->id);
        int k;

        if (!name)
                return -ENOMEM;
        k = commit_bundle(s, fd, r);
        if (k < 0)
                return k;
        k = store_write(s->admitted_fd, name, store_admitted_fields, ELEMENTSOF(store_admitted_fields), r);
        /* One bundle is nobody's now: the old one, or on failure the new one. If this fails too, the
         * next store_open() does it. */
        (void) store_admitted_clean(s);
        return k;
}

/**
 * store_admitted_commit() - write down that a bundle is wanted, in place of what its id had
 * @fd: from store_tmpfile(), completely written; -EBADF: the bundle is there, only the record changes
 * @r: the record
 *
 * Return: 0, or a negative errno with StateUnwritable; then what was wanted before is wanted still.
 */
int store_admitted_commit(const Store *s, int fd, const AdmittedRecord *r, sd_bus_error *error) {
        int k;

        /* Before anything is written: a record that could not be read back would be damage. */
        if (!r->id || !manifest_id_is_valid(r->id) || !r->digest || !store_valid_digest(r->digest))
                return store_write_failed(error, "an admitted bundle", -EINVAL);
        k = admitted_has_room(s, r->id);
        if (k == 0)
                k = -EMLINK;
        if (k > 0)
                k = commit_both(s, fd, r);
        return k < 0 ? store_write_failed(error, "an admitted bundle", k) : 0;
}

/**
 * store_admitted_remove() - a bundle is no longer wanted
 *
 * Also removes a damaged record of that id: then a person asked for it.
 *
 * Return: 0, -ENOENT when it was not admitted, or another negative errno.
 */
int store_admitted_remove(const Store *s, const char *id) {
        _cleanup_free_ char *name = NULL;
        int r;

        if (!manifest_id_is_valid(id))
                return -EINVAL;
        name = store_record_name(id);
        if (!name)
                return -ENOMEM;
        r = store_unlink(s->admitted_fd, name);
        if (r < 0)
                return r;
        (void) store_admitted_clean(s);
        return 0;
}

/** store_stage_again() - a bundle goes (back) where Apply finds it by id; what somebody staged under that id stays */
int store_stage_again(const Store *s, int from_fd, const AdmittedRecord *record) {
        _cleanup_free_ char *from = store_bundle_name(record->id, record->digest), *to = NULL;

        if (!from || str_printf(&to, "%s" STORE_BUNDLE_SUFFIX, record->id) < 0)
                return -ENOMEM;
        if (linkat(from_fd, from, s->spool_fd, to, 0) < 0 && errno != EEXIST && errno != ENOENT)
                return -errno;
        return fsync(s->spool_fd) < 0 ? -errno : 0;
}

/**
 * store_admitted_demote() - a bundle is no longer wanted, but staged for a new Apply
 *
 * Return: 0 (also when it was not admitted) or a negative errno; then it may still be admitted.
 */
int store_admitted_demote(const Store *s, const char *id) {
        _cleanup_(admitted_record_done) AdmittedRecord record = { 0 };
        int r;

        if (!manifest_id_is_valid(id))
                return -EINVAL;
        r = store_record_read(s->admitted_fd, id, &record);
        if (r >= 0)
                r = store_stage_again(s, s->admitted_fd, &record);
        if (r >= 0)
                r = store_admitted_remove(s, id);
        return r == -ENOENT ? 0 : r;
}
