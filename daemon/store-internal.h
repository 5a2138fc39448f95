/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by store.c, the store-*.c files and the fuzz target of the state files only. */

#include "daemon/fields.h"
#include "daemon/store.h"

#define STORE_DIRECTORY "var/lib/hotpatch"
#define STORE_TEMPORARY_PREFIX ".#"
#define STORE_BUNDLE_SUFFIX ".hpb"
#define STORE_RECORD_SUFFIX ".record"

/** struct Store - the open directories; nothing is cached */
struct Store {
        int dir_fd;
        int lock_fd;
        int spool_fd;
        int spool_watch_fd; /* inotify; -EBADF: there is none, the spool may change at any moment */
        int admitted_fd;
        int streams_fd;
        int trials_fd;
        int strikes_fd;
        int superseded_fd;
};

extern const Field store_admitted_fields[];
extern const size_t store_n_admitted_fields;
extern const Field store_intent_fields[];
extern const size_t store_n_intent_fields;
extern const Field store_trial_fields[];
extern const size_t store_n_trial_fields;
extern const Field store_baseline_fields[];
extern const size_t store_n_baseline_fields;
extern const Field store_strike_fields[];
extern const size_t store_n_strike_fields;

/** StoreVisit - called for each file name; a negative return ends the walk */
typedef int (*StoreVisit)(int dir_fd, const char *name, void *userdata);

/** struct StoreDamage - for a walk that collects the names of damaged files */
typedef struct StoreDamage {
        const Store *store;
        char ***names;
} StoreDamage;

/* store-file.c */
int store_open_directory(int parent_fd, const char *name, int *ret_fd) _must_check_;
int store_walk(int dir_fd, StoreVisit visit, void *userdata) _must_check_;
char *store_id_of(const char *name, const char *suffix) _must_check_ _nonnull_(1, 2);
int store_read(int dir_fd, const char *name, const Field *fields, size_t n_fields, void *object)
        _must_check_;
int store_write(int dir_fd, const char *name, const Field *fields, size_t n_fields, const void *object)
        _must_check_;
int store_link(const Store *s, int fd, int dir_fd, const char *name) _must_check_;
int store_open_file(int dir_fd, const char *name) _must_check_;
int store_unlink(int dir_fd, const char *name) _must_check_;
int store_write_failed(sd_bus_error *error, const char *what, int r) _must_check_;
bool store_valid_digest(const char *s) _nonnull_(1);
bool store_valid_hex(const char *s) _nonnull_(1);
bool store_valid_usec(const char *s) _nonnull_(1);

/* store-spool.c */
void store_spool_watch(Store *s);

/* store-admitted.c: records of admitted bundles, in whichever directory; @list may hold some already */
char *store_record_name(const char *id) _must_check_;
char *store_bundle_name(const char *id, const char *digest) _must_check_;
int store_record_read(int dir_fd, const char *id, AdmittedRecord *ret) _must_check_;
int store_stage_again(const Store *s, int from_fd, const AdmittedRecord *record) _must_check_;
int store_record_list(int dir_fd, AdmittedRecord **ret, size_t *ret_n) _must_check_;
int store_record_damaged(int dir_fd, const char *prefix, char ***names) _must_check_;

/* what a crash leaves, and damage */
int store_admitted_clean(const Store *s);
int store_damage_add(char ***names, const char *format, ...) _must_check_ _printf_(2, 3);
int store_admitted_damaged(const Store *s, char ***names) _must_check_;
int store_streams_damaged(const Store *s, char ***names) _must_check_;
int store_baseline_damaged(const Store *s, char ***names) _must_check_;
int store_forced_damaged(const Store *s, char ***names) _must_check_;
int store_intent_damaged(const Store *s, char ***names) _must_check_;
int store_trials_damaged(const Store *s, char ***names) _must_check_;
int store_strikes_damaged(const Store *s, char ***names) _must_check_;
int store_superseded_damaged(const Store *s, char ***names) _must_check_;
