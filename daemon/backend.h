/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Runs of a package manager for a baseline: hotpatch-baseline.service, seen from the daemon. */

#include <systemd/sd-bus.h>

#include "baseline/run.h"

typedef struct Backend Backend;
typedef struct Manager Manager;

/**
 * struct BackendOrder - what is to be done
 * @id: of the run; null: a new one
 * @baseline: "2026.10"
 * @bundle: id of the bundle that brings it; NULL: none does
 * @deadline_usec: that bundle's; 0: none
 * @kernel: release that must be installed afterwards; NULL: whichever comes
 * @packages: none: everything that the package manager has newer
 * @caller_uid: who asked; UINT32_MAX: the calendar did
 */
typedef struct BackendOrder {
        RunVerb verb;
        sd_id128_t id;
        const char *baseline;
        const char *bundle;
        uint64_t deadline_usec;
        const char *kernel;
        const RunPackage *packages;
        size_t n_packages;
        uint32_t caller_uid;
} BackendOrder;

/**
 * BackendDone - a run has ended; called once, never from backend_start()
 * @result: what came of it, valid during the call; NULL when it could not even begin
 * @error: why it failed; not set when it is done
 */
typedef void (*BackendDone)(void *userdata, const RunResult *result, const sd_bus_error *error);

int backend_new(Manager *m, Backend **ret) _must_check_ _nonnull_(1, 2);
Backend *backend_free(Backend *b); /* a run that is under way goes on without us */
DEFINE_TRIVIAL_CLEANUP(Backend *, backend_free);

int backend_recover(Backend *b) _must_check_ _nonnull_(1);
int backend_start(Backend *b, const BackendOrder *order, BackendDone done, void *userdata, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 3);
bool backend_is_running(const Backend *b);
