/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The state directory, /var/lib/hotpatch: what is staged, admitted and wanted, and the intent.
 *
 *   spool/ID.hpb            staged bundles; an administrator or Ansible may put files there too
 *   admitted/ID.record      when, which digest, which module: KEY=VALUE lines
 *   admitted/ID.DIGEST.hpb  the bundle as it was verified, byte for byte; the record names DIGEST
 *   streams/STREAM          the highest sequence that was ever active: the mark against downgrades
 *   intent                  the open intent, written before the kernel is touched
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
        char *digest;          /* of the manifest, verified_digest() */
        char *module;          /* for the release below */
        char *module_build_id; /* of the patch module file; NULL: it has none */
        char *release;
        char **fixes;
        char **requires;       /* the manifest's; plan needs them when the bundle is not at hand */
        char **conflicts;
        char **supersedes;
        uint64_t admitted_usec; /* time the certificates were checked against */
        uint64_t applied_usec;  /* last time Apply ended well; 0: never */
        uint64_t order;         /* grows with every Apply; removal goes the other way */
} AdmittedRecord;

void admitted_record_done(AdmittedRecord *r);

/** struct Intent - what is about to be done to the kernel; strings owned */
typedef struct Intent {
        char *type; /* "apply" or "remove" */
        char **ids;
        char **modules; /* of the id at the same place */
        sd_id128_t boot_id;
        uint64_t started_usec;
} Intent;

void intent_done(Intent *i);

int store_open(const char *root, Store **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
Store *store_free(Store *s);
DEFINE_TRIVIAL_CLEANUP(Store *, store_free);

/* staged bundles */
int store_spool_open(const Store *s, const char *id, sd_bus_error *error) _must_check_;
int store_spool_list(const Store *s, char ***ret_ids) _must_check_;
int store_spool_remove(const Store *s, const char *id) _must_check_;

/* an unnamed file in the state directory, then given its name */
int store_tmpfile(const Store *s, sd_bus_error *error) _must_check_;
int store_spool_commit(const Store *s, int fd, const char *id, sd_bus_error *error) _must_check_;
/* admitted bundles; fd -EBADF: only the record changes, the bundle of its digest is there */
int store_admitted_commit(const Store *s, int fd, const AdmittedRecord *r, sd_bus_error *error) _must_check_;
int store_admitted_open(const Store *s, const char *id) _must_check_;
int store_admitted_list(const Store *s, AdmittedRecord **ret, size_t *ret_n) _must_check_;
int store_admitted_remove(const Store *s, const char *id) _must_check_;
void admitted_records_free(AdmittedRecord *records, size_t n);

/* streams; sequence 0: none yet. ret_digest (of the manifest) may be NULL; *ret_digest may become NULL */
int store_stream_get(const Store *s, const char *stream, uint64_t *ret, char **ret_digest) _must_check_;
int store_stream_set(const Store *s, const char *stream, uint64_t sequence, const char *digest) _must_check_;

/* the intent: at most one */
int store_intent_write(const Store *s, const Intent *i, sd_bus_error *error) _must_check_;
int store_intent_read(const Store *s, Intent *ret) _must_check_; /* -ENOENT: none */
int store_intent_clear(const Store *s) _must_check_;

/* names of state files that are there and cannot be read as what they should be */
int store_damaged(const Store *s, char ***ret_names) _must_check_;
