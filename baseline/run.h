/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One run of a backend: what is asked of it, and what came of it. Both are small JSON files, written
 * whole: the request by hotpatchd, the result by the runner. doc/baseline-backend.md is the contract.
 */

#include <systemd/sd-bus.h>
#include <systemd/sd-id128.h>

#include "util/base.h"

#define RUN_PROTOCOL 1

/* Below /run/hotpatch: of this boot, written by the daemon. */
#define RUN_REQUEST_FILE "run/hotpatch/baseline/request"
#define RUN_LOCK_FILE "run/hotpatch/baseline/lock"
/* Below /var/lib/hotpatch: one result for each of plan, download and install; mend writes install's. */
#define RUN_RESULT_DIRECTORY "var/lib/hotpatch/baseline"

typedef enum RunVerb {
        RUN_PLAN,
        RUN_DOWNLOAD,
        RUN_INSTALL,
        RUN_MEND,
        _RUN_VERB_MAX,
        _RUN_VERB_INVALID = -EINVAL,
} RunVerb;

typedef enum RunOutcome {
        RUN_RUNNING, /* in a file of another boot, or without a lock: interrupted */
        RUN_DONE,
        RUN_FAILED,
        _RUN_OUTCOME_MAX,
        _RUN_OUTCOME_INVALID = -EINVAL,
} RunOutcome;

typedef enum RunAction {
        RUN_CHANGE_INSTALL,
        RUN_CHANGE_UPGRADE,
        RUN_CHANGE_REMOVE,
        _RUN_CHANGE_MAX,
        _RUN_CHANGE_INVALID = -EINVAL,
} RunAction;

/* Why a run failed; each has an error name in the table of run-cause.c, and so a remedy. */
typedef enum RunCause {
        RUN_CAUSE_NONE,
        RUN_CAUSE_LOCK_HELD,
        RUN_CAUSE_NO_SPACE,
        RUN_CAUSE_BOOT_FULL,
        RUN_CAUSE_PACKAGES_BROKEN,
        RUN_CAUSE_CONFFILE,
        RUN_CAUSE_INITRAMFS_MISSING,
        RUN_CAUSE_KERNEL_MISSING,
        RUN_CAUSE_DOWNLOAD_FAILED,
        RUN_CAUSE_NOT_TRUSTED,
        RUN_CAUSE_NOT_FOUND,
        RUN_CAUSE_WOULD_REMOVE,
        RUN_CAUSE_WOULD_DOWNGRADE,
        RUN_CAUSE_HELD,
        RUN_CAUSE_INTERRUPTED,
        RUN_CAUSE_UNSUPPORTED,
        RUN_CAUSE_BACKEND,
        _RUN_CAUSE_MAX,
        _RUN_CAUSE_INVALID = -EINVAL,
} RunCause;

/** struct RunPackage - a package and the version to reach */
typedef struct RunPackage {
        char *name;
        char *version;
} RunPackage;

/**
 * struct RunRequest - what the daemon asks for; strings owned
 * @id: 32 hexadecimal digits, new for each run: the result repeats it
 * @backend: file name of the program, "apt"
 * @baseline: "YYYY.MM"
 * @bundle: id of the bundle that brings it; NULL: none does
 * @deadline_usec: until when that bundle wants it; 0: the calendar's deadline
 * @kernel: release that must be installed afterwards; NULL: whichever comes
 * @packages: none: everything that the package manager has newer, without removing anything
 * @lock_timeout_sec: how long to wait for another package manager
 */
typedef struct RunRequest {
        RunVerb verb;
        char *id;
        char *backend;
        char *baseline;
        char *bundle;
        uint64_t deadline_usec;
        char *kernel;
        RunPackage *packages;
        size_t n_packages;
        unsigned lock_timeout_sec;
} RunRequest;

/** struct RunChange - one package; @from or @to is NULL where there is none */
typedef struct RunChange {
        RunAction action;
        char *name;
        char *from;
        char *to;
} RunChange;

/**
 * struct RunResult - what came of it; strings owned
 * @verb, @id, @backend, @baseline, @bundle, @deadline_usec: the request's
 * @boot_id: boot in which it ran
 * @started_usec, @ended_usec: CLOCK_REALTIME; 0: not yet
 * @cause, @text: why it failed: a word for programs, a sentence for people
 * @retry: the cause may pass by itself, the same may be asked again
 * @changes: of a plan what would be done; else what was done
 * @download_bytes, @disk_bytes, @boot_bytes: what a plan needs; @disk_bytes is negative where space is freed
 * @kernel: newest kernel release that is or would be there because of it; NULL: no new one
 * @restart: a restart is needed afterwards
 * @warnings: sentences
 */
typedef struct RunResult {
        RunVerb verb;
        RunOutcome outcome;
        char *id;
        char *backend;
        char *baseline;
        char *bundle;
        uint64_t deadline_usec;
        sd_id128_t boot_id;
        uint64_t started_usec;
        uint64_t ended_usec;
        RunCause cause;
        char *text;
        bool retry;
        RunChange *changes;
        size_t n_changes;
        int64_t download_bytes;
        int64_t disk_bytes;
        int64_t boot_bytes;
        char *kernel;
        bool restart;
        char **warnings;
} RunResult;

/* run-request.c */
RunRequest *run_request_free(RunRequest *r);
DEFINE_TRIVIAL_CLEANUP(RunRequest *, run_request_free);
int run_request_parse(const void *data, size_t size, RunRequest **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 3);
int run_request_format(const RunRequest *r, char **ret) _must_check_ _nonnull_(1, 2);

/* run-result.c */
RunResult *run_result_free(RunResult *r);
DEFINE_TRIVIAL_CLEANUP(RunResult *, run_result_free);
int run_result_new(const RunRequest *request, RunResult **ret) _must_check_ _nonnull_(1, 2);
int run_result_parse(const void *data, size_t size, RunResult **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 3);
int run_result_format(const RunResult *r, char **ret) _must_check_ _nonnull_(1, 2);
int run_result_read_at(int root_fd, RunVerb verb, RunResult **ret) _must_check_ _nonnull_(3);
int run_result_fail(RunResult *r, RunCause cause, bool retry, const char *text) _must_check_ _nonnull_(1, 4);
int run_result_error(const RunResult *r, sd_bus_error *error) _must_check_ _nonnull_(1);

/* run-words.c */
const char *run_verb_to_string(RunVerb v);
RunVerb run_verb_from_string(const char *s);
const char *run_verb_result_name(RunVerb v);
const char *run_outcome_to_string(RunOutcome o);
RunOutcome run_outcome_from_string(const char *s);
const char *run_action_to_string(RunAction a);
RunAction run_action_from_string(const char *s);
const char *run_cause_to_string(RunCause c);
RunCause run_cause_from_string(const char *s);
const char *run_cause_error_name(RunCause c);
bool run_text_is_valid(const char *s);
bool run_package_is_valid(const char *name);
bool run_version_is_valid(const char *version);
bool run_release_is_valid(const char *release);
bool run_backend_is_valid(const char *backend);
bool run_id_is_valid(const char *id);
bool run_baseline_is_valid(const char *baseline);
bool run_bundle_is_valid(const char *bundle);
