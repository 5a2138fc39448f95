/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Trials: after a patch came into force it is watched for a while, and a bad sign takes it out again.
 * A trial outlives the job that began it, and the daemon: its record lies in the state directory.
 */

#include <systemd/sd-bus.h>

#include "daemon/store.h"

typedef struct Job Job;
typedef struct Manager Manager;
typedef struct Trials Trials;

int trials_new(Manager *m, Trials **ret) _must_check_ _nonnull_(1, 2);
Trials *trials_free(Trials *t);
DEFINE_TRIVIAL_CLEANUP(Trials *, trials_free);

int trials_load(Trials *t) _must_check_ _nonnull_(1);
void trials_start(Trials *t) _nonnull_(1);
bool trials_pending(const Trials *t) _nonnull_(1);

/* for the job */
void trials_job_plans(Trials *t) _nonnull_(1);
void trials_job_begins(Trials *t) _nonnull_(1);
int trials_begin(Trials *t, const Job *j, char **ids, char **modules, char **digests, uint64_t seconds,
                sd_bus_error *error) _must_check_ _nonnull_(1, 2);
uint64_t trials_seconds(const Manager *m, const AdmittedRecord *record) _nonnull_(1, 2);
int trials_begin_return(Trials *t, const Job *j, char *const *ids, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
void trials_returned(Trials *t, const Job *j, char *const *ids) _nonnull_(1, 2);
bool trials_know(const Trials *t, const char *transaction) _nonnull_(1, 2);
bool trials_failed(const Trials *t, const char *id) _nonnull_(1, 2);
bool trials_have(const Trials *t, const char *id) _nonnull_(1, 2);
const char *trials_transaction(const Trials *t, const char *id) _nonnull_(1, 2);
int trials_superseder(const Trials *t, const char *id, const char **ret) _must_check_ _nonnull_(1, 2, 3);
void trials_drop_patch(Trials *t, const char *id, const char *reason) _nonnull_(1, 2, 3);
void trials_job_finished(Trials *t) _nonnull_(1);
int trials_resume_rollback(Trials *t, const Intent *intent, const char *reason) _must_check_ _nonnull_(1, 2, 3);
int trials_note_returns(Trials *t, const char *transaction, char *const *ids) _must_check_ _nonnull_(1, 2);
void trials_rolled_back(Trials *t, const char *transaction, const char *reason) _nonnull_(1, 2, 3);
void trials_gave_up(Trials *t, const char *transaction) _nonnull_(1, 2);

/* for the bus */
const char *trials_kind(const Trials *t, const char *id) _nonnull_(1, 2);
uint64_t trials_until(const Trials *t, const char *id) _nonnull_(1, 2);
int trials_end(Trials *t, char *const *ids, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
