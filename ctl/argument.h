/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What follows a verb: ids, and bundle files. */

#include "ctl/ctl.h"

bool argument_is_id(const char *arg) _nonnull_(1);
bool argument_is_job(const char *arg) _nonnull_(1);
int argument_check_ids(char *const *argv) _must_check_ _nonnull_(1);
int argument_check_job(char *const *argv) _must_check_ _nonnull_(1);
bool argument_is_file(const char *arg) _nonnull_(1);
int argument_open(const char *arg, int *ret_fd, sd_bus_error *error) _must_check_
                _nonnull_(1, 2, 3);
