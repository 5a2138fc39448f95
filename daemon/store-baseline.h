/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* baseline-state in the state directory. */

#include "baseline/state.h"
#include "daemon/store.h"

/** struct BaselineFile - what is written: the words of the enumerations beside them */
typedef struct BaselineFile {
        BaselineState state;
        char *phase;
        char *cause;
} BaselineFile;

int store_baseline_read(const Store *s, BaselineState *ret) _must_check_ _nonnull_(1, 2);
int store_baseline_write(const Store *s, const BaselineState *state, sd_bus_error *error) _must_check_
                _nonnull_(1, 2);
