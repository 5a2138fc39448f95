/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What every use of bundles begins with: admit them with the help of workers, gather facts, make the plan. Apply,
 * Plan, VerifyBundle and Stage differ only in how far they go and in what they do with the result.
 */

#include <systemd/sd-bus.h>

#include "bundle/bundle.h"
#include "daemon/payload.h"
#include "daemon/plan.h"
#include "daemon/request.h"
#include "util/base.h"

typedef struct Manager Manager;
typedef struct Preparation Preparation;

/** struct PreparedBundle - an admitted bundle: the private copy and what its signatures vouch for */
typedef struct PreparedBundle {
        char *id; /* expected id; NULL until the bundle tells it */
        int copy_fd;
        Signed *signed_; /* until it is verified */
        Verified *verified;
        Payload payload; /* its module for this kernel; nothing when it has none */
        uint64_t admitted_usec;
} PreparedBundle;

/**
 * PreparationDone - called once, later, never from preparation_new()
 * @r: 0, or why it failed
 * @error: the refusal
 *
 * The callback may free the preparation.
 */
typedef void (*PreparationDone)(void *userdata, int r, const sd_bus_error *error);
/** PreparationPhase - all bundles are admitted, the plan is made next */
typedef void (*PreparationPhase)(void *userdata);

/**
 * struct PreparationParameters
 * @request: names the bundles; borrowed for the life of the preparation
 * @load_dir_fd: where the modules for this kernel go; -EBADF: nowhere
 * @want_plan: go on to the plan
 */
typedef struct PreparationParameters {
        Manager *manager;
        const Request *request;
        int load_dir_fd;
        bool want_plan;
        PreparationPhase phase;
        PreparationDone done;
        void *userdata;
} PreparationParameters;

int preparation_new(const PreparationParameters *p, Preparation **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2);
Preparation *preparation_free(Preparation *p);
DEFINE_TRIVIAL_CLEANUP(Preparation *, preparation_free);

PreparedBundle *preparation_bundles(Preparation *p, size_t *ret_n);
const Plan *preparation_plan(const Preparation *p);
