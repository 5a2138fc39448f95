/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The state directory, /var/lib/hotpatch: what is staged, admitted and wanted, what is being tried,
 * what speaks against a bundle, and the intent.
 *
 *   spool/ID.hpb            staged bundles; an administrator or Ansible may put files there too
 *   admitted/ID.record      when, which digest, which module: KEY=VALUE lines
 *   admitted/ID.DIGEST.hpb  the bundle as it was verified, byte for byte; the record names DIGEST
 *   streams/STREAM          the highest sequence that was ever active: the mark against downgrades
 *   intent                  the open intent, written before the kernel is touched
 *   forced                  a transition was forced in this boot: store-forced.h
 *   baseline-state          where this machine stands with its baseline: store-baseline.h
 *   trials/TRANSACTION      patches that are being watched, and until when
 *   strikes/ID.DIGEST       what speaks against a bundle of this content; two strikes: quarantined
 *   superseded/TRANSACTION/ records and bundles as in admitted/: what a patch on trial took the place of
 *
 * Every write is a whole file under another name, flushed, then renamed: a crash leaves the old or
 * the new file. A record that cannot be read is skipped, kept, and named by store_damaged().
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-id128.h>

#include "util/base.h"

typedef struct Store Store;

/** struct AdmittedRecord - one wanted patch; strings owned */
typedef struct AdmittedRecord {
        char *id;
        char *title;
        char *severity;
        char *stream;
        uint64_t sequence;
        char *baseline;        /* the manifest's: the one it was made for; NULL: it does not say */
        char *digest;          /* of the manifest, verified_digest() */
        char *module;          /* for the release below */
        char *module_build_id; /* of the patch module file; NULL: it has none */
        char *release;
        char **fixes;
        char **requires;       /* the manifest's; plan needs them when the bundle is not at hand */
        char **conflicts;
        char **supersedes;
        char **states;         /* system states of the module, "ID:VERSION" */
        char **replaced;       /* ids that its module threw out with its Apply, superseded or not */
        uint64_t admitted_usec; /* time the certificates were checked against */
        uint64_t applied_usec;  /* last time Apply ended well; 0: never */
        uint64_t force_safe;    /* the manifest's; its transition may be forced */
        uint64_t order;         /* grows with every Apply; removal goes the other way */
} AdmittedRecord;

void admitted_record_done(AdmittedRecord *r);
bool admitted_record_provides(const AdmittedRecord *r, const char *id) _nonnull_(1, 2);
bool admitted_record_displaces(const AdmittedRecord *r, const char *id, uint64_t order) _nonnull_(1, 2);

/** struct Intent - what is about to be done to the kernel; strings owned */
typedef struct Intent {
        char *type; /* "apply", "remove" or "rollback" */
        char **ids;
        char **modules; /* of the id at the same place */
        char **digests; /* likewise, of the manifest; NULL: not known */
        sd_id128_t boot_id;
        uint64_t started_usec;
        uint64_t order; /* an Apply: what it commits has at least this AdmittedRecord.order; 0: not known */
        char **replaced; /* an Apply: ids in force that its module throws out; their records stay till it is committed */
        char **replaced_foreign; /* likewise, modules of others */
        bool clean; /* the machine was shut down in order */
} Intent;

void intent_done(Intent *i);

/** struct TrialRecord - patches that are being watched; strings owned */
typedef struct TrialRecord {
        char *transaction;
        char *kind; /* "apply", "restore", or "return": it came back by a rollback */
        sd_id128_t boot_id;
        uint64_t started_usec;        /* CLOCK_REALTIME */
        uint64_t until_boottime_usec; /* CLOCK_BOOTTIME of boot_id */
        uint64_t until_realtime_usec; /* the same, for people */
        uint64_t kmsg_sequence;       /* of the first kernel log record that counts */
        char **ids;
        char **modules; /* of the id at the same place */
        char **digests; /* likewise, of the manifest */
        bool clean;     /* the machine was shut down in order */
        bool dumps;     /* a kernel that went down by its own fault would have left a dump, see dump.c */
        uint64_t taint;  /* bits of the kernel that do not count as new */
        uint64_t kernel_memory; /* what the kernel kept for itself before, KiB; 0: not known */
        char **services; /* that ran before, see trial-units.c; NULL: not known */
        char *reason;    /* it failed, and its patches are being taken out; NULL: it runs */
        char **returns;  /* superseded patches that were brought back to admitted/ then */
        char **replaced_foreign; /* modules of others that were thrown out: they cannot come back */
} TrialRecord;

void trial_record_done(TrialRecord *r);
void trial_record_drop(TrialRecord *r, const char *id) _nonnull_(1, 2);
void trial_records_free(TrialRecord *records, size_t n);

/** struct StrikeRecord - what speaks against a bundle; causes, times and reasons at the same place */
typedef struct StrikeRecord {
        char *id;
        char *digest;     /* of the manifest */
        char **causes;    /* boot (UUID) or transaction; each strikes once */
        char **when_usec; /* CLOCK_REALTIME, decimal */
        char **reasons;   /* sentences */
        char **halves;    /* those of the causes that count half: it may have been something else */
        bool damaged;     /* only id and digest are known, from the name; counts as a quarantine */
} StrikeRecord;

void strike_record_done(StrikeRecord *r);
void strike_records_free(StrikeRecord *records, size_t n);
size_t strike_record_count(const StrikeRecord *r) _nonnull_(1);
size_t strike_record_full(const StrikeRecord *r) _nonnull_(1);
bool strike_record_is_quarantined(const StrikeRecord *r) _nonnull_(1);

int store_open(const char *root, Store **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
int store_open_to_look(const char *root, Store **ret) _must_check_ _nonnull_(1, 2);
int store_renew(Store *s, const char *root, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
Store *store_free(Store *s);
DEFINE_TRIVIAL_CLEANUP(Store *, store_free);

/* staged bundles */
int store_spool_open(const Store *s, const char *id, sd_bus_error *error) _must_check_;
int store_spool_list(const Store *s, char ***ret_ids) _must_check_;
bool store_spool_changed(const Store *s) _must_check_;
int store_spool_remove(const Store *s, const char *id) _must_check_;

/* an unnamed file in the state directory, then given its name */
int store_tmpfile(const Store *s, sd_bus_error *error) _must_check_;
int store_spool_commit(const Store *s, int fd, const char *id, sd_bus_error *error) _must_check_;
/* admitted bundles; fd -EBADF: only the record changes, the bundle of its digest is there */
int store_admitted_commit(const Store *s, int fd, const AdmittedRecord *r, sd_bus_error *error) _must_check_;
/* before the point of no return, see store-reserve.c */
int store_admitted_check(const AdmittedRecord *r, sd_bus_error *error) _must_check_;
int store_reserve(const Store *s, size_t n, sd_bus_error *error) _must_check_;
void store_release(const Store *s);
int store_admitted_open(const Store *s, const char *id) _must_check_;
int store_admitted_list(const Store *s, AdmittedRecord **ret, size_t *ret_n) _must_check_;
int store_admitted_list_all(const Store *s, AdmittedRecord **ret, size_t *ret_n, char **ret_unreadable)
        _must_check_;
int store_admitted_find(const Store *s, const char *id, AdmittedRecord *ret) _must_check_ _nonnull_(1, 2, 3);
int store_admitted_next_order(const Store *s, uint64_t *ret) _must_check_;
int store_admitted_remove(const Store *s, const char *id) _must_check_;
int store_admitted_demote(const Store *s, const char *id) _must_check_;
void admitted_records_free(AdmittedRecord *records, size_t n);
const AdmittedRecord *admitted_records_find(const AdmittedRecord *records, size_t n, const char *id);

/* streams; sequence 0: none yet. ret_digest (of the manifest) may be NULL; *ret_digest may become NULL */
int store_stream_get(const Store *s, const char *stream, uint64_t *ret, char **ret_digest) _must_check_;
int store_stream_set(const Store *s, const char *stream, uint64_t sequence, const char *digest) _must_check_;

/* the intent: at most one */
int store_intent_write(const Store *s, const Intent *i, sd_bus_error *error) _must_check_;
int store_intent_read(const Store *s, Intent *ret) _must_check_; /* -ENOENT: none */
int store_intent_clear(const Store *s) _must_check_;

/* trials */
int store_trial_write(const Store *s, const TrialRecord *r, sd_bus_error *error) _must_check_;
int store_trial_list(const Store *s, TrialRecord **ret, size_t *ret_n) _must_check_;
int store_trial_remove(const Store *s, const char *transaction) _must_check_;

/* the machine goes down in order: trials and intent of this boot say so */
int store_mark_clean(const Store *s, sd_id128_t boot_id, sd_bus_error *error) _must_check_;
int store_mark_running(const Store *s, sd_id128_t boot_id, sd_bus_error *error) _must_check_;

/* strikes; digest of the manifest, NULL in clear(): any. add() returns the number of strikes */
int store_strike_add(const Store *s, const char *id, const char *digest, const char *cause,
                uint64_t when_usec, const char *reason, sd_bus_error *error) _must_check_;
int store_strike_add_half(const Store *s, const char *id, const char *digest, const char *cause,
                uint64_t when_usec, const char *reason, sd_bus_error *error) _must_check_;
int store_strike_get(const Store *s, const char *id, const char *digest, StrikeRecord *ret) _must_check_;
int store_strike_list(const Store *s, StrikeRecord **ret, size_t *ret_n) _must_check_;
int store_strike_clear(const Store *s, const char *id, const char *digest) _must_check_;

/* superseded patches: an admitted one goes, comes back, or is forgotten with its whole transaction */
int store_superseded_retire(const Store *s, const char *transaction, const char *id) _must_check_;
int store_superseded_list(const Store *s, const char *transaction, AdmittedRecord **ret, size_t *ret_n)
        _must_check_;
int store_superseded_open(const Store *s, const char *transaction, const char *id) _must_check_;
int store_superseded_restore(const Store *s, const char *transaction, const char *id) _must_check_;
int store_superseded_move(const Store *s, const char *from, const char *to, const char *id) _must_check_;
int store_superseded_forget(const Store *s, const char *transaction, const char *id) _must_check_;
int store_superseded_find(const Store *s, const char *id, const char *except, char **ret_transaction,
                AdmittedRecord *ret) _must_check_;
int store_superseded_adopt(const Store *s, const char *from, const char *to) _must_check_;
int store_superseded_adopt_waiting(const Store *s, uint64_t order, const char *to) _must_check_;
int store_superseded_drop(const Store *s, const char *transaction) _must_check_;
int store_superseded_clean(const Store *s) _must_check_;

/* names of state files that are there and cannot be read as what they should be */
int store_damaged(const Store *s, char ***ret_names) _must_check_;
