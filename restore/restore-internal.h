/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the files of this room. */

#include "bundle/bundle.h"
#include "config/config.h"
#include "daemon/facts.h"
#include "daemon/restored.h"
#include "daemon/store.h"
#include "livepatch/identity.h"
#include "restore/restore.h"

/**
 * struct Candidate - one wanted patch
 * @record: one of Restore.records
 * @verified: NULL until it was verified
 * @done: its outcome is known
 */
typedef struct Candidate {
        AdmittedRecord *record;
        Verified *verified;
        bool done;
} Candidate;

/**
 * struct Restore - one run
 * @kmsg_sequence, @taint: how the kernel was before anything was loaded, for the trials
 * @symbols: answer of facts_symbols() for all candidates; NULL: none was asked for
 * @deadline_usec: CLOCK_MONOTONIC; nothing is begun after it
 */
typedef struct Restore {
        const char *root;
        Kernel *kernel;
        KernelIdentity identity;
        Config *config;
        Store *store;
        sd_id128_t boot_id;
        AdmittedRecord *records;
        size_t n_records;
        Candidate *candidates; /* in the order of application */
        size_t n_candidates;
        int load_dir_fd;
        void *symbols;
        size_t symbols_size;
        uint64_t kmsg_sequence;
        uint64_t taint;
        Restored report;
        uint64_t deadline_usec;
} Restore;

/* restore-admit.c: what is wanted here, and is it what was admitted */
int restore_sort(Restore *r) _must_check_ _nonnull_(1);
int restore_verify(Restore *r) _must_check_ _nonnull_(1);

/* restore-move.c: applied under another kernel, and fitting here */
bool restore_is_elsewhere(const Restore *r, const Candidate *c) _nonnull_(1, 2);
int restore_move_here(Restore *r, Candidate *c, int payload_fd, sd_bus_error *error) _must_check_ _nonnull_(1, 2);

/* restore-load.c: into the kernel, one after the other */
int restore_load(Restore *r) _must_check_ _nonnull_(1);

/* restore-trial.c */
void restore_trial_begin(Restore *r) _nonnull_(1);
int restore_trial_add(const Restore *r, const Candidate *c, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
int restore_trial_take_back(const Restore *r, const Candidate *c) _must_check_ _nonnull_(1, 2);
int restore_trial_end(const Restore *r) _must_check_ _nonnull_(1);

/* restore-report.c */
void restore_outcome(Restore *r, Candidate *c, const char *result, int error_code, const sd_bus_error *error)
        _nonnull_(1, 2, 3);
