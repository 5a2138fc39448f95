/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Waiting for a job that a call of ours makes. */

#include "ctl/snapshot.h"

typedef struct Waiter Waiter;

int waiter_new(Ctl *ctl, Waiter **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3);
Waiter *waiter_free(Waiter *w);
DEFINE_TRIVIAL_CLEANUP(Waiter *, waiter_free);
#define _cleanup_waiter_ _cleanup_(waiter_freep)

int waiter_take_job(Waiter *w, sd_bus_message *reply, sd_bus_error *error) _must_check_
                _nonnull_(1, 2, 3);
int waiter_run(Waiter *w, sd_bus_error *error) _must_check_ _nonnull_(1, 2);
const JobInfo *waiter_job(const Waiter *w);
