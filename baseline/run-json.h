/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shared by the run-*.c files that read and write JSON. */

#include "baseline/run.h"
#include "util/json.h"

int run_json_load(const char *what, const void *data, size_t size, size_t max, json_t **ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 2, 5);
int run_json_refuse(sd_bus_error *error, const char *what, const char *format, ...) _printf_(3, 4);
int run_json_copy(const char *value, char **ret) _must_check_ _nonnull_(2);
int run_json_change(const char *what, json_t *object, RunChange *ret, sd_bus_error *error)
        _must_check_ _nonnull_(1, 3);
json_t *run_json_from_change(const RunChange *c) _must_check_ _nonnull_(1);
void run_change_done(RunChange *c);
