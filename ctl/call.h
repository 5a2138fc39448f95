/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Calls of the Manager's methods. */

#include "ctl/ctl.h"
#include "ctl/json.h"

int call_new(Ctl *ctl, const char *method, sd_bus_message **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 3, 4);
int call_ask(Ctl *ctl, sd_bus_message *m, sd_bus_message **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 3, 4);
int call_wait(Ctl *ctl, sd_bus_message *m, const char *what, sd_bus_message **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 3, 4, 5);
int call_status(Ctl *ctl, Value **ret, sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3);
int call_print_job_told(const Ctl *ctl, const char *job, bool changed) _must_check_ _nonnull_(1, 2);
int call_tell_job(Ctl *ctl, const char *job, const char *method) _must_check_ _nonnull_(1, 2, 3);
int call_with_ids(Ctl *ctl, const char *method, char *const *ids, sd_bus_message **ret,
                sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3, 4, 5);
int call_with_file(Ctl *ctl, const char *method, const char *file, sd_bus_message **ret,
                sd_bus_error *error) _must_check_ _nonnull_(1, 2, 3, 4, 5);
