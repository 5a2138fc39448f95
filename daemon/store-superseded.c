/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Superseded patches: what a patch on trial took the place of, kept until the trial is over. A folder
 * for each transaction holds records and bundles as admitted/ does.
 *
 * A patch is wanted exactly when its record is in admitted/, and a record moves by one rename. The
 * bundle gets its second name first and loses the one that is too many last, so that wherever the
 * record is, its bundle is beside it.
 *
 * Once a trial has passed its record is deleted, and with it the reason to keep the folder:
 * store_open() drops folders of transactions that are neither on trial nor, as long as an intent is
 * open, possibly still under way. One that waits for a restore is kept, too: its trial begins when the patch is put
 * back, which is later than the start of the machine, or in another boot, when the kernel had no time for it.
 */

#include <fcntl.h>
#include <inttypes.h>

#include "bundle/manifest.h"
#include "daemon/store-internal.h"
#include "util/limits.h"
#include "util/str.h"

static int open_folder(const Store *s, const char *transaction) {
        int fd;

        if (!manifest_id_is_valid(transaction))
                return -EINVAL;
        fd = openat(s->superseded_fd, transaction, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int make_folder(const Store *s, const char *transaction, int *ret_fd) {
        int r;

        if (!manifest_id_is_valid(transaction))
                return -EINVAL;
        r = store_open_directory(s->superseded_fd, transaction, ret_fd);
        if (r < 0)
                return r;
        return fsync(s->superseded_fd) < 0 ? -errno : 0;
}

/* A second name for a bundle that is there; one that is there already is the same content, and is
 * checked like any bundle before it is used. */
static int link_bundle(int from_fd, int to_fd, const AdmittedRecord *record) {
        _cleanup_free_ char *name = store_bundle_name(record->id, record->digest);

        if (!name)
                return -ENOMEM;
        return linkat(from_fd, name, to_fd, name, 0) < 0 && errno != EEXIST ? -errno : 0;
}

/* Until the record has moved, all is as before; afterwards the bundle's old name is garbage. */
static int move_record(int from_fd, int to_fd, const char *id) {
        _cleanup_(admitted_record_done) AdmittedRecord record = { 0 };
        _cleanup_free_ char *name = store_record_name(id), *bundle = NULL;
        int r;

        if (!name)
                return -ENOMEM;
        r = store_record_read(from_fd, id, &record);
        if (r < 0)
                return r;
        r = link_bundle(from_fd, to_fd, &record);
        /* A record whose bundle is lost says at least what was wanted. */
        if (r < 0 && r != -ENOENT)
                return r;
        if (fsync(to_fd) < 0 || renameat(from_fd, name, to_fd, name) < 0 || fsync(to_fd) < 0 ||
            fsync(from_fd) < 0)
                return -errno;
        bundle = store_bundle_name(id, record.digest);
        if (bundle)
                (void) unlinkat(from_fd, bundle, 0);
        return 0;
}

/**
 * store_superseded_retire() - an admitted patch is not wanted any more, for now
 * @transaction: that superseded it
 *
 * Return: 0, -ENOENT when it is not admitted, -EBADMSG when its record is damaged, or another
 * negative errno; then it is still admitted.
 */
int store_superseded_retire(const Store *s, const char *transaction, const char *id) {
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!manifest_id_is_valid(id))
                return -EINVAL;
        r = make_folder(s, transaction, &fd);
        return r < 0 ? r : move_record(s->admitted_fd, fd, id);
}

/**
 * store_superseded_list() - what a transaction has superseded, in the order of application
 * @ret: array of @ret_n, empty when there is nothing; free with admitted_records_free()
 *
 * Return: 0 or a negative errno.
 */
int store_superseded_list(const Store *s, const char *transaction, AdmittedRecord **ret, size_t *ret_n) {
        _cleanup_close_ int fd = open_folder(s, transaction);

        if (fd == -ENOENT) {
                *ret = NULL;
                *ret_n = 0;
                return 0;
        }
        return fd < 0 ? fd : store_record_list(fd, ret, ret_n);
}

/** store_superseded_open() - the bundle of such a patch. Return: a descriptor, -ENOENT, or another errno. */
int store_superseded_open(const Store *s, const char *transaction, const char *id) {
        _cleanup_(admitted_record_done) AdmittedRecord record = { 0 };
        _cleanup_close_ int fd = open_folder(s, transaction);
        _cleanup_free_ char *name = NULL;
        int r;

        if (fd < 0)
                return fd;
        if (!manifest_id_is_valid(id))
                return -EINVAL;
        r = store_record_read(fd, id, &record);
        if (r < 0)
                return r;
        name = store_bundle_name(id, record.digest);
        return name ? store_open_file(fd, name) : -ENOMEM;
}

/**
 * store_superseded_restore() - a superseded patch is wanted again
 *
 * Return: 0, -ENOENT when the transaction has not superseded it, -EEXIST when a patch of this id is
 * admitted, or another negative errno.
 */
int store_superseded_restore(const Store *s, const char *transaction, const char *id) {
        _cleanup_close_ int fd = open_folder(s, transaction);
        _cleanup_free_ char *name = NULL;

        if (fd < 0)
                return fd;
        if (!manifest_id_is_valid(id))
                return -EINVAL;
        name = store_record_name(id);
        if (!name)
                return -ENOMEM;
        /* Damaged or not: it is a person's to look at. */
        if (faccessat(s->admitted_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0)
                return -EEXIST;
        return move_record(fd, s->admitted_fd, id);
}

/**
 * store_superseded_move() - what one transaction has superseded belongs to another one from now on
 *
 * Return: 0, -ENOENT when @from has not superseded it, -EBADMSG when its record is damaged, or another negative errno.
 */
int store_superseded_move(const Store *s, const char *from, const char *to, const char *id) {
        _cleanup_close_ int from_fd = open_folder(s, from), to_fd = -EBADF;
        int r;

        if (from_fd < 0)
                return from_fd;
        if (!manifest_id_is_valid(id) || streq(from, to))
                return -EINVAL;
        r = make_folder(s, to, &to_fd);
        return r < 0 ? r : move_record(from_fd, to_fd, id);
}

/**
 * store_superseded_forget() - a superseded patch will not be wanted again; its bundle is staged for a new Apply
 *
 * Return: 0 (also when the transaction has not superseded it) or a negative errno.
 */
int store_superseded_forget(const Store *s, const char *transaction, const char *id) {
        _cleanup_(admitted_record_done) AdmittedRecord record = { 0 };
        _cleanup_close_ int fd = open_folder(s, transaction);
        _cleanup_free_ char *name = NULL, *bundle = NULL;
        int r;

        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        if (!manifest_id_is_valid(id))
                return -EINVAL;
        r = store_record_read(fd, id, &record);
        if (r >= 0)
                r = store_stage_again(s, fd, &record);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        name = store_record_name(id);
        bundle = store_bundle_name(id, record.digest);
        if (!name || !bundle)
                return -ENOMEM;
        r = store_unlink(fd, name);
        if (r >= 0)
                (void) unlinkat(fd, bundle, 0);
        return r;
}

typedef struct Search {
        const Store *store;
        const char *id;
        const char *except;
        char *transaction;
        AdmittedRecord record;
} Search;

static int find_visit(_unused_ int dir_fd, const char *name, void *userdata) {
        Search *search = userdata;
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (search->transaction || streq(name, search->except))
                return 0;
        fd = open_folder(search->store, name);
        if (fd < 0)
                return 0;
        r = store_record_read(fd, search->id, &search->record);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        search->transaction = strdup(name);
        return search->transaction ? 0 : -ENOMEM;
}

/**
 * store_superseded_find() - who else has superseded a patch?
 * @except: a transaction that is not asked
 * @ret_transaction: to be freed
 * @ret: its record there; admitted_record_done() it
 *
 * Return: 0, -ENOENT when nobody has, or another negative errno.
 */
int store_superseded_find(const Store *s, const char *id, const char *except, char **ret_transaction,
                AdmittedRecord *ret) {
        Search search = { .store = s, .id = id, .except = except };
        int r = manifest_id_is_valid(id) ? store_walk(s->superseded_fd, find_visit, &search) : -EINVAL;

        if (r >= 0 && !search.transaction)
                r = -ENOENT;
        if (r < 0) {
                admitted_record_done(&search.record);
                free(search.transaction);
                return r;
        }
        *ret_transaction = search.transaction;
        *ret = search.record;
        return 0;
}

static int adopt_record(int dir_fd, const char *name, void *userdata) {
        _cleanup_free_ char *id = store_id_of(name, STORE_RECORD_SUFFIX);
        int r;

        if (!id)
                return 0;
        r = move_record(dir_fd, *(int *) userdata, id);
        /* A damaged one stays, and its folder with it. */
        return r == -EBADMSG ? 0 : r;
}

/**
 * store_superseded_adopt() - a trial goes on under another name, and what it superseded with it
 * @from: the transaction of a trial that was cut short by a shutdown
 * @to: the one that tries the same patches again
 *
 * Return: 0 (also when there is nothing) or a negative errno.
 */
int store_superseded_adopt(const Store *s, const char *from, const char *to) {
        _cleanup_close_ int from_fd = open_folder(s, from), to_fd = -EBADF;
        int r;

        /* Moved onto itself a bundle would lose its only name. */
        if (from_fd == -ENOENT || streq(from, to))
                return 0;
        if (from_fd < 0)
                return from_fd;
        r = make_folder(s, to, &to_fd);
        return r < 0 ? r : store_walk(from_fd, adopt_record, &to_fd);
}

/* --- dropping --- */

static int remove_record(int dir_fd, const char *name, _unused_ void *userdata) {
        if (!endswith(name, STORE_RECORD_SUFFIX))
                return 0;
        return unlinkat(dir_fd, name, 0) < 0 ? -errno : 0;
}

static int remove_any(int dir_fd, const char *name, _unused_ void *userdata) {
        return unlinkat(dir_fd, name, 0) < 0 ? -errno : 0;
}

/**
 * store_superseded_drop() - nobody will want back what a transaction has superseded
 *
 * Return: 0 (also when there is nothing) or a negative errno; store_open() goes on with what is left.
 */
int store_superseded_drop(const Store *s, const char *transaction) {
        _cleanup_close_ int fd = open_folder(s, transaction);
        int r;

        if (fd == -ENOENT)
                return 0;
        if (fd < 0)
                return fd;
        /* records first: none may be left without its bundle */
        r = store_walk(fd, remove_record, NULL);
        if (r >= 0 && fsync(fd) < 0)
                r = -errno;
        if (r >= 0)
                r = store_walk(fd, remove_any, NULL);
        if (r < 0)
                return r;
        if (unlinkat(s->superseded_fd, transaction, AT_REMOVEDIR) < 0)
                return -errno;
        return fsync(s->superseded_fd) < 0 ? -errno : 0;
}

/** struct Admitted - all that is wanted, for a walk over the folders */
typedef struct Admitted {
        const Store *store;
        AdmittedRecord *records;
        size_t n;
        uint64_t order; /* adopt_waiting(): of whom */
        const char *to;
} Admitted;

/* Is it the name of a restore of this patch, in whichever boot? See aftermath_restore_transaction(). */
static bool is_restore_of(const char *name, uint64_t order) {
        char suffix[sizeof("-restore-") + 20];

        (void) snprintf(suffix, sizeof(suffix), "-restore-%" PRIu64, order);
        return endswith(name, suffix);
}

static bool is_displaced(const Admitted *a, const AdmittedRecord *old) {
        for (size_t i = 0; i < a->n; i++)
                if (admitted_record_displaces(&a->records[i], old->id, old->order))
                        return true;
        return false;
}

/* Are patches kept there in whose place others are still wanted? A place in the order can be given away again. */
static int holds_displaced(const Admitted *a, const char *name) {
        AdmittedRecord *old;
        bool found = false;
        size_t n;
        int r;

        r = store_superseded_list(a->store, name, &old, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; !found && i < n; i++)
                found = is_displaced(a, &old[i]);
        admitted_records_free(old, n);
        return found;
}

/* Return: whether it waits for a patch to be put back, or a negative errno. */
static int waits_for_restore(const Admitted *a, const char *name) {
        for (size_t i = 0; i < a->n; i++)
                if (is_restore_of(name, a->records[i].order))
                        return holds_displaced(a, name);
        return false;
}

/* A trial that cannot be read is one all the same. */
static int drop_ended(_unused_ int dir_fd, const char *name, void *userdata) {
        const Admitted *a = userdata;
        int r;

        if (!manifest_id_is_valid(name) || faccessat(a->store->trials_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0)
                return 0;
        r = waits_for_restore(a, name);
        /* What cannot be read or deleted harms nobody: the next start tries again. */
        if (r == 0)
                r = store_superseded_drop(a->store, name);
        return r == -ENOMEM ? r : 0;
}

/**
 * store_superseded_clean() - drop what belongs to no trial, neither to one that is nor to one that comes
 *
 * Return: 0 or a negative errno.
 */
int store_superseded_clean(const Store *s) {
        _cleanup_(intent_done) Intent intent = { 0 };
        Admitted a = { .store = s };
        int r;

        if (store_intent_read(s, &intent) != -ENOENT)
                return 0;
        r = store_admitted_list(s, &a.records, &a.n);
        if (r < 0)
                return r;
        r = store_walk(s->superseded_fd, drop_ended, &a);
        admitted_records_free(a.records, a.n);
        return r;
}

static int adopt_waiting(_unused_ int dir_fd, const char *name, void *userdata) {
        const Admitted *a = userdata;
        int r;

        if (!is_restore_of(name, a->order) || faccessat(a->store->trials_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0)
                return 0;
        r = holds_displaced(a, name);
        return r > 0 ? store_superseded_adopt(a->store, name, a->to) : r == -ENOMEM ? r : 0;
}

/**
 * store_superseded_adopt_waiting() - a boot has ended without a trial of a patch that it was to put back
 * @order: of that patch
 * @to: the transaction that puts it back in this boot
 *
 * Return: 0 (also when nothing waits) or a negative errno.
 */
int store_superseded_adopt_waiting(const Store *s, uint64_t order, const char *to) {
        Admitted a = { .store = s, .order = order, .to = to };
        int r;

        r = store_admitted_list(s, &a.records, &a.n);
        if (r < 0)
                return r;
        r = store_walk(s->superseded_fd, adopt_waiting, &a);
        admitted_records_free(a.records, a.n);
        return r;
}

/* --- damage --- */

static int collect_damaged(_unused_ int dir_fd, const char *name, void *userdata) {
        _cleanup_free_ char *prefix = NULL;
        const StoreDamage *d = userdata;
        _cleanup_close_ int fd = open_folder(d->store, name);

        if (fd < 0)
                return store_damage_add(d->names, "superseded/%s", name);
        if (str_printf(&prefix, "superseded/%s", name) < 0)
                return -ENOMEM;
        return store_record_damaged(fd, prefix, d->names);
}

/** store_superseded_damaged() - append the names of damaged records. Return: 0 or a negative errno. */
int store_superseded_damaged(const Store *s, char ***names) {
        return store_walk(s->superseded_fd, collect_damaged, &(StoreDamage) { s, names });
}
