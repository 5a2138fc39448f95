/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The record of a transition that was ended by force. */

#include "daemon/store.h"

/**
 * struct Forced - strings owned
 * @ids: patches of the jobs
 * @modules: whose transitions were forced, the first one first
 * @pinned: modules that the kernel keeps in memory because of it
 * @forced_usec, @caller_uid: when and by whom, the last time
 */
typedef struct Forced {
        char **ids;
        char **modules;
        char **pinned;
        sd_id128_t boot_id;
        uint64_t forced_usec; /* CLOCK_REALTIME */
        uint64_t caller_uid;
} Forced;

void forced_done(Forced *f);

int store_forced_write(const Store *s, const Forced *f, sd_bus_error *error) _must_check_;
int store_forced_read(const Store *s, sd_id128_t boot_id, Forced *ret) _must_check_;
int store_forced_why(const Store *s, char **ret) _must_check_;
int store_forced_clear(const Store *s) _must_check_;
